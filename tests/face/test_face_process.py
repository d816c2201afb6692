"""A clip as a camera reaches an LSL inlet, a recording and its replay; no picture is kept."""

import json
import os
import re
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

import numpy as np
import pylsl
import pytest

from rtaffect.core.face_features import FACE_FEATURES
from rtaffect.core.spec import FrameSpec, WindowSpec
from rtaffect.core.streams import StreamChoice
from rtaffect.core.window import Window
from rtaffect.face.cameras import open_video
from rtaffect.face.extractor import Extractor
from rtaffect.face.landmarks import Landmarker
from rtaffect.face.models import models_folder
from rtaffect.face.neutral import NeutralSettings
from rtaffect.face.pictures import Grabber, PacedFile
from rtaffect.face.process import FaceProcess, describe
from rtaffect.publish.recorder import Recorder
from rtaffect.sources.lsl import LslSource
from rtaffect.sources.lsl_inlet import local_clock
from rtaffect.sources.recording import open_recording
from rtaffect.windows import open_chain, open_windows

pytestmark = [pytest.mark.integration, pytest.mark.recordings]


def open_process(clip: Path, landmarker: Landmarker, source_id: str) -> FaceProcess:
    capture, mode = open_video(clip)
    grabber = Grabber(lambda: PacedFile(capture, mode.sfreq), clock=local_clock)
    info = describe(
        name="test-face", source_id=source_id, sfreq=mode.sfreq, backend=landmarker.name
    )
    extractor = Extractor(landmarker, neutral=NeutralSettings(n_min=2))  # the clips are short
    return FaceProcess(grabber, extractor, info, clock=local_clock)


def test_features_reach_an_inlet_with_names_units_and_how_they_were_made(
    shared_data: Path, landmarker: Landmarker
) -> None:
    source_id = uuid.uuid4().hex
    clip = shared_data / "face" / "pyfeat_face_noface.mov"
    process = open_process(clip, landmarker, source_id)
    try:
        found = pylsl.resolve_byprop("source_id", source_id, 1, 10.0)
        inlet = pylsl.StreamInlet(found[0])
        info = inlet.info(5.0)
        inlet.open_stream(5.0)
        process.run(threading.Event())
        samples, stamps = [], []
        while (sample := inlet.pull_sample(timeout=1.0))[0] is not None:
            samples.append(sample[0])
            stamps.append(sample[1])
    finally:
        process.close()
    assert (info.type(), info.nominal_srate()) == ("Face", 0.0)
    assert info.get_channel_labels() == [*FACE_FEATURES, "confidence", "success"]
    assert info.get_channel_units()[6:12] == ["mm"] * 3 + ["rad"] * 3
    assert info.desc().child("processing").child_value("au_method") == "geometry"
    assert len(samples) == process.progress.n_frames
    assert process.progress.n_frames + process.progress.n_dropped == 169
    data = np.array(samples)
    success = data[:, 30] == 1
    assert np.isfinite(data[success, :12]).all()
    assert np.isnan(data[~success, :29]).all()
    assert 0 < success.sum() < len(success)
    assert np.median(np.diff(stamps)) == pytest.approx(1 / 26.4, rel=0.15)


def test_a_cameras_own_delay_is_no_time_of_ours(shared_data: Path, landmarker: Landmarker) -> None:
    capture, mode = open_video(shared_data / "face" / "pyfeat_single_face.mp4")
    grabber = Grabber(lambda: PacedFile(capture, 300.0), clock=local_clock, delay_s=1000.0)
    info = describe(name="late", source_id=uuid.uuid4().hex, sfreq=mode.sfreq, backend="litert")
    with grabber:
        process = FaceProcess(grabber, Extractor(landmarker), info, clock=local_clock)
        process.run(threading.Event())
        process.close()
    told = process.stages["grab to features"].summary()
    assert 0.0 < told.p50_ms < 100_000.0


def content(window: Window) -> tuple[object, ...]:
    part = window.modalities["face"]
    return window.index, window.t_closed, part.flags, part.coverage, part.data.tobytes()


def test_a_recorded_face_gives_the_windows_that_it_gave_live(
    shared_data: Path, tmp_path: Path, landmarker: Landmarker
) -> None:
    source_id = uuid.uuid4().hex
    process = open_process(shared_data / "face" / "pyfeat_face_noface.mov", landmarker, source_id)
    spec = WindowSpec(
        window_s=1.0, modalities={"face": FrameSpec(ch_names=FACE_FEATURES, optional=False)}
    )
    path = tmp_path / "session.xdf"
    choice = StreamChoice(modality="face", stype="Face", source_id=source_id)

    thread = threading.Thread(target=process.run, args=(threading.Event(),))
    live: list[Window] = []
    with LslSource([choice], tick_s=spec.hop_s) as source:
        chain = open_chain(spec, source.infos)
        recorder = Recorder(path, source.infos, session={})
        thread.start()
        deadline = time.monotonic() + 9.0
        for event in source.events():
            live += chain.push(event)
            recorder.on_event(event)
            if time.monotonic() > deadline:
                source.close()
        recorder.close()
    thread.join()
    process.close()
    assert source.infos["face"].about["processing.extractor"] == "rtaffect"
    with open_recording([path], choices=[choice]) as replayed:
        assert replayed.infos["face"].about["processing.extractor"] == "rtaffect"
        again = list(open_windows(replayed, spec))
    assert any(window.modalities["face"].usable for window in live)
    assert [content(w) for w in again] == [content(w) for w in live]


WATCH = """
import json, os, sys
opened = []
def watch(event, args):
    if event == "open" and args[0] is not None and isinstance(args[2], int):
        if args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            opened.append(str(args[0]))
sys.addaudithook(watch)
from rtaffect.cli.main import main
sys.argv = ["rtaffect", "face", sys.argv[1], "--quiet", "--duration", "3"]
try:
    main()
except SystemExit as end:
    assert not end.code
print(json.dumps(opened))
"""


def test_no_file_is_written_while_a_face_is_tracked(
    shared_data: Path, tmp_path: Path, face_models: None
) -> None:
    """Neither by Python (a hook sees every file opened) nor by a library (folders stay bare)."""
    clip = shared_data / "face" / "pyfeat_single_face.mp4"
    done = subprocess.run(
        [sys.executable, "-B", "-c", WATCH, str(clip)],
        cwd=tmp_path,
        env={
            **os.environ,
            "TMPDIR": str(tmp_path),
            "HOME": str(tmp_path),
            "RTAFFECT_FACE_MODELS": str(models_folder()),
        },
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
    )
    opened = json.loads(done.stdout.splitlines()[-1])
    assert [name for name in opened if name != "/dev/null"] == []
    assert list(tmp_path.rglob("*")) == []
    assert re.search(r"[4-7]\d frames, \d+ dropped", done.stderr)  # a busy machine drops some
