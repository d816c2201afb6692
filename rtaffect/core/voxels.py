"""What a volume may be: how large, of which numbers, how often. Checked before it is allocated."""

import math
from collections.abc import Sequence

import numpy as np

from rtaffect.core.errors import ScannerError

DTYPES = frozenset({"i1", "u1", "i2", "u2", "i4", "u4", "f4", "f8"})
"""Kinds and sizes of voxels that are read; never objects, which would be pickles."""

MAX_SIDE = 1024
MAX_BYTES = 1 << 28
"""Nobody's volume is larger; what claims to be is not a volume."""

TR_RANGE_S = (0.1, 10.0)
"""Repetition times that scanners have; a number above is read as milliseconds."""


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
