"""When a volume was acquired, on the runtime's clock: the middle of its acquisition.

Nothing here reads a clock either: a stamp follows from what arrived until then.
"""

import bisect
import math
from collections import deque
from typing import Protocol

import numpy as np
import numpy.typing as npt

from rtaffect.config.scanner import ArrivalTime, ScannerTime, StampTime, TriggerTime
from rtaffect.scanner.acquired import Floats
from rtaffect.scanner.decisions import Frame
from rtaffect.scanner.policy import UNKNOWN_TR_S

LEAST_STEP_S = 0.001
"""Stamps of a run rise by at least this much."""

REMEMBER_S = 600.0
"""Clocks drift apart: only the last ten minutes say how they lie to each other."""

CLOCK_SET_S = 60.0
"""Nobody's volume is so much later than others; a clock was set, or midnight passed."""

MAX_PULSES = 20_000
PAUSE_TR = 4.0
"""Pulses that are further apart than so many repetition times are of two runs."""

UNTIMED = "untimed"
"""Word of a frame whose own time is not known: it is stamped by its arrival."""


class TimeSource(Protocol):
    """One way to know when a volume was acquired."""

    def at(self, frame: Frame, tr_s: float) -> float:
        """Return the middle of a frame's acquisition on the runtime's clock; NaN if unknown."""


class ByArrival:
    """The arrival minus a declared delay."""

    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s

    def at(self, frame: Frame, tr_s: float) -> float:  # noqa: ARG002
        """Return the middle of a frame's acquisition, see `TimeSource`."""
        return frame.acquired.t_arrival - self._delay_s


class ByStamps:
    """What the sender says, on the runtime's clock already."""

    def at(self, frame: Frame, tr_s: float) -> float:  # noqa: ARG002
        """Return the middle of a frame's acquisition, see `TimeSource`."""
        return frame.acquired.t_acq


class ByScannerClock:
    """The scanner's own clock, mapped by the quickest delivery of the last ten minutes.

    ``t = t_scanner + min(t_arrival - t_scanner) - delay_s``. Volumes of a burst at a run's start
    are late by seconds; the quickest one is not, and what is known of it holds for the others.
    Stamps rise whenever arrivals and the scanner's clock do.

    Parameters
    ----------
    delay_s : float
        Declared time from the middle of an acquisition to its quickest arrival.
    """

    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s
        self._quickest: deque[tuple[float, float]] = deque()  # (t_arrival, offset), both rising

    def at(self, frame: Frame, tr_s: float) -> float:  # noqa: ARG002
        """Return the middle of a frame's acquisition, see `TimeSource`."""
        t_acq, t_arrival = frame.acquired.t_acq, frame.acquired.t_arrival
        if not math.isfinite(t_acq):
            return math.nan
        offset_s = t_arrival - t_acq
        if self._quickest and abs(offset_s - self._quickest[0][1]) > CLOCK_SET_S:
            self._quickest.clear()
        while self._quickest and self._quickest[-1][1] >= offset_s:
            self._quickest.pop()
        self._quickest.append((t_arrival, offset_s))
        while self._quickest[0][0] < t_arrival - REMEMBER_S:
            self._quickest.popleft()
        return t_acq + self._quickest[0][1] - self._delay_s


class ByTriggers:
    """The scanner's pulses: the k-th of a run begins its k-th volume.

    Pulses are numbered by their distance, so that one that is missing (or that only every other
    volume has one) shifts nobody. Where a run began before we listened, the pulse is taken that is
    nearest to the arrival minus the declared delay.

    Parameters
    ----------
    delay_s : float
        Declared time from the middle of an acquisition to its arrival.
    n_dummy : int
        Pulses at a run's start of which no volume is sent.
    """

    def __init__(self, delay_s: float, n_dummy: int = 0) -> None:
        self._delay_s = delay_s
        self._n_dummy = n_dummy
        self._pulses: list[float] = []
        self._run = 0
        self._t_over = -math.inf  # the pulses until then belong to runs that are over
        self._first: float | None = None  # begins volume `_first_number` of this run
        self._first_number = 0

    def add(self, stamp_s: float) -> None:
        """Take a pulse, on the runtime's clock in seconds."""
        if math.isfinite(stamp_s):
            bisect.insort(self._pulses, stamp_s)
            del self._pulses[:-MAX_PULSES]

    def at(self, frame: Frame, tr_s: float) -> float:
        """Return the middle of a frame's acquisition, see `TimeSource`."""
        t_arrival = frame.acquired.t_arrival
        if frame.run != self._run:
            self._run, self._first = frame.run, None
        series = self._series(t_arrival, tr_s)
        if not len(series):
            return math.nan
        if not math.isfinite(tr_s):
            if len(series) < 2:
                return math.nan
            tr_s = float(np.median(np.diff(series)))
        if self._first is None:
            self._begin(frame, series, tr_s)
        assert self._first is not None
        numbers = self._first_number + _numbered(series, self._first, tr_s)
        wanted = frame.acquired.index + self._n_dummy
        nearest = int(np.argmin(np.abs(numbers - wanted)))
        t = float(series[nearest]) + (wanted - int(numbers[nearest]) + 0.5) * tr_s
        self._t_over = max(self._t_over, min(t, t_arrival))
        return t if t <= t_arrival else math.nan

    def _series(self, t_arrival: float, tr_s: float) -> Floats:
        """Return the pulses of this run until an arrival."""
        stop = bisect.bisect_right(self._pulses, t_arrival)
        if self._first is not None:
            return np.array(self._pulses[bisect.bisect_left(self._pulses, self._first) : stop])
        start = bisect.bisect_right(self._pulses, self._t_over)
        pulses = np.array(self._pulses[start:stop])
        pause_s = PAUSE_TR * (tr_s if math.isfinite(tr_s) else UNKNOWN_TR_S)
        breaks = np.flatnonzero(np.diff(pulses) > pause_s)
        return pulses[breaks[-1] + 1 :] if len(breaks) else pulses

    def _begin(self, frame: Frame, series: Floats, tr_s: float) -> None:
        """Settle which pulse began which volume of a run, at its first frame."""
        wanted = frame.acquired.index + self._n_dummy
        t_arrival = frame.acquired.t_arrival
        self._first, self._first_number = float(series[0]), 0
        numbers = _numbered(series, self._first, tr_s)
        if series[-1] + (wanted - int(numbers[-1]) + 0.5) * tr_s > t_arrival:
            # It would have come before it was acquired: the run is older than the first pulse.
            nearest = int(np.argmin(np.abs(series - (t_arrival - self._delay_s - 0.5 * tr_s))))
            self._first_number = wanted - int(numbers[nearest])


def _numbered(series: Floats, first: float, tr_s: float) -> npt.NDArray[np.int64]:
    """Return how many volumes after the first pulse each one lies, step by step."""
    steps = np.rint(np.diff(series, prepend=first) / tr_s)
    return np.cumsum(steps).astype(np.int64)


class Stamper:
    """Gives each frame a stamp that is later than the one before it in its run.

    Parameters
    ----------
    source : TimeSource
        What knows the time.
    delay_s : float
        Declared time from the middle of an acquisition to its arrival: used where the source
        does not know.
    """

    def __init__(self, source: TimeSource, *, delay_s: float) -> None:
        self._source = source
        self._fallback = ByArrival(delay_s)
        self._last = -math.inf

    def stamp(self, frame: Frame, tr_s: float) -> tuple[float, tuple[str, ...]]:
        """Return the middle of a frame's acquisition, and words on how sure that is.

        Parameters
        ----------
        frame : Frame
            What arrived.
        tr_s : float
            Repetition time in seconds, NaN where unknown.
        """
        words: tuple[str, ...] = ()
        t = self._source.at(frame, tr_s)
        if not math.isfinite(t) or t > frame.acquired.t_arrival:
            t, words = self._fallback.at(frame, tr_s), (UNTIMED,)
        self._last = t = max(t, self._last + LEAST_STEP_S)
        return t, words


def open_time_source(settings: TriggerTime | ScannerTime | StampTime | ArrivalTime) -> TimeSource:
    """Return what knows the time, as a session asks for it."""
    match settings:
        case TriggerTime():
            return ByTriggers(settings.delay_s, settings.n_dummy)
        case ScannerTime():
            return ByScannerClock(settings.delay_s)
        case StampTime():
            return ByStamps()
        case ArrivalTime():
            return ByArrival(settings.delay_s)
