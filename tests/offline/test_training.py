from pathlib import Path

import numpy as np
import pytest
import torch
from feature_tables import Bare, make_table

from offline.recipe import LearningRateDecay, TrainingSettings
from offline.sequences import Sequences, make_sequences
from offline.table import FeatureTable
from offline.trained import Epoch
from offline.training import predict, train


class StopError(Exception):
    """Somebody pressed Ctrl-C."""


def _roles(table: FeatureTable, t_max: int = 3) -> dict[str, Sequences]:
    """Trials 0-11 train, 12-17 validate, 18-23 test."""
    edges = {"train": (0, 12), "validation": (12, 18), "test": (18, 24)}
    return {
        role: make_sequences(
            table, np.flatnonzero((low <= table.trial) & (table.trial < high)), t_min=1, t_max=t_max
        )
        for role, (low, high) in edges.items()
    }


def _network(*, dropout: float = 0.0) -> Bare:
    torch.manual_seed(0)
    return Bare(dropout=dropout)


def _accuracy(network: Bare, data: Sequences) -> float:
    return float(
        (predict(network, data)["valence"].argmax(1) == data.labels["valence"]).float().mean()
    )


def test_it_learns_what_is_there_and_the_same_seed_learns_the_same() -> None:
    data = _roles(make_table(effect=3.0))
    settings = TrainingSettings(learning_rate=0.05, max_epochs=15)
    answers = []
    for _ in range(2):
        network = _network(dropout=0.2)
        train(network, data, settings, t_min=1, seed=1)
        answers.append(predict(network, data["test"])["valence"])
    assert _accuracy(network, data["test"]) > 0.9
    assert torch.equal(answers[0], answers[1])


def test_without_a_paper_protocol_the_test_items_are_not_looked_at() -> None:
    data = _roles(make_table())
    done = train(
        _network(),
        {role: data[role] for role in ("train", "validation")},
        TrainingSettings(max_epochs=3),
        t_min=1,
        seed=0,
    )
    assert done.best_test is None
    assert all(epoch.test_score is None for epoch in done.epochs)


@pytest.mark.parametrize("by", ["nll", "accuracy"])
def test_a_paper_protocol_keeps_the_epoch_that_was_best_on_the_test_items(by: str) -> None:
    data = _roles(make_table(effect=1.0))
    settings = TrainingSettings(max_epochs=30, patience=30, learning_rate=0.02, paper_protocol=by)
    network = _network()
    done = train(network, data, settings, t_min=1, seed=0)
    assert done.best_test is not None
    best = max(done.epochs, key=lambda epoch: epoch.test_score or -np.inf)
    assert best.is_best_test
    network.load_state_dict(done.best_test)
    logits, labels = predict(network, data["test"])["valence"], data["test"].labels["valence"]
    loss = torch.nn.functional.cross_entropy(logits, labels).item()
    score = -loss if by == "nll" else (logits.argmax(dim=1) == labels).double().mean().item()
    assert best.test_score == pytest.approx(score, rel=1e-5)
    assert best.number != done.best_epoch  # the two have no reason to agree


def test_a_paper_protocol_stops_when_the_test_items_say_so() -> None:
    data = _roles(make_table(effect=0.0))
    settings = TrainingSettings(max_epochs=200, patience=3, learning_rate=0.1, paper_protocol="nll")
    done = train(_network(), data, settings, t_min=1, seed=0)
    assert len(done.epochs) == done.watched_epoch + 3
    assert done.epochs[done.watched_epoch - 1].is_best_test


def test_training_stops_when_it_no_longer_helps_and_keeps_the_best() -> None:
    data = _roles(make_table(effect=0.0))
    network = _network()
    settings = TrainingSettings(max_epochs=200, patience=3, learning_rate=0.1)
    done = train(network, data, settings, t_min=1, seed=0)
    assert len(done.epochs) == done.best_epoch + 3
    loss = torch.nn.functional.cross_entropy(
        predict(network, data["validation"])["valence"], data["validation"].labels["valence"]
    )
    assert loss.item() == pytest.approx(done.epochs[done.best_epoch - 1].validation_nll, rel=1e-5)
    assert any(not torch.equal(done.best[k], done.last[k]) for k in done.best)


def test_training_that_was_stopped_ends_as_if_it_had_not(tmp_path: Path) -> None:
    data = _roles(make_table())
    settings = TrainingSettings(
        max_epochs=7, patience=7, decay=LearningRateDecay(patience=1), modality_dropout={"y": 0.3}
    )
    whole = train(_network(dropout=0.3), data, settings, t_min=1, seed=4)

    def stop(epoch: Epoch) -> None:
        if epoch.number == 3:
            raise StopError

    checkpoint = tmp_path / "checkpoint.pt"
    with pytest.raises(StopError):
        train(
            _network(dropout=0.3),
            data,
            settings,
            t_min=1,
            seed=4,
            report=stop,
            checkpoint=checkpoint,
        )
    heard: list[Epoch] = []
    torch.manual_seed(99)
    rest = train(
        Bare(dropout=0.3),
        data,
        settings,
        t_min=1,
        seed=4,
        report=heard.append,
        checkpoint=checkpoint,
    )
    assert [epoch.number for epoch in heard] == [4, 5, 6, 7]
    assert rest.epochs == whole.epochs
    assert all(torch.equal(rest.last[k], whole.last[k]) for k in whole.last)
    assert all(torch.equal(rest.best[k], whole.best[k]) for k in whole.best)


def test_the_rate_falls_after_epochs_without_a_better_validation() -> None:
    data = _roles(make_table(effect=0.0))
    settings = TrainingSettings(
        max_epochs=20,
        patience=20,
        learning_rate=0.2,
        decay=LearningRateDecay(factor=0.5, patience=3),
    )
    done = train(_network(), data, settings, t_min=1, seed=0)
    rates = [epoch.learning_rate for epoch in done.epochs]
    assert rates[0] == 0.2
    waited = 0
    for before, after in zip(done.epochs, done.epochs[1:], strict=False):
        waited = 0 if before.is_best else waited + 1
        if waited == 3:
            assert after.learning_rate == before.learning_rate / 2
            waited = 0
        else:
            assert after.learning_rate == before.learning_rate
    assert rates[-1] < 0.2


def test_balanced_classes_count_alike() -> None:
    """One trial of "high" among many of "low": only its weight makes the answer even."""
    table = make_table(effect=0.0)
    rare = table.classes["valence"] * 0
    rare[table.trial == 0] = 1
    rare[table.trial == 13] = 1
    data = _roles(FeatureTable(**{**_fields(table), "classes": {"valence": rare}}), t_max=1)
    shares = {}
    for balance in (False, True):
        network = _network()
        settings = TrainingSettings(
            max_epochs=60, patience=60, learning_rate=0.05, balance_classes=balance
        )
        done = train(network, data, settings, t_min=1, seed=0)
        network.load_state_dict(done.last)
        p = torch.softmax(predict(network, data["train"])["valence"], dim=1)
        shares[balance] = p[:, 1].mean().item()
    assert shares[False] < 0.2
    assert 0.35 < shares[True] < 0.65


def test_a_missing_modality_can_be_taken_away_when_predicting() -> None:
    data = _roles(make_table())
    network = _network()
    train(network, data, TrainingSettings(max_epochs=2), t_min=1, seed=0)
    blind = predict(network, data["test"], missing="y")["valence"]
    assert torch.equal(blind, blind[:1].expand_as(blind))


def _fields(table: FeatureTable) -> dict[str, object]:
    return {name: getattr(table, name) for name in table.__slots__}
