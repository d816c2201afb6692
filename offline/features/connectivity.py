"""Functional connectivity: who goes with whom (Zheng et al. 2023, equation 1)."""

import torch
from torch import Tensor

_SMALLEST_SHARE = 1e-6
"""A vector whose deviation is this share of its size is constant as far as float32 can tell."""


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
    centred = vectors - vectors.mean(dim=2, keepdim=True)
    variance = centred.square().sum(dim=2, keepdim=True)
    varies = variance > _SMALLEST_SHARE**2 * vectors.square().sum(dim=2, keepdim=True)
    # The inner `where` keeps the root and the division of zero out of the gradient as well.
    deviation = torch.where(varies, variance, 1.0).sqrt()
    unit = torch.where(varies, centred / deviation, 0.0)
    return (unit @ unit.transpose(1, 2)).clamp(-1.0, 1.0)
