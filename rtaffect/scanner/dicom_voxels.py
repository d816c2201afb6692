"""The voxels of a DICOM file as arrays, checked against what is claimed of them."""

import math

import numpy as np

from rtaffect.core.errors import ScannerError
from rtaffect.scanner import dicom_tags as tags
from rtaffect.scanner.acquired import Floats, check_header
from rtaffect.scanner.dicom_image import Voxels
from rtaffect.scanner.dicom_tags import DicomTags

SIZES = {8: "1", 16: "2", 32: "4"}


def frames_of(found: DicomTags, shape: tuple[int, int, int], *, n_volumes: int = 1) -> Voxels:
    """Return all voxels as frames of rows and columns.

    Parameters
    ----------
    found : DicomTags
        The file.
    shape : tuple of int
        Columns, rows and slices of a volume.
    n_volumes : int
        How many there are.

    Raises
    ------
    ScannerError
        The claims are impossible, too large, or do not fit the bytes.
    """
    bits = found.whole(tags.BITS_ALLOCATED, default=0)
    if found.whole(tags.SAMPLES_PER_PIXEL, default=1) != 1 or bits not in SIZES:
        msg = f"Voxels must be one whole number of 8, 16 or 32 bits each, got {bits} bits."
        raise ScannerError(msg)
    sign = "i" if found.whole(tags.PIXEL_REPRESENTATION, default=0) else "u"
    dtype = np.dtype(f"{found.byte_order}{sign}{SIZES[bits]}")
    raw = found.value(tags.PIXEL_DATA) or b""
    n_bytes = math.prod(shape) * dtype.itemsize
    check_header(shape, dtype, n_bytes=n_bytes)
    if not 0 <= len(raw) - n_bytes * n_volumes <= 1:  # an odd number is padded
        msg = f"The file must hold {n_bytes * n_volumes} bytes of voxels, and holds {len(raw)}."
        raise ScannerError(msg)
    frames = np.frombuffer(raw, dtype=dtype, count=math.prod(shape) * n_volumes)
    return frames.reshape(-1, shape[1], shape[0]).astype(dtype.newbyteorder("="), copy=False)


def scaled(data: Voxels, found: DicomTags) -> Voxels:
    """Return voxels as the values that the file's scale makes of them."""
    slope = found.number(tags.RESCALE_SLOPE, default=1.0)
    inter = found.number(tags.RESCALE_INTERCEPT, default=0.0)
    return values_of(data, np.array([slope]), np.array([inter]))


def values_of(data: Voxels, slope: Floats, inter: Floats) -> Voxels:
    """Return voxels as values, with a scale for all or one for each slice."""
    if (slope == 1.0).all() and (inter == 0.0).all():
        return data
    with np.errstate(over="ignore", invalid="ignore"):  # then they are inf or NaN, and said so
        return np.asarray(data.astype(np.float64) * slope + inter, dtype=np.float32)
