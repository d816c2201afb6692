"""Where DEAP's files are in a copy on disk, and what has to be there for which use."""

import re
from functools import cached_property
from pathlib import Path
from typing import Literal

from offline.datasets.deap_faces import FaceFiles, find_faces
from offline.datasets.deap_ratings import N_VIDEOS, Rating, Ratings, read_ratings
from offline.errors import DataError

EegSource = Literal["preprocessed", "bdf"]

_PLACES = {"preprocessed": ("data_preprocessed_python", ".dat"), "bdf": ("data_original", ".bdf")}
_SUBJECT = re.compile(r"s\d\d")
_TRIALS = frozenset(range(1, N_VIDEOS + 1))


class DeapFiles:
    """The files of one copy.

    Parameters
    ----------
    path : Path
        Folder with data_preprocessed_python (or data_original), metadata_csv and face_video.
    source : {"preprocessed", "bdf"}
        Which EEG.
    with_faces : bool
        Features of face clips are wanted.
    openface_path : Path or None
        Folder with OpenFace's CSV files; None means beside the clips.
    """

    def __init__(
        self, path: Path, *, source: EegSource, with_faces: bool, openface_path: Path | None
    ) -> None:
        place, self._ending = _PLACES[source]
        self.eeg_folder = path / place
        self.ratings_path = path / "metadata_csv" / "participant_ratings.csv"
        self.clips_folder = path / "face_video"
        self.needs_ratings = source == "bdf" or with_faces
        """Whether trials have to be joined by participant and order of presentation."""
        self._path = path
        self._with_faces = with_faces
        self._features_folder = openface_path or self.clips_folder

    def subjects(self) -> tuple[str, ...]:
        """Return everybody with an EEG file.

        Raises
        ------
        DataError
            There is nobody.
        """
        names = sorted(
            path.stem
            for path in self.eeg_folder.glob(f"*{self._ending}")
            if _SUBJECT.fullmatch(path.stem)
        )
        if not names:
            msg = (
                f"{self._path} must be the folder that holds {self.eeg_folder.name}/s01"
                f"{self._ending} and so on; there is no such file."
            )
            raise DataError(msg)
        return tuple(names)

    def eeg(self, subject: str) -> Path:
        """Return where the subject's EEG is."""
        return self.eeg_folder / f"{subject}{self._ending}"

    @cached_property
    def ratings(self) -> Ratings:
        """All of participant_ratings.csv; empty where there is no such file."""
        return read_ratings(self.ratings_path) if self.ratings_path.exists() else {}

    @property
    def no_ratings(self) -> str:
        """What it means that participant_ratings.csv is missing."""
        return "The file is missing: it alone says which trial was which video. " + (
            "Without it neither original recordings nor faces can be joined with labels."
            if self.needs_ratings
            else "Labels cannot be compared with it, and trials are sorted by video."
        )

    def ratings_of(self, subject: str) -> tuple[Rating, ...]:
        """Return the subject's rows in the order of presentation; none where none are needed.

        Raises
        ------
        DataError
            They are needed, or others are there, and the subject's are missing.
        """
        if not self.ratings and not self.needs_ratings:
            return ()
        if rows := self.ratings.get(int(subject[1:])):
            return rows
        what = f"It has no rows for {subject}." if self.ratings else self.no_ratings
        msg = f"{self.ratings_path}: {what}"
        raise DataError(msg)

    def faces(self, subject: str) -> FaceFiles:
        """Return the subject's clips and OpenFace files, as far as there are any."""
        return find_faces(subject, (self._features_folder, self.clips_folder))

    def has_all_faces(self, subject: str) -> bool:
        """Return whether each of the 40 trials has a face file."""
        return self.faces(subject).trials >= _TRIALS

    def features(self, subject: str) -> dict[int, Path]:
        """Return OpenFace's files by trial; none where they are not wanted.

        Raises
        ------
        DataError
            OpenFace has not seen all clips yet.
        """
        if not self._with_faces:
            return {}
        faces = self.faces(subject)
        if faces.without_features:
            raise DataError(self.run_openface(subject, faces))
        return dict(faces.features)

    def run_openface(self, subject: str, faces: FaceFiles) -> str:
        """Return what to do about clips without features."""
        clip = faces.clips[faces.without_features[0]]
        folder = self._features_folder / subject
        return (
            f"{len(faces.without_features)} face clips of {subject} have no features yet. Run "
            f"`rtaffect-offline data faces {self.clips_folder}` with `--out "
            f"{self._features_folder}`, which makes those of all clips; or run OpenFace: "
            f"`FeatureExtraction -f {clip} -gaze -pose -aus -out_dir {folder}`, "
            f"so that there is {folder / clip.with_suffix('.csv').name}, and so on for the others."
        )
