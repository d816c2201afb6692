"""DEAP: EEG of 32 people who watched 40 music videos, and the faces of 22 of them."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import Field

from offline.datasets.contract import About, Dataset, Finding, Label, Recording
from offline.datasets.deap_bdf import Original
from offline.datasets.deap_check import check_files
from offline.datasets.deap_files import DeapFiles, EegSource
from offline.datasets.deap_preprocessed import REST_S, VIDEO_S, read_preprocessed
from offline.datasets.deap_ratings import SCALE, TARGETS, Rating
from offline.datasets.deap_recording import DeapOpener, trial_of
from offline.datasets.settings import Settings
from offline.errors import DataError
from rtaffect.core.montages import EEG_32

ABOUT = About(
    kind="deap",
    title="DEAP: a database for emotion analysis using physiological signals",
    reference="10.1109/T-AFFC.2011.15",
    licence="End-user licence agreement: academic research only, not to be passed on.",
    how_to_get=(
        "Sign the agreement at https://www.eecs.qmul.ac.uk/mmv/datasets/deap/ (the server was "
        "often out of reach in 2025 and 2026). Unpack data_preprocessed_python (or data_original), "
        "metadata_csv and face_video into one folder. For faces, run `rtaffect-offline data faces "
        "face_video`, or OpenFace's FeatureExtraction on every clip, with -out_dir face_video/sNN."
    ),
    modalities=("eeg", "face"),
    tried_on=(
        "No real copy was at hand. Shapes, order, names and status codes follow DEAP's readme and "
        "public scripts that read it, and were tried on small files made like them. Not tried on "
        "real files: that labels equal participant_ratings.csv within rounding, the status codes "
        "of s23 to s32, the missing markers of s28, when a face clip begins within its trial."
    ),
)

_READER = 1  # of what a subject's numbers depend on: count up where this reader changes them


class DeapSettings(Settings):
    """Where a copy of DEAP is, and how it is read.

    Parameters
    ----------
    kind : "deap"
        Name of the data set.
    path : Path
        Folder with data_preprocessed_python (or data_original), metadata_csv and face_video.
    source : {"preprocessed", "bdf"}
        Which EEG: as the authors preprocessed it (128 Hz, 4 to 45 Hz, sorted by video), or as it
        was recorded (512 Hz, with a status channel).
    faces : {"none", "openface"}
        ``"openface"`` adds the 29 features of each face clip, joined by participant and trial.
    openface_path : Path or None
        Folder with sNN/sNN_trialYY.csv; None means beside the clips in face_video.
    face_offset_s : float
        When a face clip began after its video, in seconds; no public source tells.
    complete_faces_only : bool
        Only who has a face file for every one of the 40 trials.
    threshold : float
        Ratings above it are high, those at it are low.
    """

    kind: Literal["deap"] = "deap"
    path: Path
    source: EegSource = "preprocessed"
    faces: Literal["none", "openface"] = "none"
    openface_path: Path | None = None
    face_offset_s: float = Field(default=0.0, ge=-REST_S, lt=VIDEO_S)
    complete_faces_only: bool = False
    threshold: float = Field(default=5.0, gt=SCALE[0], lt=SCALE[1])

    def open(self) -> Dataset:
        """Return the data set; nothing is read yet."""
        return Deap(self)


class Deap:
    """A copy of DEAP on disk, see `offline.datasets.contract.Dataset`.

    A subject's trials are laid on one clock, each a segment of its own: 3 s of rest, 60 s of video,
    in the order of presentation where participant_ratings.csv is there, else sorted by video.

    Parameters
    ----------
    settings : DeapSettings
        Where and how.
    """

    def __init__(self, settings: DeapSettings) -> None:
        self.settings = settings
        self._with_faces = settings.faces == "openface"
        self._files = DeapFiles(
            settings.path,
            source=settings.source,
            with_faces=self._with_faces,
            openface_path=settings.openface_path,
        )

    @property
    def about(self) -> About:
        """What to know of it; without faces where they are not asked for."""
        return ABOUT if self._with_faces else replace(ABOUT, modalities=("eeg",))

    @property
    def labels(self) -> Mapping[str, Label]:
        """Low or high, by what was rated."""
        edges = (SCALE[0], self.settings.threshold, SCALE[1])
        return {target: Label(classes=("low", "high"), edges=edges) for target in TARGETS}

    @property
    def ch_names(self) -> tuple[str, ...]:
        """DEAP's 32 electrodes."""
        return EEG_32

    @property
    def subjects(self) -> tuple[str, ...]:
        """Everybody with an EEG file, and with all face files where that is asked for.

        Raises
        ------
        DataError
            There is nobody.
        """
        found = self._files.subjects()
        if not self.settings.complete_faces_only:
            return found
        complete = tuple(filter(self._files.has_all_faces, found))
        if not complete:
            msg = (
                f"complete_faces_only needs subjects with a file for each trial in "
                f"{self._files.clips_folder}; none of {len(found)} has them."
            )
            raise DataError(msg)
        return complete

    def recordings(self, subject: str) -> Iterator[Recording]:
        """Yield the subject's one recording.

        Raises
        ------
        DataError
            Ratings or face files are not what they must be; on opening, that EEG is not.
        """
        if subject not in self.subjects:
            msg = f"The data set has {', '.join(self.subjects)}; got {subject}."
            raise DataError(msg)
        clips = self._clips(subject)
        opener = DeapOpener(
            source=self.settings.source,
            eeg_path=self._files.eeg(subject),
            clips=clips,
            ratings=self._files.ratings_of(subject),
            features=self._files.features(subject),
            face_offset_s=self.settings.face_offset_s,
        )
        trials = tuple(trial_of(clip, number=number) for number, clip in enumerate(clips))
        yield Recording(subject=subject, session="1", open=opener, trials=trials)

    def fingerprint(self, subject: str) -> str:
        """Return the SHA-256 of the subject's files and ratings, and of how they are read."""
        depends = {
            "reader": _READER,
            "source": self.settings.source,
            "faces": self.settings.faces,
            "face_offset_s": self.settings.face_offset_s if self._with_faces else None,
            "ratings": [
                [rating.trial, rating.video, rating.start, dict(rating.values)]
                for rating in self._files.ratings_of(subject)
            ],
            "eeg": _sha256(self._files.eeg(subject)),
            "openface": {
                trial: _sha256(path)
                for trial, path in sorted(self._files.features(subject).items())
            },
        }
        return hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()

    def check(self) -> Iterator[Finding]:
        """Yield what is wrong with the copy on disk, subject by subject."""
        yield from check_files(
            self._files, source=self.settings.source, with_faces=self._with_faces
        )

    def _clips(self, subject: str) -> tuple[Rating, ...]:
        """Return the trials that there are, in the order in which they are laid."""
        ratings = self._files.ratings_of(subject)
        if self.settings.source == "bdf":
            return Original(self._files.eeg(subject), ratings).shown
        return ratings or read_preprocessed(self._files.eeg(subject)).by_video()


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        msg = f"{path} cannot be opened: {error.strerror or error}."
        raise DataError(msg) from error
