"""Runs of people with Forrest Gump, a file each: what data sets of its frames and volumes share."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from offline.datasets.contract import About, Finding, Label, Recording
from offline.datasets.digests import file_digest
from offline.datasets.portrayed import PortrayedSettings, portrayed
from offline.datasets.studyforrest_labels import RUN_STARTS_S, Annotation, read_annotations
from offline.errors import DataError
from rtaffect.core.streams import Source


@dataclass(frozen=True, slots=True)
class FilmRun:
    """One file of one run."""

    subject: str
    number: int
    path: Path

    @property
    def t_start(self) -> float:
        """Where the run begins in the film, in seconds."""
        return RUN_STARTS_S[self.number]


class FilmRuns(ABC):
    """A copy on disk, see `offline.datasets.contract.Dataset`.

    A run is a recording with one trial, its stimulus that part of the film. Its clock is the
    film's; runs overlap by 16 s.

    Parameters
    ----------
    settings : PortrayedSettings
        Where and what.
    """

    about: About
    """What to know of it."""

    version: int
    """Of what a subject's numbers depend on: counts up where the reader changes them."""

    def __init__(self, settings: PortrayedSettings) -> None:
        self.settings = settings

    @property
    def labels(self) -> Mapping[str, Label]:
        """Emotion, arousal and valence that the film portrays."""
        return self.settings.labels()

    @property
    def subjects(self) -> tuple[str, ...]:
        """Everybody with a file."""
        return tuple(dict.fromkeys(run.subject for run in self.runs()))

    def recordings(self, subject: str) -> Iterator[Recording]:
        """Yield the subject's runs.

        Raises
        ------
        DataError
            A file is missing, or is not what it must be.
        """
        annotations = read_annotations(self.labels_path)
        for run in self._runs_of(subject):
            yield self._recording(run, annotations)

    def fingerprint(self, subject: str) -> str:
        """Return a digest of the subject's files, the labels and the settings."""
        settings = self.settings.model_dump_json(exclude={"path"})
        files = [run.path for run in self._runs_of(subject)] + [self.labels_path]
        name = f"{self.about.kind} {self.version}"
        parts = [name, subject, settings, *map(file_digest, files)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def check(self) -> Iterator[Finding]:
        """Yield what is wrong with the copy on disk."""
        try:
            runs, annotations = self.runs(), read_annotations(self.labels_path)
        except DataError as error:
            yield Finding(is_error=True, where=str(self.settings.path), what=str(error))
            return
        n_wanted = len(set(self.settings.runs) or {run.number for run in runs})
        for subject in self.subjects:
            found = self._runs_of(subject)
            if len(found) < n_wanted:
                what = f"{n_wanted} runs are expected, {len(found)} are there."
                yield Finding(is_error=False, where=subject, what=what)
            for run in found:
                try:
                    with self._recording(run, annotations).open() as source:
                        next(iter(source.events()), None)
                except DataError as error:
                    where = f"{subject}, run {run.number}"
                    yield Finding(is_error=True, where=where, what=str(error))
        yield from self.remarks()

    def runs(self) -> tuple[FilmRun, ...]:
        """Return the files of the runs that are asked for, person by person."""
        wanted = self.settings.runs
        return tuple(run for run in self.found() if not wanted or run.number in wanted)

    @property
    @abstractmethod
    def ch_names(self) -> tuple[str, ...]:
        """Regions that every run of everybody has; voxels have no names."""

    @property
    @abstractmethod
    def labels_path(self) -> Path:
        """Table of what is portrayed, one row a second."""

    @abstractmethod
    def found(self) -> tuple[FilmRun, ...]:
        """Return all files of runs, person by person."""

    @abstractmethod
    def frames(self, run: FilmRun) -> tuple[int, Callable[[], Source]]:
        """Return how many frames a run has, and what opens a new source of them."""

    @abstractmethod
    def remarks(self) -> Iterator[Finding]:
        """Yield what else must be known of the copy on disk."""

    def _runs_of(self, subject: str) -> tuple[FilmRun, ...]:
        found = tuple(run for run in self.runs() if run.subject == subject)
        if not found:
            msg = f"Subject must be one of {', '.join(self.subjects)}; got {subject!r}."
            raise DataError(msg)
        return found

    def _recording(self, run: FilmRun, annotations: Mapping[int, Annotation]) -> Recording:
        n_frames, open_source = self.frames(run)
        return portrayed(
            self.settings,
            annotations,
            subject=run.subject,
            run=run.number,
            n_frames=n_frames,
            open_source=open_source,
            file=run.path.name,
        )


def in_order(found: Mapping[tuple[str, int], Path]) -> tuple[FilmRun, ...]:
    """Return files by subject and number of the run as runs, person by person."""
    return tuple(
        FilmRun(subject, number, path) for (subject, number), path in sorted(found.items())
    )
