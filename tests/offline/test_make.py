import dataclasses
from pathlib import Path

import numpy as np
import pytest
from fakes import studyforrest
from finished_run import finished_run

from offline.datasets.contract import Recording
from offline.errors import RunError
from offline.make import export_run
from offline.predictions import read_predictions
from offline.recipe import Recipe
from offline.runs.folder import unit_folder
from offline.unit import PREDICTIONS
from rtaffect.bundle import Bundle, load_bundle
from rtaffect.decode.baseline import Baseline, BaselineMaker
from rtaffect.decode.decoder import Decoder
from rtaffect.windows import open_windows

BANDS = {"theta": [4, 8], "alpha": [8, 14], "beta": [14, 31], "gamma": [31, 45]}
RECIPES = {
    "prior_dfcn": {
        "windows": {"montage": "EEG_15", "face": True},
        "model": {"kind": "prior_dfcn", "maps": [2]},
        "sequences": {"t_max": 2},
        "training": {"max_epochs": 1, "modality_dropout": {"face": 0.3}},
    },
    "mtcnn_live": {
        "windows": {"montage": "EEG_32"},
        "model": {"kind": "mtcnn"},
        "training": {"max_epochs": 1},
    },
    "mtcnn_faithful": {
        "windows": {"window_s": 0.5, "train_hop_s": 0.5, "bands_hz": BANDS},
        "model": {"kind": "mtcnn", "features": "filter_bank", "baseline": "mean_with_theta"},
        "training": {"max_epochs": 1},
    },
    "dgcnn": {"model": {"kind": "dgcnn"}, "training": {"max_epochs": 1}},
    "svm": {"windows": {"montage": "EEG_15"}, "model": {"kind": "svm"}},
}


def test_an_export_says_what_it_does_and_that_an_svm_has_no_epochs(tmp_path: Path) -> None:
    folder, _ = finished_run(tmp_path, **RECIPES["svm"])
    told: list[str] = []
    manifest = export_run(folder, tmp_path / "bundles", report=told.append).manifest
    assert len(told) == 1
    assert told[0].startswith("tiny: counts what 1 unit said, reads windows")
    assert manifest.training.checkpoint == "solved"
    card = " ".join(manifest.description.split())
    assert "without epochs; the temperature was set on the validation people" in card
    assert "epoch was chosen" not in card


@pytest.mark.parametrize("name", RECIPES)
def test_a_bundle_answers_in_the_runtime_as_the_unit_did(name: str, tmp_path: Path) -> None:
    folder, run = finished_run(tmp_path, **RECIPES[name])
    bundle = load_bundle(export_run(folder, tmp_path / "bundles").path)
    assert bundle.path == tmp_path / "bundles" / "tiny"
    recipe = run.recipe
    dataset = recipe.dataset.open()
    said = read_predictions(unit_folder(tmp_path, run.units[0]) / PREDICTIONS)["valence"]
    (recording,) = dataset.recordings(said.subject[0])
    # The unit took each trial's own rest, all of it; so one trial with a clean rest before it.
    trial = next(t for t in recording.trials if _is_clean(recording, recipe, t.rest))
    assert trial.rest is not None
    expected = {
        int(number): np.exp(log_p)
        for number, name, log_p in zip(said.window, said.trial, said.log_p, strict=True)
        if name == trial.name
    }
    baseline = None
    if bundle.manifest.rest is not None:
        baseline = _baseline(bundle, recording, trial.rest)
    decoder = Decoder(bundle, baseline=baseline)
    n_compared = 0
    with recording.open() as source:
        for window in open_windows(source, bundle.manifest.windows):
            if window.t_start < trial.t_start:
                continue
            estimate = decoder.decode(window).estimate
            number = window.t_end / recipe.windows.train_hop_s
            if number.is_integer() and (answer := expected.get(int(number))) is not None:
                probabilities = estimate.targets["valence"].probabilities
                np.testing.assert_allclose(probabilities, answer, atol=1e-4)
                n_compared += 1
    assert n_compared == len(expected) >= 3


def _is_clean(recording: Recording, recipe: Recipe, rest: tuple[float, float] | None) -> bool:
    assert rest is not None
    spec = dataclasses.replace(recipe.windows.spec(), hop_s=recipe.windows.train_hop_s)
    with recording.open() as source:
        return all(
            window.modalities["eeg"].coverage == 1.0
            for window in open_windows(source, spec)
            if rest[0] <= window.t_start and window.t_end <= rest[1]
        )


def _baseline(bundle: Bundle, recording: Recording, rest: tuple[float, float]) -> Baseline:
    maker = BaselineMaker(bundle)
    with recording.open() as source:
        for window in open_windows(source, bundle.manifest.windows):
            if rest[0] <= window.t_start and window.t_end <= rest[1]:
                maker.push(window)
    return maker.finish()


def test_what_a_bundle_says_of_itself_is_what_was_measured(tmp_path: Path) -> None:
    folder, run = finished_run(tmp_path, **RECIPES["prior_dfcn"])
    manifest = export_run(folder, tmp_path, command="typed").manifest
    training = manifest.training
    assert training.command == "test && typed"
    assert {role: len(names) for role, names in training.participants.items()} == {
        "train": 2,
        "validation": 1,
        "test": 1,
    }
    assert training.protocol["n_people"] == len(run.split.folds)  # everybody is tested once
    assert not set(training.participants["test"]) & set(training.participants["train"])
    assert {"balanced_accuracy", "balanced_accuracy_without_face"} <= set(
        training.metrics["valence"]
    )
    said = read_predictions(unit_folder(tmp_path, run.units[0]) / PREDICTIONS)["valence"]
    hits = said.log_p.argmax(axis=1) == said.label
    assert training.metrics["valence"]["accuracy"].value == pytest.approx(hits.mean())
    assert manifest.simulated
    assert not training.leaky
    assert "SIMULATED" in manifest.description
    assert manifest.targets["valence"].edges == (-1.0, 0.0, 1.0)


def test_of_several_classes_none_has_an_f1_of_its_own_on_the_card(tmp_path: Path) -> None:
    (tmp_path / "film").mkdir()
    film = studyforrest.write_fake(tmp_path / "film", subjects=(1, 2, 3))
    folder, _ = finished_run(
        tmp_path,
        dataset=film.model_dump(),
        windows={"kind": "roi", "window_s": 8, "lag_s": 4, "n_settle": 2},
        model={"kind": "roi_linear", "mean_s": 4},
        targets=["valence"],
        protocol={"kind": "portions", "train": 1, "validation": 1, "test": 1},
    )
    manifest = export_run(folder, tmp_path / "bundles").manifest
    metrics = manifest.training.metrics["valence"]
    assert not [name for name in metrics if "f1_high" in name]
    assert "macro_f1" in metrics
    assert "F1 of" not in manifest.description


def test_a_leaky_run_makes_a_stamped_bundle_that_weighs_nothing(tmp_path: Path) -> None:
    folder, _ = finished_run(
        tmp_path,
        windows={"montage": "EEG_15"},
        model={"kind": "svm"},
        protocol={"kind": "windows", "n_folds": 2},
    )
    manifest = export_run(folder, tmp_path, fold="1").manifest
    assert manifest.title.startswith("[LEAKY]")
    assert manifest.training.leaky
    assert {target.skill for target in manifest.targets.values()} == {0.0}


def test_what_cannot_be_exported_is_said(tmp_path: Path) -> None:
    recipe = {"windows": {"montage": "EEG_15"}, "model": {"kind": "svm"}}
    folder, run = finished_run(tmp_path, protocol={"kind": "loso", "n_validation": 1}, **recipe)
    with pytest.raises(RunError, match="several folds"):
        export_run(folder, tmp_path)
    with pytest.raises(RunError, match="must have fold nobody"):
        export_run(folder, tmp_path, fold="nobody")
    bundle = export_run(folder, tmp_path, fold="simulated-0002")
    assert bundle.manifest.training.participants["test"] == ("simulated-0002",)
    assert bundle.manifest.training.protocol["n_folds"] == 4
    unit = next(unit for unit in run.units if unit.fold == "simulated-0001")
    (unit_folder(tmp_path, unit) / "DONE").unlink()
    for fold in ("simulated-0001", "simulated-0002"):  # the card would tell of folds not there
        with pytest.raises(RunError, match=r"1 of 4 units are not done, such as .*simulated-0001"):
            export_run(folder, tmp_path, fold=fold)
    bare, _ = finished_run(tmp_path / "bare", bundle=None, **recipe)
    with pytest.raises(RunError, match=r"describe its bundle .*command again .*test 'bundle=.*"):
        export_run(bare, tmp_path)


def test_a_bundle_of_another_training_is_only_replaced_where_that_is_asked_for(
    tmp_path: Path,
) -> None:
    recipe = {"windows": {"montage": "EEG_15"}, "model": {"kind": "svm"}}
    folder, _ = finished_run(tmp_path, protocol={"kind": "loso", "n_validation": 1}, **recipe)
    first = export_run(folder, tmp_path, fold="simulated-0001")
    again = export_run(folder, tmp_path, fold="simulated-0001", command="once more")
    assert again.manifest.training.command.endswith("once more")
    with pytest.raises(
        RunError, match=r"its fold is simulated-0001 and not simulated-0002\..*--replace"
    ):
        export_run(folder, tmp_path, fold="simulated-0002")
    assert load_bundle(first.path).digest == again.digest
    other = recipe | {"model": {"kind": "svm", "cost": 3.0}}
    changed, _ = finished_run(tmp_path, **other)
    with pytest.raises(RunError, match=r"another training: .* its recipe has other .* model"):
        export_run(changed, tmp_path)
    assert export_run(changed, tmp_path, replace=True).digest != again.digest
    (first.path / "manifest.json").write_text("{}")
    with pytest.raises(RunError, match="cannot be read"):
        export_run(changed, tmp_path)
