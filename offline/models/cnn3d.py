"""Brain-agnostic 3D-CNN: whole volumes, no atlas and no registration.

After "Brain-agnostic machine learning algorithms learn representations of naturalistic emotion"
(CUCAI 2025; NeurIPS 2025 workshop, openreview axphVwbQYx): three convolutions, two poolings, a
dense layer of 128 and the answer.
"""

import math
from collections.abc import Mapping
from typing import Literal

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from offline.models.contract import Features, Network, NetworkSettings, Shapes
from offline.models.readout import MeanHead
from rtaffect.core.errors import ConfigError

_N_POOLS = 2


class CNN3DSettings(NetworkSettings):
    """Every choice of the network.

    Parameters
    ----------
    kind : "cnn3d"
        Name in the registry.
    maps : tuple of int
        Feature maps of the three convolutions.
    readout : {"mean", "flatten"}
        What the dense layer sees: the mean of each map over the brain, or every place of it, as in
        the paper, where that takes 139 million weights.
    n_hidden : int
        Units of the dense layer: the embedding.
    dropout : float
        Before the dense layer; the paper has none.
    """

    kind: Literal["cnn3d"] = "cnn3d"
    maps: tuple[int, int, int] = (16, 32, 64)
    readout: Literal["mean", "flatten"] = "mean"
    n_hidden: int = Field(default=128, ge=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)

    def build(self, shapes: Shapes) -> "CNN3D":
        """Return the network with fresh weights."""
        return CNN3D(self, shapes)

    def extraction(self) -> dict[str, object]:
        """Return that the newest volume is taken as it is."""
        return {"kind": "newest volume"}

    def choices(self) -> tuple[str, ...]:
        """Return what the paper leaves open and what is taken, a sentence each, for the card."""
        seen = {
            "mean": "the mean of each map over the brain (the paper's layer sees every place, "
            "which takes 139 million weights)",
            "flatten": "every place of every map, as in the paper",
        }[self.readout]
        return (
            "The network sees the newest volume of the window, voxels normalised one by one over "
            "the frames of the run so far; the paper does not say how it normalises.",
            f"Three convolutions of {', '.join(map(str, self.maps))} maps over 3 x 3 x 3 voxels, "
            "each followed by a ReLU, the first two by a maximum over 2 x 2 x 2; where the paper "
            "pools is not said.",
            f"A dense layer of {self.n_hidden} units sees {seen}, with dropout {self.dropout:g}.",
        )


class CNN3D(Network):
    """A volume -> an embedding; a linear answer on it.

    Its feature is ``volume``: the newest one.

    Parameters
    ----------
    settings : CNN3DSettings
        Choices.
    shapes : Shapes
        Windows and targets.

    Raises
    ------
    ConfigError
        The windows hold no volumes, or volumes that are too small to be pooled.
    """

    def __init__(self, settings: CNN3DSettings, shapes: Shapes) -> None:
        super().__init__()
        self._shape = shapes.volume.shape
        pooled = [side // 2**_N_POOLS for side in self._shape]
        if not all(pooled):
            msg = (
                f"Volumes must have at least {2**_N_POOLS} voxels along each axis to be pooled "
                f"{_N_POOLS} times, got {self._shape}."
            )
            raise ConfigError(msg)
        first, second, third = settings.maps
        self.first = nn.Conv3d(1, first, kernel_size=3, padding=1)
        self.second = nn.Conv3d(first, second, kernel_size=3, padding=1)
        self.third = nn.Conv3d(second, third, kernel_size=3, padding=1)
        self._flatten = settings.readout == "flatten"
        n_features = third * (math.prod(pooled) if self._flatten else 1)
        self.dropout = nn.Dropout(settings.dropout)
        self.hidden = nn.Linear(n_features, settings.n_hidden)
        self.slice_shape = (settings.n_hidden,)
        self.head = MeanHead(settings.n_hidden, targets=shapes.targets)

    def extract(self, inputs: Mapping[str, Tensor]) -> Features:
        """Return the newest volume of each window, shape (n_windows, n_voxels)."""
        return {"volume": inputs["volume"][:, :, -1]}

    def fit_scales(self, features: Mapping[str, Tensor]) -> None:
        """Take nothing: voxels come normalised."""

    def encode(self, features: Mapping[str, Tensor]) -> Tensor:
        """Return the embedding of each window's volume, shape (n_windows, n_hidden)."""
        x = features["volume"].reshape(-1, 1, *self._shape)
        x = functional.max_pool3d(functional.relu(self.first(x)), 2)
        x = functional.max_pool3d(functional.relu(self.second(x)), 2)
        x = functional.relu(self.third(x))  # (b, maps, X/4, Y/4, Z/4)
        x = self.dropout(x.flatten(1) if self._flatten else x.mean(dim=(2, 3, 4)))
        embedding: Tensor = functional.relu(self.hidden(x))
        return embedding

    def look(self, features: Mapping[str, Tensor]) -> Features:
        """Return the embedding."""
        return {"embedding": self.encode(features)}
