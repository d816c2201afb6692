"""Pulse artifacts out of EEG: what each heartbeat does to electrodes in a strong field.

A mean over past beats is subtracted after each beat (Allen et al. 1998,
doi:10.1006/nimg.1998.0361). A beat is known a fixed time after its R wave, before its artifact
comes; until the next beat is known this one's template goes on. Until there is a template, and
where no beat is found, there is no sample (NaN).
"""

import math
from collections import deque
from collections.abc import Sequence

import numpy as np

from rtaffect.core.mr import PulseSpec
from rtaffect.signal.heartbeat import IN_ECG, IN_FIELD, BeatDetector
from rtaffect.signal.timeline import Floats

GRID_HZ = 500.0  # of the template: a pulse artifact is below 20 Hz
EDGE_S = 0.05  # a beat's first and last part, between which its drift is a line


class PulseCorrector:
    """Subtracts pulse artifacts from one stream.

    What comes out does not depend on how samples are cut into pieces, to the bit.

    Parameters
    ----------
    spec : PulseSpec
        The numbers.
    sfreq : float
        Sampling rate in Hz.
    picks : sequence of int
        Channels that the artifact is in.
    ecg : int or None
        Channel of the electrocardiogram; None looks for beats in `picks`.
    """

    def __init__(
        self, spec: PulseSpec, *, sfreq: float, picks: Sequence[int], ecg: int | None
    ) -> None:
        self.spec = spec
        self._picks = list(picks)
        self._watched = self._picks if ecg is None else [ecg]
        self._detector = BeatDetector(
            len(self._watched),
            sfreq=sfreq,
            beat=IN_FIELD if ecg is None else IN_ECG,
            shortest_s=spec.shortest_beat_s,
            longest_s=spec.longest_beat_s,
        )
        self._step = max(1, round(sfreq / GRID_HZ))
        self._n_edge = max(1, round(EDGE_S * sfreq / self._step))
        self._shortest = round(spec.shortest_beat_s * sfreq)
        n_bins = math.ceil(spec.longest_beat_s * sfreq / self._step)
        self._longest = n_bins * self._step
        self._beats = np.zeros((spec.n_beats, len(self._picks), n_bins))
        self._lengths = np.zeros(spec.n_beats, dtype=np.int64)
        self._n_beats = 0
        self._template = np.zeros((len(self._picks), n_bins + 1))
        self._under_way = np.full((len(self._picks), self._longest), np.nan)
        self._n = 0
        self._n_begun: int | None = None  # number of the sample at which a beat's template began
        self._known: deque[int] = deque()

    @property
    def note(self) -> str:
        """What keeps samples from passing, in words; "" for nothing."""
        if self._n_begun is None or self._n - self._n_begun >= self._longest:
            return f"no heartbeat was found for {self.spec.longest_beat_s:g} s"
        if self._n_beats < self.spec.min_beats:
            return (
                f"the pulse template has {self._n_beats} heartbeats, "
                f"{self.spec.min_beats} are needed"
            )
        return ""

    def push(self, data: Floats) -> Floats:
        """Take samples, shape (n_channels, n_times), some NaN; return them without the artifact."""
        if data.shape[1] == 0:
            return data
        self._watch(data[self._watched])
        out = data.copy()
        start, n_times = 0, data.shape[1]
        while start < n_times:
            while self._known and self._known[0] <= self._n:
                self._begin(self._known.popleft())
            stop = n_times
            if self._known:
                stop = min(n_times, start + self._known[0] - self._n)
            out[self._picks, start:stop] = self._corrected(data[self._picks, start:stop])
            self._n += stop - start
            start = stop
        return out

    def skip(self, n_lost: int) -> None:
        """Take note that samples are missing."""
        self._detector.skip(n_lost)
        self._n += n_lost

    def _watch(self, watched: Floats) -> None:
        """Find beats in the samples to come; each is acted on a fixed time after it."""
        is_number = np.asarray(np.isfinite(watched).all(axis=0))
        edges = np.flatnonzero(is_number[1:] != is_number[:-1]) + 1
        for part, good in zip(
            np.split(watched, edges, axis=1), is_number[[0, *edges]].tolist(), strict=True
        ):
            if good:
                for beat in self._detector.push(part):
                    self._known.append(beat + self._detector.delay + 1)
            else:
                self._detector.skip(part.shape[1])

    def _begin(self, number: int) -> None:
        """Learn from the beat that ends, and begin another."""
        if self._n_begun is not None:
            self._learn(number - self._n_begun)
        self._n_begun = number
        self._under_way[:] = np.nan

    def _learn(self, n_times: int) -> None:
        if not self._shortest <= n_times <= self._longest:
            return
        n_bins = n_times // self._step
        beat = self._under_way[:, : n_bins * self._step]
        bins = beat.reshape(len(beat), n_bins, self._step).mean(axis=2)
        if not np.isfinite(bins).all():
            return
        first = bins[:, : self._n_edge].mean(axis=1)[:, None]
        last = bins[:, -self._n_edge :].mean(axis=1)[:, None]
        bins -= first + (last - first) * np.linspace(0.0, 1.0, n_bins)
        at = self._n_beats % len(self._beats)
        self._beats[at] = 0.0
        self._beats[at, :, :n_bins] = bins
        self._lengths[at] = n_bins
        self._n_beats += 1
        self._average()

    def _average(self) -> None:
        """Take the mean of the beats; where they are too short for one, it stays as it was."""
        n_bins = self._beats.shape[2]
        counts = np.count_nonzero(self._lengths[:, None] > np.arange(n_bins), axis=0)
        n_known = int(np.count_nonzero(counts >= min(self._n_beats, self.spec.min_beats)))
        self._template[:, :-1] = self._beats.sum(axis=0) / np.maximum(counts, 1)
        self._template[:, n_known:] = self._template[:, n_known - 1 : n_known]

    def _corrected(self, piece: Floats) -> Floats:
        begin = self._longest if self._n_begun is None else self._n - self._n_begun
        end = begin + piece.shape[1]
        if begin < self._longest:
            kept = piece[:, : self._longest - begin]
            self._under_way[:, begin : begin + kept.shape[1]] = kept
        if begin >= self._longest or self._n_beats < self.spec.min_beats:
            return np.full(piece.shape, np.nan)
        place = np.minimum(np.arange(begin, end), self._longest - 1) / self._step - 0.5
        place = np.maximum(place, 0.0)
        at = place.astype(np.intp)
        low, high = self._template[:, at], self._template[:, at + 1]
        clean = piece - (low + (high - low) * (place - at))
        clean[:, max(0, self._longest - begin) :] = np.nan
        return clean
