"""ASB: a 1D-CNN that weighs regions of interest by itself; Vanilla and EBR are settings of it.

After the "automatic focus on signals from emotion-related brain regions" entry to the IFMBE ICBHI
2024 Mind-Reading Emotions challenge, whose code (MIT) says what its summary leaves open. ASB has a
squeeze-and-excitation block (Hu et al. 2018, doi:10.1109/CVPR.2018.00745) in front, Vanilla has
not, and EBR is Vanilla on windows of listed regions (``windows.regions: seed_list``).
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from offline.models.contract import Features, Network, NetworkSettings, Shapes
from offline.models.readout import MeanHead


class ASBSettings(NetworkSettings):
    """Every choice of the network; the defaults are the published code's.

    Parameters
    ----------
    kind : "asb"
        Name in the registry.
    focus : bool
        A squeeze-and-excitation block in front weighs regions (ASB); else there is none (Vanilla).
    maps : tuple of int
        Feature maps of the three convolutions.
    ratio : int
        How many channels share a hidden unit of a squeeze-and-excitation block.
    readout : {"flatten", "mean"}
        ``"flatten"`` keeps every time point, as published; ``"mean"`` averages over time, which
        leaves a twenty-fifth of the weights.
    hidden : tuple of int
        Units of the dense layers.
    dropout : float
        Before the first dense layer; the published code has none.
    """

    kind: Literal["asb"] = "asb"
    focus: bool = True
    maps: tuple[int, int, int] = (32, 64, 128)
    ratio: int = Field(default=16, ge=1)
    readout: Literal["flatten", "mean"] = "flatten"
    hidden: tuple[int, ...] = Field(default=(512, 100), min_length=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)

    def build(self, shapes: Shapes) -> "ASB":
        """Return the network with fresh weights."""
        return ASB(self, shapes)

    def extraction(self) -> dict[str, object]:
        """Return that windows of regions are taken as they are."""
        return {"kind": "regions"}

    def choices(self) -> tuple[str, ...]:
        """Return what the paper leaves open and what is taken, a sentence each, for the card."""
        sees = (
            "weighed by a squeeze-and-excitation block of their own (ASB)"
            if self.focus
            else "as they are (Vanilla, or EBR where they are a list)"
        )
        time = "every time point" if self.readout == "flatten" else "the mean over time"
        return (
            f"The network sees the regions {sees}.",
            f"Convolutions of {', '.join(map(str, self.maps))} maps over three samples are each "
            f"followed by a squeeze-and-excitation block of ratio {self.ratio} and batch "
            "normalisation, with shortcuts past the second and the third; order and shortcuts are "
            "those of the published code, as the paper draws no more than blocks.",
            f"Dense layers of {', '.join(map(str, self.hidden))} units see {time}, with dropout "
            f"{self.dropout:g}.",
            "Weights are shrunk all alike, by the optimiser; the published code shrinks those of "
            "the convolutions on the main path and of the dense layers.",
        )


class SqueezeExcitation(nn.Module):
    r"""Channels are weighed by what all of them do on average.

    Parameters
    ----------
    n_channels : int
        Channels.
    ratio : int
        How many of them share a hidden unit; at least one unit there is.

    Notes
    -----
    .. math:: y_c = x_c \, \sigma(W_2 \max(W_1 \bar{x} + b_1, 0) + b_2)_c
    """

    def __init__(self, n_channels: int, *, ratio: int) -> None:
        super().__init__()
        n_hidden = max(1, n_channels // ratio)
        self.squeeze = nn.Linear(n_channels, n_hidden)
        self.excite = nn.Linear(n_hidden, n_channels)
        _he(self.squeeze)

    def weigh(self, x: Tensor) -> Tensor:
        """Return the weights, shape (batch, n_channels), from (batch, n_channels, n_times)."""
        hidden = functional.relu(self.squeeze(x.mean(dim=2)))
        weights: Tensor = torch.sigmoid(self.excite(hidden))
        return weights

    def forward(self, x: Tensor) -> Tensor:
        """Return weighed channels of the same shape (batch, n_channels, n_times)."""
        return x * self.weigh(x)[:, :, None]


class Block(nn.Module):
    """Convolution over time, squeeze-and-excitation, batch normalisation.

    Parameters
    ----------
    n_in, n_out : int
        Channels before and after.
    ratio : int
        See `SqueezeExcitation`.
    is_shortcut : bool
        A shortcut has no activation.
    """

    def __init__(self, n_in: int, n_out: int, *, ratio: int, is_shortcut: bool = False) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(n_in, n_out, kernel_size=3, padding=1)
        self.activation = nn.Identity() if is_shortcut else nn.ReLU()
        self.excitation = SqueezeExcitation(n_out, ratio=ratio)
        self.norm = nn.BatchNorm1d(n_out)
        if not is_shortcut:
            _he(self.convolution)

    def forward(self, x: Tensor) -> Tensor:
        """Return features of shape (batch, n_out, n_times), from (batch, n_in, n_times)."""
        y: Tensor = self.norm(self.excitation(self.activation(self.convolution(x))))
        return y


class ASB(Network):
    """Regions of interest over time -> a vector; a linear answer on it.

    Its feature is ``roi``: the window as it is.

    Parameters
    ----------
    settings : ASBSettings
        Choices.
    shapes : Shapes
        Windows and targets.

    Raises
    ------
    ConfigError
        The windows hold no regions.
    """

    def __init__(self, settings: ASBSettings, shapes: Shapes) -> None:
        super().__init__()
        n_regions = shapes.roi.n_rows
        first, second, third = settings.maps
        ratio = settings.ratio
        self.focus = SqueezeExcitation(n_regions, ratio=ratio) if settings.focus else None
        self.first = Block(n_regions, first, ratio=ratio)
        self.second = Block(first, second, ratio=ratio)
        self.third = Block(second, third, ratio=ratio)
        self.input_to_second = Block(n_regions, second, ratio=ratio, is_shortcut=True)
        self.first_to_third = Block(first, third, ratio=ratio, is_shortcut=True)
        self.input_to_third = Block(n_regions, third, ratio=ratio, is_shortcut=True)
        self._flatten = settings.readout == "flatten"
        n_features = third * (shapes.n_times("roi") if self._flatten else 1)
        self.dropout = nn.Dropout(settings.dropout)
        sizes = (n_features, *settings.hidden)
        self.dense = nn.ModuleList([nn.Linear(n_in, n_out) for n_in, n_out in pairwise(sizes)])
        for layer in self.dense:
            _he(layer)
        self.slice_shape = (settings.hidden[-1],)
        self.head = MeanHead(settings.hidden[-1], targets=shapes.targets)

    def extract(self, inputs: Mapping[str, Tensor]) -> Features:
        """Return the regions as they are, shape (n_windows, n_regions, n_times)."""
        return {"roi": inputs["roi"]}

    def fit_scales(self, features: Mapping[str, Tensor]) -> None:
        """Take nothing: regions come normalised, and batches are."""

    def encode(self, features: Mapping[str, Tensor]) -> Tensor:
        """Return a vector a window, shape (n_windows, n_hidden)."""
        x = features["roi"]
        if self.focus is not None:
            x = self.focus(x)
        one = self.first(x)
        two = self.second(one) + self.input_to_second(x)
        three = self.third(two) + self.input_to_third(x) + self.first_to_third(one)
        y: Tensor = self.dropout(three.flatten(1) if self._flatten else three.mean(dim=2))
        for layer in self.dense:
            y = functional.relu(layer(y))
        return y

    def look(self, features: Mapping[str, Tensor]) -> Features:
        """Return the weight that each region is given, where they are."""
        if self.focus is None:
            return {}
        return {"attention": self.focus.weigh(features["roi"])}


def _he(layer: nn.Module) -> None:
    """Draw weights as He et al. 2015 do for rectified units; no bias at first."""
    assert isinstance(layer, nn.Linear | nn.Conv1d)
    nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
