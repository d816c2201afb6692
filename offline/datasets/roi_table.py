"""Tables of ROI means, one row a frame, and one table of trials."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from offline.datasets.array_source import ArraySource
from offline.datasets.contract import About, Floats
from offline.datasets.frames import in_all, roi_source
from offline.datasets.roi_files import frames_in, regions_in
from offline.datasets.scans import Scans, described, events_in
from offline.datasets.settings import LabelSettings, Settings
from offline.errors import DataError
from rtaffect.sources.roi_table import RoiTable

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
        return float(self._stamps(self._read(path))[-1] + self.tr_s / 2)

    def ch_names(self, path: Path) -> tuple[str, ...]:
        return regions_in(path, self.drop)

    def source(self, path: Path) -> ArraySource:
        table = self._read(path)
        return roi_source(
            table.data,
            self._stamps(table),
            name=path.name,
            ch_names=table.ch_names,
            about={**table.about, "acquisition.time_reference": "mid"},
        )

    def _stamps(self, table: RoiTable) -> Floats:
        """Return when each frame was acquired, from the beginning of the first acquisition."""
        first_s: float = table.stamps_s[0] - self.tr_s / 2
        return table.stamps_s - first_s

    def _read(self, path: Path) -> RoiTable:
        table = frames_in(path, tr_s=self.tr_s, drop=self.drop)
        if not np.isfinite(table.data).any():
            msg = f"{path} must hold a line of numbers for each frame below its first line."
            raise DataError(msg)
        return table
