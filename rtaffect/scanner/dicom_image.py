"""What a DICOM file holds, whatever way it holds it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rtaffect.scanner.acquired import Floats

Voxels = npt.NDArray[np.generic]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Which series an image is of.

    Parameters
    ----------
    name : str
        Its number, and a digest of its identity.
    kinds : tuple of str
        The words of ImageType.
    """

    name: str
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stack:
    """A volume: voxels by column, row and slice, where they lie, and when it was acquired.

    Parameters
    ----------
    data, affine
        As of `rtaffect.scanner.acquired.Volume`.
    number : int
        From 0; counted within the file where it holds several.
    t_start_s : float
        When its acquisition began, in seconds since midnight or since the run began; NaN when
        nothing says so.
    to_middle_s : float
        From there to its middle; NaN when the TR is not known.
    """

    data: Voxels
    affine: Floats
    number: int
    t_start_s: float
    to_middle_s: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Slice:
    """A slice that has a file of its own; `n_slices` is 0 where nothing says how many there are."""

    data: Voxels
    position: tuple[float, ...]
    orientation: tuple[float, ...]
    spacing: tuple[float, ...]
    thickness: float
    t_start_s: float
    n_slices: int
    time_number: int  # which volume it belongs to, from 1; 0 where nothing says so


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DicomImage:
    """What a file holds: volumes, or one slice."""

    series: Series
    instance: int
    acquisition: int
    echo: int
    tr_s: float
    content: tuple[Stack, ...] | Slice
    remarks: tuple[str, ...] = ()


def to_middle(times_s: Sequence[float], tr_s: float) -> float:
    """Return the time from the start of a volume to the middle of its acquisition, in seconds.

    Parameters
    ----------
    times_s : sequence of float
        When its slices were begun, where that is known: with a pause between volumes the middle
        is not that of the TR.
    tr_s : float
        Repetition time in seconds, or NaN.
    """
    distinct = np.unique(np.asarray(times_s, dtype=np.float64))
    if len(distinct) > 1:
        middle_s = float(distinct[0] + distinct[-1] + np.median(np.diff(distinct))) / 2
        if middle_s > 0.0 and not middle_s > tr_s:
            return middle_s
    return tr_s / 2
