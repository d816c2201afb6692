"""Which channels measure a scalp, and which a loose wire, a rail or the mains."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from rtaffect.core.spec import QualitySpec

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

LINE_HZ = (50.0, 60.0)
DRIFT_S = 1.0  # time constant of the running slope that amplitude is judged against
PLATEAU_S = 0.02  # a peak of EEG, however coarsely digitised, leaves its highest value sooner


class Fault(StrEnum):
    """What may be wrong with a channel."""

    FLAT = "flat"
    RAILED = "railed"
    CLIPPED = "clipped"
    AMPLITUDE = "amplitude"
    HUM = "hum"


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityReport:
    """What a monitor found since its start.

    Parameters
    ----------
    n_blocks : int
        Blocks judged.
    n_bad : mapping of Fault to int
        Blocks in which a channel had the fault, summed over channels.
    n_nonfinite : int
        Samples that were NaN or infinite, summed over channels.
    faults : tuple of tuple of Fault
        What is wrong with each channel right now.
    """

    n_blocks: int
    n_bad: Mapping[Fault, int]
    n_nonfinite: int
    faults: tuple[tuple[Fault, ...], ...]


class QualityMonitor:
    """Judges every channel of a raw signal, block by block.

    A channel is bad in a block when it is

    - flat: its peak-to-peak stayed below ``flat_uv`` for at least ``flat_s``;
    - railed: it reaches ``rail_uv``;
    - clipped: for 20 ms (and at least 3 samples) it is exactly the extreme of the last second, in
      which it moved by more than ``amplitude_uv``;
    - of too large amplitude: its peak-to-peak within the block, less what a steady drift explains,
      exceeds ``amplitude_uv``;
    - hum: its power at 50 or 60 Hz exceeds ``line_ratio`` times that from 1 to 40 Hz. The last
      second is looked at twice a second, where the rate allows to see the line.

    Samples that are not finite are counted and replaced by the last finite one, so that a channel
    that sends nothing else turns flat.

    Parameters
    ----------
    spec : QualitySpec
        The limits.
    n_channels : int
        Channels of the signal.
    sfreq : float
        Its sampling rate in Hz; any.
    """

    def __init__(self, spec: QualitySpec, n_channels: int, sfreq: float) -> None:
        self.spec = spec
        self.n_channels = n_channels
        self.sfreq = sfreq
        self.n_nonfinite = 0
        self._n_blocks = 0
        self._n_bad = np.zeros((len(Fault), n_channels), dtype=np.int64)
        self._faults = np.zeros((len(Fault), n_channels), dtype=np.bool_)
        self._flatness = _Flatness(n_channels, n_min=spec.flat_s * sfreq)
        self._plateaus = _Plateaus(n_channels, sfreq)
        self._line = _Line(n_channels, sfreq)
        self.reset()

    def reset(self) -> None:
        """Forget the past: the next block begins a segment. Counts stay."""
        self._last: Floats | None = None
        self._mean = np.zeros(self.n_channels)
        self._drift = np.zeros(self.n_channels)
        self._faults = np.zeros_like(self._faults)
        self._flatness.reset()
        self._plateaus.reset()
        self._line.reset()

    def process(self, blocks_uv: Sequence[Floats]) -> Bools:
        """Judge the next blocks; how many come at once changes no judgement.

        Parameters
        ----------
        blocks_uv : sequence of ndarray of float64, shape (n_channels, n_times)
            Raw microvolts, as the amplifier sent them, that follow those of the last call; at least
            one block, and none of them empty.

        Returns
        -------
        ndarray of bool, shape (n_blocks, n_channels)
            The channels that are bad in each block.
        """
        data = np.concatenate(blocks_uv, axis=1)
        sizes = [block.shape[1] for block in blocks_uv]
        stops = list(itertools.accumulate(sizes))
        starts = [0, *stops[:-1]]
        if not np.isfinite(data).all():
            data = np.concatenate(self._held(blocks_uv), axis=1)
        by_time = np.ascontiguousarray(data.T)  # reductions over its first axis are vectorised
        means = np.add.reduceat(by_time, starts) / np.array(sizes)[:, None]
        if self._last is None:
            self._last, self._mean = by_time[0], means[0]
        before = np.array([self._last, *(by_time[start - 1] for start in starts[1:])])
        high = np.maximum(np.maximum.reduceat(by_time, starts), before)
        low = np.minimum(np.minimum.reduceat(by_time, starts), before)
        swing = high - low - np.abs(self._follow_drift(means, sizes))
        self._last = by_time[-1].copy()

        faults = np.empty((len(Fault), *high.shape), dtype=np.bool_)
        flat, railed, clipped, large, hum = faults
        np.greater(swing, self.spec.amplitude_uv, out=large)
        np.greater_equal(np.maximum(high, -low), self.spec.rail_uv, out=railed)
        flat[:] = self._flatness.update(high, low, sizes, self.spec.flat_uv)
        parts = [by_time[a:b] for a, b in zip(starts, stops, strict=True)]
        clipped[:] = self._plateaus.update(parts, high, low, self.spec.amplitude_uv)
        hum[:] = self._line.update(data, stops, self.spec.line_ratio)
        self._faults = faults[:, -1]
        self._n_blocks += len(blocks_uv)
        bad: Bools = np.logical_or.reduce(faults, axis=0)
        if bad.any():
            self._n_bad += np.count_nonzero(faults, axis=1)
        return bad

    def report(self) -> QualityReport:
        """Return what was found so far."""
        return QualityReport(
            n_blocks=self._n_blocks,
            n_bad={fault: int(n) for fault, n in zip(Fault, self._n_bad.sum(axis=1), strict=True)},
            n_nonfinite=self.n_nonfinite,
            faults=tuple(
                tuple(fault for fault, is_so in zip(Fault, channel, strict=True) if is_so)
                for channel in self._faults.T
            ),
        )

    def _follow_drift(self, means: Floats, sizes: list[int]) -> Floats:
        """Return the running slope of each block, in uV a block."""
        drifts = np.empty_like(means)
        for i, (mean, n_times) in enumerate(zip(means, sizes, strict=True)):
            step = mean - self._mean - self._drift
            share = min(1.0, n_times / (self.sfreq * DRIFT_S))
            self._drift = drifts[i] = self._drift + step * share
            self._mean = mean
        return drifts

    def _held(self, blocks_uv: Sequence[Floats]) -> list[Floats]:
        """Replace what is not finite by the last finite sample (at a start the first, or 0)."""
        held: list[Floats] = []
        last = self._last
        for block_uv in blocks_uv:
            finite = np.isfinite(block_uv)
            self.n_nonfinite += int(finite.size - np.count_nonzero(finite))
            newest = np.maximum.accumulate(
                np.where(finite, np.arange(block_uv.shape[1]), -1), axis=1
            )
            inside = np.take_along_axis(block_uv, np.maximum(newest, 0), axis=1)
            if last is None:
                first = np.take_along_axis(block_uv, finite.argmax(axis=1)[:, None], axis=1)[:, 0]
                last = np.where(finite.any(axis=1), first, 0.0)
            held.append(np.where(newest >= 0, inside, last[:, None]))
            last = held[-1][:, -1]
        return held


class _Flatness:
    """How long each channel has stayed within a narrow range."""

    def __init__(self, n_channels: int, *, n_min: float) -> None:
        self._n_channels = n_channels
        self._n_min = n_min

    def reset(self) -> None:
        self._high = np.full(self._n_channels, -np.inf)
        self._low = np.full(self._n_channels, np.inf)
        self._n_times = np.zeros(self._n_channels)

    def update(self, highs: Floats, lows: Floats, sizes: list[int], flat_uv: float) -> Bools:
        """Take the extremes of each block, shape (n_blocks, n_channels); return what is flat."""
        flat = np.zeros(highs.shape, dtype=np.bool_)
        if (highs - lows >= flat_uv).all():  # by far the most frequent: all starts anew all along
            self._high, self._low = highs[-1].copy(), lows[-1].copy()
            self._n_times[:] = 0.0
            return flat
        for i, (high, low, n_times) in enumerate(zip(highs, lows, sizes, strict=True)):
            np.maximum(self._high, high, out=self._high)
            np.minimum(self._low, low, out=self._low)
            self._n_times += n_times
            moved = self._high - self._low >= flat_uv
            # what moved starts anew: with this block, if it is still within itself
            np.copyto(self._high, high, where=moved)
            np.copyto(self._low, low, where=moved)
            np.copyto(self._n_times, np.where(high - low < flat_uv, n_times, 0.0), where=moved)
            np.greater_equal(self._n_times, self._n_min, out=flat[i])
        return flat


class _Plateaus:
    """How long each channel sits exactly on the extreme of the last half to whole second."""

    def __init__(self, n_channels: int, sfreq: float) -> None:
        self._n_channels = n_channels
        self._none = np.zeros(n_channels, dtype=np.int64)
        self._n_half = 0.5 * sfreq
        self._n_min = max(3, round(PLATEAU_S * sfreq))

    def reset(self) -> None:
        nothing = np.full(self._n_channels, -np.inf)
        self._high, self._high_before = nothing, nothing
        self._low, self._low_before = -nothing, -nothing
        self._n_times = 0
        self._top, self._bottom = nothing, -nothing
        self._n_at_top = self._n_at_bottom = self._none

    def update(
        self, blocks: Sequence[Floats], highs: Floats, lows: Floats, range_uv: float
    ) -> Bools:
        """Take blocks, each of shape (n_times, n_channels); return which channels are clipped."""
        clipped = np.zeros(highs.shape, dtype=np.bool_)
        for i, (by_time, high, low) in enumerate(zip(blocks, highs, lows, strict=True)):
            if self._n_times >= self._n_half:
                self._high_before, self._low_before = self._high, self._low
                self._high, self._low = high, low
                self._n_times = 0
            else:
                self._high, self._low = np.maximum(self._high, high), np.minimum(self._low, low)
            self._n_times += len(by_time)
            top = np.maximum(self._high, self._high_before)
            bottom = np.minimum(self._low, self._low_before)
            wide = top - bottom > range_uv
            if wide.any():
                clipped[i] = wide & (self._longest(by_time, top, bottom) >= self._n_min)
            else:
                self._n_at_top = self._n_at_bottom = self._none
        return clipped

    def _longest(self, by_time: Floats, top: Floats, bottom: Floats) -> Ints:
        """Return how many samples lie on an extreme, in this block and in the one before.

        A plateau may straddle the two.
        """
        n_at_top = np.count_nonzero(by_time == top, axis=0)
        n_at_bottom = np.count_nonzero(by_time == bottom, axis=0)
        longest = np.maximum(
            n_at_top + np.where(top == self._top, self._n_at_top, 0),
            n_at_bottom + np.where(bottom == self._bottom, self._n_at_bottom, 0),
        )
        self._top, self._n_at_top = top, n_at_top
        self._bottom, self._n_at_bottom = bottom, n_at_bottom
        return np.asarray(longest)


class _Line:
    """Power at the mains' frequency against the power of EEG, in overlapping seconds."""

    def __init__(self, n_channels: int, sfreq: float) -> None:
        n_second = max(2, round(sfreq))
        self._signal = np.zeros((n_channels, n_second))
        self._hann = np.hanning(n_second + 1)[:-1]
        freqs_hz = np.fft.rfftfreq(n_second, 1.0 / sfreq)
        self._eeg = slice(*np.searchsorted(freqs_hz, (0.5, 40.5)).tolist())
        # a Hann window spreads a line over its bin and one at either side
        self._lines = [
            slice(*np.searchsorted(freqs_hz, (line_hz - 1.5, line_hz + 1.5)).tolist())
            for line_hz in LINE_HZ
            if line_hz + 1.5 < sfreq / 2.0
        ]
        self._n_bins = max((line.stop for line in self._lines), default=0)

    def reset(self) -> None:
        self._n_filled = 0
        self._hum: Bools = np.zeros(len(self._signal), dtype=np.bool_)

    def update(self, data_uv: Floats, stops: Sequence[int], ratio: float) -> Bools:
        """Take the samples of blocks that end at `stops`.

        Return which channels have more than `ratio` times as much hum as EEG at each block's end.
        """
        n_second, n_times = self._signal.shape[1], data_uv.shape[1]
        hum = np.repeat(self._hum[None], len(stops), axis=0)
        at = 0
        while self._lines and at < n_times:
            n = min(n_times - at, n_second - self._n_filled)
            self._signal[:, self._n_filled : self._n_filled + n] = data_uv[:, at : at + n]
            self._n_filled += n
            at += n
            if self._n_filled == n_second:
                self._hum = hum[np.searchsorted(stops, at) :] = self._exceeds(ratio)
                kept = n_second // 2
                self._signal[:, :kept] = self._signal[:, n_second - kept :]
                self._n_filled = kept
        return hum

    def _exceeds(self, ratio: float) -> Bools:
        mean = np.add.reduce(self._signal, axis=1, keepdims=True) / self._signal.shape[1]
        spectrum = np.fft.rfft((self._signal - mean) * self._hann, axis=1)[:, : self._n_bins]
        power = spectrum.real**2 + spectrum.imag**2
        line = np.max([np.add.reduce(power[:, near], axis=1) for near in self._lines], axis=0)
        return np.asarray(line > ratio * np.add.reduce(power[:, self._eeg], axis=1))
