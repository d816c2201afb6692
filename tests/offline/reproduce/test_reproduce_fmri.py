"""The command on made-up data of fMRI: that it runs, and what its page says beside the tables."""

import json
from pathlib import Path

import numpy as np
import pytest
from fakes.icbhi import write_fake
from typer.testing import CliRunner, Result

from offline.cli.main import app
from offline.recipe import load_sweep
from offline.reproduce.papers import PAPERS
from rtaffect.bundle import load_bundle

pytestmark = pytest.mark.timeout(600)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments], catch_exceptions=False)


@pytest.fixture(scope="module")
def asb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("asb")
    write_fake(folder / "data")
    chosen = [f"--variant={name}" for name in ("full", "linear", "ASB, level")]
    where = ["--data", str(folder / "data"), "--runs", str(folder / "runs"), "--quick"]
    told = f"dataset.test_labels={folder / 'data' / 'phase2.csv'}"
    done = run("reproduce", "asb", told, *where, *chosen, "--workers=1", "--no-tensorboard")
    assert done.exit_code == 0, done.output
    return folder / "runs" / "asb"


def test_asbs_tables_stand_beside_ours_by_both_protocols(asb: Path) -> None:
    tables = json.loads((asb / "comparison.json").read_text())["tables"]
    for number, target in enumerate(("class", "level")):
        rows = {row["method"]: row for row in list(tables.values())[number]}
        for protocol in ("by_paper_LEAKY", "honest"):
            assert set(rows["ASB"][protocol][target]["scores"]) >= {"macro_precision", "macro_f1"}
    text = (asb / "comparison.md").read_text()
    assert "| ASB | 73.00 | 73.00 | 73.00 |" in text
    assert "| ASB | 23.00 | 32.00 | 26.00 |" in text
    assert "NOT THE PAPER'S SETTINGS" in text


def test_the_challenges_score_is_there_and_lower_is_better(asb: Path) -> None:
    text = (asb / "comparison.md").read_text()
    lines = text[text.index("## Table 3") :].splitlines()
    scores = {
        cells[1].strip(): float(cells[2])
        for line in lines
        if line.startswith("| ") and len(cells := line.split("|")) == 4 and "0." in cells[2]
    }
    assert scores.pop("paper: first stage") == 0.5132
    assert scores.pop("paper: second stage") == 0.4213
    assert set(scores) == {"ours, their protocol (LEAKY)", "ours, honest"}
    assert all(0.3 < score < 1 for score in scores.values())  # noise has about .68
    assert "Lower is better" in text


@pytest.fixture(scope="module")
def cnn3d(tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs = tmp_path_factory.mktemp("cnn3d")
    short = ["dataset.run_s=100", "windows.shape=[8, 8, 6]"]
    where = ["--runs", str(runs), "--quick", "--variant=full", "--workers=1", "--no-tensorboard"]
    done = run("reproduce", "cnn3d-simulated", *short, *where)
    assert done.exit_code == 0, done.output
    return runs / "cnn3d-simulated"


def test_every_class_has_its_accuracy_and_its_confusions(cnn3d: Path) -> None:
    text = (cnn3d / "comparison.md").read_text()
    assert text.count("| true class | windows | accuracy | said low | said high |") == 2
    shares = [
        [float(cell) for cell in line.split("|")[4:6]]
        for line in text.splitlines()
        if line.startswith(("| low |", "| high |"))
    ]
    assert len(shares) == 4
    np.testing.assert_allclose(np.sum(shares, axis=1), 100, atol=0.11)


def test_embeddings_are_clustered_and_drawn(cnn3d: Path) -> None:
    text = (cnn3d / "comparison.md").read_text()
    assert "silhouette of classes" in text
    figures = sorted(path.name for path in cnn3d.glob("embeddings_*.png"))
    assert figures == ["embeddings_valence_honest.png", "embeddings_valence_their.png"]
    assert all(f"]({name})" in text for name in figures)
    assert "SIMULATED" in text


def test_what_was_reproduced_is_exported_and_runs_live(cnn3d: Path, tmp_path: Path) -> None:
    study = cnn3d.parent / "cnn3d_simulated_honest.study.json"
    done = run("export", str(study), "--out", str(tmp_path), "--fold=simulated-0300")
    assert done.exit_code == 0, done.output
    manifest = load_bundle(tmp_path / "cnn3d-simulated").manifest
    assert manifest.windows.closes == "volume"
    assert "SIMULATED" in manifest.description
    assert not manifest.training.leaky


@pytest.mark.parametrize("paper", sorted(PAPERS))
def test_every_honest_sweep_describes_its_bundle_and_no_leaky_one_does(paper: str) -> None:
    assert load_sweep(PAPERS[paper].honest_sweep).base.bundle is not None
    assert load_sweep(PAPERS[paper].paper_sweep).base.bundle is None


def test_a_paper_without_its_data_names_what_needs_none() -> None:
    told = run("reproduce", "cnn3d", "--quick")
    assert told.exit_code == 1
    assert "reproduce cnn3d-simulated" in told.output


def test_asbs_scaling_of_a_whole_trial_is_named(asb: Path) -> None:
    text = " ".join((asb / "comparison.md").read_text().split())
    assert "one minimum and one maximum over all its regions and frames" in text
