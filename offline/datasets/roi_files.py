"""Tables of ROI means as data sets read them: as the runtime does, with the trainer's errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from offline.errors import DataError
from rtaffect.core.errors import RecordingError
from rtaffect.sources.roi_table import RoiTable, read_roi_table, region_names


@lru_cache(maxsize=256)
def regions_in(path: Path, drop: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return a table's regions; `drop` are columns that are none.

    Raises
    ------
    DataError
        It names none, or one twice.
    """
    with _errors_of_data():
        return region_names(path, drop=drop)


def frames_in(path: Path, *, tr_s: float | None = None, drop: tuple[str, ...] = ()) -> RoiTable:
    """Return a table's frames, see `rtaffect.sources.roi_table.read_roi_table`.

    Raises
    ------
    DataError
        It is no such table.
    """
    with _errors_of_data():
        return read_roi_table(path, tr_s=tr_s, drop=drop)


@contextmanager
def _errors_of_data() -> Iterator[None]:
    try:
        yield
    except RecordingError as error:
        raise DataError(str(error)) from error
