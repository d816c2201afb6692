"""Multi-task convolutional network on brain maps (Rudakov et al. 2021).

BioSMART 2021, doi:10.1109/BioSMART54244.2021.9677807. Differential entropy and power of each band
are laid out on 8 x 9 pixels; the encoder turns one window's maps into 512 numbers, the head the
mean of T such vectors into one answer a target. The layers are those of the published code [1]_,
which says more than the paper; with one target it is the paper's single-task network.

References
----------
.. [1] https://github.com/dolphin-in-a-coma/multi-task-cnn-eeg-emotion, eegemotion/model.py
"""

from collections.abc import Mapping
from typing import Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from offline.features.bands import FOUR_BANDS_HZ, BandSource, band_features
from offline.features.baseline import mean_at_rest, mean_at_rest_with_theta
from offline.features.normalise import FeatureScale, z_scores
from offline.features.topography import N_COLUMNS, N_ROWS, Layout, Topography
from offline.models.contract import Features, Network, NetworkSettings, Shapes
from offline.models.readout import MeanHead
from rtaffect.core.errors import ConfigError

Baseline = Literal["none", "mean", "mean_with_theta"]

N_FEATURES = 512
"""Numbers that describe one window."""

_MAPS = (64, 128, 256, 64)
_NORM_EPSILON = 1e-3


class MTCNNSettings(NetworkSettings):
    """Every choice that the model leaves open; `FAITHFUL` holds the published ones.

    Parameters
    ----------
    kind : "mtcnn"
        Name in the registry.
    features : {"inside", "filter_bank"}
        Bands from a spectrum inside the graph, or from the runtime's causal filter bank.
    use_de, use_psd : bool
        Maps of differential entropy and of power (the paper's "PSD"); one of them may be left out.
    baseline : {"none", "mean", "mean_with_theta"}
        What is taken off each feature: nothing, its mean over windows at rest, or that mean as the
        published code computes it (see `mean_at_rest_with_theta`).
    scale : {"window", "training"}
        Features are standardised over all channels and bands of their own window, as published, or
        one by one over the training set.
    layout : {"grid", "interpolated"}
        See `Topography`.
    dropout : float
        After every layer; 0 is the paper's "no dropout".
    batch_norm : bool
        False is the paper's "no batch normalisation".
    norm_momentum : float
        Weight of a new batch in the running statistics.
    """

    kind: Literal["mtcnn"] = "mtcnn"
    features: BandSource = "inside"
    use_de: bool = True
    use_psd: bool = True
    baseline: Baseline = "none"
    scale: Literal["window", "training"] = "window"
    layout: Layout = "grid"
    dropout: float = Field(default=0.2, ge=0, lt=1)
    batch_norm: bool = True
    norm_momentum: float = Field(default=0.1, gt=0, le=1)

    @model_validator(mode="after")
    def _sees_something(self) -> Self:
        if not (self.use_de or self.use_psd):
            msg = "use_de or use_psd must be true, got neither"
            raise ValueError(msg)
        return self

    def build(self, shapes: Shapes) -> "MTCNN":
        """Return the network with fresh weights."""
        return MTCNN(self, shapes)

    def extraction(self) -> dict[str, object]:
        """Return what entropies, powers and their baseline depend on."""
        return {"kind": self.kind, "features": self.features, "baseline": self.baseline}

    def choices(self) -> tuple[str, ...]:
        """Return what the paper leaves open and what is taken, a sentence each, for the card."""
        bands = ", ".join(f"{k} {low:g}-{high:g} Hz" for k, (low, high) in FOUR_BANDS_HZ.items())
        source = {
            "inside": "Entropy is that of the integral of Welch's density (Hann, at most 1 s, half "
            f"overlapping) over {bands}, power is that integral; the paper filters instead.",
            "filter_bank": "Entropy is that of the variance of band-passed samples, power their "
            "sum of squares, as in the published code; the filters run on without a restart at "
            "the trial's beginning.",
        }
        baseline = {
            "none": "No baseline is taken off.",
            "mean": "The mean of the same features at rest is taken off (the published code takes "
            "half of every band's baseline from theta by mistake).",
            "mean_with_theta": "The mean of the same features at rest is taken off, half of every "
            "band's being taken from theta, a mistake of the published code that is kept.",
        }
        scale = {
            "window": "all channels and bands of its own window",
            "training": "the training set's windows, one by one",
        }
        layout = {
            "grid": "its own pixel of the paper's grid, the others being 0",
            "interpolated": "maps by spherical splines instead of the paper's grid",
        }
        used = [name for name, used in (("DE", self.use_de), ("PSD", self.use_psd)) if used]
        return (
            source[self.features],
            baseline[self.baseline],
            f"Maps of {' and '.join(used)} are standardised over {scale[self.scale]}, and each "
            f"channel enters {layout[self.layout]}.",
            f"Dropout is {self.dropout:g}, "
            + (
                f"batch normalisation has momentum {self.norm_momentum:g}."
                if self.batch_norm
                else "and there is no batch normalisation."
            ),
            "Several windows are answered from the mean of their 512 features, as the published "
            "code does with several inputs.",
        )


FAITHFUL = MTCNNSettings(
    features="filter_bank", baseline="mean_with_theta", scale="window", norm_momentum=0.01
)
"""The published code's choices; for windows of 0.5 s through a filter bank of `FOUR_BANDS_HZ`."""

LIVE = MTCNNSettings()
"""Choices that need neither a filter bank nor rest; for windows of 3 s."""


class MTCNN(Network):
    """Entropy and power of one window -> maps -> 512 numbers; the mean of T -> answers.

    Its features are ``entropy`` (nats) and ``power`` (uV^2), by channel and band.

    Parameters
    ----------
    settings : MTCNNSettings
        Choices.
    shapes : Shapes
        Windows and targets.

    Raises
    ------
    ConfigError
        The windows do not suit the settings.
    MontageError
        A channel has no place on the map.
    """

    def __init__(self, settings: MTCNNSettings, shapes: Shapes) -> None:
        super().__init__()
        self.bands, names = band_features(settings.features, shapes.windows)
        if settings.baseline == "mean_with_theta" and names[0] != "theta":
            msg = (
                "`baseline: mean_with_theta` needs theta as the first band, got "
                f"{', '.join(names)}. Put theta first, or choose `baseline: mean`."
            )
            raise ConfigError(msg)
        self.slice_shape = (N_FEATURES,)
        self.uses_rest = settings.baseline != "none"
        self._with_theta = settings.baseline == "mean_with_theta"
        self._used = [
            name
            for name, used in (("entropy", settings.use_de), ("power", settings.use_psd))
            if used
        ]
        shape = (shapes.n_channels, len(names))
        self.scales = (
            nn.ModuleDict({name: FeatureScale(shape=shape) for name in self._used})
            if settings.scale == "training"
            else None
        )
        self.topography = Topography(
            shapes.windows.modalities["eeg"].ch_names, layout=settings.layout
        )
        self.trunk = _trunk(len(self._used) * len(names), settings)
        self.head = MeanHead(N_FEATURES, targets=shapes.targets)
        self.apply(_start)

    def extract(self, inputs: Mapping[str, Tensor]) -> Features:
        """Return entropies and powers, shape (n_windows, n_channels, n_bands)."""
        features: Features = self.bands(inputs["eeg"])
        return features

    @torch.no_grad()
    def fit_scales(self, features: Mapping[str, Tensor]) -> None:
        """Take the training set's statistics, where the settings ask for them."""
        if self.scales is not None:
            for name, off_rest in self._off_rest(features).items():
                scale = self.scales[name]
                assert isinstance(scale, FeatureScale)
                scale.fit(off_rest)

    def encode(self, features: Mapping[str, Tensor]) -> Tensor:
        """Return 512 numbers a window."""
        maps = []
        for name, x in self._off_rest(features).items():  # (n, channels, bands)
            scaled = (
                self.scales[name](x)
                if self.scales is not None
                else z_scores(x.flatten(1)).reshape(x.shape)
            )
            maps.append(self.topography(scaled))
        described: Tensor = self.trunk(torch.cat(maps, dim=1))
        return described

    def look(self, features: Mapping[str, Tensor]) -> Features:
        """Return entropies and powers as they are, before any baseline."""
        return {"entropy": features["entropy"], "band_power": features["power"]}

    def summarise(self, features: Mapping[str, Tensor]) -> Tensor:
        """Return the baseline of entropy and power, shape (2, n_channels, n_bands)."""
        mean = mean_at_rest_with_theta if self._with_theta else mean_at_rest
        return mean(torch.stack([features["entropy"], features["power"]], dim=1))

    def _off_rest(self, features: Mapping[str, Tensor]) -> Features:
        """Return the used features with the baseline taken off."""
        if not self.uses_rest:
            return {name: features[name] for name in self._used}
        rest = dict(zip(("entropy", "power"), features["rest"].unbind(dim=1), strict=True))
        return {name: features[name] - rest[name] for name in self._used}


def _trunk(n_maps: int, settings: MTCNNSettings) -> nn.Sequential:
    """Return the layers before the heads; every even kernel pads one pixel more at the end."""

    def closing(norm: type[nn.BatchNorm1d | nn.BatchNorm2d], n: int) -> list[nn.Module]:
        normed = [norm(n, eps=_NORM_EPSILON, momentum=settings.norm_momentum)]
        return [*(normed if settings.batch_norm else []), nn.Dropout(settings.dropout)]

    first, second, third, fourth = _MAPS
    n_pixels = (N_ROWS // 2) * (N_COLUMNS // 2)
    return nn.Sequential(
        nn.Conv2d(n_maps, first, kernel_size=5, padding=2),
        nn.ReLU(),
        *closing(nn.BatchNorm2d, first),
        nn.ZeroPad2d((1, 2, 1, 2)),
        nn.Conv2d(first, second, kernel_size=4),
        nn.ReLU(),
        *closing(nn.BatchNorm2d, second),
        nn.ZeroPad2d((1, 2, 1, 2)),
        nn.Conv2d(second, third, kernel_size=4),
        nn.ReLU(),
        *closing(nn.BatchNorm2d, third),
        nn.Conv2d(third, fourth, kernel_size=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        *closing(nn.BatchNorm2d, fourth),
        nn.Flatten(),
        nn.Linear(fourth * n_pixels, N_FEATURES),
        nn.ReLU(),
        *closing(nn.BatchNorm1d, N_FEATURES),
    )


def _start(module: nn.Module) -> None:
    """Draw weights as Keras does, in which the published code is written."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
