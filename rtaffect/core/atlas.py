"""Regions of an atlas: which value of a label image is which region, in order.

The Brainnetome atlas (Fan et al. 2016, Cerebral Cortex 26:3508) has 246 regions; odd numbers lie in
the left hemisphere, each with its right twin next to it. Names and order are facts, and are here.
The image is its authors' (free for research, not for commerce) and is not: get it from
https://atlas.brainnetome.org and bring it into the space of the volumes.
"""

import csv
import json
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from rtaffect.core.errors import ConfigError

BRAINNETOME = "brainnetome"
"""How a session file asks for the names that are shipped."""

MAX_REGIONS = 10_000
MAX_FILE_BYTES = 1 << 22
NAME_COLUMNS = ("name", "label", "region")
INDEX_COLUMNS = ("index", "value", "number")
BACKGROUND = frozenset({"", "background", "unknown", "none", "???"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionTable:
    """Names of regions, in the order in which a frame has them.

    Parameters
    ----------
    name : str
        What the table is called.
    values : tuple of int
        The regions' values in a label image, all different and > 0 (0 is no region).
    names : tuple of str
        The regions' names, all different.
    licence : str
        Who may use the image for what; "" where nobody says.
    """

    name: str
    values: tuple[int, ...]
    names: tuple[str, ...]
    licence: str = ""

    def __post_init__(self) -> None:
        wrong = _fault(self.values, self.names)
        if wrong:
            msg = f"The regions of {self.name!r} must have {wrong}."
            raise ConfigError(msg)

    @property
    def n_regions(self) -> int:
        """The number of regions."""
        return len(self.values)


def numbered(values: tuple[int, ...], *, name: str) -> RegionTable:
    """Return regions that nobody named: each is called after its value, as ``"ROI 12"``."""
    return RegionTable(name=name, values=values, names=tuple(f"ROI {value}" for value in values))


@cache
def brainnetome() -> RegionTable:
    """Return the 246 regions of the Brainnetome atlas, from ``A8m_L`` to ``lPFtha_R``."""
    table = _read_table(Path(__file__).with_name("brainnetome.tsv"), name="Brainnetome 246")
    return replace(table, licence="image by the Brainnetome Center, non-commercial research only")


def read_regions(source: str) -> RegionTable:
    """Read a table of names, or return the shipped one.

    Parameters
    ----------
    source : str
        ``"brainnetome"``, or a file: TSV or CSV whose heading has the columns ``index`` and
        ``name`` (as BIDS names them); JSON with names by index, or a list of names from 1 on.

    Returns
    -------
    RegionTable
        In the file's order.

    Raises
    ------
    ConfigError
        The file cannot be read, or is no such table.
    """
    if source == BRAINNETOME:
        return brainnetome()
    path = Path(source)
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            msg = f"A table of regions must be smaller than {MAX_FILE_BYTES >> 20} MiB: {path}."
            raise ConfigError(msg)
        read = _read_json if path.suffix.lower() == ".json" else _read_table
        return read(path, name=path.stem)
    except OSError as error:
        msg = (
            f"The table of regions {source!r} cannot be read ({error.strerror}); name a TSV, CSV "
            f"or JSON file, or {BRAINNETOME}."
        )
        raise ConfigError(msg) from error
    except (ValueError, csv.Error) as error:
        msg = f"{path} must be text in UTF-8, as TSV, CSV or JSON: {error}"
        raise ConfigError(msg) from error


def _read_table(path: Path, *, name: str) -> RegionTable:
    with path.open(encoding="utf-8-sig", newline="") as file:
        heading = file.readline()
        delimiter = max("\t,;", key=heading.count)
        columns = [column.strip().strip('"').lower() for column in heading.split(delimiter)]
        index, label = _place(columns, INDEX_COLUMNS), _place(columns, NAME_COLUMNS)
        if index is None or label is None:
            msg = (
                f"{path} must begin with a heading that has the columns index and name, separated "
                f"by tabs or commas, got {heading.strip()[:80]!r}."
            )
            raise ConfigError(msg)
        rows = [row for row in csv.reader(file, delimiter=delimiter) if any(map(str.strip, row))]
    for number, row in enumerate(rows, start=2):
        if max(index, label) >= len(row) or not row[index].strip().isdecimal():
            msg = f"{path}: row {number} must have a whole number and a name, got {row[:4]}."
            raise ConfigError(msg)
    pairs = [(int(row[index]), row[label].strip()) for row in rows]
    return _table(name, pairs)


def _read_json(path: Path, *, name: str) -> RegionTable:
    content = json.loads(path.read_text(encoding="utf-8-sig"))
    if isinstance(content, list):
        content = {str(number): label for number, label in enumerate(content, start=1)}
    if not isinstance(content, dict) or not all(
        key.isdecimal() and isinstance(label, str) for key, label in content.items()
    ):
        msg = f'{path} must hold a list of names, or names by index, as {{"1": "A8m_L"}}.'
        raise ConfigError(msg)
    return _table(name, [(int(key), label.strip()) for key, label in content.items()])


def _table(name: str, pairs: list[tuple[int, str]]) -> RegionTable:
    pairs = [pair for pair in pairs if pair[0] or pair[1].lower() not in BACKGROUND]
    return RegionTable(
        name=name,
        values=tuple(value for value, _ in pairs),
        names=tuple(label for _, label in pairs),
    )


def _place(columns: list[str], wanted: tuple[str, ...]) -> int | None:
    return next((columns.index(word) for word in wanted if word in columns), None)


def _fault(values: tuple[int, ...], names: tuple[str, ...]) -> str:
    """Return what values and names must have and do not; "" when all is well."""
    if not 0 < len(values) <= MAX_REGIONS or len(values) != len(names):
        return f"from 1 to {MAX_REGIONS} rows, got {len(values)}"
    if not all(0 < value < 1 << 31 for value in values):
        return f"values from 1 on (0 is no region), got {min(values)} to {max(values)}"
    for what, entries in (("values", values), ("names", names)):
        if len(set(entries)) < len(entries):
            again = next(entry for i, entry in enumerate(entries) if entry in entries[:i])
            return f"{what} that are all different, got {again!r} twice"
    return "" if all(names) else "a name each, got an empty one"
