"""The newest samples of a grid, addressed by their absolute number."""

from typing import Any

import numpy as np
import numpy.typing as npt


class GridRing:
    """A ring of grid samples that is never moved in memory.

    Every sample is written twice, half a buffer apart, so that any run of samples is one contiguous
    view. Samples that were never written read as `fill`.

    Parameters
    ----------
    n_channels : int
        Rows.
    capacity : int
        How many of the newest samples are kept.
    dtype : dtype
        Element type.
    fill : scalar
        What an absent sample reads as.
    """

    def __init__(self, n_channels: int, capacity: int, *, dtype: npt.DTypeLike, fill: Any) -> None:
        self.capacity = capacity
        self.fill = fill
        self._buffer = np.full((n_channels, 2 * capacity), fill, dtype=dtype)
        self.m_next: int | None = None

    def write(self, m_start: int, data: npt.NDArray[Any]) -> None:
        """Append samples ``m_start, m_start + 1, ...``; numbers that were skipped become `fill`.

        Parameters
        ----------
        m_start : int
            Grid number of the first sample; never before a sample that is already there.
        data : ndarray, shape (n_channels, n)
            The samples.
        """
        if self.m_next is None:
            self.m_next = m_start
        assert m_start >= self.m_next, "a grid is written in order"
        n_skipped = min(m_start - self.m_next, self.capacity)
        if n_skipped:
            self._put(m_start - n_skipped, np.full((len(self._buffer), n_skipped), self.fill))
        n_kept = min(data.shape[1], self.capacity)
        m_stop = m_start + data.shape[1]
        self._put(m_stop - n_kept, data[:, data.shape[1] - n_kept :])
        self.m_next = m_stop

    def read(self, m_start: int, m_stop: int) -> npt.NDArray[Any]:
        """Return a copy of samples ``[m_start, m_stop)``, absent ones as `fill`."""
        m_next = m_start if self.m_next is None else self.m_next
        first = max(m_start, m_next - self.capacity)
        last = min(m_stop, m_next)
        if first == m_start and last == m_stop:
            at = m_start % self.capacity
            return self._buffer[:, at : at + m_stop - m_start].copy()
        out = np.full((len(self._buffer), m_stop - m_start), self.fill, dtype=self._buffer.dtype)
        if last > first:
            at = first % self.capacity
            out[:, first - m_start : last - m_start] = self._buffer[:, at : at + last - first]
        return out

    def _put(self, m_start: int, data: npt.NDArray[Any]) -> None:
        at = m_start % self.capacity
        n_head = min(data.shape[1], self.capacity - at)
        for half in (0, self.capacity):
            self._buffer[:, half + at : half + at + n_head] = data[:, :n_head]
            if n_head < data.shape[1]:
                self._buffer[:, half : half + data.shape[1] - n_head] = data[:, n_head:]
