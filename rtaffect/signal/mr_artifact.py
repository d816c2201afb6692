"""Gradient artifacts out of EEG, sample by sample and from the past alone.

A mean over past volumes is subtracted where the next volume must be (Allen et al. 2000,
doi:10.1006/nimg.2000.0599). Nothing waits: markers say that scanning began and roughly how long a
volume is; the rest is in the signal, which repeats itself to a fraction of a microsecond. So a
marker may come late, or not at all. Until a template is good, and wherever what is left is too
steep for EEG, there is no sample (NaN): never a wrong one.
"""

import math
import sys
from collections.abc import Callable
from enum import Enum, auto

import numpy as np

from rtaffect.core.mr import GradientSpec
from rtaffect.signal.fractional import HALF, find_lag, fine_lag, shifted
from rtaffect.signal.ring import GridRing
from rtaffect.signal.timeline import Floats
from rtaffect.signal.volume_clock import ENOUGH, VolumeClock, find_second
from rtaffect.signal.volume_template import Volume, VolumeTemplate

ALIKE = 0.7  # correlation of a volume's slopes with the template's, less is another thing
QUIET = 0.25  # of the artifact's energy, less is a scanner that stands still
AUDIBLE = 0.1  # of its mean energy, less is a pause within a volume
MAX_REJECTED = 3  # volumes in a row that are like nothing before: all is learnt anew
NEVER = sys.maxsize


class _State(Enum):
    IDLE = auto()  # no scanner runs: samples pass untouched
    LEARNING = auto()  # two volumes are awaited, to see how long one is
    WAITING = auto()  # the next volume has not begun
    RUNNING = auto()  # a volume is under way


def _as_it_is(data: Floats) -> Floats:
    return data


class GradientCorrector:
    """Subtracts gradient artifacts from one stream.

    What comes out does not depend on how samples are cut into pieces, to the bit, as long as
    markers come between the same samples.

    Parameters
    ----------
    spec : GradientSpec
        The numbers.
    sfreq : float
        Sampling rate in Hz.
    limits : ndarray of float64, shape (n_channels,)
        Steepest EEG of each channel, in its own unit a sample; infinite for what is no electrode.
    """

    def __init__(self, spec: GradientSpec, *, sfreq: float, limits: Floats) -> None:
        self.spec = spec
        self._judged = np.isfinite(limits)
        self._limits = limits[:, None]
        self._allowed = self._limits
        self._n_bad = spec.guard_channels * int(self._judged.sum())
        self._longest, self._shortest = spec.longest_tr_s * sfreq, spec.shortest_tr_s * sfreq
        self._reach = 2 * math.ceil(spec.marker_jitter_s * sfreq)
        self._n_check = max(1, round(spec.check_s * sfreq))
        self._n_hold = round(spec.guard_hold_s * sfreq)
        capacity = math.ceil(2 * self._longest + sfreq)
        self._ring = GridRing(len(limits), capacity, dtype=np.float32, fill=np.nan)
        self._state = _State.IDLE
        self._n = 0  # number of the next sample
        self._due = NEVER  # number of the sample before which something is decided
        self._n_stopped = -1.0
        self._markers: list[float] = []
        self._last = np.full((len(limits), 1), np.nan)
        self._n_steep = -self._n_hold - 1
        self._n_rejected = self._n_doubtful = 0
        self._channel = 0
        self._clock = VolumeClock(0.0, 1.0, whole=True)
        self._template = VolumeTemplate(1, 1, 1)
        self._pending: Volume | None = None
        self._taken: Volume | None = None
        self._n_start = self._n_stop = self._n_checked = 0
        self._phase, self._fraction = 0, 0.0
        self._told = np.empty(0)
        self._power = 0.0

    @property
    def note(self) -> str:
        """What keeps samples from passing, in words; "" for nothing."""
        if self._n - self._n_steep <= self._n_hold:
            return "the signal is steeper than EEG: gradients without markers, or a jump"
        if self._state is _State.IDLE:
            return ""
        n, least = self._template.n, self.spec.min_volumes
        if self._state is _State.RUNNING and n >= least:
            return ""
        if self._n_rejected:
            return "markers come, but what the scanner does in the signal does not repeat"
        n = n if self._state is _State.RUNNING else 0
        return f"the gradient template has {n} volumes, {least} are needed"

    def push(self, data: Floats, then: Callable[[Floats], Floats] = _as_it_is) -> Floats:
        """Take samples; return them without gradients, or NaN.

        Parameters
        ----------
        data : ndarray of float64, shape (n_channels, n_times)
            The samples.
        then : callable
            What takes other artifacts out, sample by sample. They are not learnt as gradients.

        Returns
        -------
        ndarray of float64, shape (n_channels, n_times)
            What `then` made of them.
        """
        out = np.empty(data.shape)
        start, n_times = 0, data.shape[1]
        while start < n_times:
            while self._n >= self._due:
                self._decide()
            stop = min(n_times, start + self._due - self._n)
            piece = data[:, start:stop]
            without = self._guarded(self._corrected(piece))
            out[:, start:stop] = then(without)
            others = np.nan_to_num(without - out[:, start:stop])
            self._ring.write(self._n, piece - others)
            self._n += stop - start
            start = stop
        return out

    def mark(self, position: float) -> None:
        """Take a volume marker; `position` counts in samples, and may lie ahead or long behind."""
        if self._state in {_State.WAITING, _State.RUNNING}:
            if self._clock.misses(position, by=self._reach):
                self._markers = [position]
        elif self._state is _State.LEARNING:
            self._learn_from(position)
        elif position > self._n_stopped:
            self._n_rejected = 0
            self._learn([position])

    def skip(self, n_lost: int) -> None:
        """Take note that samples seem to be missing; stamps may be wrong about it."""
        self._n += n_lost
        self._n_doubtful += n_lost
        self._n_steep = self._n  # nobody knows yet whether what comes next fits
        self._last = np.full_like(self._last, np.nan)
        if n_lost > self._longest:
            self._stop()

    @property
    def n(self) -> int:
        """Number of the next sample."""
        return self._n

    def _corrected(self, piece: Floats) -> Floats:
        self._allowed = self._limits
        if self._state is _State.IDLE:
            return piece
        if self._state is not _State.RUNNING:
            return np.full(piece.shape, np.nan)
        begin = self._n - self._n_start
        start, stop = begin + self._phase, begin + self._phase + piece.shape[1]
        self._take_in(stop)
        if self._template.n == 0:
            return np.full(piece.shape, np.nan)
        around = self._template.between(start, stop)
        artifact = shifted(around, self._fraction)
        self._told[begin : begin + piece.shape[1]] = artifact[self._channel]
        if self._template.n < self.spec.min_volumes:
            return np.full(piece.shape, np.nan)
        self._allowed = np.maximum(self._limits, self.spec.guard_share * _steepness(around))
        return piece - artifact

    def _guarded(self, piece: Floats) -> Floats:
        """Withhold what is too steep for EEG, and what follows it."""
        steps = np.abs(np.diff(np.concatenate([self._last, piece], axis=1)))
        self._last = piece[:, -1:].copy()
        steep = np.count_nonzero(steps > self._allowed, axis=0) > self._n_bad
        if not steep.any() and self._n - self._n_steep > self._n_hold:
            return piece
        numbers = self._n + np.arange(piece.shape[1])
        newest = np.maximum.accumulate(np.where(steep, numbers, self._n_steep))
        self._n_steep = int(newest[-1])
        return np.where(numbers - newest <= self._n_hold, np.nan, piece)

    def _decide(self) -> None:
        """Do what is due before the next sample."""
        match self._state:
            case _State.LEARNING if len(self._markers) == 2:
                self._lock()
            case _State.LEARNING:
                self._stop()
            case _State.WAITING:
                self._begin()
            case _State.RUNNING if self._n < self._n_stop:
                self._check()
            case _:
                if self._finish():
                    self._begin()

    def _learn(self, markers: list[float]) -> None:
        """Wait for (more) markers; if none come, there is no scan."""
        self._state, self._markers = _State.LEARNING, markers
        begin = markers[0] if markers else self._n
        self._due = math.ceil(begin + self._longest + self._reach)

    def _learn_from(self, position: float) -> None:
        """Take a marker while a scan begins."""
        apart = position - self._markers[-1] if self._markers else math.inf
        if apart < self._shortest - self._reach:
            return  # the same one again
        if apart > self._longest + self._reach:
            self._learn([position])
            return
        if len(self._markers) == 2:
            if abs(apart - (self._markers[1] - self._markers[0])) <= self._reach:
                return  # as expected
            self._markers = self._markers[1:]  # another TR
        self._markers = [*self._markers, position]
        self._due = math.ceil(position + apart + self._reach + HALF + 2)

    def _lock(self) -> None:
        """Find out how long a volume is."""
        first, second = self._markers
        lag, self._channel = find_second(self._ring, first, second - first, reach=self._reach)
        if lag.match < ENOUGH:
            self._n_rejected += 1
            self._learn([second])
            return
        first = math.floor(first)
        self._clock = VolumeClock(first, first + lag.samples, whole=self.spec.align == "sample")
        n_phases = math.ceil(self._clock.period) + 3
        self._template = VolumeTemplate(len(self._limits), n_phases, self.spec.n_volumes)
        self._told = np.zeros(n_phases)
        self._pending = self._taken = None
        self._markers, self._n_rejected, self._power = [], 0, 0.0
        while self._clock.position < self._n:
            self._clock.missed()
        self._state, self._due = _State.WAITING, math.ceil(self._clock.position)

    def _begin(self) -> None:
        """Begin a volume with the next sample, or wait where it comes later."""
        position = self._clock.position
        late = self._n - position
        if late < -1.0:
            self._state, self._due = _State.WAITING, math.ceil(position)
            return
        self._state = _State.RUNNING
        self._phase = math.floor(late)
        self._fraction = late - self._phase
        self._n_start = self._n_checked = self._n
        self._n_stop = max(self._n + 1, math.ceil(position + self._clock.period))
        self._due = min(self._n_stop, self._n + self._n_check)
        self._told[:] = 0.0

    def _check(self) -> None:
        """Ask the signal whether gradients still run as they did."""
        start, self._n_checked = self._n_checked, self._n
        self._due = min(self._n_stop, self._n + self._n_check)
        x = self._ring.read(start, self._n)[self._channel].astype(np.float64)
        told = self._told[start - self._n_start : self._n - self._n_start]
        steps, expected = np.diff(x), np.diff(told)
        energy = float(expected @ expected)
        if self._power == 0.0 or not energy > AUDIBLE * self._power * len(told):
            return
        found = float(steps @ expected) / energy
        if found > ENOUGH:
            self._markers = []
        elif float(steps @ steps) < QUIET * energy:
            self._stop()
        elif self._markers and found <= ENOUGH:
            self._learn(self._markers)

    def _stop(self) -> None:
        """Pass samples as they are: the scan is over."""
        self._state, self._due, self._n_stopped = _State.IDLE, NEVER, float(self._n)
        self._markers, self._pending = [], None

    def _finish(self) -> bool:
        """Look back at a volume; return whether there is another one to begin."""
        self._take_in(self._template.n_phases)
        self._pending = None
        volume = self._ring.read(self._n_start, self._n_stop).astype(np.float64)
        told = self._told[: volume.shape[1]]
        position = self._clock.position
        is_whole = volume.shape[1] > 0.9 * self._clock.period and bool(np.isfinite(volume).all())
        if not is_whole:
            self._clock.missed()
            return True
        x = volume[self._channel]
        if self._template.n:
            steps = np.diff(told)
            self._power = float(steps @ steps) / len(told)
            found = fine_lag(x, told)
            if found.match < ALIKE or abs(found.samples) > 0.5:
                return self._lost(x, told, position)
            position += found.samples
        self._n_rejected = self._n_doubtful = 0
        self._clock.begun(position)
        self._pending = self._taken = Volume(position, volume, self._taken)
        self._template.begin()
        return True

    def _lost(self, x: Floats, told: Floats, position: float) -> bool:
        """Find a volume again that did not come where it should; return whether to go on."""
        reach = min(self._reach + self._n_doubtful, len(told) // 4)
        found = find_lag(x, told[reach : len(told) - reach], reach=reach)
        if found.match >= ALIKE:
            self._clock.slipped(position + found.samples)
            return True
        self._n_rejected += 1
        self._clock.missed()
        if self._n_rejected < MAX_REJECTED and not self._markers:
            return True
        self._learn(self._markers)
        return False

    def _take_in(self, stop: int) -> None:
        """Take the last volume into the template as far as phase ``stop - 1`` needs it."""
        if self._pending is None:
            return
        start, end = self._template.wanted(stop)
        if end > start:
            self._template.take(self._pending.phases(self._ring, start, end))


def _steepness(around: Floats) -> Floats:
    """Return the greatest step within `HALF` samples of each, shape (n_channels, n)."""
    steps = np.abs(around[:, 1:] - around[:, :-1])
    for reach in (1, 2, 4, HALF - 1):  # the greatest of 2, 4, 8 and at last 2 * HALF - 1
        steps = np.maximum(steps[:, :-reach], steps[:, reach:])
    return np.asarray(steps)
