"""Tables of ROI means, one row a frame, and one table of trials."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from offline.datasets.array_source import ArraySource
from offline.datasets.contract import About, Floats
from offline.datasets.frames import in_all, roi_source
from offline.datasets.scans import Scans, described, events_in
from offline.datasets.settings import LabelSettings, Settings
from offline.errors import DataError

ABOUT = About(
    kind="roi_table",
    title="Your own tables of ROI means",
    reference="",
    licence="yours",
    how_to_get=(
        "Write one CSV or TSV a run (regions in the first line, then one line a frame) and one "
        "table of trials, see docs/data.md."
    ),
    modalities=("roi",),
    tried_on="nitime's event_related_fmri.csv and StudyForrest's tables, both real.",
)


class RoiTableSettings(Settings):
    """Where the tables are and what their trials say.

    Parameters
    ----------
    kind : "roi_table"
        Name of the data set.
    path : Path
        Folder of the tables.
    events : Path or None
        Table of trials, see `offline.datasets.scans.Scans`; None is ``events.tsv`` in `path`.
    tr_s : float
        Distance of the frames in seconds, which no table says.
    labels : mapping of str to LabelSettings
        What the trials answer, by target.
    drop : tuple of str
        Columns that are no regions.
    title, reference, licence : str
        For people.
    """

    kind: Literal["roi_table"] = "roi_table"
    path: Path
    events: Path | None = None
    tr_s: float = Field(gt=0)
    labels: dict[str, LabelSettings] = Field(min_length=1)
    drop: tuple[str, ...] = ()
    title: str = ABOUT.title
    reference: str = ABOUT.reference
    licence: str = ABOUT.licence

    def open(self) -> Scans:
        """Return the data set; no file is read yet."""
        return Scans(
            about=described(ABOUT, self),
            path=self.path,
            events=events_in(self.path, self.events),
            labels=self.labels,
            reader=_Tables(self.tr_s, self.drop),
            shared=in_all,
            basis=self.model_dump_json(include={"labels", "tr_s", "drop"}),
        )


@dataclass(frozen=True, slots=True)
class _Tables:
    """Reads tables, see `offline.datasets.scans.ScanReader`."""

    tr_s: float
    drop: tuple[str, ...]

    def span_s(self, path: Path) -> float:
        return len(self._read(path)[1]) * self.tr_s

    def ch_names(self, path: Path) -> tuple[str, ...]:
        return tuple(name for name in _read_names(path) if name not in self.drop)

    def source(self, path: Path) -> ArraySource:
        names, frames = self._read(path)
        stamps = (np.arange(len(frames)) + 0.5) * self.tr_s
        about = {"acquisition.tr_s": f"{self.tr_s:g}", "acquisition.time_reference": "mid"}
        return roi_source(frames.T, stamps, name=path.name, ch_names=names, about=about)

    def _read(self, path: Path) -> tuple[tuple[str, ...], Floats]:
        """Return regions, and frames of shape (n_frames, n_regions); NaN where one is missing."""
        header = _read_names(path)
        keep = [number for number, name in enumerate(header) if name not in self.drop]
        try:
            frames = np.genfromtxt(
                path, delimiter=_delimiter(path), skip_header=1, usecols=keep, ndmin=2
            )
        except ValueError as error:
            msg = f"{path} must have {len(header)} numbers a line below the first: {error}"
            raise DataError(msg) from error
        if not len(frames) or not np.isfinite(frames).any():
            msg = f"{path} must hold a line of numbers for each frame below its first line."
            raise DataError(msg)
        return tuple(header[number] for number in keep), frames


@lru_cache(maxsize=256)
def _read_names(path: Path) -> tuple[str, ...]:
    try:
        with path.open(encoding="utf-8-sig") as file:
            line = file.readline()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path} cannot be read: {error}."
        raise DataError(msg) from error
    names = tuple(name.strip().strip('"') for name in line.split(_delimiter(path)))
    if not all(names) or len(set(names)) < len(names):
        msg = f"{path} must name every column in its first line, and each differently."
        raise DataError(msg)
    return names


def _delimiter(path: Path) -> str:
    return "\t" if path.suffix.lower() == ".tsv" else ","
