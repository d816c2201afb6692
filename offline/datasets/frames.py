"""ROI frames in memory as a source, and which regions all recordings have."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy.typing as npt

from offline.datasets.array_source import ArraySource, Segment
from rtaffect.core.streams import StreamInfo

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


def in_all(names: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """Return the regions that every recording has, by name as people count: 2 before 10."""
    found = [set(each) for each in names]
    shared = set.intersection(*found) if found else set()
    return tuple(sorted(shared, key=_as_people_count))


def _as_people_count(name: str) -> list[tuple[bool, int, str]]:
    parts = [part for part in _NUMBERS.split(name) if part]
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]
