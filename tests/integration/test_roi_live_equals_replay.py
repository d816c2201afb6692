"""ROI frames over LSL: what was estimated live, its recording and a data set estimate again."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from frame_cases import FRAMES, REGIONS, ROI_SPEC
from kept import Kept
from tiny_roi_bundle import write_tiny_roi_bundle
from window_cases import ListSource, same_windows

from rtaffect.bundle import Bundle
from rtaffect.core.spec import CleaningSpec, WindowSpec
from rtaffect.core.streams import Chunk, ClockOffset, Source, StreamChoice, StreamInfo
from rtaffect.decode.decoder import Decoder
from rtaffect.engine import Engine
from rtaffect.publish.lsl import LslSender
from rtaffect.publish.recorder import Recorder
from rtaffect.sources.lsl import LslSource
from rtaffect.sources.lsl_inlet import local_clock
from rtaffect.sources.recording import open_recording
from rtaffect.windows import open_windows

pytestmark = pytest.mark.integration

TR_S = 0.25
WINDOWS: WindowSpec = replace(
    FRAMES,
    window_s=6 * TR_S,
    hop_s=TR_S,
    max_wait_s=0.4,
    stale_s=2.0,
    modalities={
        "roi": replace(
            ROI_SPEC,
            sfreq=1 / TR_S,
            max_gap_s=0.6,
            new_run_s=1.5,
            cleaning=CleaningSpec(window_s=6.0, despike=False),
        )
    },
)
ABOUT = {
    "acquisition.tr_s": str(TR_S),
    "acquisition.time_reference": "mid",
    "atlas.name": "Brainnetome",
    "processing.despike": "none",
    "processing.causal": "1",
}


def send(sender: LslSender, stop: threading.Event) -> None:
    """Send frames half a TR after they were acquired, with all that goes wrong at a scanner."""
    rng = np.random.default_rng(4)
    late: list[Chunk] = []
    started = local_clock()
    for index in range(40):
        stamp_s = started + index * TR_S
        if stop.wait(max(0.0, stamp_s + TR_S / 2 - local_clock())):
            return
        values = rng.normal(9000.0, 30.0, (len(REGIONS) + 1, 1))
        if index == 12:
            values[2] = np.nan
        if index in {15, *range(24, 32)}:  # dropped; then a new run
            continue
        chunk = Chunk("roi", values, np.array([stamp_s]), stamp_s)
        if index in {18, 19}:  # a burst
            late.append(chunk)
            continue
        for each in [*late, chunk]:
            sender.push(each)
        late = []
        if index == 8:
            sender.push(chunk)  # a double


@pytest.fixture
def choice() -> Iterator[StreamChoice]:
    """A scanner process of our own, on loopback."""
    source_id = f"test-roi-{uuid4().hex[:8]}"
    info = StreamInfo(
        modality="roi",
        name="rtaffect-roi",
        stype="fMRI",
        source_id=source_id,
        ch_names=("Cerebellum", *REGIONS[::-1]),
        sfreq=0.0,
        units=("au",) * (len(REGIONS) + 1),
        simulated=True,
        about=ABOUT,
    )
    sender, stop = LslSender([info]), threading.Event()

    def run() -> None:
        while not sender.has_consumers("roi") and not stop.wait(0.02):
            pass
        time.sleep(0.2)
        send(sender, stop)

    thread = threading.Thread(target=run)
    thread.start()
    yield StreamChoice(modality="roi", stype="fMRI", source_id=source_id)
    stop.set()
    thread.join(15.0)
    assert not thread.is_alive()
    sender.close()


def run(source: Source, bundle: Bundle, *sinks: Kept | Recorder, live: bool) -> None:
    decoder = Decoder(bundle, infos=source.infos, provider="cpu")
    Engine(source, [decoder], sinks, clock=local_clock if live else None).run()


def test_live_equals_replay_equals_offline(tmp_path: Path, choice: StreamChoice) -> None:
    bundle = write_tiny_roi_bundle(tmp_path, windows=WINDOWS)
    path, live = tmp_path / "session.xdf", Kept()
    with LslSource([choice], tick_s=0.1, offset_interval_s=1.0).open() as source:
        info = source.infos["roi"]
        assert info.about == ABOUT
        assert (info.simulated, info.sfreq) == (True, 0.0)
        timer = threading.Timer(12.0, source.close)
        timer.start()
        run(source, bundle, live, Recorder(path, source.infos, session={}), live=True)
        timer.cancel()
    chunks = [event for event in live.events if isinstance(event, Chunk)]
    assert sum(chunk.data.shape[1] for chunk in chunks) == 32
    assert sum(isinstance(event, ClockOffset) for event in live.events) > 3
    words = {flag.value for estimate in live.estimates for _, flag in estimate.flags}
    assert {"gap", "late", "warmup", "simulated"} <= words
    assert sum(bool(estimate.targets) for estimate in live.estimates) > 8

    replayed = Kept()
    with open_recording([path]) as again:
        assert again.infos == {"roi": info}
        run(again, bundle, replayed, live=False)
    canonical = [estimate.canonical() for estimate in live.estimates]
    assert [estimate.canonical() for estimate in replayed.estimates] == canonical

    # A data set that plays the same frames gives a model the same windows.
    with open_recording([path]) as again:
        windows = list(open_windows(again, WINDOWS))
    offline = list(open_windows(ListSource(live.events, {"roi": info}), WINDOWS))
    same_windows(windows, offline)
    assert [window.t_end for window in windows] == [e.t_end for e in live.estimates]
