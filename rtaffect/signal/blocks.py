"""Samples re-cut into fixed blocks on absolute time.

How samples were chunked on their way must not matter to a single bit of a result. FIR filters,
matrix products and means are only bit-equal when they always see the same samples together; so
everything after the timeline works on blocks of 1/16 s that begin at whole multiples of 1/16 s.
"""

import itertools
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rtaffect.signal.timeline import Break, Floats, Span

BLOCKS_PER_S = 16
BLOCK_S = 1.0 / BLOCKS_PER_S


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """The samples of one segment in ``[index, index + 1) / 16`` s.

    Parameters
    ----------
    index : int
        The block's number on the absolute grid.
    stamps_s : ndarray of float64, shape (n_times,)
        Stamps on the runtime's clock.
    data : ndarray of float64, shape (n_channels, n_times)
        Samples.
    bridged : ndarray of bool, shape (n_times,)
        Samples that were never received.
    begins : Break or None
        Why a new segment begins with this block; None within a segment.
    """

    index: int
    stamps_s: Floats
    data: Floats
    bridged: npt.NDArray[np.bool_]
    begins: Break | None


class BlockCutter:
    """Cuts spans into blocks; a block is complete when the next sample must lie beyond it.

    The watermark after a sample is its stamp plus one period. A sample whose stamp lies a hair
    before the end of a block that the watermark already closed belongs to the next block.
    """

    def __init__(self) -> None:
        self._parts: list[Span] = []
        self._index = 0
        self._closed = -1
        self._begins: Break | None = None

    def push(self, span: Span, *, period_s: float) -> list[Block]:
        """Take a span; return the blocks that it completes, in order."""
        blocks: list[Block] = []
        if span.begins is not None:
            blocks += self.flush()
            self._begins = span.begins
        first, last = float(span.stamps_s[0]), float(span.stamps_s[-1])
        reached = math.floor((last + period_s) * BLOCKS_PER_S)
        index = max(math.floor(first * BLOCKS_PER_S), self._closed)
        if reached == index and (index == self._index or not self._parts):
            # By far the most frequent: all of it continues a block, and completes none.
            self._index = self._closed = index
            self._parts.append(span)
            return blocks
        return blocks + self._cut(span, period_s)

    def _cut(self, span: Span, period_s: float) -> list[Block]:
        """Share a span out among several blocks."""
        blocks: list[Block] = []
        own = np.floor(span.stamps_s * BLOCKS_PER_S).astype(np.int64)
        closed = np.floor((span.stamps_s + period_s) * BLOCKS_PER_S).astype(np.int64)
        before = np.concatenate([[self._closed], closed[:-1]])
        index = np.maximum(own, before)
        edges = [0, *(np.flatnonzero(index[1:] != index[:-1]) + 1).tolist(), len(index)]
        for start, stop in itertools.pairwise(edges):
            if self._parts and self._index != index[start]:
                blocks += self.flush()
            self._index = int(index[start])
            self._parts.append(
                Span(
                    span.stamps_s[start:stop],
                    span.data[:, start:stop],
                    span.bridged[start:stop],
                    None,
                )
            )
            if closed[stop - 1] > self._index:
                blocks += self.flush()
        self._closed = int(closed[-1])
        return blocks

    def flush(self) -> list[Block]:
        """Return the unfinished block, if any: its segment ended."""
        if not self._parts:
            return []
        whole = self._parts[0] if len(self._parts) == 1 else _joined(self._parts)
        block = Block(self._index, whole.stamps_s, whole.data, whole.bridged, self._begins)
        self._parts, self._begins = [], None
        return [block]


def _joined(parts: list[Span]) -> Span:
    return Span(
        np.concatenate([part.stamps_s for part in parts]),
        np.concatenate([part.data for part in parts], axis=1),
        np.concatenate([part.bridged for part in parts]),
        None,
    )
