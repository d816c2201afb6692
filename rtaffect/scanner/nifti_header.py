"""The header of a NIfTI file, checked before anything is allocated for what it promises."""

import math
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from rtaffect.core.errors import ScannerError
from rtaffect.scanner.acquired import TR_RANGE_S, Floats, check_header, read_tr

HEADER_SIZES = (348, 540)
"""Of NIfTI-1 and NIfTI-2, which is what a file begins with."""

MAX_OFFSET = 1 << 24  # extensions lie between header and voxels
MAX_VOLUMES = 100_000
TIME_UNITS_S = {8: 1.0, 16: 1e-3, 24: 1e-6}
DEFAULT_TR = 1.0  # what libraries write when nobody told them


@dataclass(frozen=True, slots=True, kw_only=True)
class NiftiHeader:
    """What a header says, checked.

    Parameters
    ----------
    shape : tuple of int
        Voxels along the three axes.
    n_volumes : int
        Volumes that the file has, or will have.
    dtype : dtype
        Of a voxel in the file.
    offset : int
        Where voxels begin, in bytes.
    slope, inter : float
        What makes values of voxels.
    affine : ndarray, shape (4, 4)
        Voxel to world in mm, RAS+.
    tr_s : float
        Repetition time in seconds, or NaN.
    remarks : tuple of str
        What in it is unclear.
    """

    shape: tuple[int, ...]
    n_volumes: int
    dtype: np.dtype[Any]
    offset: int
    slope: float
    inter: float
    affine: Floats
    tr_s: float
    remarks: tuple[str, ...]

    @property
    def n_bytes(self) -> int:
        """Size of a volume in the file."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_header(file: IO[bytes]) -> NiftiHeader:
    """Read and check a header before anything is allocated for what it promises.

    Parameters
    ----------
    file : binary file
        At its beginning; one that is unpacked as it is read, too.

    Raises
    ------
    ScannerError
        It is none of a single-file NIfTI image, or what it promises is impossible or too large.
    """
    import nibabel

    head = file.read(max(HEADER_SIZES))
    size = next(
        (
            n
            for n in HEADER_SIZES
            if head[:4] in (n.to_bytes(4, "little"), n.to_bytes(4, "big")) and len(head) >= n
        ),
        None,
    )
    if size is None:
        msg = f"The file must begin with a NIfTI header, got {head[:4].hex(' ') or 'nothing'}."
        raise ScannerError(msg)
    kind: Any = nibabel.Nifti1Header if size == HEADER_SIZES[0] else nibabel.Nifti2Header
    header = kind(head[:size], check=False)
    if bytes(header["magic"])[:2] != b"n+":
        msg = "Header and voxels must be in one file (.nii), got the header of a pair (.hdr, .img)."
        raise ScannerError(msg)
    n_axes = int(header["dim"][0])
    sides = [int(n) for n in header["dim"][1 : 1 + max(0, n_axes)]]
    if n_axes not in range(3, 8) or any(n != 1 for n in sides[4:]):
        msg = f"The image must be a volume or a run of volumes, got the sides {sides}."
        raise ScannerError(msg)
    n_volumes = sides[3] if n_axes > 3 else 1
    if not 1 <= n_volumes <= MAX_VOLUMES:
        msg = f"The image must have 1 to {MAX_VOLUMES} volumes, got {n_volumes}."
        raise ScannerError(msg)
    dtype = header.get_data_dtype()
    check_header(sides[:3], dtype, n_bytes=math.prod(sides[:3]) * dtype.itemsize)
    offset = float(header["vox_offset"])
    if not size <= offset <= MAX_OFFSET or offset != int(offset):
        msg = f"Voxels must begin at a byte from {size} to {MAX_OFFSET}, got {offset:g}."
        raise ScannerError(msg)
    slope, inter = header.get_slope_inter()
    affine = np.asarray(header.get_best_affine(), dtype=np.float64)
    if not np.isfinite(affine).all():
        msg = "The affine of the image must be finite numbers; write the file anew with its sform."
        raise ScannerError(msg)
    tr_s, remarks = _tr(header, n_axes)
    if int(header["sform_code"]) <= 0 and int(header["qform_code"]) <= 0:
        remarks += ("has neither sform nor qform: where its voxels lie in the head is a guess.",)
    return NiftiHeader(
        shape=tuple(sides[:3]),
        n_volumes=n_volumes,
        dtype=dtype,
        offset=int(offset),
        slope=1.0 if slope is None else float(slope),
        inter=0.0 if inter is None else float(inter),
        affine=affine,
        tr_s=tr_s,
        remarks=remarks,
    )


def _tr(header: Any, n_axes: int) -> tuple[float, tuple[str, ...]]:
    """Return the repetition time in seconds, or NaN, and what there is to say of it."""
    written = float(header["pixdim"][4])
    unit_s = TIME_UNITS_S.get(int(header["xyzt_units"]) & 0x38)
    if unit_s is None:
        if n_axes == 3 or written == DEFAULT_TR:
            return math.nan, ()
        tr_s = read_tr(written)
        return tr_s, (f"gives a TR of {written:g} without a unit: taken as {tr_s:g} s.",)
    tr_s = written * unit_s
    if TR_RANGE_S[0] <= tr_s <= TR_RANGE_S[1]:
        return tr_s, ()
    read_s = read_tr(written)
    if math.isnan(read_s):
        return math.nan, (f"gives a TR of {tr_s:g} s, which no scanner has: left out.",)
    return read_s, (
        f"gives a TR of {tr_s:g} s by its own unit, which no scanner has: taken as {read_s:g} s.",
    )
