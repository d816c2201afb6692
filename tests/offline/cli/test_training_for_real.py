"""The program in its own process: real units, interrupted, continued, and the same numbers."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from offline.runs.folder import verify

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(os.name != "posix", reason="a process is killed by a signal on POSIX only"),
]

RECIPE = """
name: tiny
dataset: {kind: simulated, n_subjects: 4, n_trials: 4, trial_s: 9, rest_s: 0, sfreq: 128}
windows: {montage: EEG_15, face: true}
model: {kind: prior_dfcn, maps: [2]}
sequences: {t_min: 1, t_max: 2}
training: {max_epochs: 12, patience: 12, modality_dropout: {face: 0.2}}
protocol: {kind: loso, n_validation: 1}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("place")
    (place / "tiny.yaml").write_text(RECIPE)
    return place


def command(place: Path, runs: str, *more: str) -> list[str]:
    words = ["train", str(place / "tiny.yaml"), "--runs", str(place / runs)]
    return [sys.executable, "-m", "offline.cli", *words, "--cache", str(place / "cache"), *more]


def tell(words: list[str]) -> str:
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def outcome(runs: Path) -> dict[str, bytes]:
    """Return every file of every finished unit, by its place."""
    units = [path.parent for path in runs.rglob("DONE")]
    for unit in units:
        verify(unit)
    return {
        str(path.relative_to(runs)): path.read_bytes()
        for unit in units
        for path in sorted(unit.iterdir())
    }


@pytest.fixture(scope="module")
def whole(place: Path) -> dict[str, bytes]:
    """What one process gives that is never interrupted."""
    dry = tell(command(place, "whole", "--dry-run"))
    assert "4 left to train" in dry
    assert not list((place / "whole").rglob("run.json"))
    told = tell(command(place, "whole", "--workers", "1"))
    assert "SIMULATED: nobody was measured" in told
    assert "knows nothing of the signals" in " ".join(told.split())
    return outcome(place / "whole")


def test_ctrl_c_stops_and_the_same_command_goes_on_to_the_same_numbers(
    place: Path, whole: dict[str, bytes]
) -> None:
    words = command(place, "stopped", "--workers", "2")
    with subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A job in the background is deaf to Ctrl-C, and so is whatever it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if " 1 of 4 " in line:
                os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of them
                break
        told, complaint = process.communicate(timeout=60)
    assert process.returncode == 130
    assert not complaint
    stopped = re.search(r"Stopped: (\d) of 4 units are done. The same command goes on", told)
    assert stopped
    before = outcome(place / "stopped")
    assert len([name for name in before if name.endswith("DONE")]) == int(stopped[1]) < 4
    told = tell(words)
    assert f"{4 - int(stopped[1])} left to train" in told
    assert outcome(place / "stopped") == whole


def test_evaluate_counts_the_same_runs_again(
    place: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "numbers.json"
    words = ["evaluate", str(place / "whole"), "--out", str(out)]
    told = tell([sys.executable, "-m", "offline.cli", *words])
    assert "valence, per trial" in told
    assert "valence, per window" in told
    (study,) = json.loads(out.read_text())["studies"]
    found = {(answer["variant"], answer["target"]) for answer in study["answers"]}
    assert found == {("full", "valence"), ("full", "arousal")}
    assert study["answers"][0]["by_checkpoint"]["validation"]["per_trial"]["n"] == 16


def test_a_sweep_shows_every_variant_before_anything_starts(place: Path, tmp_path: Path) -> None:
    sweep = tmp_path / "sweep.yaml"
    base = RECIPE.replace("\n", "\n  ").rstrip()
    sweep.write_text(
        f"base:{base}\nvariants:\n  w/o PKE: {{model.prior: false}}\n  the same: {{name: other}}\n"
    )
    words = ["sweep", str(sweep), "--runs", str(tmp_path / "runs"), "--dry-run"]
    told = tell([sys.executable, "-m", "offline.cli", *words, "--cache", str(place / "cache")])
    assert "8 units" in told  # the variant that is the same shares the base's four
    ids = dict(re.findall(r"│ (full|w/o PKE|the same) +│ (\w{12}) ", told))
    assert ids["full"] == ids["the same"] != ids["w/o PKE"]
    assert not list((tmp_path / "runs").iterdir())
