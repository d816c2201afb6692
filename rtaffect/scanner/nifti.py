"""NIfTI files: a volume each, numbered by name, or a run each that may still be growing."""

import gzip
import math
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import numpy as np
import numpy.typing as npt

from rtaffect.config.scanner_inputs import NiftiSettings
from rtaffect.core.errors import ScannerError
from rtaffect.scanner.acquired import Acquired, Refused, RunEnd, Volume
from rtaffect.scanner.folder import State
from rtaffect.scanner.nifti_header import NiftiHeader, read_header
from rtaffect.scanner.notes import Notes

MAX_PACKED = 1040  # bytes that gzip makes of one at most
BATCH_BYTES = 1 << 26  # voxels read from one file at once


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
        import nibabel  # noqa: F401 - takes its time, and the first volume has none

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
        from nibabel.spatialimages import HeaderDataError

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
        except (ArithmeticError, HeaderDataError, LookupError, TypeError, ValueError) as error:
            msg = f"The file must have a valid NIfTI header ({type(error).__name__}: {error})."
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
                return volumes
            volumes.append(_values(raw, header))
        if first + n_wanted == header.n_volumes:
            file.read(1)  # at the end of a packed file its checksum is looked at
    except (EOFError, zlib.error, gzip.BadGzipFile):  # packed, and not yet whole
        if len(volumes) == n_wanted:
            volumes.pop()
    return volumes


def _values(raw: bytes, header: NiftiHeader) -> npt.NDArray[np.generic]:
    from nibabel.volumeutils import apply_read_scaling

    voxels = np.frombuffer(raw, dtype=header.dtype).reshape(header.shape, order="F")
    with np.errstate(over="ignore", invalid="ignore"):  # then they are inf or NaN, and said so
        values = apply_read_scaling(voxels, header.slope, header.inter)
    native: npt.NDArray[np.generic] = values.astype(values.dtype.newbyteorder("="), copy=False)
    return native
