"""Frames of fMRI as sources: regions in memory, volumes one by one; and regions that all have."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Self, cast

import numpy as np
import numpy.typing as npt

from offline.datasets.array_source import ArraySource, Segment
from rtaffect.core.streams import ClockOffset, Event, StreamInfo, Tick, VolumeChunk
from rtaffect.scanner.acquired import Volume

_NUMBERS = re.compile(r"(\d+)")


def roi_source(
    frames: npt.NDArray[Any],
    stamps_s: npt.NDArray[Any],
    *,
    name: str,
    ch_names: Sequence[str],
    about: Mapping[str, str],
) -> ArraySource:
    """Return frames of regions as a source of one stream, modality ``"roi"``.

    Parameters
    ----------
    frames : ndarray, shape (n_regions, n_frames)
        Means of the regions.
    stamps_s : ndarray, shape (n_frames,)
        Middle of each frame's acquisition, rising.
    name : str
        Of the stream.
    ch_names : sequence of str
        Names of the regions.
    about : mapping of str to str
        What the stream declares, see `rtaffect.core.streams.StreamInfo`.
    """
    info = StreamInfo(
        modality="roi",
        name=name,
        stype="fMRI",
        ch_names=tuple(ch_names),
        sfreq=0.0,
        units=("",) * len(ch_names),
        about=about,
    )
    return ArraySource({"roi": info}, [Segment(modality="roi", data=frames, stamps_s=stamps_s)])


class VolumeSource:
    """Volumes as a source of one stream, one in memory at a time.

    Parameters
    ----------
    info : StreamInfo
        The stream.
    volumes : callable
        Returns them anew, `t_arrival` being the middle of the acquisition.
    tr_s : float
        Distance of volumes in seconds.
    """

    def __init__(
        self, info: StreamInfo, volumes: Callable[[], Iterator[Volume]], *, tr_s: float
    ) -> None:
        self._info = info
        self._volumes = volumes
        self._tr_s = tr_s
        self._closed = False

    @property
    def infos(self) -> Mapping[str, StreamInfo]:
        """The one stream."""
        return MappingProxyType({self._info.modality: self._info})

    @property
    def n_waiting(self) -> int:
        """Nothing waits: volumes are made when they are asked for."""
        return 0

    def events(self) -> Iterator[Event]:
        """Yield every volume when its acquisition has ended, and a tick."""
        for volume in self._volumes():
            if self._closed:
                return
            t_received = volume.t_arrival + self._tr_s / 2
            if volume.index == 0:
                yield ClockOffset(self._info.modality, 0.0, volume.t_arrival)
            yield VolumeChunk(
                modality=self._info.modality,
                data=volume.data.reshape(-1, 1),
                stamps_s=np.array([volume.t_arrival]),
                t_received=t_received,
                shape=cast("tuple[int, int, int]", volume.data.shape),
                affine=volume.affine,
                index=volume.index,
            )
            yield Tick(t_received)

    def close(self) -> None:
        """End `events`."""
        self._closed = True

    def __enter__(self) -> Self:
        """Return the source, which is always open."""
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Close."""
        self.close()


def in_all(names: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """Return the regions that every recording has, by name as people count: 2 before 10."""
    found = [set(each) for each in names]
    shared = set.intersection(*found) if found else set()
    return tuple(sorted(shared, key=_as_people_count))


def _as_people_count(name: str) -> list[tuple[bool, int, str]]:
    parts = [part for part in _NUMBERS.split(name) if part]
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]
