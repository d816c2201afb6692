"""Where volumes begin, in samples: found in the signal, foretold for the next one."""

import math

from rtaffect.signal.fractional import HALF, Lag, find_lag, fine_lag, shifted
from rtaffect.signal.ring import GridRing
from rtaffect.signal.timeline import Floats

N_FITTED = 12
ENOUGH = 0.5
"""Two volumes whose slopes correlate less have nothing in common."""


class VolumeClock:
    """Foretells where the next volume begins from where the last ones did.

    Parameters
    ----------
    first, second : float
        Where two successive volumes began, in samples.
    whole : bool
        Volumes begin at whole samples.
    """

    def __init__(self, first: float, second: float, *, whole: bool) -> None:
        self._whole = whole
        self._begun = [(0, self._placed(first)), (1, self._placed(second))]
        self._newest = self._begun[1]
        self.number = 2
        self.period = self._begun[1][1] - self._begun[0][1]

    @property
    def position(self) -> float:
        """Where volume `number` is expected to begin, in samples."""
        number, position = self._newest
        return self._placed(position + self.period * (self.number - number))

    def begun(self, position: float) -> None:
        """Learn where volume `number` began, and turn to the next."""
        self._begun = [*self._begun[1 - N_FITTED :], (self.number, self._placed(position))]
        self._fit()
        self.number += 1

    def slipped(self, position: float) -> None:
        """Learn that samples are missing: volume `number` began where none of before tells."""
        self._newest = (self.number, self._placed(position))
        self._begun = [self._newest]
        self.number += 1

    def missed(self) -> None:
        """Turn to the next volume without having learnt anything."""
        self.number += 1

    def misses(self, position: float, *, by: float) -> bool:
        """Return whether a position is further than `by` from any volume's begin, in samples."""
        volumes = (position - self.position) / self.period
        return abs(volumes - round(volumes)) * self.period > by

    def _fit(self) -> None:
        """Fit a line through what is known of the last volumes."""
        n = len(self._begun)
        number, position = self._newest = self._begun[-1]
        if n < 2:
            return
        x = [one - number for one, _ in self._begun]
        y = [one - position for _, one in self._begun]
        x_mean, y_mean = sum(x) / n, sum(y) / n
        above = sum((a - x_mean) * (b - y_mean) for a, b in zip(x, y, strict=True))
        self.period = above / sum((a - x_mean) ** 2 for a in x)
        self._newest = (number, position + y_mean - self.period * x_mean)

    def _placed(self, position: float) -> float:
        return float(round(position)) if self._whole else position


def find_second(ring: GridRing, first: float, period: float, *, reach: int) -> tuple[Lag, int]:
    """Find where the second of two volumes began, in the signal.

    Parameters
    ----------
    ring : GridRing
        The newest samples by their number.
    first, period : float
        Where the first began, and roughly how long it was, in samples.
    reach : int
        How wrong that may be, in samples.

    Returns
    -------
    lag : Lag
        How far after the first the second began, and how alike they are.
    channel : int
        The channel in which it was looked for: where the artifact is steepest.
    """
    start, n = math.floor(first), math.floor(period)
    volume = ring.read(start, start + n).astype(float)
    steps = volume[:, 1:] - volume[:, :-1]
    energies = (steps**2).sum(axis=1)
    energies[~(energies > 0.0)] = 0.0  # NaN, too: samples were lost
    channel = int(energies.argmax())
    reference = volume[channel]
    begin = start + round(period)
    x = ring.read(begin - reach, begin + n + reach).astype(float)[channel]
    if not (energies[channel] > 0.0 and abs(x).max() < math.inf):
        return Lag(period, 0.0), channel
    coarse = find_lag(x, reference, reach=reach)
    lag = coarse.samples
    match = coarse.match
    for _ in range(3):
        found = fine_lag(_read_at(ring, channel, begin + lag, n), reference)
        lag, match = lag + found.samples, found.match
        if not abs(lag - coarse.samples) < 1.0:
            return coarse._replace(samples=begin - start + coarse.samples), channel
    return Lag(begin - start + lag, match), channel


def _read_at(ring: GridRing, channel: int, position: float, n: int) -> Floats:
    """Return `n` samples of one channel from a place between samples on."""
    base = math.floor(position)
    data = ring.read(base - HALF + 1, base + n + HALF)[channel]
    return shifted(data, position - base)
