from pathlib import Path

import numpy as np
import pytest
import torch
from feature_tables import Bare, make_table

from offline.errors import RunError
from offline.recipe import TrainingSettings
from offline.sequences import Sequences, make_sequences
from offline.table import FeatureTable
from offline.training import train


def _roles(table: FeatureTable, *, n_train: int = 12, t_max: int = 3) -> dict[str, Sequences]:
    edges = {"train": (0, n_train), "validation": (12, 18)}
    return {
        role: make_sequences(
            table, np.flatnonzero((low <= table.trial) & (table.trial < high)), t_min=1, t_max=t_max
        )
        for role, (low, high) in edges.items()
    }


def test_losses_that_are_no_numbers_end_the_training() -> None:
    table = make_table()
    table.features["x"][3, 0] = torch.nan
    with pytest.raises(RunError, match=r"in epoch 1 they were nan .* Lower training.learning_rate"):
        train(Bare(), _roles(table), TrainingSettings(), t_min=1, seed=0)


def test_every_epoch_learns_where_no_trial_is_as_long_as_a_sequence_may_be() -> None:
    data = _roles(make_table(n_windows=3), t_max=64)
    settings = TrainingSettings(batch_size=1000, max_epochs=6, patience=6)
    done = train(Bare(), data, settings, t_min=1, seed=0)
    assert len(done.epochs) == 6
    assert not np.isnan([epoch.train_nll for epoch in done.epochs]).any()


def test_a_single_training_sequence_is_refused() -> None:
    data = _roles(make_table(n_windows=1), n_train=1)
    with pytest.raises(RunError, match="at least two sequences, but the 1 for training"):
        train(Bare(), data, TrainingSettings(), t_min=1, seed=0)


def test_a_checkpoint_that_cannot_be_taken_back_is_named(tmp_path: Path) -> None:
    data, settings = _roles(make_table()), TrainingSettings(max_epochs=1)
    path = tmp_path / "checkpoint.pt"
    train(Bare(), data, settings, t_min=1, seed=0, checkpoint=path)
    whole = path.read_bytes()
    for content in (b"", whole[: len(whole) // 2], b"nonsense"):
        path.write_bytes(content)
        with pytest.raises(RunError, match=r"checkpoint.pt must be .* Remove it"):
            train(Bare(), data, settings, t_min=1, seed=0, checkpoint=path)
    path.write_bytes(whole)
    longer = settings.model_copy(update={"max_epochs": 2})
    assert len(train(Bare(), data, longer, t_min=1, seed=0, checkpoint=path).epochs) == 2
