"""Tables of tab- or comma-separated values, as people and BIDS write them."""

import csv
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from offline.errors import DataError

MISSING = frozenset({"", "n/a", "N/A", "nan", "NaN"})
"""What stands where nothing was written down."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table.

    Parameters
    ----------
    where : str
        File and line, for messages.
    cells : mapping of str to str
        By column, without blanks at their ends; "" where nothing was written down.
    """

    where: str
    cells: Mapping[str, str]

    def text(self, column: str) -> str:
        """Return what stands in a column, "" where there is no such column."""
        return self.cells.get(column, "")

    def number(self, column: str) -> float:
        """Return a finite number.

        Raises
        ------
        DataError
            There is none.
        """
        text = self.text(column)
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            msg = f"{self.where}: {column} must be a number, got {text or 'nothing'!r}."
            raise DataError(msg)
        return value


def read_table(
    path: Path, needed: Collection[str] = (), *, delimiter: str = "\t"
) -> tuple[Row, ...]:
    """Read a table with a header.

    Parameters
    ----------
    path : Path
        Separated values in UTF-8.
    needed : collection of str
        Columns that must be there.
    delimiter : str
        What separates them.

    Raises
    ------
    DataError
        It cannot be read, a column is missing or there twice, or a line is too short or too long.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = list(csv.reader(file, delimiter=delimiter, quoting=csv.QUOTE_NONE))
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror or error}."
        raise DataError(msg) from error
    except (UnicodeDecodeError, csv.Error) as error:
        what = "comma" if delimiter == "," else "tab"
        msg = f"{path} must be a text file of {what}-separated values in UTF-8: {error}."
        raise DataError(msg) from error
    header = [name.strip() for name in lines[0]] if lines else []
    _check_header(path, header, needed)
    rows = []
    for number, fields in enumerate(lines[1:], start=2):
        if not any(field.strip() for field in fields):
            continue
        where = f"{path.name}, line {number}"
        if len(fields) != len(header):
            msg = f"{where}: {len(header)} values are needed, {len(fields)} are there."
            raise DataError(msg)
        bare = [field.strip() for field in fields]
        cells = ["" if field in MISSING else field for field in bare]
        rows.append(Row(where, dict(zip(header, cells, strict=True))))
    return tuple(rows)


def _check_header(path: Path, header: list[str], needed: Collection[str]) -> None:
    missing = [name for name in needed if name not in header]
    if missing:
        hint = ""
        if len(header) == 1 and any(sign in header[0] for sign in ",;\t"):
            hint = " Its columns must be separated by tabs, not by commas or semicolons."
            if "\t" in header[0]:
                hint = " Its columns must be separated by commas, not by tabs."
        msg = (
            f"{path} must have the column{'s' * (len(missing) > 1)} {', '.join(missing)}; it has "
            f"{', '.join(header) or 'none'}.{hint}"
        )
        raise DataError(msg)
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        msg = f"{path} has the column {', '.join(twice)} more than once; keep one."
        raise DataError(msg)
