"""Functional connectivity: who goes with whom (Zheng et al. 2023, equation 1)."""

import torch
from torch import Tensor

from offline.features.normalise import SMALLEST_SHARE


def pearson(vectors: Tensor) -> Tensor:
    r"""Return the correlation of every pair of channels.

    Parameters
    ----------
    vectors : Tensor, shape (batch, n_channels, n_features)
        What each channel is described by: band powers, or the signal itself.

    Returns
    -------
    Tensor, shape (batch, n_channels, n_channels)
        Pearson's r in [-1, 1]; 0 wherever a channel is constant, never NaN.

    Notes
    -----
    .. math:: C_{ij} = \mathrm{cov}(x_i, x_j) / (\sigma_{x_i} \sigma_{x_j})
    """
    # Products first, scaled afterwards: P x P numbers are fewer than samples.
    mean = vectors.mean(dim=2, keepdim=True)
    centred = vectors - mean
    products = centred @ centred.transpose(1, 2)
    variance = products.diagonal(dim1=1, dim2=2).unsqueeze(2)  # all, and next, times n_features
    energy = variance + vectors.shape[2] * mean.square()
    varies = variance > SMALLEST_SHARE**2 * energy
    # The inner `where` keeps the root and the division of zero out of the gradient as well.
    scale = torch.where(varies, torch.where(varies, variance, 1.0).rsqrt(), 0.0)
    return (products * scale * scale.transpose(1, 2)).clamp(-1.0, 1.0)
