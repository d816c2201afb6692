"""The truth: how a simulated participant's valence and arousal go up and down."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from rtaffect.simulate.processes import FloatArray, Key, generator, smoothstep


@dataclass(frozen=True, slots=True)
class Course:
    """Valence and arousal in [-1, 1] at any time.

    Each stays near a target for a while and then moves smoothly to the next. Of two targets in a
    row (numbers 2j and 2j + 1) one is positive and one negative, in random order, so that both
    signs turn up even in a short session; the two dimensions are independent of each other.

    Parameters
    ----------
    key : tuple of int
        What seeds it.
    period_s : float
        Mean time between changes in seconds.
    jitter : float
        How far a change may lie off its regular place, as a fraction of the period; with 14 s and
        0.2 changes are 8.4 to 19.6 s apart.
    transition_s : float
        How long a change takes, in seconds.
    strength : tuple of float
        Least and greatest magnitude of a target, within (0, 1].
    """

    key: Key
    period_s: float = 14.0
    jitter: float = 0.2
    transition_s: float = 4.0
    strength: tuple[float, float] = (0.4, 1.0)

    def __post_init__(self) -> None:
        if not self.transition_s <= (1.0 - 2.0 * self.jitter) * self.period_s:
            msg = (
                "A course must finish one change before the next begins: transition_s must be at "
                f"most (1 - 2 * jitter) * period_s, got {self.transition_s} with jitter "
                f"{self.jitter} and period_s {self.period_s}."
            )
            raise ValueError(msg)

    def at(self, t: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Return valence and arousal.

        Parameters
        ----------
        t : array_like
            Times since the start of the session in seconds, >= 0, in any order.

        Returns
        -------
        valence, arousal : ndarray
            Of the shape of `t`.

        Raises
        ------
        ValueError
            If a time is negative or not finite.
        """
        times = np.asarray(t, dtype=np.float64)
        if not np.all(np.isfinite(times) & (times >= 0)):
            msg = "A course needs finite times >= 0, in seconds since the start of the session."
            raise ValueError(msg)
        return self._dimension(0, times), self._dimension(1, times)

    def _dimension(self, dimension: int, t: FloatArray) -> FloatArray:
        key = (*self.key, dimension)
        shift = 1.0 + float(generator((*key, 0), 0).random())
        place = t / self.period_s + shift
        segment = np.floor(place).astype(np.int64)
        value = np.empty_like(t)
        for number in np.unique(segment):
            here = segment == number
            value[here] = self._segment(key, int(number), (place[here] - number) * self.period_s)
        return value

    def _segment(self, key: Key, number: int, since: FloatArray) -> FloatArray:
        """Return the values ``since`` seconds after the regular place of change `number`."""
        before, _ = _target(key, number - 1, self.strength)
        middle, early = _target(key, number, self.strength)
        after, late = _target(key, number + 1, self.strength)
        half = self.transition_s / 2
        first = (since - early * self.jitter * self.period_s + half) / self.transition_s
        second = (since - (1.0 + late * self.jitter) * self.period_s + half) / self.transition_s
        return (
            before + (middle - before) * smoothstep(first) + (after - middle) * smoothstep(second)
        )


@lru_cache(maxsize=4096)
def _target(key: Key, number: int, strength: tuple[float, float]) -> tuple[float, float]:
    """Return target `number` and how its change lies off its place, in [-1, 1]."""
    rng = generator((*key, 1), number // 2)
    sign = 1.0 if rng.random() < 0.5 else -1.0
    magnitudes = rng.uniform(*strength, size=2)
    offsets = rng.uniform(-1.0, 1.0, size=2)
    second = number % 2
    return float((-sign if second else sign) * magnitudes[second]), float(offsets[second])
