"""What all models share that see one window's differential entropies, and no more."""

from collections.abc import Mapping

import torch
from torch import Tensor

from offline.features.bands import FOUR_BANDS_HZ, BandSource, band_features
from offline.features.normalise import FeatureScale
from offline.models.contract import Features, Network, NetworkSettings, Shapes


class EntropySettings(NetworkSettings):
    """Where entropies come from.

    Parameters
    ----------
    features : {"inside", "filter_bank"}
        Bands from a spectrum inside the graph, or from the runtime's causal filter bank.
    """

    features: BandSource = "inside"

    def extraction(self) -> dict[str, object]:
        """Return what entropies depend on, whoever sees them."""
        return {"kind": "entropies", "features": self.features}

    @property
    def source_in_words(self) -> str:
        """What an entropy is the entropy of; goes on after "differential entropy"."""
        if self.features == "filter_bank":
            return "of the variance of band-passed samples"
        bands = ", ".join(f"{k} {low:g}-{high:g} Hz" for k, (low, high) in FOUR_BANDS_HZ.items())
        return f"of the integral of Welch's density over {bands}"


class EntropyNetwork(Network):
    """A network whose features are ``entropy`` (nats), by channel and band.

    Parameters
    ----------
    settings : EntropySettings
        Choices.
    shapes : Shapes
        Windows and targets.

    Raises
    ------
    ConfigError
        The windows do not suit the settings.
    """

    def __init__(self, settings: EntropySettings, shapes: Shapes) -> None:
        super().__init__()
        self.bands, names = band_features(settings.features, shapes.windows)
        self.entropy_shape = (shapes.n_channels, len(names))
        self.scale = FeatureScale(shape=self.entropy_shape)

    def extract(self, inputs: Mapping[str, Tensor]) -> Features:
        """Return entropies, shape (n_windows, n_channels, n_bands)."""
        return {"entropy": self.bands(inputs["eeg"])["entropy"]}

    @torch.no_grad()
    def fit_scales(self, features: Mapping[str, Tensor]) -> None:
        """Take the training set's statistics of each entropy."""
        self.scale.fit(features["entropy"])

    def look(self, features: Mapping[str, Tensor]) -> Features:
        """Return entropies as they are."""
        return {"entropy": features["entropy"]}
