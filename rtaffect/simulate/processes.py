"""Random processes that answer for any time without generating what came before.

Every number is drawn by a generator that is seeded with a key and the index of a place on a grid,
so that the answer never depends on who asked before, in what order, or in pieces of what size.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Key = tuple[int, ...]


class Stream(IntEnum):
    """Every independent source of randomness of one participant."""

    TRAITS = 0
    COURSE = 1
    SPONTANEOUS = 2
    BRAIN = 3
    SENSOR = 4
    DRIFT = 5
    BLINK = 6
    MUSCLE = 7
    HEAD_POSE = 8
    TRACKER = 9
    CAMERA = 10
    DROPOUT = 11
    ARRIVAL = 12
    CLIPS = 13
    FACE_ALONE = 14
    BOLD = 15
    BOLD_NOISE = 16
    HEAD_MOTION = 17
    VOXELS = 18
    SCANNER = 19
    MAGNET = 20


def generator(key: Key, index: int) -> np.random.Generator:
    """Return the generator of one place on the grid of one process."""
    return np.random.default_rng([*key, index])


@lru_cache(maxsize=4096)
def normals(key: Key, n_values: int, index: int) -> FloatArray:
    """Return the standard normal numbers of one place on the grid of one process, read-only."""
    values = generator(key, index).standard_normal(n_values)
    values.flags.writeable = False
    return values


def smoothstep(x: FloatArray) -> FloatArray:
    """Return 0 below 0, 1 above 1, and the cubic with flat ends in between."""
    x = np.clip(x, 0.0, 1.0)
    return x * x * (3.0 - 2.0 * x)


def smooth_noise(key: Key, n_values: int, t: FloatArray, *, interval_s: float) -> FloatArray:
    """Return slow random wandering: normal knots, joined smoothly.

    Parameters
    ----------
    key : tuple of int
        What seeds it.
    n_values : int
        How many independent ones.
    t : ndarray, shape (n_times,)
        Non-decreasing times >= 0 in seconds.
    interval_s : float
        Distance of the knots.

    Returns
    -------
    ndarray, shape (n_values, n_times)
        Standard deviation 1 at the knots.
    """
    place = t / interval_s
    first = np.floor(place).astype(np.int64)
    low, high = int(first[0]), int(first[-1]) + 1
    knots = np.stack([normals(key, n_values, index) for index in range(low, high + 1)], axis=1)
    weight = smoothstep(place - first)
    at = first - low
    mixed: FloatArray = knots[:, at] * (1.0 - weight) + knots[:, at + 1] * weight
    return mixed


@dataclass(frozen=True, slots=True)
class Occurrences:
    """Things that happen now and then: one in every interval, at a random place in it.

    Parameters
    ----------
    key : tuple of int
        What seeds it.
    interval_s : float
        Mean distance in seconds.
    """

    key: Key
    interval_s: float

    def near(
        self, t_start: float, t_stop: float, *, lasting_s: float
    ) -> Iterator[tuple[float, int]]:
        """Yield onset and index of all that may touch ``[t_start, t_stop)``.

        Parameters
        ----------
        t_start, t_stop : float
            The interval in seconds.
        lasting_s : float
            The longest that any of them lasts.
        """
        first = max(0, math.floor((t_start - lasting_s) / self.interval_s))
        for index in range(first, math.floor(t_stop / self.interval_s) + 1):
            onset = _onset(self.key, index) * self.interval_s
            if t_start - lasting_s < onset < t_stop:
                yield onset, index


@lru_cache(maxsize=4096)
def _onset(key: Key, index: int) -> float:
    return index + float(generator((*key, 0), index).uniform(0.05, 0.95))
