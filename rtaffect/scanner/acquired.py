"""What comes out of a scanner's software, whatever protocol carried it, and how large it may be."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

from rtaffect.core.voxels import (
    DTYPES,
    MAX_BYTES,
    MAX_SIDE,
    TR_RANGE_S,
    check_header,
    read_tr,
)

__all__ = [
    "DTYPES",
    "MAX_BYTES",
    "MAX_SIDE",
    "TR_RANGE_S",
    "Acquired",
    "Floats",
    "Refused",
    "RoiMeans",
    "RunEnd",
    "ScannerInput",
    "Volume",
    "check_header",
    "read_tr",
]

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
