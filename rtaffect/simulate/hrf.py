"""How the blood's oxygen answers to a moment of neural activity."""

import math
from dataclasses import dataclass

import numpy as np

from rtaffect.simulate.processes import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Hrf:
    """The canonical haemodynamic response: one gamma density less a fraction of a later one.

    The defaults are those of SPM (``spm_hrf``: 6, 16, 1, 1, 6, 0, 32).

    Parameters
    ----------
    peak_s, undershoot_s : float
        Shape of the two gamma densities times their dispersion, in seconds; the response is
        greatest one dispersion before `peak_s`.
    peak_dispersion_s, undershoot_dispersion_s : float
        Scale of the two gamma densities in seconds.
    ratio : float
        How much greater the response is than its undershoot.
    onset_s : float
        When it begins, in seconds.
    length_s : float
        Where it is cut off, in seconds after the activity.
    """

    peak_s: float = 6.0
    undershoot_s: float = 16.0
    peak_dispersion_s: float = 1.0
    undershoot_dispersion_s: float = 1.0
    ratio: float = 6.0
    onset_s: float = 0.0
    length_s: float = 32.0

    def at(self, t: FloatArray) -> FloatArray:
        """Return the response `t` seconds after the activity; its integral is ``1 - 1 / ratio``."""
        since = t - self.onset_s
        peak = _gamma_density(since, self.peak_s, self.peak_dispersion_s)
        undershoot = _gamma_density(since, self.undershoot_s, self.undershoot_dispersion_s)
        return np.where(t <= self.length_s, peak - undershoot / self.ratio, 0.0)

    def weights(self, step_s: float) -> FloatArray:
        """Return the response at 0, `step_s`, 2 `step_s` ... as weights of a mean: their sum is 1.

        Steady activity of 1 thus gives a steady response of 1.
        """
        since = np.arange(math.floor(self.length_s / step_s) + 1, dtype=np.float64) * step_s
        response = self.at(since)
        weights: FloatArray = response / response.sum()
        return weights


def _gamma_density(t: FloatArray, mean_s: float, scale_s: float) -> FloatArray:
    """Return the density of a gamma distribution whose shape is ``mean_s / scale_s``."""
    shape = mean_s / scale_s
    x = np.maximum(t, 0.0) / scale_s
    with np.errstate(divide="ignore"):
        density = np.exp((shape - 1.0) * np.log(x) - x - math.lgamma(shape)) / scale_s
    return np.where(t > 0, density, 0.0)
