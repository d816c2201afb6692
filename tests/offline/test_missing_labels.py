"""What has no label is neither trained on nor tested, whatever its features hold."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from feature_tables import Bare, make_table
from torch import Tensor

from offline.batches import class_weights
from offline.errors import RunError
from offline.items import NO_CLASS
from offline.protocols.loso import LosoSettings
from offline.recipe import Recipe, TrainingSettings
from offline.roles import sequences_of
from offline.sequences import Sequences, make_sequences
from offline.table import FeatureTable
from offline.training import nll, predict, train
from offline.unit import start_unit

ROLES = {"train": (0, 12), "validation": (12, 18), "test": (18, 24)}


def unlabelled(table: FeatureTable, *, trap: float) -> FeatureTable:
    """Take away every third window's label, and put something else into its features."""
    lost = np.arange(len(table.trial)) % 3 == 0
    classes = {"valence": np.where(lost, NO_CLASS, table.classes["valence"])}
    x = table.features["x"].clone()
    x[torch.from_numpy(lost)] = trap
    return dataclasses.replace(
        table,
        classes=classes,
        train_classes=classes,
        values={"valence": np.where(lost, np.nan, table.values["valence"])},
        features=table.features | {"x": x},
    )


def roles(table: FeatureTable) -> dict[str, Sequences]:
    return {
        role: make_sequences(
            table, np.flatnonzero((low <= table.trial) & (table.trial < high)), t_min=1, t_max=1
        )
        for role, (low, high) in ROLES.items()
    }


def trained(table: FeatureTable) -> dict[str, Tensor]:
    torch.manual_seed(0)
    network = Bare()
    settings = TrainingSettings(learning_rate=0.05, max_epochs=4, balance_classes=True)
    data = roles(table)
    train(network, data, settings, t_min=1, seed=1)
    return network.state_dict() | predict(network, data["test"])


def test_weights_and_answers_do_not_depend_on_what_has_no_label() -> None:
    calm, mad = (trained(unlabelled(make_table(), trap=trap)) for trap in (0.0, float("nan")))
    assert calm.keys() == mad.keys()
    for name, x in calm.items():
        assert torch.equal(x, mad[name])
        assert torch.isfinite(x).all()


def test_a_window_without_a_label_ends_no_sequence_but_where_it_is_asked_for() -> None:
    table = unlabelled(make_table(), trap=0.0)
    rows = np.arange(len(table.trial))
    some = make_sequences(table, rows, t_min=1, t_max=1)
    every = make_sequences(table, rows, t_min=1, t_max=1, labelled=False)
    assert len(every) == len(rows)
    assert set(rows.tolist()) - set(some.newest.tolist()) == set(rows[::3].tolist())
    assert (every.labels["valence"] == NO_CLASS).sum() == len(rows[::3])


def test_a_loss_is_the_mean_over_what_has_a_label() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = {name: torch.randn(6, 2, generator=generator) for name in ("a", "b", "c")}
    labels = {
        "a": torch.tensor([0, 1, -1, 1, -1, 0]),
        "b": torch.tensor([1, 1, 0, 0, 1, 0]),
        "c": torch.full((6,), NO_CLASS),
    }
    weights = {name: torch.tensor([0.5, 2.0]) for name in labels}
    expected = []
    for name in ("a", "b"):
        rows = [i for i, label in enumerate(labels[name].tolist()) if label >= 0]
        log_p = torch.log_softmax(logits[name], dim=1)
        own = [-log_p[i, labels[name][i]] * weights[name][labels[name][i]] for i in rows]
        expected.append(sum(own) / sum(weights[name][labels[name][i]] for i in rows))
    found = nll(logits, labels, weights=weights)
    assert found.item() == pytest.approx((sum(expected) / 3).item(), rel=1e-6)


def test_classes_weigh_alike_among_what_has_a_label() -> None:
    table = unlabelled(make_table(), trap=0.0)
    (weights,) = class_weights(roles(table)["train"]).values()
    known = roles(table)["train"].labels["valence"]
    counts = np.bincount(known[known >= 0].numpy(), minlength=2)
    assert (weights[0] * counts[0]).item() == pytest.approx((weights[1] * counts[1]).item())


class Moments(Bare):
    """A network that asks for moments."""

    uses_moments = True

    def fit_scales(self, features: Any) -> None:
        super().fit_scales(features)
        self.given = dict(features)


@pytest.mark.parametrize("asks", [False, True])
def test_a_network_that_asks_is_given_all_windows_with_their_moments_and_people(
    monkeypatch: pytest.MonkeyPatch, asks: bool
) -> None:
    table = unlabelled(make_table(), trap=0.0)
    table = dataclasses.replace(table, moment=np.arange(len(table.trial)) % 30)
    split = LosoSettings(n_validation=1).split(table.trials, classes={}, seed=0)
    fold = split.folds[0]
    given: list[Any] = []

    class Seen(Moments if asks else Bare):
        def fit_scales(self, features: Any) -> None:
            given.append(dict(features))
            super().fit_scales(features)

    monkeypatch.setattr("offline.unit.network_of", lambda recipe, labels: Seen())
    windows = table.windows_of(fold.train, "trial")
    data = {"train": make_sequences(table, windows, t_min=1, t_max=1)}
    start_unit(None, table, split, fold, data, seed=0)
    (features,) = given
    if not asks:
        assert features.keys() == {"x", "has_y"}
        assert len(features["x"]) == len(data["train"])
        return
    assert torch.equal(features["x"], table.features["x"][windows])
    np.testing.assert_array_equal(features["moment"], table.moment[windows])
    owners = [table.trials.subject[n] for n in table.trial[windows].tolist()]
    by_number: dict[int, set[str]] = {}
    for number, owner in zip(features["subject"].tolist(), owners, strict=True):
        by_number.setdefault(number, set()).add(owner)
    assert all(len(names) == 1 for names in by_number.values())
    assert len(by_number) == 2


def test_weaker_labels_are_those_of_training_alone() -> None:
    table = unlabelled(make_table(), trap=0.0)
    weak = {"valence": np.where(table.classes["valence"] == NO_CLASS, 1, 0)}
    table = dataclasses.replace(table, train_classes=weak)
    recipe = Recipe.model_validate(
        {
            "name": "a",
            "dataset": {"kind": "simulated", "n_subjects": 4},
            "model": {"kind": "svm"},
            "protocol": {"kind": "loso", "n_validation": 1},
        }
    )
    split = recipe.protocol.split(table.trials, classes={}, seed=0)
    data = sequences_of(recipe, table, split, split.folds[0])
    train_rows, test_rows = data["train"].newest, data["test"].newest
    np.testing.assert_array_equal(data["train"].labels["valence"], weak["valence"][train_rows])
    for role in ("validation", "test"):
        rows = data[role].newest
        np.testing.assert_array_equal(data[role].labels["valence"], table.classes["valence"][rows])
    assert len(test_rows) == len(table.windows_of(split.folds[0].test, "trial"))


def test_a_role_without_any_label_of_a_target_is_told_of_before_anything_is_trained() -> None:
    table = make_table()
    recipe = Recipe.model_validate(
        {
            "name": "a",
            "dataset": {"kind": "simulated", "n_subjects": 4},
            "model": {"kind": "svm"},
            "protocol": {"kind": "loso", "n_validation": 1},
        }
    )
    split = recipe.protocol.split(table.trials, classes={}, seed=0)
    lost = table.windows_of(split.folds[0].validation, "trial")
    classes = table.classes["valence"].copy()
    classes[lost] = NO_CLASS
    other = np.zeros_like(classes)
    table = dataclasses.replace(
        table,
        classes={"valence": classes, "other": other},
        train_classes={"valence": classes, "other": other},
    )
    with pytest.raises(RunError, match="validation of fold s0 has none of valence"):
        sequences_of(recipe, table, split, split.folds[0])
