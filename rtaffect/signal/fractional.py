"""Signals moved by a fraction of a sample, and how far two of them are apart.

A gradient artifact is a hundred times larger than EEG and changes within a millisecond: volumes
that are laid over each other a tenth of a sample wrong leave more of it than there is EEG.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rtaffect.signal.timeline import Floats

HALF = 8
"""Samples to either side that a value between two samples is made of."""

KAISER_BETA = 8.0  # errs below -75 dB up to 0.3 of the rate
SLOPE_REACH = 2


class Lag(NamedTuple):
    """How far a signal comes after a reference.

    Parameters
    ----------
    samples : float
        By so many samples.
    match : float
        Correlation of the two signals' slopes there, -1 to 1.
    """

    samples: float
    match: float


def shifted(data: npt.NDArray[np.floating], fraction: float) -> Floats:
    """Return what lies between samples.

    The sum runs tap by tap, never along time: how a signal is cut changes no bit.

    Parameters
    ----------
    data : ndarray, shape (..., n + 2 * HALF - 1)
        Samples from ``HALF - 1`` before the first that is asked for to `HALF` after the last.
    fraction : float
        Where between one sample and the next, in [0, 1).

    Returns
    -------
    ndarray of float64, shape (..., n)
        ``x(i + fraction)`` by a Kaiser-windowed sinc.
    """
    n = data.shape[-1] - 2 * HALF + 1
    if fraction == 0.0:
        return data[..., HALF - 1 : HALF - 1 + n].astype(np.float64)
    taps = _taps(fraction)
    out = data[..., :n] * taps[0]
    term = np.empty_like(out)
    for i in range(1, 2 * HALF):
        np.multiply(data[..., i : i + n], taps[i], out=term)
        out += term
    return np.asarray(out)


def _taps(fraction: float) -> Floats:
    distance = np.arange(1 - HALF, HALF + 1) - fraction
    window = np.i0(KAISER_BETA * np.sqrt(np.clip(1.0 - (distance / HALF) ** 2, 0.0, None)))
    taps = np.sinc(distance) * window
    return np.asarray(taps / taps.sum())


def slope(x: Floats) -> Floats:
    """Return the derivative in units a sample, shape (n - 2 * SLOPE_REACH,), by five points."""
    return np.asarray((8.0 * (x[3:-1] - x[1:-3]) - (x[4:] - x[:-4])) / 12.0)


def fine_lag(x: Floats, reference: Floats) -> Lag:
    """Return by what fraction of a sample `x` comes after `reference`, by least squares.

    Parameters
    ----------
    x, reference : ndarray of float64, shape (n,)
        Nearly the same signal at nearly the same place.
    """
    rise = slope(reference)
    curve = slope(rise)
    moved, own = slope(x), rise
    energy = float(curve @ curve)
    if energy == 0.0:
        return Lag(0.0, 0.0)
    difference = (moved - own)[SLOPE_REACH:-SLOPE_REACH]
    return Lag(-float(difference @ curve) / energy, _match(moved, own))


def find_lag(x: Floats, reference: Floats, *, reach: int) -> Lag:
    """Return by how much `x` comes after `reference`, of all lags within reach.

    Parameters
    ----------
    x : ndarray of float64, shape (n + 2 * reach,)
        The signal, from `reach` samples before the reference's place.
    reference : ndarray of float64, shape (n,)
        What is looked for.
    reach : int
        Greatest lag in samples.
    """
    steps, wanted = np.diff(x), np.diff(reference)
    products = np.correlate(steps, wanted, mode="valid")
    passed = np.concatenate([[0.0], np.cumsum(steps**2)])
    energies = (passed[len(wanted) :] - passed[: -len(wanted)]) * float(wanted @ wanted)
    matches = products / np.sqrt(np.maximum(energies, 1e-300))
    at = int(np.argmax(matches))
    lag = float(at - reach)
    if 0 < at < len(matches) - 1:
        before, top, after = matches[at - 1 : at + 2]
        bend = before - 2.0 * top + after
        lag += 0.5 * float((before - after) / bend) if bend < 0.0 else 0.0
    return Lag(lag, float(matches[at]))


def _match(x: Floats, y: Floats) -> float:
    energy = float(x @ x) * float(y @ y)
    return float(x @ y) / float(np.sqrt(energy)) if energy > 0.0 else 0.0
