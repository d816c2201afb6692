"""What all kinds of stream share, and those that become samples on a grid with their states."""

from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from rtaffect.core.streams import Chunk, ClockOffset, StreamInfo
from rtaffect.core.window import Flag, ModalityWindow
from rtaffect.signal.ring import GridRing
from rtaffect.signal.timeline import Break, Floats, TimelineCounts

States = npt.NDArray[np.uint8]


# State of one grid sample, as bits; 0 means that there is none.
PRESENT = np.uint8(1)
BRIDGED = np.uint8(2)
UNSETTLED = np.uint8(4)
ARTIFACT = np.uint8(8)


class Track(ABC):
    """One stream of one decoder.

    Parameters
    ----------
    info : StreamInfo
        The stream.
    """

    def __init__(self, info: StreamInfo) -> None:
        self.info = info
        self.t_newest = float("nan")
        self._clock_breaks_s: list[float] = []

    @property
    @abstractmethod
    def counts(self) -> TimelineCounts:
        """What the stream delivered so far."""

    @property
    @abstractmethod
    def measured_sfreq(self) -> float:
        """Measured rate in Hz; NaN before it is known."""

    @property
    @abstractmethod
    def offset_s(self) -> float:
        """Newest clock offset in seconds; NaN before the first."""

    @property
    def faults(self) -> tuple[str, ...]:
        """What is wrong with single channels right now, in words: ``"F3 flat"``."""
        return ()

    @abstractmethod
    def offset(self, event: ClockOffset) -> None:
        """Take a clock offset."""

    @abstractmethod
    def push(self, chunk: Chunk) -> Iterator[None]:
        """Take samples; yield whenever windows may have become complete."""

    @abstractmethod
    def interrupt(self, reason: Break) -> None:
        """End what is under way: the stream was lost, or its clock was set."""

    def note_clock_break(self, t: float) -> None:
        """Remember when the sender's clock was set (runtime clock)."""
        self._clock_breaks_s = [*self._clock_breaks_s[-63:], t]

    def standing_flags(self, t_start: float, t_end: float) -> set[Flag]:
        """Return what is to be said of any window of ``[t_start, t_end)``."""
        flags = set()
        if any(t_start <= t < t_end for t in self._clock_breaks_s):
            flags.add(Flag.CLOCK)
        if self.info.simulated:
            flags.add(Flag.SIMULATED)
        return flags


class GridTrack(Track):
    """One stream from chunks to samples on a grid, and to the modality's part of a window.

    Parameters
    ----------
    info : StreamInfo
        The stream.
    sfreq : float
        Rate of the grid in Hz.
    n_rows : int
        Rows that the model sees.
    keep_s : float
        How much of the past is kept, in seconds.
    """

    def __init__(self, info: StreamInfo, *, sfreq: float, n_rows: int, keep_s: float) -> None:
        super().__init__(info)
        self.sfreq = sfreq
        self.m_reached = 0  # grid numbers below this are settled: present or absent for good
        self.interpolated = False
        capacity = int(np.ceil(keep_s * sfreq))
        self._keep_s = keep_s
        self._values = GridRing(n_rows, capacity, dtype=np.float32, fill=np.nan)
        self._states = GridRing(1, capacity, dtype=np.uint8, fill=0)
        self._m_first: int | None = None

    @abstractmethod
    def usable(self, coverage: float, states: States) -> bool:
        """Return whether the model may see a window of such samples."""

    def write(self, m_start: int, data: Floats, states: npt.ArrayLike) -> None:
        """Write grid samples with their states and move the watermark behind them."""
        if self._m_first is None:
            self._m_first = m_start
        n = data.shape[1]
        self._values.write(m_start, data)
        row = np.empty((1, n), dtype=np.uint8)
        row[:] = states
        self._states.write(m_start, row)
        self.m_reached = max(self.m_reached, m_start + n)

    def reach(self, m_stop: int) -> None:
        """Declare that grid numbers below ``m_stop`` will not come any more."""
        self.m_reached = max(self.m_reached, m_stop)

    def window(self, t_start: float, t_end: float, *, silent: bool) -> ModalityWindow:
        """Return the modality's part of ``[t_start, t_end)`` as it is known now.

        Parameters
        ----------
        t_start, t_end : float
            The window in seconds.
        silent : bool
            The stream is lost or stale: what is absent at the end will not come soon.
        """
        m_start, m_stop = round(t_start * self.sfreq), round(t_end * self.sfreq)
        data = self._values.read(m_start, m_stop)
        states = self._states.read(m_start, m_stop)[0]
        flags = self._absences(m_start, states, silent=silent)
        flags |= self.standing_flags(t_start, t_end)
        if (states & BRIDGED).any():
            flags.add(Flag.GAP)
        if (states & UNSETTLED).any():
            flags.add(Flag.WARMUP)
        if (states & ARTIFACT).any():
            flags.add(Flag.ARTIFACT)
        if self.interpolated:
            flags.add(Flag.INTERPOLATED)
        coverage = float(np.count_nonzero(states == PRESENT)) / len(states)
        usable = self.usable(coverage, states)
        if not usable:
            flags.add(Flag.MISSING)
        return ModalityWindow(data, usable, coverage, frozenset(flags), self.t_newest)

    def _absences(self, m_start: int, states: States, *, silent: bool) -> set[Flag]:
        absent = states == 0
        if not absent.any():
            return set()
        flags: set[Flag] = set()
        m = m_start + np.arange(len(states))
        tail = absent & (m >= self.m_reached)
        before = absent & ~tail & (m < (self._m_first if self._m_first is not None else m[-1] + 1))
        if tail.any():
            flags.add(Flag.STALE if silent else Flag.LATE)
        if before.any():
            flags.add(Flag.WARMUP)
        if (absent & ~tail & ~before).any():
            flags.add(Flag.GAP)
        return flags
