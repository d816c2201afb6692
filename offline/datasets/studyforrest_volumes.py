"""StudyForrest at 7 T: whole volumes of people who listened to the audio film Forrest Gump."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Literal

from pydantic import Field

from offline.datasets.contract import About, Finding, Label, Recording
from offline.datasets.digests import file_digest
from offline.datasets.nifti_files import read_run, volume_source
from offline.datasets.portrayed import TR_S, PortrayedSettings, portrayed
from offline.datasets.studyforrest_labels import RUN_STARTS_S, Annotation, read_annotations
from offline.errors import DataError

ABOUT = About(
    kind="studyforrest_volumes",
    title="StudyForrest: 7 T volumes of the audio film, with portrayed emotions",
    reference="10.1038/sdata.2014.3 (volumes), 10.12688/f1000research.6230.1 (emotions)",
    licence="PDDL-1.0 (volumes), CC0-1.0 (emotions)",
    how_to_get=(
        "OpenNeuro ds000113, derivatives/non-linear_anatomical_alignment (group-aligned 7 T "
        "volumes, 132 x 175 x 48). Emotions: one row a second, counted from the observers' own "
        "files in https://github.com/psychoinformatics-de/studyforrest-data-annotations."
    ),
    modalities=("volume",),
    tried_on=(
        "No real copy was at hand: names and shapes follow the publication and public scripts, and "
        "were tried on small files made like them."
    ),
)

_READER = 1  # of what a subject's numbers depend on: count up where this reader changes them
_FILE = re.compile(
    r"(sub-[A-Za-z0-9]+)_ses-forrestgump_task-forrestgump(?:_rec-([A-Za-z0-9]+))?"
    r"_run-(\d+)_bold\.nii(?:\.gz)?"
)
_TABLES = {"audio": "ao_1s_labels.tsv", "audio_visual": "av_1s_labels.tsv"}


class StudyForrestVolumesSettings(PortrayedSettings):
    """Where a copy is, and what of it is asked.

    Parameters
    ----------
    kind : "studyforrest_volumes"
        Name of the data set.
    path : Path
        Folder with the volumes, in subfolders or not, and the labels.
    annotation : {"audio", "audio_visual"}
        Whose labels: these people heard the film and did not see it, so that ``"audio"``
        (``ao_1s_labels.tsv``, three observers who only heard it) fits. ``"audio_visual"``
        (``av_1s_labels.tsv``, nine who saw it) is what the 3D-CNN's paper took.
    rec : str
        Which alignment, as the names of the files have it; "" for none.
    runs, n_emotions, threshold, train_labels, train_threshold, edges, edge_s
        See `offline.datasets.portrayed.PortrayedSettings`.
    """

    kind: Literal["studyforrest_volumes"] = "studyforrest_volumes"
    annotation: Literal["audio", "audio_visual"] = "audio"
    rec: str = Field(default="dico7Tad2grpbold7TadNL", pattern=r"^[A-Za-z0-9]*$")

    def open(self) -> "StudyForrestVolumes":
        """Return the data set; nothing is read yet."""
        return StudyForrestVolumes(self)


@dataclass(frozen=True, slots=True)
class _Run:
    """One file of volumes."""

    subject: str
    number: int
    path: Path


class StudyForrestVolumes:
    """A copy of the volumes on disk, see `offline.datasets.contract.Dataset`.

    A run is a recording on the film's clock, which begins where the run begins in the film: runs
    overlap by 16 s.

    Parameters
    ----------
    settings : StudyForrestVolumesSettings
        Where and what.
    """

    def __init__(self, settings: StudyForrestVolumesSettings) -> None:
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
        """Voxels have no names."""
        return ()

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
        parts = [f"studyforrest_volumes {_READER}", subject, settings, *map(file_digest, files)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def check(self) -> Iterator[Finding]:
        """Yield what is wrong with the copy on disk."""
        try:
            runs, annotations = self._runs(), read_annotations(self._labels_path)
        except DataError as error:
            yield Finding(is_error=True, where=str(self.settings.path), what=str(error))
            return
        for run in runs:
            try:
                self._recording(run, annotations)
            except DataError as error:
                where = f"{run.subject}, run {run.number}"
                yield Finding(is_error=True, where=where, what=str(error))
        if self.settings.annotation == "audio_visual":
            yield Finding(
                is_error=False,
                where=self._labels_path.name,
                what="These labels are of people who saw the film; those in the scanner heard it.",
            )

    @property
    def _labels_path(self) -> Path:
        return self.settings.path / _TABLES[self.settings.annotation]

    def _runs(self) -> tuple[_Run, ...]:
        found = _find_runs(self.settings.path, self.settings.rec)
        wanted = self.settings.runs
        return tuple(run for run in found if not wanted or run.number in wanted)

    def _runs_of(self, subject: str) -> tuple[_Run, ...]:
        found = tuple(run for run in self._runs() if run.subject == subject)
        if not found:
            msg = f"Subject must be one of {', '.join(self.subjects)}; got {subject!r}."
            raise DataError(msg)
        return found

    def _recording(self, run: _Run, annotations: Mapping[int, Annotation]) -> Recording:
        volumes = read_run(run.path, tr_s=TR_S, t_start=RUN_STARTS_S[run.number])
        return portrayed(
            self.settings,
            annotations,
            subject=run.subject,
            run=run.number,
            n_frames=volumes.n_frames,
            open_source=partial(volume_source, volumes),
            file=run.path.name,
        )


@lru_cache(maxsize=8)
def _find_runs(folder: Path, rec: str) -> tuple[_Run, ...]:
    found = {
        (match[1], int(match[3])): path
        for path in sorted(folder.rglob("*_bold.nii*"))
        if (match := _FILE.fullmatch(path.name))
        and (match[2] or "") == rec
        and int(match[3]) in RUN_STARTS_S
    }
    if not found:
        shown = f"_rec-{rec}" if rec else ""
        msg = (
            f"{folder} must hold volumes like sub-01_ses-forrestgump_task-forrestgump{shown}"
            "_run-01_bold.nii.gz, in subfolders or not; got none."
        )
        raise DataError(msg)
    return tuple(_Run(subject, number, path) for (subject, number), path in sorted(found.items()))
