"""Standardisation by the training set's statistics, which travel inside the graph."""

from typing import Literal

import torch
from torch import Tensor, nn

PowerForm = Literal["log_power", "linear_power"]

_FLOOR = 1e-6
"""uV^2/Hz; an amplifier's own noise lies three orders of magnitude above it."""

SMALLEST_SHARE = 1e-6
"""A vector whose deviation is this share of its size is constant as far as float32 can tell."""


class PowerScale(nn.Module):
    """Band powers as the model sees them.

    Parameters
    ----------
    n_bands : int
        Number of bands.
    form : {"log_power", "linear_power"}
        ``"log_power"`` takes the logarithm and standardises each band over channels and windows of
        the training set. ``"linear_power"`` is the paper's: as it comes. The spectrum falls as 1/f,
        so five linear powers of any two channels correlate near 1 whatever the person feels.
    """

    def __init__(self, *, n_bands: int, form: PowerForm = "log_power") -> None:
        super().__init__()
        self._form = form
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.zeros(n_bands))
        self.register_buffer("std", torch.ones(n_bands))

    def fit(self, power: Tensor) -> None:
        """Take the statistics of the training set, shape (n_windows, n_channels, n_bands)."""
        if self._form == "log_power":
            logs = power.clamp_min(_FLOOR).log()
            self.mean.copy_(logs.mean(dim=(0, 1)))
            self.std.copy_(logs.std(dim=(0, 1)).clamp_min(_FLOOR))

    def forward(self, power: Tensor) -> Tensor:
        """Return scaled powers of the same shape; a silent channel becomes zeros."""
        if self._form == "linear_power":
            return power
        scaled = (power.clamp_min(_FLOOR).log() - self.mean) / self.std
        return torch.where(power.amax(dim=2, keepdim=True) > _FLOOR, scaled, 0.0)


class FeatureScale(nn.Module):
    """Features standardised one by one.

    Parameters
    ----------
    shape : tuple of int
        Shape of one window's features.
    limit : float
        Standard deviations beyond which a value is cut, so that an artifact or a tracker's slip
        cannot drown everything else.
    """

    def __init__(self, *, shape: tuple[int, ...], limit: float = 5.0) -> None:
        super().__init__()
        self._limit = limit
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("std", torch.ones(shape))

    def fit(self, features: Tensor) -> None:
        """Take the statistics of the training set's windows, shape (n_windows, *shape)."""
        self.mean.copy_(features.mean(dim=0))
        self.std.copy_(features.std(dim=0, correction=0).clamp_min(1e-6))

    def forward(self, features: Tensor) -> Tensor:
        """Return standardised features, shape (batch, *shape)."""
        return ((features - self.mean) / self.std).clamp(-self._limit, self._limit)


class FaceScale(FeatureScale):
    """The mean of each facial feature over the window's valid frames, standardised.

    Parameters
    ----------
    n_face : int
        Number of features.
    """

    def __init__(self, *, n_face: int) -> None:
        super().__init__(shape=(n_face,))


def z_scores(vectors: Tensor) -> Tensor:
    """Standardise each vector by its own mean and (population) deviation.

    Parameters
    ----------
    vectors : Tensor, shape (..., n)
        Vectors along the last axis.

    Returns
    -------
    Tensor, same shape
        Zeros where a vector is constant, never NaN.
    """
    centred = vectors - vectors.mean(dim=-1, keepdim=True)
    variance = centred.square().mean(dim=-1, keepdim=True)
    varies = variance > SMALLEST_SHARE**2 * vectors.square().mean(dim=-1, keepdim=True)
    # The inner `where` keeps the root and the division of zero out of the gradient as well.
    deviation = torch.where(varies, variance, 1.0).sqrt()
    return torch.where(varies, centred / deviation, 0.0)


def masked_mean(frames: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean over valid frames, and whether there was one.

    Parameters
    ----------
    frames : Tensor, shape (batch, n_face, n_frames)
        Zeros where there is no frame.
    mask : Tensor, shape (batch, n_frames)
        1 at valid frames.

    Returns
    -------
    means : Tensor, shape (batch, n_face)
    has_face : Tensor, shape (batch,)
    """
    count = mask.sum(dim=1)  # (b,)
    total = (frames * mask.unsqueeze(1)).sum(dim=2)  # (b, F)
    return total / count.clamp_min(1.0).unsqueeze(1), (count > 0).to(frames.dtype)


def masked_spread(frames: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and (population) standard deviation over valid frames; zeros without any.

    Parameters
    ----------
    frames, mask
        See `masked_mean`.

    Returns
    -------
    means, deviations : Tensor, shape (batch, n_face)
    """
    means, _ = masked_mean(frames, mask)
    variance, _ = masked_mean((frames - means.unsqueeze(2)).square(), mask)
    return means, variance.sqrt()
