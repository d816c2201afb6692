"""StudyForrest: ROI frames of people who watched Forrest Gump, and what the film portrays."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Literal

import numpy as np

from offline.datasets.array_source import ArraySource
from offline.datasets.contract import About, Finding, Label, Recording
from offline.datasets.digests import file_digest
from offline.datasets.frames import in_all, roi_source
from offline.datasets.portrayed import PortrayedSettings, portrayed
from offline.datasets.studyforrest_labels import RUN_STARTS_S, Annotation, read_annotations
from offline.datasets.tables import read_table
from offline.errors import DataError
from rtaffect.core.errors import RecordingError
from rtaffect.sources.roi_table import RoiTable, read_roi_table, region_names

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

_READER = 2  # of what a subject's numbers depend on: count up where this reader changes them
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


@dataclass(frozen=True, slots=True)
class _Run:
    """One file of frames."""

    subject: str
    number: int
    path: Path


class StudyForrest:
    """A copy of the ROI frames on disk, see `offline.datasets.contract.Dataset`.

    A run is a recording with one trial, its stimulus that part of the film; its clock is the
    film's. Regions are matched by their label in the parcellation, whatever their order.

    Parameters
    ----------
    settings : StudyForrestSettings
        Where and what.
    """

    def __init__(self, settings: StudyForrestSettings) -> None:
        self.settings = settings

    @property
    def about(self) -> About:
        """What to know of it."""
        return ABOUT

    @property
    def labels(self) -> Mapping[str, Label]:
        """Emotion, arousal and valence that the film portrays."""
        return self.settings.labels()

    @property
    def ch_names(self) -> tuple[str, ...]:
        """Regions that every run of everybody has."""
        return in_all(_region_names(run.path) for run in self._runs())

    @property
    def subjects(self) -> tuple[str, ...]:
        """Everybody with a file."""
        return tuple(dict.fromkeys(run.subject for run in self._runs()))

    def recordings(self, subject: str) -> Iterator[Recording]:
        """Yield the subject's runs.

        Raises
        ------
        DataError
            A file is missing, or is not what it must be.
        """
        annotations = read_annotations(self._labels_path)
        for run in self._runs_of(subject):
            yield self._recording(run, annotations)

    def fingerprint(self, subject: str) -> str:
        """Return a digest of the subject's files, the labels and the settings."""
        settings = self.settings.model_dump_json(exclude={"path"})
        files = [run.path for run in self._runs_of(subject)] + [self._labels_path]
        parts = [f"studyforrest {_READER}", subject, settings, *map(file_digest, files)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def check(self) -> Iterator[Finding]:
        """Yield what is wrong with the copy on disk."""
        try:
            runs, annotations = self._runs(), read_annotations(self._labels_path)
            n_wanted = len(set(self.settings.runs) or {run.number for run in runs})
        except DataError as error:
            yield Finding(is_error=True, where=str(self.settings.path), what=str(error))
            return
        for subject in self.subjects:
            found = self._runs_of(subject)
            if len(found) < n_wanted:
                what = f"{n_wanted} runs are expected, {len(found)} are there."
                yield Finding(is_error=False, where=subject, what=what)
            for run in found:
                try:
                    self._recording(run, annotations)
                    _read_frames(run.path)
                except DataError as error:
                    where = f"{subject}, run {run.number}"
                    yield Finding(is_error=True, where=where, what=str(error))
        n_regions = [len(_region_names(run.path)) for run in runs]
        yield Finding(
            is_error=False,
            where=str(self.settings.path),
            what=f"Files have {min(n_regions)} to {max(n_regions)} regions, {len(self.ch_names)} "
            "of them are in all. The frames were detrended and z-scored over whole runs before "
            "they were published: with the future, which no reader can undo.",
        )
        yield from self._empty_columns()

    def _empty_columns(self) -> Iterator[Finding]:
        """Say of the published tables of events that they are not what is read here."""
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

    @property
    def _labels_path(self) -> Path:
        return self.settings.path / "av_1s_labels.tsv"

    def _runs(self) -> tuple[_Run, ...]:
        found = _find_runs(self.settings.path)
        wanted = self.settings.runs
        return tuple(run for run in found if not wanted or run.number in wanted)

    def _runs_of(self, subject: str) -> tuple[_Run, ...]:
        found = tuple(run for run in self._runs() if run.subject == subject)
        if not found:
            msg = f"Subject must be one of {', '.join(self.subjects)}; got {subject!r}."
            raise DataError(msg)
        return found

    def _recording(self, run: _Run, annotations: Mapping[int, Annotation]) -> Recording:
        return portrayed(
            self.settings,
            annotations,
            subject=run.subject,
            run=run.number,
            n_frames=_count_frames(run.path),
            open_source=partial(_open, run),
            file=run.path.name,
        )


def _open(run: _Run) -> ArraySource:
    table = _read_frames(run.path)
    return roi_source(
        table.data,
        RUN_STARTS_S[run.number] + table.stamps_s,
        name="studyforrest",
        ch_names=table.ch_names,
        about=table.about,
    )


@lru_cache(maxsize=8)
def _find_runs(folder: Path) -> tuple[_Run, ...]:
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
    return tuple(_Run(subject, number, path) for (subject, number), path in sorted(found.items()))


@lru_cache(maxsize=256)
def _region_names(path: Path) -> tuple[str, ...]:
    """Return the regions of a file, each called after its label: ``"shen-012"``."""
    try:
        return region_names(path)
    except RecordingError as error:
        raise DataError(str(error)) from error


@lru_cache(maxsize=256)
def _count_frames(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for line in file if line.strip()) - 1


def _read_frames(path: Path) -> RoiTable:
    try:
        table = read_roi_table(path)
    except RecordingError as error:
        raise DataError(str(error)) from error
    if not np.isfinite(table.data).all():
        n_missing = int((~np.isfinite(table.data)).sum())
        msg = f"{path} must hold finite numbers, got {n_missing} that are none."
        raise DataError(msg)
    return table
