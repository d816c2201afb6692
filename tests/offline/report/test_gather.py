import shutil
from pathlib import Path

import numpy as np
import pytest
from run_sweep import run_sweep

from offline.errors import RunError
from offline.recipe import Recipe, Sweep
from offline.report.gather import gather
from offline.report.write import write_report
from offline.runs.trainer import open_run
from rtaffect.core.montages import EEG_32

BASE = {
    "name": "tiny",
    "dataset": {"kind": "simulated", "n_subjects": 4, "n_trials": 3, "trial_s": 9, "sfreq": 128},
    "windows": {"face": True},
    "model": {"kind": "prior_dfcn", "maps": [2]},
    "sequences": {"t_max": 2},
    "training": {"max_epochs": 2},
    "protocol": {"kind": "loso", "n_validation": 1},
    "seeds": [0, 1],
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gather")


@pytest.fixture(scope="module")
def study_file(place: Path) -> Path:
    sweep = Sweep(
        base=Recipe.model_validate(BASE),
        variants={
            "w/o PKE": {"model.prior": False},
            "MT-CNN": {"model": {"kind": "mtcnn"}, "windows.face": False, "seeds": [0]},
            "paper": {"training.paper_protocol": "accuracy", "seeds": [0]},
        },
    )
    return run_sweep("tiny", sweep.recipes(), root=place / "runs", cache=place / "cache")


def test_a_sweep_becomes_an_honest_and_a_leaky_chapter(place: Path, study_file: Path) -> None:
    honest, leaky = gather([study_file], cache=place / "cache")
    assert [v.name for v in honest.variants] == ["full", "w/o PKE", "MT-CNN"]
    assert [v.name for v in leaky.variants] == ["paper"]
    assert not honest.design.leaky
    assert leaky.design.leaky
    assert set(honest.variants[0].answers) == {"validation", "last"}
    assert set(leaky.variants[0].answers) == {"validation", "last", "best_test"}
    full = honest.variants[0]
    assert full.n_missing == 0
    assert honest.design.people == "new"
    assert len(full.answers["validation"]["valence"]) == 2  # seeds
    assert len(full.curves) == 8
    assert {len(curve.train_nll) for curve in full.curves} == {2}
    assert {curve.chosen for curve in full.curves} <= {1, 2}


def test_networks_are_looked_at_over_the_windows_they_were_tested_on(
    place: Path, study_file: Path
) -> None:
    full, blind, mtcnn = gather([study_file], cache=place / "cache")[0].variants
    assert blind.maps == ()
    (prior,) = full.maps
    assert prior.ch_names == EEG_32
    tested = full.answers["validation"]["valence"][0]
    for number, name in enumerate(("valence low", "valence high")):
        if name in prior.n_windows:
            assert prior.n_windows[name] == (tested.label == number).sum()
    assert all((panel > 0).all() for panel in prior.panels.values())
    whole = mtcnn.maps[0]
    assert set(whole.panels) == {"theta", "alpha", "beta", "gamma"}
    assert all(abs(panel.mean()) < 1e-9 for panel in whole.panels.values())
    assert whole.grid is not None
    assert sorted(whole.grid[whole.grid >= 0].tolist()) == list(range(32))


def test_the_report_of_real_runs_is_written(place: Path, study_file: Path, tmp_path: Path) -> None:
    studies = gather([study_file], cache=place / "cache")
    text = write_report(studies, tmp_path).read_text()
    honest, leaky = text.split("# tiny (loso) on ")[1:]
    assert "LEAKY" not in honest
    assert "LEAKY" in leaky.splitlines()[0]
    assert "SIMULATED" in honest.splitlines()[0]
    assert (tmp_path / "figures" / "1_maps_1.png").exists()
    assert (tmp_path / "figures" / "2_headline.png").exists()


def test_where_no_tested_window_had_a_face_the_report_says_so(
    place: Path, study_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "offline.report.looks._prior_of_channels",
        lambda _, x: np.full((len(x["face"]), 32), np.nan),
    )
    (honest, _) = gather([study_file], cache=place / "cache")
    assert "No tested window had a face" in honest.variants[0].no_maps
    assert "had a face" in write_report([honest], tmp_path).read_text()


def test_without_the_features_there_are_no_maps(study_file: Path) -> None:
    assert all(not v.maps for s in gather([study_file], cache=None) for v in s.variants)


def test_where_the_code_has_changed_since_the_numbers_stand_and_the_maps_are_missed(
    place: Path, study_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("offline.extraction._code_digest", lambda *modules: "another")
    monkeypatch.setattr("offline.report.looks.open_run", open_run.__wrapped__)
    (honest, _) = gather([study_file], cache=tmp_path / "cache")
    full, blind, _ = honest.variants
    assert full.maps == ()
    assert "other code that reads them" in full.no_maps
    assert blind.no_maps == ""
    write_report([honest], tmp_path / "report")
    assert "No maps of full" in (tmp_path / "report" / "report.md").read_text()


def test_a_fold_that_lacks_a_seed_is_left_out_and_said(study_file: Path, tmp_path: Path) -> None:
    root = shutil.copytree(study_file.parent, tmp_path / "runs")
    study = root / study_file.name
    run = gather([study], cache=None)[0].variants[0].run_id
    shutil.rmtree(next(iter(sorted((root / run).glob("*/seed-1")))))
    full = gather([study], cache=None)[0].variants[0]
    assert full.n_missing == 1
    folds = set(np.unique(full.answers["validation"]["valence"][0].fold).tolist())
    assert len(folds) == 3


def test_a_changed_file_is_refused(study_file: Path, tmp_path: Path) -> None:
    root = shutil.copytree(study_file.parent, tmp_path / "runs")
    history = next(iter(sorted(root.glob("*/*/seed-0/history.jsonl"))))
    history.write_text(history.read_text().replace("1", "2", 1))
    with pytest.raises(RunError, match="changed after it was written"):
        gather([root], cache=None)


def test_a_folder_that_holds_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="must be the folder of a run"):
        gather([tmp_path], cache=None)
