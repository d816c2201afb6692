"""Folds carried out together are those carried out one by one."""

from pathlib import Path

import numpy as np
import pytest

from offline.predictions import read_predictions
from offline.recipe import Recipe
from offline.runs.carry_out import carry_out, left_to_do, write_plan
from offline.runs.folder import unit_folder, verify
from offline.runs.local import InProcess
from offline.runs.messages import EpochEnded, Finished, Message, Started
from offline.runs.plan import Run
from offline.runs.record import this_session
from offline.runs.together import Together
from offline.runs.trainer import Trainer, plan_run
from offline.runs.work import OneByOne
from offline.table import read_table
from offline.unit import PREDICTIONS, read_facts

RECIPE = {
    "name": "tiny",
    "dataset": {"kind": "simulated", "n_subjects": 3, "n_trials": 6, "trial_s": 12, "sfreq": 128},
    "windows": {"montage": "EEG_15", "face": True},
    "model": {"kind": "prior_dfcn", "maps": [2], "dropout": 0.0},
    "sequences": {"t_min": 1, "t_max": 2},
    "training": {"max_epochs": 3, "modality_dropout": {"face": 0.2}, "device": "cpu"},
    "protocol": {"kind": "loso", "n_validation": 1},
}
SVM = {"model": {"kind": "svm"}, "training": {"max_epochs": 1, "device": "cpu"}}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("features")


def planned(recipe: Recipe, root: Path, cache: Path) -> Run:
    run = plan_run("full", recipe, read_table(recipe, cache))
    write_plan("study", [run], root, this_session("a test"))
    return run


def test_their_predictions_are_the_same_and_everything_is_told(tmp_path: Path, cache: Path) -> None:
    recipe = Recipe.model_validate(RECIPE)
    alone, together = tmp_path / "alone", tmp_path / "together"
    heard: list[Message] = []
    for root, work, n_together in (
        (alone, OneByOne(root=alone, function=Trainer(cache)), 1),
        (together, Together(root=together, cache=cache), 3),
    ):
        run = planned(recipe, root, cache)
        carry_out(
            left_to_do([run], root),
            executor=InProcess(root),
            work=work,
            hear=heard.append if root is together else lambda message: None,
            n_together=n_together,
        )
    for unit in run.units:
        verify(unit_folder(together, unit))
        one, other = (
            read_predictions(unit_folder(r, unit) / PREDICTIONS) for r in (alone, together)
        )
        for target, said in one.items():
            np.testing.assert_allclose(other[target].log_p, said.log_p, atol=2e-3)
            np.testing.assert_array_equal(other[target].label, said.label)
        assert read_facts(unit_folder(together, unit)).n_epochs == 3
        of_unit = [message for message in heard if getattr(message, "unit", None) == unit]
        assert [type(m) for m in of_unit] == [Started, *[EpochEnded] * 3, Finished]


def test_what_cannot_be_packed_is_done_one_by_one_and_what_is_done_is_left(
    tmp_path: Path, cache: Path
) -> None:
    run = planned(Recipe.model_validate(RECIPE | SVM), tmp_path, cache)
    work = Together(root=tmp_path, cache=cache)
    carry_out(run.units, executor=InProcess(tmp_path), work=work, hear=print, n_together=3)
    written = [unit_folder(tmp_path, unit).stat().st_mtime_ns for unit in run.units]
    assert not left_to_do([run], tmp_path)
    carry_out(run.units, executor=InProcess(tmp_path), work=work, hear=print, n_together=3)
    assert [unit_folder(tmp_path, unit).stat().st_mtime_ns for unit in run.units] == written
