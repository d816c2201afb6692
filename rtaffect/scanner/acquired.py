"""What comes out of a scanner's software, whatever protocol carried it, and how large it may be."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

from rtaffect.core.errors import ScannerError

DTYPES = frozenset({"i1", "u1", "i2", "u2", "i4", "u4", "f4", "f8"})
"""Kinds and sizes of voxels that are read; never objects, which would be pickles."""

MAX_SIDE = 1024
MAX_BYTES = 1 << 28
"""Nobody's volume is larger; what claims to be is not a volume."""

TR_RANGE_S = (0.1, 10.0)
"""Repetition times that scanners have; a number above is read as milliseconds."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Volume:
    """One volume.

    Parameters
    ----------
    data : ndarray, shape (x, y, z)
        Voxels in native byte order, RAS+ after `affine`.
    affine : ndarray of float64, shape (4, 4)
        Voxel to world in millimetres.
    index : int
        Number in its run, from 0.
    run : str
        Which run: a series' identity, or a number.
    tr_s : float
        Repetition time in seconds; NaN where the sender does not say.
    t_acq : float
        Middle of the acquisition on the scanner computer's own clock, in seconds since some zero;
        NaN where the sender does not say.
    t_arrival : float
        When its last byte was here, on the runtime's clock.
    """

    data: npt.NDArray[np.generic]
    affine: Floats
    index: int
    run: str
    tr_s: float
    t_acq: float
    t_arrival: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RoiMeans:
    """Means of regions that the scanner's software made itself.

    Parameters
    ----------
    values : ndarray of float64, shape (n_regions,)
        NaN where a region has none.
    motion : ndarray of float64, shape (6,), or None
        dx, dy, dz in mm and roll, pitch, yaw in degrees.
    index, run, tr_s, t_acq, t_arrival
        As of `Volume`.
    """

    values: Floats
    motion: Floats | None
    index: int
    run: str
    tr_s: float
    t_acq: float
    t_arrival: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnd:
    """The sender says that a run is over.

    Parameters
    ----------
    run : str
        Which one.
    t_arrival : float
        When it said so, on the runtime's clock.
    """

    run: str
    t_arrival: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Something arrived that cannot be used; whoever watches is told, and the next may be good.

    Parameters
    ----------
    reason : str
        What must hold, what was got, what to do.
    t_arrival : float
        When it came, on the runtime's clock.
    """

    reason: str
    t_arrival: float


Acquired = Volume | RoiMeans | RunEnd | Refused


class ScannerInput(Protocol):
    """One way in. `receive` is called by one thread; `close` by any, more than once."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What people should know: where it listens, what it waits for."""

    def receive(self, timeout_s: float) -> Sequence[Acquired]:
        """Return all that arrived, in order; nothing when nothing came for `timeout_s`.

        Raises
        ------
        ScannerError
            The way in is broken for good (the port is taken, the folder is gone).
        """

    def close(self) -> None:
        """Let go of sockets and files."""

    def __enter__(self) -> Self:
        """Return the open input."""

    def __exit__(self, *exc_info: object) -> None:
        """Close."""


def check_header(shape: Sequence[int], dtype: np.dtype[np.generic], *, n_bytes: int) -> None:
    """Check what a sender claims of a volume, before anything is allocated.

    Parameters
    ----------
    shape : sequence of int
        Voxels along the axes.
    dtype : dtype
        Of a voxel.
    n_bytes : int
        How many bytes there are.

    Raises
    ------
    ScannerError
        The claims are impossible, too large, or do not fit the bytes.
    """
    sides = tuple(shape)
    if len(sides) != 3 or not all(isinstance(n, int) and 0 < n <= MAX_SIDE for n in sides):
        msg = f"A volume must have three sides from 1 to {MAX_SIDE} voxels, got {sides[:8]}."
        raise ScannerError(msg)
    if dtype.str[1:] not in DTYPES:
        msg = f"Voxels must be of type {', '.join(sorted(DTYPES))}, got {dtype.str}."
        raise ScannerError(msg)
    wanted = math.prod(sides) * dtype.itemsize
    if wanted > MAX_BYTES or wanted != n_bytes:
        msg = (
            f"A volume of {sides} {dtype.name} must have {wanted} bytes and at most {MAX_BYTES}, "
            f"got {n_bytes}."
        )
        raise ScannerError(msg)


def read_tr(value: float) -> float:
    """Return a repetition time in seconds, whatever unit the sender has; NaN for an impossible one.

    Senders do not agree on seconds or milliseconds, even those of one project.
    """
    for tr_s in (value, value / 1000.0):
        if TR_RANGE_S[0] <= tr_s <= TR_RANGE_S[1]:
            return tr_s
    return math.nan
