"""Functional connectivity: who goes with whom (Zheng et al. 2023, equation 1)."""

from torch import Tensor

from offline.features.normalise import z_scores


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
    scores = z_scores(vectors)
    return (scores @ scores.transpose(1, 2) / vectors.shape[2]).clamp(-1.0, 1.0)
