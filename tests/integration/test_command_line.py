"""``rtaffect live``, ``simulate`` and ``replay --as-lsl`` as a user runs them: in processes."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from kept import Kept
from tiny_bundle import write_tiny_bundle

from rtaffect.bundle import Bundle
from rtaffect.client import Subscriber
from rtaffect.core.arrivals import ESTIMATES_STYPE
from rtaffect.core.streams import Chunk, ClockOffset, Event, StreamChoice, StreamEvent, StreamState
from rtaffect.core.window import Flag
from rtaffect.decode.baseline import Baseline
from rtaffect.decode.decoder import Decoder
from rtaffect.engine import Engine
from rtaffect.publish.xdf_writer import XdfWriter
from rtaffect.simulate.participant import Participant
from rtaffect.simulate.source import SimulatedSource
from rtaffect.sources.lsl import LslSource
from rtaffect.sources.lsl_inlet import local_clock
from rtaffect.sources.recording import open_recording
from rtaffect.sources.xdf_file import read_xdf
from rtaffect.wire import EstimateMessage
from tests.sources.lsl_sender import Sender

pytestmark = pytest.mark.integration
ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 30.0


@contextmanager
def running(*arguments: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Run the program; what it says to the user is its `stderr`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "rtaffect", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def said_until(process: subprocess.Popen[str], words: str) -> str:
    """Read what a process says until some words come; return the line."""
    assert process.stderr is not None
    for line in process.stderr:
        if words in line:
            return line
    pytest.fail(f"it ended without saying {words!r}")


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return write_tiny_bundle(tmp_path)


@pytest.mark.usefixtures("bundle")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_session_reaches_a_subscriber_ends_cleanly_and_replays_equal(
    tmp_path: Path, number: signal.Signals
) -> None:
    sender = f"test-cli-{uuid4().hex[:8]}"
    (tmp_path / "session.yaml").write_text(
        "streams:\n"
        + "".join(f"  {m}: {{source_id: {sender}-{m}}}\n" for m in ("eeg", "face", "markers"))
        + "decoders: [{bundle: tiny}]\n"
        + "publish: {address: tcp://127.0.0.1:*}\n"
        + "record: {path: session.xdf}\n"
    )
    simulate = ("simulate", "--source-id", sender, "--sfreq", "256", "--fault", "drop@5+0.2")
    with (
        running(*simulate, folder=tmp_path) as participant,
        running("live", "session.yaml", folder=tmp_path) as live,
    ):
        said = said_until(live, "Publishing on")
        found = re.search(r"tcp://127\.0\.0\.1:\d+", said)
        assert found is not None
        received: list[EstimateMessage] = []
        with Subscriber(found[0]) as subscriber:
            while sum(bool(message.estimate.targets) for message in received) < 6:
                message = subscriber.receive(timeout_s=PATIENCE_S)
                if isinstance(message, EstimateMessage):
                    received.append(message)
            assert sum(subscriber.n_dropped.values()) == 0
        live.send_signal(number)
        _, rest = live.communicate(timeout=PATIENCE_S)
        assert live.returncode == 0, rest
        participant.send_signal(number)
        participant.communicate(timeout=PATIENCE_S)
        assert participant.returncode == 0
    assert "Traceback" not in rest
    assert re.search(r"\d+ windows, \d+ with an answer", rest)

    streams, notes = read_xdf(tmp_path / "session.xdf")
    assert notes == []
    (recorded,) = (stream for stream in streams if stream.stype == ESTIMATES_STYPE)
    lived = [json.loads(text)["estimate"] for text in recorded.data[0]]
    assert len(lived) >= len(received)
    by_end = {estimate["t_end"]: estimate for estimate in lived}
    for message in received:
        twin = by_end[message.estimate.t_end]
        assert message.estimate.confidence == twin["confidence"]
        for name, target in message.estimate.targets.items():
            assert list(target.probabilities) == twin["targets"][name]["probabilities"]

    out = tmp_path / "estimates.jsonl"
    replay = ("replay", "session.xdf", "--bundle", "tiny", "--out", str(out))
    with running(*replay, folder=tmp_path) as again:
        _, said = again.communicate(timeout=PATIENCE_S)
    assert again.returncode == 0, said
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [{k: v for k, v in line.items() if k in lived[0]} for line in lines] == lived


def test_a_baseline_taken_live_serves_the_session_and_its_recording(tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path, rest="required")
    sender = f"test-cli-{uuid4().hex[:8]}"
    (tmp_path / "session.yaml").write_text(
        f"streams: {{eeg: {{source_id: {sender}-eeg}}}}\n"
        "decoders: [{bundle: tiny, baseline: rest.json}]\n"
        "publish: {address: tcp://127.0.0.1:*}\n"
        "record: {path: session.xdf}\n"
    )

    def done(*arguments: str) -> str:
        with running(*arguments, folder=tmp_path) as process:
            _, said = process.communicate(timeout=2 * PATIENCE_S)
        assert process.returncode == 0, said
        return said

    with running("simulate", "--source-id", sender, "--sfreq", "256", folder=tmp_path):
        said = done("baseline", "session.yaml", "--duration", "12", "--out", "rest.json")
        assert re.search(r"[2-9] clean windows of 1 s", said)
        done("live", "session.yaml", "--duration", "8", "--quiet")
    kept = json.loads((tmp_path / "rest.json").read_text())
    (tmp_path / "rest.json").unlink()  # the recording holds what the session had
    said = done("replay", "session.xdf", "--bundle", "tiny", "--out", "again.jsonl")
    assert f"baseline {Baseline.model_validate_json(json.dumps(kept)).digest[:12]}" in said
    streams, _ = read_xdf(tmp_path / "session.xdf")
    (recorded,) = (stream for stream in streams if stream.stype == ESTIMATES_STYPE)
    lived = [json.loads(text)["estimate"] for text in recorded.data[0]]
    assert sum(bool(estimate["targets"]) for estimate in lived) > 4
    lines = [json.loads(line) for line in (tmp_path / "again.jsonl").read_text().splitlines()]
    assert [{k: v for k, v in line.items() if k in lived[0]} for line in lines] == lived


def write(path: Path, name: str) -> None:
    """Write a plain XDF of eight seconds, with a gap, shaken stamps and offsets that move."""
    source = SimulatedSource(Participant(3), 8.0, sfreq=256, clock_offset_s=-500.0)
    infos = {m: replace(info, name=f"{name}-{m}") for m, info in source.infos.items()}
    rng = np.random.default_rng(0)
    with path.open("wb") as file:
        writer = XdfWriter(file)
        for number, info in enumerate(infos.values(), start=1):
            writer.add_stream(
                number,
                name=info.name,
                stype=info.stype,
                dtype=object if info.is_text else np.float32,
                ch_names=info.ch_names,
                units=info.units,
                sfreq=info.sfreq,
                source_id=info.source_id,
                simulated=True,
            )
        numbers = {modality: number for number, modality in enumerate(infos, start=1)}
        for event in source.events():
            if isinstance(event, Chunk) and not 1003.0 < event.t_received < 1003.3:
                stamps = event.stamps_s + rng.uniform(0, 5e-4, len(event.stamps_s))
                writer.samples(numbers[event.modality], stamps, event.data)
            elif isinstance(event, ClockOffset):
                offset_s = event.offset_s + rng.uniform(-1e-4, 1e-4)
                writer.clock_offset(
                    numbers[event.modality],
                    t_collected=event.t_received - offset_s,
                    offset_s=offset_s,
                )
        writer.footers()


def played(events: Sequence[Event], modality: str) -> tuple[np.ndarray, np.ndarray]:
    """Return samples and corrected stamps of a stream."""
    offset_s, stamps, samples = 0.0, [], []
    for event in events:
        if isinstance(event, ClockOffset) and event.modality == modality:
            offset_s = event.offset_s
        elif isinstance(event, Chunk) and event.modality == modality:
            stamps.append(event.stamps_s + offset_s)
            samples.append(event.data)
    return np.concatenate(samples, axis=1), np.concatenate(stamps)


def test_a_recording_sent_over_lsl_keeps_its_samples_and_its_timing(tmp_path: Path) -> None:
    name = f"Amp-{uuid4().hex[:8]}"
    write(tmp_path / "recording.xdf", name)
    with open_recording([tmp_path / "recording.xdf"]) as recording:
        expected = list(recording.events())
    choices = [
        StreamChoice(modality=modality, name=f"{name}-{modality}")
        for modality in ("eeg", "face", "markers")
    ]
    received: list[Event] = []
    with (
        running("replay", "recording.xdf", "--as-lsl", folder=tmp_path) as sending,
        LslSource(choices, tick_s=0.25, resolve_timeout_s=PATIENCE_S) as source,
    ):
        lost: set[str] = set()
        for event in source.events():
            received.append(event)
            if isinstance(event, StreamEvent) and event.state is StreamState.LOST:
                lost.add(event.modality)
            if len(lost) == len(choices):  # the recording is over, its outlets are gone
                break
        _, said = sending.communicate(timeout=PATIENCE_S)
    assert sending.returncode == 0, said
    assert source.infos["eeg"].simulated
    assert set(source.infos["eeg"].units) == {"uV"}
    for modality in ("eeg", "face", "markers"):
        data, t = played(expected, modality)
        raw = [
            event for event in received if isinstance(event, Chunk) and event.modality == modality
        ]
        got = np.concatenate([chunk.data for chunk in raw], axis=1)
        stamps = np.concatenate([chunk.stamps_s for chunk in raw])  # as sent, before any offset
        # Who joins late has missed the beginning; from there on nothing is missing to the end.
        n = got.shape[1]
        assert n >= 0.5 * data.shape[1]
        if modality == "markers":
            assert np.array_equal(got, data[:, -n:])
        else:
            np.testing.assert_array_equal(got, data[:, -n:])  # frames without a face are NaN
        if modality == "eeg":
            shift_s = stamps[0] - t[-n]
        # One shift for all streams: each sample comes as long after the first as it was recorded.
        np.testing.assert_allclose(stamps - shift_s, t[-n:], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sfreq": 500.0}, "rate in Hz: 256.0 -> 500.0"),
        ({"labels": ["Fz", "Cz"]}, "channels: 3 -> 2"),
    ],
)
def test_a_stream_that_comes_back_changed_is_refused_and_flagged(
    bundle: Bundle, change: dict[str, object], words: str
) -> None:
    stype = f"test-{uuid4().hex[:12]}"
    same: dict[str, object] = {"source_id": f"id-{uuid4()}", "stype": stype, "sfreq": 256.0}
    kept = Kept()

    class Watching(Kept):
        """Restarts the sender once there was an answer; ends two seconds after the refusal."""

        t_refused = np.inf

        def on_event(self, event: Event) -> None:
            if first.process.poll() is None and any(e.targets for e in kept.estimates):
                first.kill()
                changed.enter_context(Sender(**{**same, **change}))
            if isinstance(event, StreamEvent) and event.state is StreamState.REFUSED:
                self.t_refused = event.t_received
            if event.t_received > self.t_refused + 2.0:
                source.close()

    with (
        ExitStack() as changed,
        Sender(**same) as first,
        LslSource([StreamChoice(modality="eeg", stype=stype)]) as source,
    ):
        decoder = Decoder(bundle, provider="cpu")
        engine = Engine(source, [decoder], [kept, Watching()], clock=local_clock)
        summary = engine.run()
    (refusal,) = (
        e for e in kept.events if isinstance(e, StreamEvent) and e.state is StreamState.REFUSED
    )
    assert words in refusal.detail
    after = [e for e in kept.estimates if e.t_end > refusal.t_received]
    assert len(after) >= 3
    for estimate in after:
        assert not estimate.targets
        assert {("eeg", Flag.STALE), ("eeg", Flag.MISSING)} <= set(estimate.flags)
    assert summary.streams["eeg"].state == "refused"
