"""Resampling onto the absolute grid ``m / sfreq``, driven by stamps.

One continuous low-pass kernel (a Kaiser-windowed sinc) is both the anti-alias filter and the
interpolator: ``y(t_m) = sum_n x_n h(t_m - t_n) / sum_n h(t_m - t_n)``. Because it looks at stamps
and not at sample counts, a sender's drift never changes the number of samples, and the delay is
exactly the kernel's half-length at every rate. See Smith & Gossett 1984,
doi:10.1109/ICASSP.1984.1172555.
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from rtaffect.signal.blocks import BLOCK_S, BLOCKS_PER_S, Block
from rtaffect.signal.timeline import Floats

KAISER_BETA = 5.65  # 60 dB
TABLE_N = 8192
CUTOFF = 0.485  # of the lower of the two rates


class GridResampler:
    """Resamples blocks of one segment after another.

    Parameters
    ----------
    sfreq : float
        Rate of the grid in Hz; a whole multiple of 32.
    half_s : float
        Half-length of the kernel in seconds, a whole number of blocks: the resampler's delay.
    """

    def __init__(self, sfreq: float, *, half_s: float) -> None:
        self.sfreq = sfreq
        self.half_s = half_s
        self.n_per_block = round(sfreq / BLOCKS_PER_S)
        self._n_half_blocks = round(half_s / BLOCK_S)
        if abs(self.n_per_block * BLOCKS_PER_S - sfreq) > 1e-9:
            msg = f"The grid rate must be a whole multiple of {BLOCKS_PER_S} Hz, got {sfreq} Hz."
            raise ValueError(msg)
        if abs(self._n_half_blocks * BLOCK_S - half_s) > 1e-9 or self._n_half_blocks < 1:
            msg = (
                f"The kernel's half-length must be a whole number of 1/{BLOCKS_PER_S} s, "
                f"got {half_s} s."
            )
            raise ValueError(msg)
        self._kernel = self._slope = np.zeros(TABLE_N + 1)
        self._period_s = 0.0
        self._n_taps = 0
        self._stamps_s = self._data = self._bridged = np.empty(0)
        self._m_next = 0

    def push(
        self, blocks: Sequence[Block], *, period_s: float
    ) -> tuple[int, Floats, npt.NDArray[np.bool_]]:
        """Take blocks; return the grid samples that they complete.

        Every grid block comes from a matrix product of the same size, however many blocks come at
        once, because the size of a product may matter to its last bit.

        Parameters
        ----------
        blocks : sequence of Block
            The next blocks of the stream; only the first may begin a segment.
        period_s : float
            The stream's sampling period in seconds.

        Returns
        -------
        m_start : int
            Grid number of the first sample: ``t = m_start / sfreq``.
        data : ndarray of float64, shape (n_channels, n)
            Grid samples; n is 0 while the segment is shorter than the kernel.
        bridged : ndarray of bool, shape (n,)
            A sample in whose kernel's core (one period around it) lies one that was never received.
        """
        if period_s != self._period_s:
            self._tabulate(period_s)
        if blocks[0].begins is not None:
            self._begin(blocks[0])
        stamps = np.concatenate([self._stamps_s, *(block.stamps_s for block in blocks)])
        data = np.concatenate([self._data, *(block.data for block in blocks)], axis=1)
        bridged = np.concatenate([self._bridged, *(block.bridged for block in blocks)])
        n_kept = len(stamps) - self._n_taps
        self._stamps_s, self._data = stamps[n_kept:], data[:, n_kept:]
        self._bridged = bridged[n_kept:]
        m_start, m_stop = self._m_next, self._m_stop(blocks[-1])
        if m_stop <= m_start:
            return m_start, np.empty((len(data), 0)), np.empty(0, dtype=bool)
        self._m_next = m_stop
        m_first = m_start - m_start % self.n_per_block
        # A grid block sees the n_taps samples up to the end of the block that completes it.
        starts: list[int] = []
        start = 0
        for block in blocks:
            start += len(block.stamps_s)
            starts += [start] * ((self._m_stop(block) - m_first) // self.n_per_block - len(starts))
        taps = np.array(starts)[:, None] + np.arange(self._n_taps)
        times = np.arange(m_first, m_stop).reshape(len(starts), 1, -1) / self.sfreq
        distance = np.abs(stamps[taps][:, :, None] - times)  # (n_grid_blocks, n_taps, n_per_block)
        parts = [
            data[:, start : start + self._n_taps] @ weights
            for start, weights in zip(starts, self._weights(distance), strict=True)
        ]
        touched = np.zeros(m_stop - m_first, dtype=bool)
        if bridged.any():
            reach_s = max(period_s, 1.0 / self.sfreq)
            touched = ((distance <= reach_s) & bridged[taps][:, :, None]).any(axis=1).ravel()
        first = m_start - m_first
        return m_start, np.concatenate(parts, axis=1)[:, first:], touched[first:]

    def _m_stop(self, block: Block) -> int:
        """Return the number of the first grid sample that a block does not complete."""
        return (block.index + 1 - self._n_half_blocks) * self.n_per_block

    def _begin(self, block: Block) -> None:
        """Begin a segment: before its first sample lies nothing, infinitely far."""
        self._stamps_s = np.full(self._n_taps, -np.inf)
        self._data = np.zeros((len(block.data), self._n_taps))
        self._bridged = np.zeros(self._n_taps, dtype=bool)
        # Only samples whose whole kernel lies in the segment: none from half a neighbourhood.
        t_valid = float(block.stamps_s[0]) + self.half_s - self._period_s
        self._m_next = int(np.ceil(t_valid * self.sfreq))

    def _weights(self, distance_s: Floats) -> Floats:
        """Return the kernel at distances (s), shape (..., n_taps, n), columns sum to 1."""
        place = np.minimum(distance_s * ((TABLE_N - 1) / self.half_s), TABLE_N)
        at = place.astype(np.intp)
        weights = self._kernel[at] + self._slope[at] * (place - at)
        total = np.add.reduce(weights, axis=-2, keepdims=True)
        total[total == 0.0] = 1.0  # only before a segment's first valid sample, which nobody sees
        weights /= total
        return np.asarray(weights)

    def _tabulate(self, period_s: float) -> None:
        """Tabulate the kernel for a stream's rate; linear interpolation errs below 1e-6."""
        self._period_s = period_s
        self._n_taps = math.ceil(2 * (self.half_s + BLOCK_S) / period_s)  # and a block to spare
        cutoff_hz = CUTOFF * min(self.sfreq, 1.0 / period_s)
        offsets_s = np.linspace(0.0, self.half_s, TABLE_N)
        window = np.i0(KAISER_BETA * np.sqrt(1.0 - (offsets_s / self.half_s) ** 2))
        kernel = np.sinc(2.0 * cutoff_hz * offsets_s) * window / np.i0(KAISER_BETA)
        self._kernel = np.append(kernel, 0.0)  # the last entry is for everything beyond
        self._slope = np.append(np.diff(kernel), [0.0, 0.0])
