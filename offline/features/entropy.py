"""Differential entropy of a channel's band, from its variance."""

import math

from torch import Tensor

FLOOR_UV2 = 1e-6
"""Smallest variance that has an entropy; an amplifier's own noise lies orders above it."""


def differential_entropy(variance: Tensor) -> Tensor:
    r"""Return the differential entropy of a Gaussian signal, in nats [1]_.

    Parameters
    ----------
    variance : Tensor, any shape
        In uV^2: of band-passed samples, or a density's integral over the band. What lies below
        `FLOOR_UV2` counts as that, so that a silent channel has an entropy.

    Returns
    -------
    Tensor, same shape

    Notes
    -----
    .. math:: h = \tfrac{1}{2} \ln(2 \pi e \sigma^2)

    References
    ----------
    .. [1] Duan, Zhu & Lu 2013, IEEE/EMBS NER, doi:10.1109/NER.2013.6695876
    """
    return 0.5 * (variance.clamp_min(FLOOR_UV2).log() + math.log(2 * math.pi * math.e))
