"""What a session estimated live, its recording estimates again, bit for bit."""

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from kept import Kept
from tiny_bundle import write_tiny_bundle

from rtaffect.bundle import Bundle
from rtaffect.core.streams import Chunk, ClockOffset, Source, StreamChoice, StreamEvent
from rtaffect.core.window import Flag
from rtaffect.decode.decoder import Decoder
from rtaffect.engine import Engine
from rtaffect.publish.recorder import Recorder
from rtaffect.simulate.faults import parse_fault
from rtaffect.simulate.participant import Participant
from rtaffect.simulate.sender import run_sender
from rtaffect.sources.lsl import LslSource
from rtaffect.sources.lsl_inlet import Inlet, local_clock
from rtaffect.sources.recording import open_recording

pytestmark = pytest.mark.integration


@pytest.fixture
def wandering_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every measured offset of the EEG wander, and jump once, as on two real machines."""
    honest = Inlet.offset
    drift_s = itertools.accumulate(itertools.repeat(0.00037), initial=0.0)
    jumps = itertools.chain([0.0] * 6, itertools.repeat(0.3))

    def offset(self: Inlet, timeout_s: float) -> float:
        value = honest(self, timeout_s)
        if self.found.stype != "EEG":
            return value
        return value + next(drift_s) + next(jumps)

    monkeypatch.setattr(Inlet, "offset", offset)


@pytest.fixture
def sender() -> Iterator[str]:
    """A simulated participant whose streams suffer drift, loss, death and a clock that is set."""
    prefix = f"test-live-replay-{uuid4().hex[:8]}"
    stop = threading.Event()
    faults = [
        parse_fault(text)
        for text in ("skew@0+30=80", "drop@5+0.2", "face:absent@6+1", "death@8+1", "reset@12=-40")
    ]
    thread = threading.Thread(
        target=run_sender,
        args=(Participant(95_001),),
        kwargs={"stop": stop, "faults": faults, "duration_s": 30.0, "source_id": prefix},
    )
    thread.start()
    yield prefix
    stop.set()
    thread.join(10.0)
    assert not thread.is_alive()


def run(source: Source, bundle: Bundle, *sinks: Kept | Recorder, live: bool) -> None:
    decoder = Decoder(bundle, infos=source.infos, provider="cpu")
    Engine(source, [decoder], sinks, clock=local_clock if live else None).run()


def replayed(path: Path, bundle: Bundle) -> Kept:
    kept = Kept()
    with open_recording([path]) as source:
        run(source, bundle, kept, live=False)
    return kept


@pytest.mark.usefixtures("wandering_clock")
def test_live_equals_replay_bit_for_bit(tmp_path: Path, sender: str) -> None:
    bundle = write_tiny_bundle(tmp_path)
    choices = [
        StreamChoice(modality=modality, source_id=f"{sender}-{modality}")
        for modality in ("eeg", "face", "markers")
    ]
    path, live = tmp_path / "session.xdf", Kept()
    with LslSource(choices, tick_s=0.5, offset_interval_s=1.0).open() as source:
        timer = threading.Timer(16.0, source.close)
        timer.start()
        recorder = Recorder(path, source.infos, session={})
        run(source, bundle, live, recorder, live=True)
    # The session was eventful enough to mean something.
    offsets = [
        e.offset_s for e in live.events if isinstance(e, ClockOffset) and e.modality == "eeg"
    ]
    assert len(offsets) > 8
    assert max(offsets) - min(offsets) > 0.29
    assert {e.state.value for e in live.events if isinstance(e, StreamEvent)} == {
        "lost",
        "recovered",
    }
    flags = {flag for estimate in live.estimates for flag in estimate.flags}
    assert {("eeg", Flag.GAP), ("eeg", Flag.CLOCK), ("eeg", Flag.STALE)} <= flags
    assert sum(bool(estimate.targets) for estimate in live.estimates) > 8

    first, second = replayed(path, bundle), replayed(path, bundle)
    canonical = [estimate.canonical() for estimate in live.estimates]
    assert [estimate.canonical() for estimate in first.estimates] == canonical
    assert [estimate.canonical() for estimate in second.estimates] == canonical
    n_live = sum(e.data.shape[1] for e in live.events if isinstance(e, Chunk))
    assert sum(e.data.shape[1] for e in first.events if isinstance(e, Chunk)) == n_live
