"""A person's face at rest, from which movements are measured: calibrated, or a running median."""

from collections import deque
from dataclasses import dataclass

import numpy as np

from rtaffect.face.head_model import Floats

LONGEST_STEP_S = 1.0
"""Of a longer time between two faces no more counts as watched: nobody was there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NeutralSettings:
    """How the neutral face is found.

    Parameters
    ----------
    calibrate_s : float
        The median over the first so many seconds with a face is kept for good; 0 asks for a running
        median, which follows whoever holds an expression.
    running_s : float
        Seconds that the running median looks back on.
    every_s : float
        Distance of the pictures that count: more would say the same again.
    n_min : int
        Pictures before there is a neutral face at all.
    """

    calibrate_s: float = 0.0
    running_s: float = 60.0
    every_s: float = 0.2
    n_min: int = 10


class Neutral:
    """Follows one person's face at rest.

    Parameters
    ----------
    settings : NeutralSettings
        How.
    """

    def __init__(self, settings: NeutralSettings) -> None:
        self._settings = settings
        self._seen: deque[tuple[float, Floats]] = deque()
        self._value: Floats | None = None
        self._is_fixed = False
        self._watched_s = 0.0

    @property
    def value(self) -> Floats | None:
        """The distances at rest, shape (17,); None before enough was seen."""
        return self._value

    @property
    def is_calibrated(self) -> bool:
        """Whether the neutral face is fixed for good."""
        return self._is_fixed

    def forget(self) -> None:
        """Begin with another person."""
        self._seen.clear()
        self._value, self._is_fixed, self._watched_s = None, False, 0.0

    def push(self, t_s: float, measured: Floats) -> None:
        """Take a face.

        Parameters
        ----------
        t_s : float
            When, in seconds; it only grows.
        measured : ndarray, shape (17,)
            Its distances.
        """
        s = self._settings
        if self._is_fixed or (self._seen and t_s - self._seen[-1][0] < s.every_s):
            return
        if self._seen:
            self._watched_s += min(t_s - self._seen[-1][0], LONGEST_STEP_S)
        self._seen.append((t_s, measured))
        while not s.calibrate_s and t_s - self._seen[0][0] > s.running_s:
            self._seen.popleft()
        if len(self._seen) >= s.n_min:
            self._value = np.median([values for _, values in self._seen], axis=0)
        if s.calibrate_s and self._value is not None and self._watched_s >= s.calibrate_s:
            self._is_fixed = True
            self._seen.clear()
