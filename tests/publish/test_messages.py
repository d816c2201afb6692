"""Nothing of the runtime's own words is lost or bent on the way to the wire's."""

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest

from rtaffect import wire
from rtaffect.core import estimate as core_estimate
from rtaffect.core import health as core_health
from rtaffect.core.errors import WireError
from rtaffect.core.sinks import Matrix
from rtaffect.core.streams import Chunk, ClockOffset, StreamInfo
from rtaffect.publish.messages import (
    MAX_MARKER,
    estimate_body,
    health_body,
    marker_bodies,
    matrix_body,
    session_body,
)
from rtaffect.signal.timeline import ClockMap
from rtaffect.version import __version__
from tests.tiny_bundle import write_tiny_bundle
from tests.wire_cases import estimate

EEG = StreamInfo(
    modality="eeg", name="amp", stype="EEG", source_id="x", ch_names=("Fz",), sfreq=2.0
)


@pytest.mark.parametrize(
    ("core", "message"),
    [
        (core_estimate.Estimate, wire.Estimate),
        (core_health.Health, wire.Health),
        (core_health.StreamHealth, wire.StreamHealth),
        (core_health.StageLatency, wire.StageLatency),
    ],
)
def test_a_message_has_the_fields_of_what_it_carries(core: type, message: type) -> None:
    def names(kind: type) -> set[str]:
        return {each.name for each in dataclasses.fields(kind)}

    assert names(core) == names(message)


def test_an_estimate_keeps_its_canonical_form() -> None:
    body = wire.plain(estimate_body(estimate("main", 3.1)))
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    assert text.encode() == estimate("main", 3.1).canonical()


def test_unknown_numbers_of_health_become_null() -> None:
    stages = {"decode": core_health.LatencyMeter().summary()}
    health = core_health.Health(t=1.0, streams={}, stages=stages, queues={"q": 1}, provider="CPU")
    assert health_body(health).stages["decode"].p50_ms is None


def test_a_session_says_what_runs(tmp_path: Path) -> None:
    bundle = write_tiny_bundle(tmp_path)
    simulated = dataclasses.replace(EEG, simulated=True)
    body = session_body({"main": bundle}, {"eeg": simulated})
    manifest = bundle.manifest
    assert body.rtaffect_version == __version__
    assert body.simulated
    assert set(body.topics) == {
        *("session/", "health/", "event/", "estimate/main/", "dfcn/main/"),
    }
    assert body.decoders["main"].bundle_digest == bundle.digest
    assert body.decoders["main"].hop_s == manifest.windows.hop_s
    assert {name: (t.classes, t.edges) for name, t in body.decoders["main"].targets.items()} == {
        name: (target.classes, target.edges) for name, target in manifest.targets.items()
    }
    assert body.streams["eeg"].ch_names == ("Fz",)
    assert wire.build(wire.Session, wire.plain(body)) == body


def test_a_session_says_which_models_are_leaky_and_which_take_a_baseline(tmp_path: Path) -> None:
    bundles = {
        "plain": write_tiny_bundle(tmp_path / "plain"),
        "leaky": write_tiny_bundle(tmp_path / "leaky", leaky=True),
        "rest": write_tiny_bundle(tmp_path / "rest", rest="optional"),
    }
    decoders = session_body(bundles, {}).decoders
    assert [name for name, one in decoders.items() if one.leaky] == ["leaky"]
    assert [name for name, one in decoders.items() if one.takes_baseline] == ["rest"]


def test_a_decoder_that_has_no_topic_is_refused_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(WireError, match="names of decoders"):
        session_body({"a/b": write_tiny_bundle(tmp_path)}, {})


def test_markers_are_placed_on_the_runtimes_clock() -> None:
    clock_map = ClockMap()
    clock_map.update(ClockOffset("markers", 10.0, 0.0))
    data = np.array([["a", "b"], ["c", "d"]], dtype=object)
    bodies = list(marker_bodies(Chunk("markers", data, np.array([1.0, 2.0]), 12.5), clock_map))
    assert [(body.text, body.t) for body in bodies] == [
        *(("a", 11.0), ("c", 11.0), ("b", 12.0), ("d", 12.0)),
    ]


def marker_of(text: str, stamp_s: float) -> wire.Event:
    samples = np.array([[text]], dtype=object)
    (body,) = marker_bodies(Chunk("markers", samples, np.array([stamp_s]), 7.0), ClockMap())
    message = wire.EventMessage(
        schema=wire.SCHEMA, topic="event/", seq=0, session_id="s", t_published=7.0, event=body
    )
    received = wire.decode(wire.encode(message))
    assert isinstance(received, wire.EventMessage)
    return received.event


@pytest.mark.parametrize("stamp_s", [math.nan, math.inf, -math.inf])
def test_a_marker_without_a_time_has_that_of_its_arrival(stamp_s: float) -> None:
    assert marker_of("begin", stamp_s).t == 7.0


@pytest.mark.parametrize("letter", ["a", "\0", "\U0001f600"])
def test_a_marker_of_megabytes_is_cut_and_still_a_message(letter: str) -> None:
    text = marker_of(letter * (1 << 21), 1.0).text
    assert text == letter * MAX_MARKER + "..."


@pytest.mark.parametrize(
    ("shape", "sent", "ch_names"),
    [((2, 3), (2, 3), ("Fz", "Cz")), ((3, 2), (3, 2), ()), ((), (1,), ())],
)
def test_labels_go_with_an_axis_that_has_as_many(
    shape: tuple[int, ...], sent: tuple[int, ...], ch_names: tuple[str, ...]
) -> None:
    data = np.arange(math.prod(shape), dtype=np.float32).reshape(shape)
    body, raw = matrix_body(
        Matrix(decoder="main", name="x", t_end=1.0, data=data, ch_names=("Fz", "Cz"))
    )
    assert (body.shape, body.ch_names) == (sent, ch_names)
    assert np.frombuffer(raw, body.dtype).tolist() == data.ravel().tolist()
