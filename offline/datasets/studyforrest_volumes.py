"""StudyForrest at 7 T: whole volumes of people who listened to the audio film Forrest Gump."""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from pathlib import Path
from typing import Literal

from pydantic import Field

from offline.datasets.contract import About, Finding
from offline.datasets.film_runs import FilmRun, FilmRuns, in_order
from offline.datasets.frames import VolumeSource
from offline.datasets.nifti_files import read_run, volume_source
from offline.datasets.portrayed import TR_S, PortrayedSettings
from offline.datasets.studyforrest_labels import RUN_STARTS_S
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


class StudyForrestVolumes(FilmRuns):
    """A copy of the volumes on disk."""

    settings: StudyForrestVolumesSettings
    about = ABOUT
    version = 1

    @property
    def ch_names(self) -> tuple[str, ...]:
        """Voxels have no names."""
        return ()

    @property
    def labels_path(self) -> Path:
        """What the observers that the settings name have named."""
        return self.settings.path / _TABLES[self.settings.annotation]

    def found(self) -> tuple[FilmRun, ...]:
        """Return all files of volumes of the alignment that the settings name."""
        return _find_runs(self.settings.path, self.settings.rec)

    def frames(self, run: FilmRun) -> tuple[int, Callable[[], VolumeSource]]:
        """Return how many volumes a run has, and what opens a new source of them."""
        volumes = read_run(run.path, tr_s=TR_S, t_start=run.t_start)
        return volumes.n_frames, partial(volume_source, volumes)

    def remarks(self) -> Iterator[Finding]:
        """Say where labels are of people who had more of the film than its listeners."""
        if self.settings.annotation == "audio_visual":
            yield Finding(
                is_error=False,
                where=self.labels_path.name,
                what="These labels are of people who saw the film; those in the scanner heard it.",
            )


@lru_cache(maxsize=8)
def _find_runs(folder: Path, rec: str) -> tuple[FilmRun, ...]:
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
    return in_order(found)
