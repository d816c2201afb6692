"""A participant in a simulated scanner, through every process: what arrives is what was scanned."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pylsl
import pytest

from rtaffect.core.atlas import brainnetome
from rtaffect.simulate.bold import BoldSettings, SimulatedBold
from rtaffect.simulate.participant import Participant

pytestmark = pytest.mark.integration
PATIENCE_S = 30.0
TR_S, START_S, DURATION_S = 0.5, 9.0, 16.0
LOST = (5, 6)


def started(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "rtaffect", *arguments])


def inlet(source_id: str) -> pylsl.StreamInlet:
    (found,) = pylsl.resolve_byprop("source_id", source_id, timeout=PATIENCE_S)
    opened = pylsl.StreamInlet(found, recover=False, processing_flags=0)
    opened.open_stream(timeout=PATIENCE_S)
    return opened


def test_regions_arrive_with_the_times_at_which_they_were_scanned(tmp_path: Path) -> None:
    name = f"scanned-{os.getpid()}"
    folder = tmp_path / "volumes"
    folder.mkdir()
    labels = tmp_path / "labels.nii.gz"
    simulate = started(
        "simulate", "--seed", "11", "--scanner", "nifti", "--to", str(folder), "--tr", str(TR_S),
        "--scan-after", str(START_S), "--labels", str(labels), "--duration", str(DURATION_S),
        "--sfreq", "128", "--source-id", name, "--fault", "scanner:drop@2.5+1",
        "--fault", "scanner:nan@5+0.5=3,246",
    )  # fmt: skip
    pulses = inlet(f"{name}-pulses")  # the labels are there by now
    session = {
        "input": {"kind": "nifti", "folder": str(folder)},
        "labels": {"image": str(labels), "names": "brainnetome"},
        "cleaning": None,
        "tr_s": TR_S,
        "time": {"kind": "triggers", "type": "Triggers", "source_id": f"{name}-pulses"},
        "source_id": name,
        "simulated": True,
    }
    (tmp_path / "s.yaml").write_text(json.dumps({"scanner": session}))
    scanner = started("scanner", str(tmp_path / "s.yaml"), "--quiet")
    try:
        frames = inlet(name)
        channels = frames.info(PATIENCE_S).desc().child("channels")
        label = channels.child("channel").child_value("label")
        n_frames = int((DURATION_S - START_S) / TR_S)
        samples: list[list[float]] = []
        stamps: list[float] = []
        said: list[str] = []
        beats: list[float] = []
        deadline = pylsl.local_clock() + PATIENCE_S
        while len(samples) < n_frames - len(LOST) and pylsl.local_clock() < deadline:
            chunk, times = frames.pull_chunk(timeout=0.2)
            samples += list(chunk)
            stamps += list(times)
            if len(beats) < n_frames:
                texts, times = pulses.pull_chunk(timeout=0.0)
                said += [text for (text,) in texts or []]
                beats += list(times)
    finally:
        for process in (simulate, scanner):
            process.terminate()
            process.wait(PATIENCE_S)
    bold = SimulatedBold(Participant(11), BoldSettings(tr_s=TR_S, start_s=START_S))
    kept = [number for number in range(n_frames) if number not in LOST]
    expected = bold.frames(0, n_frames)[:, kept]
    expected[[2, 245], kept.index(10)] = np.nan
    np.testing.assert_allclose(np.array(samples).T, expected, atol=0.3)
    assert said == ["R128"] * n_frames
    np.testing.assert_allclose(stamps, np.array(beats)[kept] + TR_S / 2, atol=1e-3)
    assert label == brainnetome().names[0]
