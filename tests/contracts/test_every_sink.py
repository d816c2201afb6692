"""What every sink promises, held to each of them."""

import math
import pickle
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from alike import classes_like
from kept import Kept
from tiny_bundle import write_tiny_bundle

from rtaffect import wire
from rtaffect.cli.status import ReplayBar, StatusLine
from rtaffect.core.errors import RtaffectError
from rtaffect.core.estimate import Distribution, Estimate
from rtaffect.core.health import Health, LatencyMeter, StreamHealth
from rtaffect.core.sinks import Matrix, Sink, Timing
from rtaffect.core.streams import (
    Chunk,
    ClockOffset,
    Event,
    StreamEvent,
    StreamInfo,
    StreamState,
    Tick,
)
from rtaffect.core.window import Flag
from rtaffect.publish.estimate_file import EstimateFile
from rtaffect.publish.lsl import LslPublisher
from rtaffect.publish.messages import session_body
from rtaffect.publish.recorder import Recorder
from rtaffect.publish.zmq import ZmqPublisher

PUBLISH = Path(__file__).parents[2] / "rtaffect" / "publish"
HELPERS = {"__init__", "keys", "messages", "volume_files", "xdf_writer"}
OF_THE_SCANNER = {"roi", "volumes"}  # what the scanner process sends by; no sinks of the engine
INFOS = {
    "eeg": StreamInfo(
        modality="eeg",
        name="amp",
        stype="EEG",
        ch_names=("Cz", "Pz"),
        sfreq=100.0,
        units=("uV",) * 2,
    ),
    "markers": StreamInfo(
        modality="markers", name="m", stype="Markers", ch_names=("m",), sfreq=0.0, is_text=True
    ),
}
EVERY: dict[str, tuple[type[Sink], str, Callable[[Path], Sink]]] = {
    "ZeroMQ": (ZmqPublisher, "zmq", lambda folder: publisher(folder)),
    "LSL": (LslPublisher, "lsl", lambda folder: LslPublisher(session(folder), session_id="c")),
    "recorder": (
        Recorder,
        "recorder",
        lambda folder: Recorder(folder / "s.xdf", INFOS, session={}),
    ),
    "parquet": (EstimateFile, "estimate_file", lambda folder: estimate_file(folder, "e.parquet")),
    "csv": (EstimateFile, "estimate_file", lambda folder: estimate_file(folder, "e.csv")),
    "jsonl": (EstimateFile, "estimate_file", lambda folder: estimate_file(folder, "e.jsonl")),
    "status line": (StatusLine, "", lambda _: StatusLine()),  # lives in cli/
    "replay bar": (ReplayBar, "", lambda _: ReplayBar(0.0, 10.0)),
    "kept": (Kept, "", lambda _: Kept("a")),  # what tests listen with
}
"""By name: the class, the module of publish/ that it is in, and how one is made."""


def publisher(folder: Path) -> ZmqPublisher:
    return ZmqPublisher("tcp://127.0.0.1:*", session=session(folder), session_id="s", clock=None)


def session(folder: Path) -> wire.Session:
    return session_body({"a": write_tiny_bundle(folder)}, INFOS)


def estimate_file(folder: Path, name: str) -> EstimateFile:
    return EstimateFile(folder / name, {"a": write_tiny_bundle(folder)})


def test_every_file_of_publish_is_held_to_the_contract() -> None:
    registered = {module for _, module, _ in EVERY.values() if module}
    assert {path.stem for path in PUBLISH.glob("*.py")} == registered | HELPERS | OF_THE_SCANNER


def test_every_sink_is_held_to_the_contract() -> None:
    assert classes_like(Sink) == {kind for kind, _, _ in EVERY.values()} - {Kept}


def no_answer(t_end: float) -> Estimate:
    return Estimate(
        decoder="a", t_start=t_end - 3, t_end=t_end, targets={}, confidence=0.0,
        coverage={"eeg": 0.0}, flags=(("eeg", Flag.MISSING),), contributions={}, n_slices=0,
        bundle_digest="d" * 64,
    )  # fmt: skip


def health(t: float) -> Health:
    unknown = StreamHealth(
        state="waiting", n_samples=0, sfreq_hz=math.nan, drift_ppm=math.nan, offset_s=math.nan,
        n_gaps=0, n_missing=0, n_backward=0, n_nonfinite=0, age_s=math.nan,
    )  # fmt: skip
    stages = {"decode": LatencyMeter().summary()}
    return Health(
        t=t, streams={"eeg": unknown}, stages=stages, queues={"engine": 3}, provider="CPU",
        notes=("eeg: T7 flat",),
    )  # fmt: skip


def events() -> list[Event]:
    text = np.array([["start"]], dtype=object)
    return [
        Tick(10.0),
        ClockOffset("eeg", 0.25, 10.01),
        Chunk("eeg", np.array([[1.0, np.nan], [2.0, np.inf]]), np.array([9.9, 9.91]), 10.02),
        Chunk("markers", text, np.array([9.95]), 10.03),
        Chunk("markers", text[:, :0], np.empty(0), 10.04),
        StreamEvent("eeg", StreamState.LOST, 10.5, "the sender hung up"),
        StreamEvent("eeg", StreamState.RECOVERED, 11.0, "it is back"),
        StreamEvent("eeg", StreamState.REFUSED, 11.5, "channels: 2 -> 3"),
        Tick(12.0),
    ]


def tiny_answer(t_end: float) -> Estimate:
    """An answer of the tiny bundle."""
    halves = Distribution(classes=("low", "high"), probabilities=(0.3, 0.7), edges=(-1.0, 0.0, 1.0))
    return Estimate(
        decoder="a", t_start=t_end - 1, t_end=t_end, targets={"valence": halves, "arousal": halves},
        confidence=0.4, coverage={"eeg": 1.0, "face": 0.5}, flags=(("face", Flag.ARTIFACT),),
        contributions={"a": 1.0}, n_slices=2, bundle_digest="d" * 64,
    )  # fmt: skip


def matrix() -> Matrix:
    data = np.arange(4, dtype=np.float32).reshape(2, 2)
    return Matrix(decoder="a", name="slice", t_end=10.0, data=data, ch_names=("x", "y"))


def tell_everything(sink: Sink) -> None:
    """Tell a sink of all that may happen in a session, and look whether it changed any of it."""
    happened = [*events(), tiny_answer(10.0), no_answer(10.25), health(12.0)]
    before = [pickle.dumps(one) for one in happened]
    for one in happened:
        match one:
            case Estimate():
                sink.on_estimate(one, Timing(t_closed=10.3, t_decoded=10.301))
            case Health():
                sink.on_health(one)
            case _:
                sink.on_event(one)
    if sink.wants_matrices("a"):
        sink.on_matrix(matrix())
    assert not sink.wants_matrices("nobody")
    assert [pickle.dumps(one) for one in happened] == before


@pytest.mark.integration
@pytest.mark.parametrize("name", EVERY)
def test_a_sink_takes_everything_changes_nothing_and_closes_twice(
    name: str, tmp_path: Path
) -> None:
    kind, _, make = EVERY[name]
    sink = make(tmp_path)
    assert type(sink) is kind
    try:
        tell_everything(sink)
    finally:
        sink.close()
        sink.close()


@pytest.mark.integration
@pytest.mark.parametrize("name", EVERY)
def test_a_sink_that_was_told_nothing_closes(name: str, tmp_path: Path) -> None:
    EVERY[name][2](tmp_path).close()


@pytest.mark.integration
@pytest.mark.parametrize("name", EVERY)
def test_what_a_sink_cannot_take_is_an_error_of_ours(name: str, tmp_path: Path) -> None:
    sink = EVERY[name][2](tmp_path)
    strangers = [
        Chunk("unheard-of", np.zeros((3, 2)), np.zeros(2), 10.0),
        ClockOffset("unheard-of", 0.5, 10.1),
        StreamEvent("unheard-of", StreamState.LOST, 10.2),
    ]
    try:
        for stranger in strangers:
            with suppress(RtaffectError):  # the engine drops the sink and goes on
                sink.on_event(stranger)
    finally:
        sink.close()
