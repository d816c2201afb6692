"""StudyForrest: ROI frames of people who watched Forrest Gump, and what the film portrays."""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from pathlib import Path
from typing import Literal

import numpy as np

from offline.datasets.array_source import ArraySource
from offline.datasets.contract import About, Finding
from offline.datasets.film_runs import FilmRun, FilmRuns, in_order
from offline.datasets.frames import in_all, roi_source
from offline.datasets.portrayed import PortrayedSettings
from offline.datasets.roi_files import frames_in, regions_in
from offline.datasets.studyforrest_labels import RUN_STARTS_S
from offline.datasets.tables import read_table
from offline.errors import DataError
from rtaffect.sources.roi_table import RoiTable

ABOUT = About(
    kind="studyforrest",
    title="StudyForrest: ROI means of the audio-visual movie, with portrayed emotions",
    reference="10.1038/sdata.2016.92 (frames), 10.12688/f1000research.6230.1 (emotions)",
    licence="PDDL-1.0 (frames), CC0-1.0 (emotions)",
    how_to_get=(
        "Frames: https://github.com/psychoinformatics-de/studyforrest-data-aggregate, "
        "sub-NN/shen_fconn/*_bold.csv. Emotions: av_1s_labels.tsv, one row a second, counted from "
        "the nine observers' own files in "
        "https://github.com/psychoinformatics-de/studyforrest-data-annotations."
    ),
    modalities=("roi",),
    tried_on=(
        "8 of 15 subjects, runs 1 to 5 of 8. The published frames were smoothed, detrended and "
        "z-scored run by run: offline, and with the future. They say what the film portrays, not "
        "what the watcher felt."
    ),
)

_FILE = re.compile(r"(sub-[A-Za-z0-9]+)_task-avmovie_run-(\d+)_bold\.csv")
_EMPTY_COLUMNS = ("e_anger/rage", "e_fears_confirmed", "e_happy-for", "e_pity/compassion")


class StudyForrestSettings(PortrayedSettings):
    """Where a copy is, and what of it is asked.

    Parameters
    ----------
    kind : "studyforrest"
        Name of the data set.
    path : Path
        Folder with the frames (``sub-01_task-avmovie_run-1_bold.csv``, in subfolders or not) and
        ``av_1s_labels.tsv``.
    runs, n_emotions, threshold, train_labels, train_threshold, edges, edge_s
        See `offline.datasets.portrayed.PortrayedSettings`.
    """

    kind: Literal["studyforrest"] = "studyforrest"

    def open(self) -> "StudyForrest":
        """Return the data set; nothing is read yet."""
        return StudyForrest(self)


class StudyForrest(FilmRuns):
    """A copy of the ROI frames on disk.

    Regions are matched by their label in the parcellation, whatever their order.
    """

    about = ABOUT
    version = 2

    @property
    def ch_names(self) -> tuple[str, ...]:
        """Regions that every run of everybody has."""
        return in_all(regions_in(run.path) for run in self.runs())

    @property
    def labels_path(self) -> Path:
        """What observers of the audio-visual film named."""
        return self.settings.path / "av_1s_labels.tsv"

    def found(self) -> tuple[FilmRun, ...]:
        """Return all files of frames."""
        return _find_runs(self.settings.path)

    def frames(self, run: FilmRun) -> tuple[int, Callable[[], ArraySource]]:
        """Return how many frames a run has, and what opens a new source of them."""
        return _count_frames(run.path), partial(_open, run)

    def remarks(self) -> Iterator[Finding]:
        """Say what was done to the frames, and which tables of events are not read."""
        n_regions = [len(regions_in(run.path)) for run in self.runs()]
        yield Finding(
            is_error=False,
            where=str(self.settings.path),
            what=f"Files have {min(n_regions)} to {max(n_regions)} regions, {len(self.ch_names)} "
            "of them are in all. The frames were detrended and z-scored over whole runs before "
            "they were published: with the future, which no reader can undo.",
        )
        for path in sorted(self.settings.path.rglob("*emotions_av_*events.tsv")):
            rows = read_table(path)
            empty = [
                name
                for name in _EMPTY_COLUMNS
                if rows and name in rows[0].cells and not any(row.number(name) for row in rows)
            ]
            if empty:
                yield Finding(
                    is_error=False,
                    where=path.name,
                    what=f"The columns {', '.join(empty)} hold nothing but 0, as in every "
                    "published table of these events. It is not read; av_1s_labels.tsv is.",
                )


def _open(run: FilmRun) -> ArraySource:
    table = _read_frames(run.path)
    return roi_source(
        table.data,
        run.t_start + table.stamps_s,
        name="studyforrest",
        ch_names=table.ch_names,
        about=table.about,
    )


@lru_cache(maxsize=8)
def _find_runs(folder: Path) -> tuple[FilmRun, ...]:
    found = {
        (match[1], int(match[2])): path
        for path in sorted(folder.rglob("*_bold.csv"))
        if (match := _FILE.fullmatch(path.name)) and int(match[2]) in RUN_STARTS_S
    }
    if not found:
        msg = (
            f"{folder} must hold frames like sub-01_task-avmovie_run-1_bold.csv, in subfolders or "
            "not; got none."
        )
        raise DataError(msg)
    return in_order(found)


@lru_cache(maxsize=256)
def _count_frames(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for line in file if line.strip()) - 1


def _read_frames(path: Path) -> RoiTable:
    table = frames_in(path)
    if not np.isfinite(table.data).all():
        n_missing = int((~np.isfinite(table.data)).sum())
        msg = f"{path} must hold finite numbers, got {n_missing} that are none."
        raise DataError(msg)
    return table
