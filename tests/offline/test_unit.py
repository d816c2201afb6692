import json
from pathlib import Path

import numpy as np
import pytest
import torch

from offline.errors import RunError
from offline.extraction import labels_of
from offline.predictions import read_predictions
from offline.recipe import Recipe
from offline.sequences import make_sequences
from offline.table import FeatureTable, read_table
from offline.trained import Epoch
from offline.training import predict
from offline.unit import (
    CHECKPOINT,
    HISTORY,
    PREDICTIONS,
    SELECTIONS,
    WEIGHTS,
    fold_of,
    read_facts,
    read_network,
    run_unit,
    split_of,
    without,
)

RECIPE = {
    "name": "tiny",
    "dataset": {"kind": "simulated", "n_subjects": 3, "n_trials": 6, "trial_s": 12, "sfreq": 128},
    "windows": {"montage": "EEG_15", "face": True},
    "model": {"kind": "prior_dfcn", "maps": [2]},
    "sequences": {"t_min": 1, "t_max": 2},
    "training": {"max_epochs": 3, "modality_dropout": {"face": 0.2}},
    "protocol": {"kind": "loso", "n_validation": 1},
}


def recipe(**changes: object) -> Recipe:
    return Recipe.model_validate(RECIPE | changes)


class StopError(Exception):
    """Somebody pressed Ctrl-C."""


class StopAfter:
    def __init__(self, number: int) -> None:
        self._number = number

    def on_epoch(self, epoch: Epoch) -> None:
        if epoch.number == self._number:
            raise StopError


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def table(cache: Path) -> FeatureTable:
    return read_table(recipe(), cache)


def test_the_same_unit_twice_gives_the_same_bytes(tmp_path: Path, table: FeatureTable) -> None:
    split = split_of(recipe(), table)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        torch.manual_seed(hash(name) % 1000)  # what came before must not matter
        run_unit(recipe(), table, split, split.folds[0].name, 0, tmp_path / name)
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert files == sorted(
        [HISTORY, PREDICTIONS, SELECTIONS["last"], WEIGHTS, "weights.json", without("face")]
    )
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_only_the_test_items_are_answered_and_each_window_once(
    tmp_path: Path, table: FeatureTable
) -> None:
    split = split_of(recipe(), table)
    fold = split.folds[1]
    run_unit(recipe(), table, split, fold.name, 0, tmp_path)
    for said in read_predictions(tmp_path / PREDICTIONS).values():
        tested = {table.trials.subject[n] for n in fold.test}
        assert set(said.subject) == tested
        keys = list(zip(said.trial.tolist(), said.window.tolist(), strict=True))
        assert len(set(keys)) == len(keys) == np.isin(table.trial, fold.test).sum()
        np.testing.assert_allclose(np.exp(said.log_p).sum(axis=1), 1.0)
    facts = read_facts(tmp_path)
    assert set(facts.subjects["test"]) == tested
    assert not set(facts.subjects["train"]) & set(facts.subjects["test"])
    assert not facts.leaky


def test_a_unit_that_was_stopped_ends_as_if_it_had_not(tmp_path: Path, table: FeatureTable) -> None:
    split = split_of(recipe(), table)
    fold = split.folds[0].name
    for name in ("whole", "stopped"):
        (tmp_path / name).mkdir()
    run_unit(recipe(), table, split, fold, 0, tmp_path / "whole")
    with pytest.raises(StopError):
        run_unit(recipe(), table, split, fold, 0, tmp_path / "stopped", StopAfter(2))
    assert (tmp_path / "stopped" / CHECKPOINT).exists()
    assert not (tmp_path / "stopped" / PREDICTIONS).exists()
    run_unit(recipe(), table, split, fold, 0, tmp_path / "stopped")
    for name in (PREDICTIONS, WEIGHTS, HISTORY):
        whole, stopped = (tmp_path / n / name for n in ("whole", "stopped"))
        assert whole.read_bytes() == stopped.read_bytes()


def test_the_kept_weights_give_the_written_answers(tmp_path: Path, table: FeatureTable) -> None:
    wanted = recipe()
    split = split_of(wanted, table)
    fold = split.folds[2]
    run_unit(wanted, table, split, fold.name, 0, tmp_path)
    network = read_network(wanted, labels_of(wanted, wanted.dataset.open()), tmp_path)
    data = make_sequences(table, table.windows_of(fold.test, "trial"), t_min=1, t_max=2)
    facts = read_facts(tmp_path)
    for name, logits in predict(network, data).items():
        expected = torch.log_softmax(logits.double() / facts.temperatures[name], dim=1)
        said = read_predictions(tmp_path / PREDICTIONS)[name]
        np.testing.assert_allclose(said.log_p, expected.numpy(), atol=1e-6)


def test_a_paper_protocol_is_stamped_and_keeps_what_the_test_items_chose(
    tmp_path: Path, table: FeatureTable
) -> None:
    wanted = recipe(training={"max_epochs": 2, "paper_protocol": "nll"})
    split = split_of(wanted, table)
    run_unit(wanted, table, split, split.folds[0].name, 0, tmp_path)
    assert (tmp_path / SELECTIONS["best_test"]).exists()
    assert read_facts(tmp_path).leaky
    epochs = [json.loads(line) for line in (tmp_path / HISTORY).read_text().splitlines()]
    assert all(epoch["test_score"] < 0 for epoch in epochs)


def test_a_solved_model_runs_like_the_others(tmp_path: Path, cache: Path) -> None:
    wanted = recipe(model={"kind": "svm"}, windows={"montage": "EEG_15"}, training={})
    table = read_table(wanted, cache)
    split = split_of(wanted, table)
    run_unit(wanted, table, split, split.folds[0].name, 0, tmp_path)
    said = read_predictions(tmp_path / PREDICTIONS)
    assert set(said) == {"valence", "arousal"}
    network = read_network(wanted, table.labels, tmp_path)
    fold = fold_of(split, split.folds[0].name)
    data = make_sequences(table, table.windows_of(fold.test, "trial"), t_min=1, t_max=2)
    facts = read_facts(tmp_path)
    for name, logits in predict(network, data).items():
        expected = torch.log_softmax(logits.double() / facts.temperatures[name], dim=1)
        np.testing.assert_allclose(said[name].log_p, expected.numpy(), atol=1e-5)


def test_trials_too_short_for_the_sequences_are_refused(table: FeatureTable) -> None:
    wanted = recipe(sequences={"t_min": 20, "t_max": 20})
    split = split_of(wanted, table)
    with pytest.raises(RunError, match=r"Lower sequences\.t_min"):
        run_unit(wanted, table, split, split.folds[0].name, 0, Path("never-written"))


def test_an_unknown_fold_is_named(table: FeatureTable) -> None:
    with pytest.raises(RunError, match="simulated-0001"):
        fold_of(split_of(recipe(), table), "s99")
