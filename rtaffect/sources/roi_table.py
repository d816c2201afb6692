"""Tables of ROI frames (a row a frame, a column a region) as a stream of fMRI.

The first line names the regions, by which they are matched, whatever their order. A column ``t_s``,
where there is one, says when each frame was acquired (its middle, in seconds); else frames lie a TR
apart. What a table cannot say, a file beside it can, see `rtaffect.sources.roi_declared`.
"""

import csv
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import compress
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rtaffect.core.errors import RecordingError
from rtaffect.core.spec_checks import MAX_VALUES
from rtaffect.core.streams import Event
from rtaffect.sources.recorded import RecordedStream, plain_events
from rtaffect.sources.roi_declared import Declared, declared, is_declared, sidecar_of

TIME_COLUMN = "t_s"
REFERENCE = "acquisition.time_reference"
MISSING = frozenset({"", "n/a", "na", "nan"})
"""What stands where a region has no value, in lower case."""

TR_RANGE_S = (0.1, 20.0)
MAX_REGIONS = 4096
MAX_SHOWN = 80
WANTED = (
    f"Wanted is a row a volume and a column a region, named in the first line; a column "
    f"{TIME_COLUMN}, if there is one, says when each volume was acquired."
)
OF_OTHERS = frozenset({"timestamp", "confidence"})
"""Columns that no table of ROI frames has: OpenFace's."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RoiTable:
    """What a table holds.

    Parameters
    ----------
    ch_names : tuple of str
        Regions, in the order of the columns.
    data : ndarray of float64, shape (n_regions, n_frames)
        Their means; NaN where there is none.
    stamps_s : ndarray of float64, shape (n_frames,)
        Middle of each frame's acquisition in seconds.
    about : mapping of str to str
        What is declared of them, by dotted key.
    """

    ch_names: tuple[str, ...]
    data: npt.NDArray[np.float64]
    stamps_s: npt.NDArray[np.float64]
    about: Mapping[str, str]


class RoiTableRecording:
    """A table of ROI frames as a file that is played, see `RecordedFile`.

    Parameters
    ----------
    path : Path
        The table, of comma- or tab-separated values.
    tr_s : float, optional
        Repetition time in seconds, for a table that has no other way to say it.

    Raises
    ------
    RecordingError
        It is no such table, or its times are not known.
    """

    is_relative = True
    is_session = False

    def __init__(self, path: Path, *, tr_s: float | None = None) -> None:
        self.path = path
        self._table = read_roi_table(path, tr_s=tr_s)
        n_missing = int(np.isnan(self._table.data).sum())
        self.notes = (
            (f"{path.name}: {n_missing} values are missing and stay so.",) if n_missing else ()
        )
        self.streams = (
            RecordedStream(
                name=path.stem,
                stype="fMRI",
                n_channels=len(self._table.ch_names),
                sfreq=0.0,
                dtype="float64",
                ch_names=self._table.ch_names,
                about=self._table.about,
                n_times=len(self._table.stamps_s),
                t_first=float(self._table.stamps_s[0]),
                t_last=float(self._table.stamps_s[-1]),
            ),
        )

    def play(
        self, modalities: Mapping[int, str], *, shift_s: float, delay_s: float
    ) -> Iterator[Event]:
        """Yield the frames, see `RecordedFile`."""
        for modality in modalities.values():
            yield from plain_events(
                modality,
                self._table.stamps_s,
                self._table.data,
                shift_s=shift_s,
                delay_s=delay_s,
            )


def is_roi_table(path: Path, *, tr_s: float | None = None) -> bool:
    """Return whether a file must be a table of ROI frames, by what can be known beforehand.

    Parameters
    ----------
    path : Path
        The file.
    tr_s : float, optional
        Repetition time, if somebody gave one.
    """
    suffix = path.suffix.lower()
    if suffix == ".tsv":
        return True
    if suffix != ".csv":
        return False
    header = set(_header(path))
    timed = is_declared(path) or tr_s is not None or TIME_COLUMN in header
    return timed and not OF_OTHERS & header


def read_roi_table(
    path: Path, *, tr_s: float | None = None, drop: Collection[str] = ()
) -> RoiTable:
    """Read a table of ROI frames.

    Parameters
    ----------
    path : Path
        The table, of comma- or tab-separated values.
    tr_s : float, optional
        Repetition time in seconds; else the JSON file beside the table says it, or its times do.
    drop : collection of str
        Columns that are no regions.

    Raises
    ------
    RecordingError
        It is no such table, or its times are not known.
    """
    header, rows = _read(path, drop)
    told = declared(path, header)
    names = _names(path, header, told)
    is_region = np.array([name != TIME_COLUMN for name in header])
    tr_s = _checked_tr(path, told.tr_s if tr_s is None else tr_s)
    if TIME_COLUMN in header:
        stamps_s = rows[:, header.index(TIME_COLUMN)]
    elif tr_s is None:
        msg = (
            f"{path} does not say when its frames were acquired. Give the repetition time by "
            f'`--tr`, or write {{"RepetitionTime": 2.0}} into {sidecar_of(path).name} beside it, '
            f"or give the table a column {TIME_COLUMN}."
        )
        raise RecordingError(msg)
    else:
        stamps_s = np.asarray(told.start_s + (np.arange(len(rows)) + 0.5) * tr_s)
    if not np.isfinite(stamps_s).all() or not (np.diff(stamps_s) > 0).all():
        found = ", ".join(header)[:MAX_SHOWN]
        msg = (
            f"{path} does not look like a table of ROI means: its frames must have rising times in "
            f"seconds, and some have not; its columns are {found!r}. {WANTED}"
        )
        raise RecordingError(msg)
    about = dict(told.about)
    if TIME_COLUMN not in header and REFERENCE in about:
        about[REFERENCE] = "mid"  # as we count them, whatever the volumes' own stamps meant
    if tr_s is not None:
        about["acquisition.tr_s"] = f"{tr_s:g}"
    return RoiTable(
        ch_names=names,
        data=np.ascontiguousarray(rows[:, is_region].T),
        stamps_s=stamps_s,
        about=about,
    )


def region_names(path: Path, *, drop: Collection[str] = ()) -> tuple[str, ...]:
    """Return the regions of a table, in the order of the columns, without reading its frames.

    Parameters
    ----------
    path : Path
        The table.
    drop : collection of str
        Columns that are no regions.

    Raises
    ------
    RecordingError
        It names none, or one twice.
    """
    header = [name for name in _header(path) if name not in drop]
    return _names(path, header, declared(path, header))


def _names(path: Path, header: list[str], told: Declared) -> tuple[str, ...]:
    if unknown := sorted(set(told.regions) - set(header)):
        msg = (
            f"{sidecar_of(path)}: Regions must name columns of {path.name}; {unknown[0]!r} is none."
        )
        raise RecordingError(msg)
    names = tuple(told.regions.get(name, name) for name in header if name != TIME_COLUMN)
    if not names or "" in names or len(set(names)) < len(names):
        found = ", ".join(names)[:MAX_SHOWN]
        msg = f"{path} must name each region once in its first line, got {found!r}."
        raise RecordingError(msg)
    return names


def _read(path: Path, drop: Collection[str]) -> tuple[list[str], npt.NDArray[np.float64]]:
    """Return what columns are called, and their numbers, shape (n_frames, n_columns)."""
    rows: list[list[float]] = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, delimiter=_delimiter(path))
            header = [name.strip() for name in next(reader, [])]
            keep = [name not in drop for name in header]
            _check_size(path, len(header), 1)
            for line, cells in enumerate(reader, start=2):
                if not cells:
                    continue
                if len(cells) != len(header):
                    msg = (
                        f"{path}, line {line}: {len(header)} values are needed, as many as regions "
                        f"in the first line; got {len(cells)}."
                    )
                    raise RecordingError(msg)
                where = f"{path}, line {line}"
                rows.append([_number(cell, where) for cell in compress(cells, keep)])
                _check_size(path, len(header), len(rows))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        msg = f"{path} cannot be read as a table of comma- or tab-separated values: {error}."
        raise RecordingError(msg) from error
    if not rows:
        msg = f"{path} must hold at least one frame below the line that names its regions."
        raise RecordingError(msg)
    return list(compress(header, keep)), np.array(rows)


def _check_size(path: Path, n_columns: int, n_rows: int) -> None:
    if n_columns > MAX_REGIONS + 1 or n_columns * n_rows > MAX_VALUES:
        msg = (
            f"{path} must have at most {MAX_REGIONS} regions and {MAX_VALUES} numbers: this is no "
            "table of ROI frames."
        )
        raise RecordingError(msg)


def _number(cell: str, where: str) -> float:
    text = cell.strip()
    if text.lower() in MISSING:
        return math.nan
    try:
        return float(text)
    except ValueError:
        msg = f"{where}: a number, or n/a, is needed, got {text[:40]!r}. {WANTED}"
        raise RecordingError(msg) from None


def _header(path: Path) -> list[str]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, delimiter=_delimiter(path))
            return [name.strip() for name in next(reader, [])]
    except (UnicodeDecodeError, csv.Error):
        return []


def _delimiter(path: Path) -> str:
    return "\t" if path.suffix.lower() == ".tsv" else ","


def _checked_tr(path: Path, tr_s: float | None) -> float | None:
    if tr_s is not None and not TR_RANGE_S[0] <= tr_s <= TR_RANGE_S[1]:
        msg = (
            f"The repetition time of {path} must be from {TR_RANGE_S[0]:g} to {TR_RANGE_S[1]:g} s, "
            f"got {tr_s:g}. Is it in milliseconds?"
        )
        raise RecordingError(msg)
    return tr_s
