"""The program of docs/session-files.md that compares a replay with its session."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_bundle import write_tiny_bundle

from rtaffect.core.estimate import Distribution, Estimate
from rtaffect.core.sinks import Timing
from rtaffect.core.streams import Chunk, StreamInfo
from rtaffect.core.window import Flag
from rtaffect.publish.estimate_file import EstimateFile
from rtaffect.publish.recorder import Recorder

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "session-files.md"
EEG = StreamInfo(
    modality="eeg", name="Amp", stype="EEG", source_id="amp", ch_names=("Cz",), sfreq=256.0,
    units=("uV",),
)  # fmt: skip


def estimates() -> list[Estimate]:
    """One with an answer, one without."""
    answer = Estimate(
        decoder="tiny",
        t_start=100.0,
        t_end=103.0,
        targets={"valence": Distribution(classes=("low", "high"), probabilities=(0.1, 0.9))},
        confidence=1 / 3,
        coverage={"eeg": 1.0},
        flags=(),
        contributions={"tiny": 1.0},
        n_slices=1,
        bundle_digest="d" * 64,
    )
    flags = (("eeg", Flag.MISSING),)
    none = replace(answer, t_end=103.25, targets={}, contributions={}, n_slices=0, flags=flags)
    return [answer, none]


@pytest.mark.parametrize("changed", [False, True])
def test_a_replay_is_compared_with_its_session_as_documented(tmp_path: Path, changed: bool) -> None:
    recorder = Recorder(tmp_path / "session.xdf", {"eeg": EEG}, session={})
    chunk = Chunk("eeg", np.zeros((1, 1), np.float32), np.array([103.0]), 103.0)
    recorder.on_event(chunk)
    replayed = EstimateFile(tmp_path / "replay.jsonl", {"tiny": write_tiny_bundle(tmp_path)})
    for number, each in enumerate(estimates()):
        recorder.on_estimate(each, Timing(t_closed=104.0, t_decoded=104.1))
        now = replace(each, bundle_digest="e" * 64) if changed and number else each
        replayed.on_estimate(now, Timing(t_closed=104.0, t_decoded=104.2))
    recorder.close()
    replayed.close()
    program = re.search(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert program is not None
    done = subprocess.run(
        [sys.executable, "-c", program[1]], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    assert lines == ["2 estimates then, 2 now", f"the same: {not changed}"]
