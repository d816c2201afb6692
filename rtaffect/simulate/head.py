"""Where the 32 electrodes sit, and how sources under them mix into what they record."""

import numpy as np

from rtaffect.core.montages import EEG_32
from rtaffect.simulate.processes import FloatArray

_LEFT_AND_MIDLINE: dict[str, tuple[float, float, float]] = {
    "Fp1": (-0.29, 0.95, -0.11),
    "AF3": (-0.35, 0.92, 0.16),
    "F3": (-0.55, 0.74, 0.39),
    "F7": (-0.76, 0.62, -0.17),
    "FC5": (-0.89, 0.40, 0.22),
    "FC1": (-0.38, 0.45, 0.81),
    "C3": (-0.74, 0.05, 0.67),
    "T7": (-0.99, 0.00, -0.17),
    "CP5": (-0.90, -0.33, 0.29),
    "CP1": (-0.37, -0.32, 0.87),
    "P3": (-0.56, -0.64, 0.53),
    "P7": (-0.79, -0.61, -0.08),
    "PO3": (-0.38, -0.87, 0.33),
    "O1": (-0.30, -0.95, 0.04),
    "Oz": (0.00, -1.00, 0.10),
    "Pz": (0.00, -0.64, 0.77),
    "Fz": (0.00, 0.77, 0.64),
    "Cz": (0.00, 0.07, 1.00),
}
"""Places on the unit sphere in the 10-20 system: right, front, up (fitted to an average head)."""

_LEFT_OF = {
    "Fp2": "Fp1",
    "AF4": "AF3",
    "F4": "F3",
    "F8": "F7",
    "FC6": "FC5",
    "FC2": "FC1",
    "C4": "C3",
    "T8": "T7",
    "CP6": "CP5",
    "CP2": "CP1",
    "P4": "P3",
    "P8": "P7",
    "PO4": "PO3",
    "O2": "O1",
}

EYES = np.array([[-0.30, 0.92, -0.35], [0.30, 0.92, -0.35]])
"""Where blinks come from, on the same sphere."""


def _position(ch_name: str) -> tuple[float, float, float]:
    if ch_name in _LEFT_AND_MIDLINE:
        return _LEFT_AND_MIDLINE[ch_name]
    x, y, z = _LEFT_AND_MIDLINE[_LEFT_OF[ch_name]]
    return -x, y, z


POSITIONS: FloatArray = np.array([_position(ch_name) for ch_name in EEG_32])
POSITIONS /= np.linalg.norm(POSITIONS, axis=1, keepdims=True)
"""Unit vectors of `EEG_32`, shape (32, 3): right, front, up."""


def nearness(points: FloatArray, centres: FloatArray, *, width: float) -> FloatArray:
    """Return how near points are to centres: a Gaussian of their chord.

    Parameters
    ----------
    points : ndarray, shape (n_points, 3)
        Positions on the unit sphere.
    centres : ndarray, shape (n_centres, 3)
        Positions on the unit sphere.
    width : float
        Standard deviation in units of the head's radius.

    Returns
    -------
    ndarray, shape (n_points, n_centres)
        1 at the same place.
    """
    chord = np.linalg.norm(points[:, None] - centres[None], axis=-1)
    fall: FloatArray = np.exp(-(chord**2) / (2.0 * width**2))
    return fall


def leadfield(sources: FloatArray, *, width: float, common: float) -> FloatArray:
    """Return the mixing of sources into electrodes: volume conduction, as a Gaussian of distance.

    Parameters
    ----------
    sources : ndarray, shape (n_sources, 3)
        Positions on the unit sphere.
    width : float
        Spread of one source over the scalp, in units of the head's radius.
    common : float
        What every electrode sees of every source besides (deep and reference activity).

    Returns
    -------
    ndarray, shape (32, n_sources)
        Rows of unit norm: independent sources of 1 uV give 1 uV at each electrode.
    """
    mixing = nearness(POSITIONS, sources, width=width) + common
    mixing /= np.linalg.norm(mixing, axis=1, keepdims=True)
    return mixing


def sites(*ch_names: str, width: float = 0.4) -> FloatArray:
    """Return how far each of the 32 sites belongs to a region: 1 at the named ones."""
    centres = POSITIONS[[EEG_32.index(ch_name) for ch_name in ch_names]]
    nearest: FloatArray = nearness(POSITIONS, centres, width=width).max(axis=1)
    return nearest
