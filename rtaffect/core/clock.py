"""The runtime's time base: float64 seconds on LSL's local clock."""

import time
from collections.abc import Callable

Clock = Callable[[], float]
"""Returns the time in seconds: live LSL's `local_clock`, in tests a clock that is stepped."""


class ManualClock:
    """A clock that moves only when told to.

    Parameters
    ----------
    now : float
        First reading in seconds.
    """

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """Return the current reading in seconds."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Move on by a non-negative time in seconds."""
        if not seconds >= 0:
            msg = f"A clock only moves forward: seconds must be >= 0, got {seconds}."
            raise ValueError(msg)
        self.now += seconds


monotonic: Clock = time.monotonic
"""The clock that LSL's `local_clock` reads on Linux and macOS, for processes without pylsl."""
