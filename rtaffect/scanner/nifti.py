"""NIfTI files: a volume each, numbered by name, or a run each that may still be growing."""

import gzip
import math
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import numpy.typing as npt

from rtaffect.config.scanner_inputs import NiftiSettings
from rtaffect.core.errors import ScannerError
from rtaffect.scanner.acquired import (
    TR_RANGE_S,
    Acquired,
    Floats,
    Refused,
    RunEnd,
    Volume,
    check_header,
    read_tr,
)
from rtaffect.scanner.folder import State
from rtaffect.scanner.notes import Notes

HEADER_SIZES = (348, 540)
"""Of NIfTI-1 and NIfTI-2, which is what a file begins with."""

MAX_OFFSET = 1 << 24  # extensions lie between header and voxels
MAX_VOLUMES = 100_000
MAX_PACKED = 1040  # bytes that gzip makes of one at most
BATCH_BYTES = 1 << 26  # voxels read from one file at once
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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NiftiFile:
    """What was new in a file: volumes from number `first` on."""

    path: Path
    header: NiftiHeader
    first: int
    volumes: Sequence[npt.NDArray[np.generic]]
    t_arrival: float
    state: State


class NiftiReader:
    """Reads NIfTI files, see `rtaffect.scanner.folder.FileReader`.

    A file of several volumes is a run. Files of one volume are a run as long as their names differ
    in the last number alone. Volumes of a growing file are read as they are complete, up to the
    number that its header promises.

    Parameters
    ----------
    settings : NiftiSettings
        Whether the names' numbers count, and from which on.
    """

    def __init__(self, settings: NiftiSettings) -> None:
        self._first_number = settings.first_number
        self._notes = Notes()
        self._n_read: dict[Path, int] = {}  # volumes of files that are not read to their end
        self._n_runs = 0
        self._runs: dict[str, str] = {}
        self._n_in_run: dict[str, int] = {}
        self._began_with: dict[str, int] = {}
        self._open_run = ""

    @property
    def notes(self) -> tuple[str, ...]:
        """What the headers left unclear."""
        return self._notes.texts

    def shown(self, path: Path) -> str:
        """Return a file's name."""
        return path.name

    def forget(self, path: Path) -> None:
        """Drop what is known of a file that is gone."""
        self._n_read.pop(path, None)

    def read(self, path: Path, t_arrival: float) -> NiftiFile:
        """Return the volumes that are new; see `FileReader.read`."""
        import nibabel

        first = self._n_read.get(path, 0)
        volumes: list[npt.NDArray[np.generic]] = []
        try:
            size = path.stat().st_size
            with _opened(path) as file:
                header = read_header(file)
                n_wanted = min(header.n_volumes - first, max(1, BATCH_BYTES // header.n_bytes))
                largest = size * MAX_PACKED if _is_packed(path) else size
                if largest >= header.offset + header.n_bytes:
                    volumes = _volumes(file, header, first, n_wanted)
        except (OSError, EOFError, zlib.error) as error:
            msg = f"The file must be readable: {error}."
            raise ScannerError(msg) from None
        except (nibabel.spatialimages.HeaderDataError, ValueError, OverflowError) as error:
            msg = f"The file must have a valid NIfTI header: {error}."
            raise ScannerError(msg) from None
        if not volumes and not first:
            msg = (
                f"The file must hold a volume of {header.n_bytes} bytes from byte {header.offset} "
                "on, and ends before."
            )
            raise ScannerError(msg)
        n_read = first + len(volumes)
        if n_read == header.n_volumes:
            self._n_read.pop(path, None)
            state = State.WHOLE
        else:
            self._n_read[path] = n_read
            state = State.MORE if len(volumes) == n_wanted else State.GROWING
        for remark in header.remarks:
            self._notes.say(f"{path.name}: {remark}")
        return NiftiFile(
            path=path,
            header=header,
            first=first,
            volumes=volumes,
            t_arrival=t_arrival,
            state=state,
        )

    def gather(self, files: Sequence[NiftiFile]) -> list[Acquired]:
        """Return the files' volumes; see `FileReader.gather`."""
        arrived: list[Acquired] = []
        for file in files:
            name = file.path.name.removesuffix(".gz").removesuffix(".nii")
            if file.header.n_volumes > 1:
                arrived += self._in_run(str(file.path), file.t_arrival)
                arrived += self._placed(file, file.first)
                if file.state is State.WHOLE:
                    arrived += self._end_run(file.t_arrival)
                    del self._runs[str(file.path)]
                continue
            number = re.search(r"([0-9]+)(?=[^0-9]*$)", name)
            text = name if number is None else name[: number.start()] + "#" + name[number.end() :]
            series = str(file.path.with_name(text))
            if self._first_number is None:
                arrived += self._in_run(series, file.t_arrival)
                arrived += self._placed(file, self._n_in_run.get(series, 0))
                self._n_in_run[series] = self._n_in_run.get(series, 0) + 1
                continue
            index = -1 if number is None else int(number[0][-9:]) - self._first_number
            if index < 0:
                arrived.append(self._misnumbered(file))
                continue
            if self._began_with.get(series) == index:  # written anew: so is the run
                self._runs.pop(series, None)
            arrived += self._in_run(series, file.t_arrival)
            self._began_with.setdefault(series, index)
            arrived += self._placed(file, index)
        return arrived

    def _misnumbered(self, file: NiftiFile) -> Refused:
        reason = (
            f"{file.path.name}: the name of a single volume must hold its number, from "
            f"{self._first_number} on. Set first_number to what the first one has, or to null to "
            "count files as they come."
        )
        return Refused(reason=reason, t_arrival=file.t_arrival)

    def _placed(self, file: NiftiFile, first: int) -> list[Acquired]:
        return [
            Volume(
                data=data,
                affine=file.header.affine,
                index=first + i,
                run=self._open_run,
                tr_s=file.header.tr_s,
                t_acq=math.nan,
                t_arrival=file.t_arrival,
            )
            for i, data in enumerate(file.volumes)
        ]

    def _in_run(self, series: str, t_arrival: float) -> list[Acquired]:
        """Turn to a run; one that was not there before ends the last."""
        known = series in self._runs
        ended = [] if known or not self._open_run else self._end_run(t_arrival)
        if not known:
            self._n_runs += 1
            self._runs[series] = str(self._n_runs)
        self._open_run = self._runs[series]
        return ended

    def _end_run(self, t_arrival: float) -> list[Acquired]:
        run, self._open_run = self._open_run, ""
        return [RunEnd(run=run, t_arrival=t_arrival)]


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
            return math.nan, ("has no TR: the time unit is not set.",) if n_axes > 3 else ()
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


def _is_packed(path: Path) -> bool:
    return path.suffix == ".gz"


def _opened(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path)) if _is_packed(path) else path.open("rb")


def _volumes(
    file: IO[bytes], header: NiftiHeader, first: int, n_wanted: int
) -> list[npt.NDArray[np.generic]]:
    """Return the complete volumes from a number on, at most so many."""
    volumes: list[npt.NDArray[np.generic]] = []
    try:
        file.seek(header.offset + first * header.n_bytes)
        while len(volumes) < n_wanted:
            raw = file.read(header.n_bytes)
            if len(raw) < header.n_bytes:
                break
            volumes.append(_values(raw, header))
    except (EOFError, zlib.error, gzip.BadGzipFile):  # packed, and not yet whole
        return volumes
    return volumes


def _values(raw: bytes, header: NiftiHeader) -> npt.NDArray[np.generic]:
    from nibabel.volumeutils import apply_read_scaling

    voxels = np.frombuffer(raw, dtype=header.dtype).reshape(header.shape, order="F")
    with np.errstate(over="ignore", invalid="ignore"):  # then they are inf or NaN, and said so
        values = apply_read_scaling(voxels, header.slope, header.inter)
    native: npt.NDArray[np.generic] = values.astype(values.dtype.newbyteorder("="), copy=False)
    return native
