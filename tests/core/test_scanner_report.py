"""The scanner process's own health, and what pretends to be it."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtaffect.core.health import StageLatency
from rtaffect.core.scanner_report import ScannerReport, tells_of_a_run
from rtaffect.core.streams import Chunk

MEANS = {"p50_ms": 0.2, "p95_ms": 0.3, "p99_ms": 0.4, "n": 12}
HEALTH = {"kind": "health", "stages": {"means": MEANS}, "dropped": {"late": 2, "duplicate": 1}}


def chunk(*texts: object) -> Chunk:
    data = np.array([list(texts)], dtype=object)
    return Chunk("roi_meta", data, np.zeros(len(texts)), 0.0)


def report(*texts: object) -> ScannerReport:
    made = ScannerReport()
    made.push(chunk(*texts))
    return made


@pytest.mark.parametrize(
    ("texts", "begins"),
    [
        (['{"kind": "run_start", "run": 3}'], True),
        (['{"kind": "frame"}', '{"kind": "run_start"}'], True),
        (['{"kind": "note", "text": "run_start"}'], False),
        (['"run_start"'], False),
        (['{"run_start"'], False),
        (["[" * 9000 + '"run_start"'], False),
        ([], False),
    ],
)
def test_runs_are_told(texts: list[str], begins: bool) -> None:
    assert tells_of_a_run(chunk(*texts)) is begins


def test_stages_and_what_was_dropped_are_read() -> None:
    made = report(json.dumps({"kind": "frame", "index": 3}), json.dumps(HEALTH))
    assert made.stages == {"scanner.means": StageLatency(p50_ms=0.2, p95_ms=0.3, p99_ms=0.4, n=12)}
    assert made.notes == ("scanner: volumes dropped: 1 duplicate, 2 late",)


def test_the_newest_report_counts() -> None:
    made = report(json.dumps(HEALTH), json.dumps({"kind": "health", "stages": {}, "dropped": {}}))
    assert not made.stages
    assert not made.notes


def test_what_is_not_known_is_nan() -> None:
    stages = {"means": {"p50_ms": None, "n": 0}}
    latency = report(json.dumps({"kind": "health", "stages": stages})).stages["scanner.means"]
    assert math.isnan(latency.p50_ms)
    assert latency.n == 0


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)


@given(JSON, JSON)
def test_strange_reports_do_no_harm(stages: object, dropped: object) -> None:
    made = report(json.dumps({"kind": "health", "stages": stages, "dropped": dropped}))
    assert isinstance(made.notes, tuple)


@pytest.mark.parametrize(
    "text",
    [
        '{"kind": "health"',
        '["health"]',
        '"health"',
        '{"kind": "health", "stages": [], "dropped": 3}',
        '{"kind": "health", "stages": {"Means!": {"n": 1}, "means": {"n": "1"}}}',
        "[" * 60_000 + '"health"',
        "x" * (1 << 17) + '"health"',
        7,
        b"health",
    ],
)
def test_what_is_no_report_is_left_alone(text: object) -> None:
    made = report(json.dumps(HEALTH))
    before = dict(made.stages)
    made.push(chunk(text))
    assert made.stages in ({}, before)
    assert report(text).stages == {}
