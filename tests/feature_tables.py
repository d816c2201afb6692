"""A table of features with a known answer, and the smallest network that can find it."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from offline.datasets.contract import Label
from offline.items import Items
from offline.models.contract import Features, Network
from offline.table import FeatureTable

LABELS = {"valence": Label(classes=("low", "high"), edges=(-1.0, 0.0, 1.0))}
N_FEATURES = 4


def make_table(
    *, n_subjects: int = 4, n_trials: int = 6, n_windows: int = 5, effect: float = 2.0
) -> FeatureTable:
    """Return a table whose first feature says what each trial's class is."""
    rng = np.random.default_rng(7)
    n_all = n_subjects * n_trials
    trial_value = rng.permutation(np.tile([-0.5, 0.5], n_all))[:n_all]
    trial = np.repeat(np.arange(n_all), n_windows)
    x = rng.normal(size=(len(trial), N_FEATURES))
    x[:, 0] += effect * np.sign(trial_value[trial])
    values = {"valence": trial_value[trial]}
    return FeatureTable(
        features={"x": torch.from_numpy(x.astype(np.float32)), "has_y": torch.ones(len(trial))},
        trials=Items(
            level="trial",
            subject=tuple(f"s{n // n_trials}" for n in range(n_all)),
            session=("1",) * n_all,
            trial=tuple(f"t{n % n_trials}" for n in range(n_all)),
            stimulus=tuple(f"clip{n % n_trials}" for n in range(n_all)),
        ),
        trial=trial,
        window=np.tile(np.arange(n_windows), n_all),
        step=1,
        labels=LABELS,
        values=values,
        classes={name: LABELS[name].class_of(v) for name, v in values.items()},
        train_classes={name: LABELS[name].class_of(v) for name, v in values.items()},
        moment=np.full(len(trial), -1),
        trial_classes={"valence": LABELS["valence"].class_of(trial_value)},
        digest="0" * 64,
    )


class Mean(nn.Module):
    """Logits of the mean slice."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(N_FEATURES, 2)

    def forward(self, slices: Tensor) -> dict[str, Tensor]:
        return {"valence": self.linear(self.dropout(slices.mean(dim=1)))}


class Bare(Network):
    """Standardised features, a linear layer, and a modality that may be missing."""

    def __init__(self, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.slice_shape = (N_FEATURES,)
        self.mean: Tensor
        self.register_buffer("mean", torch.zeros(N_FEATURES))
        self.head = Mean(dropout)

    def extract(self, inputs: Mapping[str, Tensor]) -> Features:
        return dict(inputs)

    def fit_scales(self, features: Mapping[str, Tensor]) -> None:
        self.mean.copy_(features["x"].mean(dim=0))

    def encode(self, features: Mapping[str, Tensor]) -> Tensor:
        return (features["x"] - self.mean) * features["has_y"].unsqueeze(1)

    def without(self, modality: str, features: Features, rows: Tensor) -> Features:
        assert modality == "y"
        return features | {"has_y": features["has_y"] * (~rows).float()}
