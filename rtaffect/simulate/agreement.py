"""How well estimates follow a known course, and how much the number is worth."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Estimates against the truth at the same times.

    Parameters
    ----------
    r : float
        Pearson correlation.
    same_sign : float
        Share of estimates on the right side of 0.
    n : int
        Estimates that were compared.
    n_effective : float
        How many independent ones that many overlapping windows are worth.
    """

    r: float
    same_sign: float
    n: int
    n_effective: float


def agreement(estimates: Sequence[float], truth: Sequence[float]) -> Agreement:
    """Compare two series of the same times.

    Parameters
    ----------
    estimates, truth : sequence of float
        Values in [-1, 1], equally spaced in time.

    Returns
    -------
    Agreement
        NaN and 0 where fewer than three values are at hand or one series is constant.

    Notes
    -----
    Successive windows overlap and both series are smooth, so n values are not n observations.
    With autocorrelations a and b, ``n_effective = n / (1 + 2 sum_k (1 - k / n) a_k b_k)``, the sum
    ending where the product first falls to zero (Bartlett 1935, doi:10.2307/2342284).
    """
    x, y = np.asarray(estimates, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    n = len(x)
    if n < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return Agreement(float("nan"), float("nan"), n, 0.0)
    product = _autocorrelation(x) * _autocorrelation(y)
    ends = int(np.argmax(product <= 0)) if (product <= 0).any() else n
    lags = np.arange(1, ends)
    inflation = 1.0 + 2.0 * float(np.sum((1.0 - lags / n) * product[1:ends]))
    return Agreement(
        r=float(np.corrcoef(x, y)[0, 1]),
        same_sign=float(np.mean(np.sign(x) == np.sign(y))),
        n=n,
        n_effective=min(float(n), n / inflation),
    )


def _autocorrelation(x: Floats) -> Floats:
    centred = x - x.mean()
    full = np.correlate(centred, centred, mode="full")[len(x) - 1 :]
    return np.asarray(full / full[0], dtype=np.float64)
