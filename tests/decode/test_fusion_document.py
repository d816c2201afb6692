"""The example of docs/fusion.md: it runs, prints what it says, and is what the runtime answers."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from fused_cases import THIRDS, bundle, said, target

from rtaffect.config.fusion import FusionSettings
from rtaffect.decode.fusion import Fusion
from rtaffect.decode.membership import membership_of

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "fusion.md"


def block(language: str) -> str:
    found = re.findall(rf"```{language}\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    assert len(found) == 1
    return str(found[0])


def test_the_example_prints_what_the_document_says() -> None:
    done = subprocess.run(
        [sys.executable, "-c", block("python")], capture_output=True, text=True, check=True
    )
    assert done.stdout == block("text")


def test_the_example_is_what_the_runtime_answers() -> None:
    eeg = bundle("eeg", ["eeg"], {"valence": target(0.4)})
    fmri = bundle("fmri", ["roi"], {"valence": target(0.3, edges=THIRDS, prior=(0.3, 0.4, 0.3))})
    membership = membership_of({"eeg": eeg, "fmri": fmri}, FusionSettings())
    assert membership is not None
    fusion = Fusion(membership, FusionSettings())
    found = [fusion.push(said(fmri, 102.5, {"valence": (0.2, 0.3, 0.5)}, coverage=0.95))]
    found += [fusion.push(said(eeg, 99.0, {"valence": (0.3, 0.7)}, coverage=0.9))]
    found += [fusion.push(said(eeg, 106.5, {"valence": (0.3, 0.7)}, coverage=0.9))]
    found += [fusion.push(said(fmri, 102.5, {"valence": (0.2, 0.3, 0.5)}, coverage=0.95))]
    latest, aligned = found[2][0], found[3][1]
    assert found[2][1:] == []
    blocks = [lines.splitlines() for lines in block("text").split("\n\n")]
    for fused, (name, *lines) in zip((latest, aligned), blocks, strict=True):
        printed = {word: [float(n) for n in numbers] for word, *numbers in map(str.split, lines)}
        shown = 5e-5
        assert fused.decoder == f"fused-{name}"
        assert list(fused.contributions.values()) == pytest.approx(printed["weights"], abs=shown)
        valence = fused.targets["valence"]
        assert valence.probabilities == pytest.approx(printed["probabilities"], abs=shown)
        assert [valence.expected] == pytest.approx(printed["expected"], abs=shown)
        assert [fused.confidence] == pytest.approx(printed["confidence"], abs=shown)


def test_the_session_file_of_the_document_is_valid() -> None:
    keys = yaml.safe_load(block("yaml"))
    assert FusionSettings.model_validate(keys["fusion"]).lag_s == 5
