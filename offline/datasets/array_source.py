"""Arrays in memory, or mapped from disk, as a source of events."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import merge
from types import MappingProxyType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from rtaffect.core.streams import Chunk, ClockOffset, Event, StreamInfo, Tick

CHUNK_S = 0.25
"""Samples come in pieces of this length, and no window waits longer than that for any."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Segment:
    """Samples without a break.

    Parameters
    ----------
    modality : str
        Key of the stream.
    data : ndarray, shape (n_channels, n_times)
        Samples, in the stream's unit.
    stamps_s : ndarray, shape (n_times,)
        Their times in seconds.
    mirror_s : float
        How much is added at each end, mirrored about the last sample (odd reflection). A resampler
        looks half its kernel ahead and back, so that a clip cut to exactly 60 s would lose its
        first and last window for want of some 60 ms; with a sharp edge it would ring. Only for
        regular signals.
    """

    modality: str
    data: npt.NDArray[Any]
    stamps_s: npt.NDArray[np.float64]
    mirror_s: float = 0.0

    def events(self) -> Iterator[Chunk]:
        """Yield the samples; each arrives when the last of its piece was measured."""
        stamps, data = self.stamps_s, self.data
        if self.mirror_s and len(stamps) > 2:
            stamps, data = self._mirrored()
        if not len(stamps):
            return
        pieces = np.floor(stamps / CHUNK_S).astype(np.int64)
        edges = [0, *(np.flatnonzero(np.diff(pieces)) + 1).tolist(), len(stamps)]
        for start, stop in itertools.pairwise(edges):
            yield Chunk(
                self.modality,
                np.asarray(data[:, start:stop]),
                stamps[start:stop],
                float(stamps[stop - 1]),
            )

    def _mirrored(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[Any]]:
        period_s = (self.stamps_s[-1] - self.stamps_s[0]) / (len(self.stamps_s) - 1)
        n = min(round(self.mirror_s / period_s), len(self.stamps_s) - 1)
        data = np.asarray(self.data)
        before = 2 * data[:, :1] - data[:, n:0:-1]
        after = 2 * data[:, -1:] - data[:, -2 : -2 - n : -1]
        steps = np.arange(1, n + 1) * period_s
        stamps = [self.stamps_s[0] - steps[::-1], self.stamps_s, self.stamps_s[-1] + steps]
        return np.concatenate(stamps), np.concatenate([before, data, after], axis=1)


class ArraySource:
    """Segments of any streams, played as fast as they can be read.

    Parameters
    ----------
    infos : mapping of str to StreamInfo
        The streams, by modality.
    segments : sequence of Segment
        In order of time for each modality, not overlapping.
    tick_s : float
        Distance of ticks in seconds.
    """

    def __init__(
        self, infos: Mapping[str, StreamInfo], segments: Sequence[Segment], *, tick_s: float = 0.25
    ) -> None:
        self._infos = dict(infos)
        self._segments = tuple(segments)
        self._tick_s = tick_s
        self._closed = False

    @property
    def infos(self) -> Mapping[str, StreamInfo]:
        """The streams, by modality."""
        return MappingProxyType(self._infos)

    @property
    def n_waiting(self) -> int:
        """Nothing waits: samples are there when they are asked for."""
        return 0

    def events(self) -> Iterator[Event]:
        """Yield everything in engine order: ``t_received`` never decreases."""
        held = [s for s in self._segments if len(s.stamps_s)]
        if not held:
            return
        t_first = min(float(s.stamps_s[0]) - s.mirror_s for s in held)
        t_last = max(float(s.stamps_s[-1]) + s.mirror_s for s in held)
        lanes = [self._lane(modality, t_first) for modality in self._infos]
        for event in merge(*lanes, self._ticks(t_first, t_last), key=_received):
            if self._closed:
                return
            yield event

    def close(self) -> None:
        """End `events`."""
        self._closed = True

    def __enter__(self) -> Self:
        """Return the source, which is always open."""
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Close."""
        self.close()

    def _lane(self, modality: str, t_first: float) -> Iterator[Event]:
        yield ClockOffset(modality, 0.0, t_first)
        for segment in self._segments:
            if segment.modality == modality:
                yield from segment.events()

    def _ticks(self, t_first: float, t_last: float) -> Iterator[Event]:
        n_ticks = int((t_last - t_first) / self._tick_s) + 5  # what waits at the end is closed
        for number in range(1, n_ticks + 1):
            yield Tick(t_first + number * self._tick_s)


def _received(event: Event) -> float:
    return event.t_received
