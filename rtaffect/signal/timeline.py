"""From raw stamps to a gap-aware timeline: offsets, jitter, drift, gaps and segments.

LSL's own dejitter fits one line through everything it ever saw, so that half a second of lost
samples bends its stamps for a minute and a half. Here a tracker follows the stamps of one
*segment*; a jump that jitter cannot explain ends the segment instead of bending it.
"""

import itertools
import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from rtaffect.core.streams import Chunk, ClockOffset

Floats = npt.NDArray[np.float64]

MEASURE_S = 1.0  # stamps withheld at a stream's start, to measure its rate before it is believed
MEASURE_N = 32
MEASURE_MAX_N = 65536  # no signal sends more in a second: the stamps of one that does stand still
RATE_TOLERANCE = 0.01  # a nominal rate is believed within 1 %
TRACK_S = 1.0  # time constant of the stamp tracker
JITTER_S = 5.0  # time constant of the jitter estimate
JITTER_CAP_S = 0.05  # one sample cannot raise the jitter estimate by more than this
GAP_PERIODS = 1.5  # a jump smaller than this is never a gap
GAP_JITTERS = 5.0  # nor one that is within so many times the stream's own jitter
MAX_AHEAD_S = 1.0  # a sample cannot come from further in the future than this
OFFSET_STEP_S = 0.05  # an offset that steps by more means that a clock was set
LARGEST = 1e9  # no electrode sits at a thousand volts: beyond is an error value, no measurement
MAX_BACK_S = 0.05  # a step back beyond this (and beyond jitter) means that the clock was set


class Break(StrEnum):
    """Why a segment begins."""

    START = "start"
    GAP = "gap"
    CLOCK = "clock"
    LOST = "lost"


@dataclass(frozen=True, slots=True, eq=False)
class Span:
    """Consecutive samples of one segment, equally spaced but for drift.

    Parameters
    ----------
    stamps_s : ndarray of float64, shape (n_times,)
        Smoothed stamps on the runtime's clock, strictly increasing.
    data : ndarray of float64, shape (n_channels, n_times)
        Samples.
    bridged : ndarray of bool, shape (n_times,)
        Samples that were never received but lie on the line between their neighbours.
    begins : Break or None
        Why a new segment begins with this span; None within a segment.
    """

    stamps_s: Floats
    data: Floats
    bridged: npt.NDArray[np.bool_]
    begins: Break | None


@dataclass(slots=True)
class ClockMap:
    """``runtime time = stamp + newest offset``: the one rule, live and in replay.

    The offset is the newest one that was collected before the chunk arrived.
    """

    offset_s: float = 0.0
    known: bool = False

    def update(self, event: ClockOffset) -> float:
        """Take a measurement; return by how much the offset stepped, in seconds."""
        step_s = event.offset_s - self.offset_s if self.known else 0.0
        self.offset_s = event.offset_s
        self.known = True
        return step_s

    def apply(self, chunk: Chunk) -> Floats:
        """Return the chunk's stamps on the runtime's clock, shape (n_times,)."""
        return chunk.stamps_s + self.offset_s


@dataclass(slots=True)
class TimelineCounts:
    """What a timeline saw, for `health`."""

    n_samples: int = 0
    n_gaps: int = 0
    n_missing: int = 0
    n_backward: int = 0
    n_nonfinite: int = 0


class _Tracker:
    """Critically damped second-order tracker of stamps: three linear filters, sample by sample.

    With ``x[n] = stamp[n] - (t_0 + n * period)`` and a double pole at r, the smoothed level is
    ``x`` filtered by ``(a + (b - a) z^-1) / (1 - r z^-1)^2`` with ``a = 1 - r^2``,
    ``b = (1 - r)^2``, and the innovation by ``(1 - z^-1)^2 / (1 - r z^-1)^2``; both in direct form
    II transposed. A stamp is one number, so plain floats are several times faster than arrays, and
    the same bits whatever the chunking.

    Parameters
    ----------
    period_s : float
        Sampling period in seconds.
    t_0 : float
        Stamp of the first sample in seconds.
    jitter_s : float
        Jitter to begin with, in seconds.
    """

    def __init__(self, period_s: float, t_0: float, jitter_s: float) -> None:
        self.jitter_s = jitter_s
        self.n = 0
        self._period_s = period_s
        self._t_0 = t_0
        self._r = math.exp(-period_s / TRACK_S)
        self._k = math.exp(-period_s / JITTER_S)
        self._level = (0.0, 0.0)
        self._innovation = (0.0, 0.0)

    def follow(self, stamps_s: list[float]) -> tuple[list[float], float]:
        """Follow stamps up to the first that jumps.

        Parameters
        ----------
        stamps_s : list of float
            Stamps in seconds.

        Returns
        -------
        smooth_s : list of float
            Smoothed stamps, shorter than what was given where one jumped.
        jump_s : float
            By how much it did, in seconds; 0 for none. It is not yet part of the track.
        """
        r, k, period_s = self._r, self._k, self._period_s
        a, b = 1.0 - r * r, (1.0 - r) ** 2
        b_a, two_r, r_r, one_k = b - a, 2.0 * r, r * r, 1.0 - k
        level_1, level_2 = self._level
        innovation_1, innovation_2 = self._innovation
        jitter_s, n, jump_s = self.jitter_s, self.n, 0.0
        shortest_s = GAP_PERIODS * period_s
        smooth_s = []
        for stamp_s in stamps_s:
            line = self._t_0 + n * period_s
            x = stamp_s - line
            innovation = innovation_1 + x
            size = abs(innovation)
            is_jump = size > shortest_s and size > GAP_JITTERS * jitter_s
            if is_jump and (innovation > 0.0 or size > MAX_BACK_S):
                jump_s = innovation
                break
            level = level_1 + a * x
            level_1 = level_2 + b_a * x + two_r * level
            level_2 = -r_r * level
            innovation_1 = innovation_2 - 2.0 * x + two_r * innovation
            innovation_2 = x - r_r * innovation
            jitter_s = k * jitter_s + one_k * (size if size < JITTER_CAP_S else JITTER_CAP_S)
            smooth_s.append(line + level)
            n += 1
        self._level, self._innovation = (level_1, level_2), (innovation_1, innovation_2)
        self.jitter_s, self.n = jitter_s, n
        return smooth_s, jump_s


def _runs(mask: npt.NDArray[np.bool_]) -> list[tuple[int, int, bool]]:
    """Return ``(start, stop, value)`` of every run of equal values."""
    n = len(mask)
    if n == 0:
        return []
    n_true = np.count_nonzero(mask)
    if n_true in (0, n):
        return [(0, n, n_true == n)]
    edges = [0, *(np.flatnonzero(mask[1:] != mask[:-1]) + 1).tolist(), n]
    return [(a, b, bool(mask[a])) for a, b in itertools.pairwise(edges)]


class RegularTimeline:
    """Places the samples of a regularly sampled stream in time.

    Parameters
    ----------
    sfreq : float
        Nominal rate in Hz; 0 means that the rate is measured over the first second. A nominal rate
        that the first second contradicts by more than 1 % is replaced by the measured one.
    bridge_s : float
        Dropouts up to this long are bridged linearly; longer ones end the segment.

    Notes
    -----
    A gap is an innovation above ``max(1.5 periods, 5 x jitter)``, jitter being a 5 s running mean
    of absolute innovations. A loss shorter than that cannot be told from jitter; it moves the
    stamps by less than the stream's own jitter does.
    """

    def __init__(self, sfreq: float, *, bridge_s: float) -> None:
        self.nominal_sfreq = sfreq
        self.bridge_s = bridge_s
        self.counts = TimelineCounts()
        self.period_s = 0.0
        self._held: list[tuple[Floats, Floats]] = []
        self._tracker: _Tracker | None = None
        self._jitter_s = 0.0
        self._begins: Break | None = Break.START
        self._last_stamp = -np.inf
        self._last_good: tuple[float, Floats] | None = None
        self._n_pending = 0
        self._t_segment = np.nan
        self._n_segment = 0

    @property
    def measured_sfreq(self) -> float:
        """Samples received over time in the present segment, in Hz; NaN before two samples."""
        elapsed = self._last_stamp - self._t_segment
        return (
            (self._n_segment - 1) / elapsed if self._n_segment > 1 and elapsed > 0 else float("nan")
        )

    @property
    def t_last(self) -> float:
        """Stamp of the last sample that was placed; minus infinity before the first."""
        return self._last_stamp

    @property
    def uncertainty_s(self) -> float:
        """How far a stamp may be from its sample's place without being a gap, in seconds."""
        jitter_s = self._jitter_s if self._tracker is None else self._tracker.jitter_s
        return max(GAP_PERIODS * self.period_s, GAP_JITTERS * jitter_s)

    def push(self, stamps_s: Floats, data: Floats, *, t_received: float | Floats) -> list[Span]:
        """Place samples; return the spans that are complete.

        Parameters
        ----------
        stamps_s : ndarray of float64, shape (n_times,)
            Stamps on the runtime's clock.
        data : ndarray of float64, shape (n_channels, n_times)
            Samples; one that is no measurement in any channel (NaN, infinite, absurd) counts as
            missing.
        t_received : float or ndarray of float64, shape (n_times,)
            Arrival on the runtime's clock, of all samples or of each.
        """
        spans: list[Span] = []
        # A stamp that is no number has no place in time either, and counts as one of the future.
        ahead = ~((stamps_s > -np.inf) & (stamps_s <= t_received + MAX_AHEAD_S))
        for start, stop, from_the_future in _runs(ahead):
            if from_the_future:
                # The sender's clock was set, and the offset that explains it is not known yet.
                self.counts.n_backward += stop - start
                self.interrupt(Break.CLOCK)
            elif self.period_s == 0.0:
                spans += self._measure(stamps_s[start:stop], data[:, start:stop])
            else:
                spans += self._place(stamps_s[start:stop], data[:, start:stop])
        return spans

    def interrupt(self, reason: Break) -> None:
        """End the segment: what comes next begins a new one."""
        if self._begins is None:
            self._begins = reason
            self.counts.n_gaps += 1
        self._forget_held()
        if self._tracker is not None:
            self._jitter_s = self._tracker.jitter_s
        self._tracker = None
        self._n_pending = 0

    def _measure(self, stamps_s: Floats, data: Floats) -> list[Span]:
        self._held.append((stamps_s, data))
        stamps = np.concatenate([held for held, _ in self._held])
        enough = (stamps - stamps[0] >= MEASURE_S) & (np.arange(len(stamps)) >= MEASURE_N)
        if not enough.any():
            if len(stamps) > MEASURE_MAX_N:
                self._forget_held()
            return []
        # The sample that completes the measurement is found sample by sample: any chunking agrees.
        n = int(np.argmax(enough)) + 1
        measured = stamps[:n]
        lag = n // 4
        steps_s = measured[lag:] - measured[:-lag]
        # Lost samples only lengthen steps: two gaps spoil the median, but not the lower quartile.
        quartile_s, period_s = (np.quantile(steps_s, [0.25, 0.5]) / lag).tolist()
        nominal_s = 1.0 / self.nominal_sfreq if self.nominal_sfreq > 0 else np.inf
        near = any(abs(one / nominal_s - 1.0) <= RATE_TOLERANCE for one in (quartile_s, period_s))
        self.period_s = nominal_s if near else period_s
        # For the same reason jitter is judged by the quarter of the steps that err least; of two
        # normal errors' difference that is 2/3 of a single one's median absolute error.
        self._jitter_s = 1.5 * float(np.quantile(np.abs(steps_s - lag * self.period_s), 0.25))
        samples = np.concatenate([held for _, held in self._held], axis=1)
        self._held = []
        return self._place(stamps, samples)

    def _forget_held(self) -> None:
        """Let go of what was withheld: it cannot be placed."""
        self.counts.n_missing += sum(len(stamps) for stamps, _ in self._held)
        self._held = []

    def _place(self, stamps_s: Floats, data: Floats) -> list[Span]:
        spans: list[Span] = []
        while len(stamps_s):
            if self._tracker is None:
                n_behind = int(np.argmax(stamps_s > self._last_stamp))
                if stamps_s[n_behind] <= self._last_stamp:
                    n_behind = len(stamps_s)
                self.counts.n_backward += n_behind
                stamps_s, data = stamps_s[n_behind:], data[:, n_behind:]
                if len(stamps_s) == 0:
                    break
                self._tracker = _Tracker(self.period_s, float(stamps_s[0]), self._jitter_s)
                self._last_good = None
                self._t_segment, self._n_segment = float(stamps_s[0]), 0
            smooth_s, jump_s = self._tracker.follow(stamps_s.tolist())
            n = len(smooth_s)
            if n:
                self._emit(spans, np.array(smooth_s), data[:, :n])
            if n < len(stamps_s):
                self._jump(jump_s)
            stamps_s, data = stamps_s[n:], data[:, n:]
        return spans

    def _jump(self, jump_s: float) -> None:
        """Handle a jump of the stamps: lost samples, or a clock that was set back."""
        assert self._tracker is not None
        if jump_s < 0:
            self.interrupt(Break.CLOCK)
            return
        n_lost = max(1, round(jump_s / self.period_s))
        self.counts.n_missing += n_lost
        if n_lost * self.period_s <= self.bridge_s:
            self._n_pending += n_lost
            self._tracker.n += n_lost
        else:
            self.interrupt(Break.GAP)

    def _emit(self, spans: list[Span], smooth: Floats, data: Floats) -> None:
        """Append finite samples as spans; bridge or break where samples are missing."""
        self._n_segment += len(smooth)
        is_number = np.abs(data) <= LARGEST  # NaN and infinities are not
        if is_number.all():
            self._append(spans, smooth, data)
            return
        finite = np.asarray(is_number.all(axis=0))
        self.counts.n_nonfinite += int((~finite).sum())
        for start, stop, good in _runs(finite):
            if good:
                self._append(spans, smooth[start:stop], data[:, start:stop])
            else:
                self._n_pending += stop - start
                self.counts.n_missing += stop - start

    def _append(self, spans: list[Span], smooth: Floats, data: Floats) -> None:
        if self._n_pending:
            n, self._n_pending = self._n_pending, 0
            if self._last_good is not None and n * self.period_s <= self.bridge_s:
                t_last, x_last = self._last_good
                weight = np.arange(1, n + 1) / (n + 1)
                stamps = t_last + (smooth[0] - t_last) * weight
                bridge = x_last[:, None] + (data[:, :1] - x_last[:, None]) * weight
                spans.append(Span(stamps, bridge, np.ones(n, dtype=bool), None))
                self.counts.n_gaps += 1
            elif self._last_good is not None and self._begins is None:
                self._begins = Break.GAP
                self.counts.n_gaps += 1
        later = smooth > self._last_stamp
        if not later.all():
            # Smoothing may step back over a new segment's start; order is kept, and counted.
            self.counts.n_backward += int((~later).sum())
            smooth, data = smooth[later], data[:, later]
            if len(smooth) == 0:
                return
        spans.append(Span(smooth, data, np.zeros(len(smooth), dtype=bool), self._begins))
        self._begins = None
        self._last_stamp = float(smooth[-1])
        self._last_good = (self._last_stamp, data[:, -1].copy())
