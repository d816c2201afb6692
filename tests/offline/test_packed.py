"""Folds trained together are the folds trained each by itself."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from feature_tables import Bare, make_table
from torch import nn

from offline.errors import RunError
from offline.models.contract import Network, NetworkSettings, Shapes
from offline.models.dgcnn import DGCNNSettings
from offline.models.mtcnn import MTCNNSettings
from offline.models.prior_dfcn import PriorDFCNSettings
from offline.packed import train_packed
from offline.recipe import LearningRateDecay, TrainingSettings
from offline.sequences import Sequences, make_sequences
from offline.table import FeatureTable
from offline.trained import Epoch, Trained
from offline.training import Fit, train
from rtaffect.core.face_features import FACE_FEATURES
from rtaffect.core.montages import EEG_15
from rtaffect.core.spec import FrameSpec, SignalSpec, WindowSpec

SUBJECTS = 4
SHAPES = Shapes(
    windows=WindowSpec(
        modalities={"eeg": SignalSpec(ch_names=EEG_15), "face": FrameSpec(ch_names=FACE_FEATURES)}
    ),
    targets={"valence": 2},
)
QUICK = TrainingSettings(max_epochs=4, patience=4, batch_size=16, device="cpu")


class Normed(Bare):
    """The smallest network with batch normalisation, and a weight that nobody uses."""

    def __init__(self) -> None:
        super().__init__()
        self.head.linear = nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 2))  # type: ignore[assignment]
        self.unused = nn.Parameter(torch.ones(3))


def table_of(settings: NetworkSettings) -> FeatureTable:
    """Return a table whose features come from noise that a trial's class made louder.

    In double precision, because Adam's first steps are as long for a gradient that is nothing but
    rounding as for any other.
    """
    plain = make_table(n_trials=3, n_windows=4)
    rng = np.random.default_rng(1)
    louder = 1.0 + plain.classes["valence"][:, None, None]
    inputs = {
        "eeg": 10.0 * louder * rng.normal(size=(len(plain.trial), len(EEG_15), 384)),
        "face": rng.normal(size=(len(plain.trial), len(FACE_FEATURES), 96)),
        "face_mask": np.ones((len(plain.trial), 96)),
    }
    network = settings.build(SHAPES).eval()
    with torch.no_grad():
        features = network.extract({k: torch.tensor(x).float() for k, x in inputs.items()})
    return dataclasses.replace(plain, features={k: x.double() for k, x in features.items()})


def fold_of(table: FeatureTable, held_out: int, t_max: int) -> dict[str, Sequences]:
    """Test on a subject, select on the next; the first fold lacks a trial, and is shorter."""
    subject = np.array([int(name[1:]) for name in table.trials.subject])[table.trial]
    next_one = (held_out + 1) % SUBJECTS
    chosen = {
        "train": (subject != held_out) & (subject != next_one),
        "validation": subject == next_one,
        "test": subject == held_out,
    }
    if held_out == 0:
        chosen["train"] &= table.trial != table.trial[chosen["train"]][0]
    return {
        role: make_sequences(table, np.flatnonzero(rows), t_min=1, t_max=t_max)
        for role, rows in chosen.items()
    }


def both_ways(
    table: FeatureTable,
    make: Callable[[], Network],
    settings: TrainingSettings,
    *,
    t_max: int,
) -> tuple[list[Trained], list[Trained]]:
    """Return what came of the folds, each by itself and all together."""
    folds = [fold_of(table, held_out, t_max) for held_out in range(SUBJECTS)]

    def network(fold: int) -> Network:
        torch.manual_seed(fold)
        made = make().to(next(iter(table.features.values())).dtype)
        rows = torch.unique(folds[fold]["train"].rows)
        made.fit_scales({k: x[rows[rows >= 0]] for k, x in table.features.items()})
        return made

    alone = [train(network(k), fold, settings, t_min=1, seed=k) for k, fold in enumerate(folds)]
    fits = [Fit(network(k), fold, settings, t_min=1, seed=k) for k, fold in enumerate(folds)]
    return alone, train_packed(fits)


def assert_alike(alone: list[Trained], together: list[Trained]) -> None:
    for one, other in zip(alone, together, strict=True):
        assert len(one.epochs) == len(other.epochs)
        for a, b in zip(one.epochs, other.epochs, strict=True):
            assert a.train_nll == pytest.approx(b.train_nll, abs=1e-4)
            assert a.validation_nll == pytest.approx(b.validation_nll, abs=1e-4)
            assert a.learning_rate == b.learning_rate
        for name, x in one.last.items():
            torch.testing.assert_close(other.last[name], x, atol=2e-4, rtol=1e-3)


SMALL: Mapping[str, tuple[NetworkSettings, int]] = {
    "DFCN": (PriorDFCNSettings(maps=(2, 3), dropout=0.0), 3),
    "DGCNN": (DGCNNSettings(n_maps=4, n_hidden=8, dropout=0.0), 2),
    "MT-CNN": (MTCNNSettings(dropout=0.0), 1),
}


@pytest.mark.parametrize("name", SMALL)
def test_each_fold_is_what_it_is_alone(name: str) -> None:
    settings, t_max = SMALL[name]
    table = table_of(settings)
    how = QUICK.model_copy(update={"max_epochs": 2})
    if name == "DFCN":
        how = how.model_copy(update={"modality_dropout": {"face": 0.3}})
    assert_alike(*both_ways(table, lambda: settings.build(SHAPES), how, t_max=t_max))


@pytest.mark.parametrize("make", [Bare, Normed])
def test_each_fold_has_its_own_rate_and_its_own_end(make: Callable[[], Network]) -> None:
    settings = TrainingSettings(
        max_epochs=40,
        patience=4,
        batch_size=16,
        learning_rate=0.1,
        decay=LearningRateDecay(patience=2),
        balance_classes=True,
        modality_dropout={"y": 0.2},
        device="cpu",
    )
    alone, together = both_ways(make_table(effect=0.3), make, settings, t_max=2)
    assert len({len(done.epochs) for done in alone}) > 1
    assert len({tuple(epoch.learning_rate for epoch in done.epochs) for done in alone}) > 1
    assert_alike(alone, together)


def test_folds_that_were_interrupted_go_on_together(tmp_path: Path) -> None:
    table = make_table()
    folds = [fold_of(table, held_out, 2) for held_out in range(SUBJECTS)]

    def fits(*, max_epochs: int, checkpoints: bool) -> list[Fit]:
        made = []
        for k, fold in enumerate(folds):
            torch.manual_seed(k)
            how = QUICK.model_copy(update={"max_epochs": max_epochs})
            path = tmp_path / f"{k}.pt" if checkpoints else None
            made.append(Fit(Bare(), fold, how, t_min=1, seed=k, checkpoint=path))
        return made

    train_packed(fits(max_epochs=2, checkpoints=True))
    resumed = train_packed(fits(max_epochs=4, checkpoints=True))
    assert_alike(train_packed(fits(max_epochs=4, checkpoints=False)), resumed)


def test_every_epoch_is_told_with_its_fold() -> None:
    table = make_table()
    fits = [Fit(Bare(), fold_of(table, k, 2), QUICK, t_min=1, seed=k) for k in range(2)]
    heard: list[tuple[int, Epoch]] = []
    train_packed(fits, report=lambda place, epoch: heard.append((place, epoch)))
    assert [(k, e.number) for k, e in heard] == [(k, n) for n in range(1, 5) for k in range(2)]


def test_folds_that_have_too_little_in_common_are_refused() -> None:
    one = Fit(Bare(), fold_of(make_table(), 0, 2), QUICK, t_min=1, seed=0)
    other = Fit(Bare(), fold_of(make_table(), 1, 2), QUICK, t_min=1, seed=1)
    with pytest.raises(RunError, match="share network, settings and table"):
        train_packed([one, other])
