"""Resampling onto the absolute grid ``m / sfreq``, driven by stamps.

One continuous low-pass kernel (a Kaiser-windowed sinc) is both the anti-alias filter and the
interpolator: ``y(t_m) = sum_n x_n h(t_m - t_n) / sum_n h(t_m - t_n)``. Because it looks at stamps
and not at sample counts, a sender's drift never changes the number of samples, and the delay is
exactly the kernel's half-length at every rate. See Smith & Gossett 1984,
doi:10.1109/ICASSP.1984.1172555.
"""

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
        self._blocks: list[Block] = []
        self._m_next = 0

    def push(self, block: Block, *, period_s: float) -> tuple[int, Floats, npt.NDArray[np.bool_]]:
        """Take a block; return the grid samples that it completes.

        Parameters
        ----------
        block : Block
            The next block of the stream.
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
        if block.begins is not None:
            # Only samples whose whole kernel lies in the segment: none from half a neighbourhood.
            self._blocks = []
            t_valid = float(block.stamps_s[0]) + self.half_s - period_s
            self._m_next = int(np.ceil(t_valid * self.sfreq))
        self._blocks = [
            kept for kept in self._blocks if kept.index >= block.index - 2 * self._n_half_blocks - 1
        ]
        self._blocks.append(block)
        m_stop = (block.index + 1 - self._n_half_blocks) * self.n_per_block
        m_start = self._m_next
        n = max(0, m_stop - m_start)
        if n == 0:
            return m_start, np.empty((block.data.shape[0], 0)), np.empty(0, dtype=bool)
        self._m_next = m_stop
        stamps = np.concatenate([kept.stamps_s for kept in self._blocks])
        times = (m_start + np.arange(n)) / self.sfreq
        distance = np.abs(stamps[:, None] - times)
        weights = self._weights(distance)
        data = np.concatenate([kept.data for kept in self._blocks], axis=1) @ weights
        bridged = np.concatenate([kept.bridged for kept in self._blocks])
        touched = np.zeros(n, dtype=bool)
        if bridged.any():
            reach_s = max(period_s, 1.0 / self.sfreq)
            touched = (distance[bridged] <= reach_s).any(axis=0)
        return m_start, data, touched

    def _weights(self, distance_s: Floats) -> Floats:
        """Return the kernel at distances (s), shape (n_samples, n), columns sum to 1."""
        place = np.minimum(distance_s * ((TABLE_N - 1) / self.half_s), TABLE_N)
        at = place.astype(np.intp)
        weights = self._kernel[at] + self._slope[at] * (place - at)
        weights /= np.add.reduce(weights, axis=0)
        return np.asarray(weights)

    def _tabulate(self, period_s: float) -> None:
        """Tabulate the kernel for a stream's rate; linear interpolation errs below 1e-6."""
        self._period_s = period_s
        cutoff_hz = CUTOFF * min(self.sfreq, 1.0 / period_s)
        offsets_s = np.linspace(0.0, self.half_s, TABLE_N)
        window = np.i0(KAISER_BETA * np.sqrt(1.0 - (offsets_s / self.half_s) ** 2))
        kernel = np.sinc(2.0 * cutoff_hz * offsets_s) * window / np.i0(KAISER_BETA)
        self._kernel = np.append(kernel, 0.0)  # the last entry is for everything beyond
        self._slope = np.append(np.diff(kernel), [0.0, 0.0])
