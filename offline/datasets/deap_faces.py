"""DEAP's face clips: which trials have one, and OpenFace's features of them.

Files are named by the order of presentation (``s01/s01_trial07.avi``), never by video.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from offline.datasets.contract import Floats
from offline.errors import DataError
from rtaffect.core.errors import RecordingError
from rtaffect.core.face_features import MARK
from rtaffect.core.streams import Chunk
from rtaffect.sources.openface import OpenFaceRecording

_NAME = re.compile(r"(s\d\d)_trial(\d\d)\.(avi|csv)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceFiles:
    """What is there of one subject.

    Parameters
    ----------
    clips, features : mapping of int to Path
        Videos, and OpenFace's CSV files, by trial (order of presentation, from 1).
    """

    clips: Mapping[int, Path]
    features: Mapping[int, Path]

    @property
    def trials(self) -> frozenset[int]:
        """Trials with either."""
        return frozenset(self.clips) | frozenset(self.features)

    @property
    def without_features(self) -> tuple[int, ...]:
        """Trials with a clip that OpenFace has not seen yet."""
        return tuple(sorted(set(self.clips) - set(self.features)))


def find_faces(subject: str, folders: Iterable[Path]) -> FaceFiles:
    """Look for a subject's files.

    Parameters
    ----------
    subject : str
        ``"s01"``.
    folders : iterable of Path
        Folders that hold one folder a subject.

    Raises
    ------
    DataError
        A file in the subject's folder is named after another one.
    """
    found: dict[str, dict[int, Path]] = {"avi": {}, "csv": {}}
    for folder in folders:
        for path in sorted((folder / subject).glob("*_trial*")):
            match = _NAME.fullmatch(path.name)
            if match is None:  # OpenFace leaves pictures and details beside its CSV files
                continue
            if match[1].lower() != subject:
                msg = f"{path} must be of {subject}, in whose folder it is; move it to {match[1]}."
                raise DataError(msg)
            found[match[3].lower()].setdefault(int(match[2]), path)
    return FaceFiles(clips=found["avi"], features=found["csv"])


def read_face(path: Path) -> tuple[Floats, npt.NDArray[np.float32]]:
    """Read OpenFace's features of one clip.

    Parameters
    ----------
    path : Path
        The CSV file.

    Returns
    -------
    times_s : ndarray, shape (n_frames,)
        Counted from the clip's begin.
    data : ndarray of float32, shape (31, n_frames)
        `FACE_FEATURES` and `FRAME_QUALITY`; NaN where there is no face.

    Raises
    ------
    DataError
        It is no file of OpenFace, or its times do not rise.
    """
    try:
        recording = OpenFaceRecording(path)
    except RecordingError as error:
        raise DataError(str(error)) from error
    except OSError as error:
        msg = f"{path} cannot be opened: {error.strerror or error}."
        raise DataError(msg) from error
    events = recording.play({0: "face"}, shift_s=0.0, delay_s=0.0)
    chunks = [event for event in events if isinstance(event, Chunk)]
    times_s = np.concatenate([chunk.stamps_s for chunk in chunks])
    if not (np.diff(times_s) > 0).all():
        msg = f"{path} must have timestamps that rise from frame to frame."
        raise DataError(msg)
    return times_s, np.concatenate([chunk.data for chunk in chunks], axis=1)


def extractor_of(paths: Iterable[Path]) -> str:
    """Return what made the features of one person's files, by their columns alone.

    Raises
    ------
    DataError
        OpenFace made some, `rtaffect-offline data faces` others: their levels differ.
    """
    ours: list[Path] = []
    theirs: list[Path] = []
    for path in paths:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            (ours if MARK in file.readline() else theirs).append(path)
    if ours and theirs:
        msg = (
            f"One extractor must make all face files of a person; {ours[0]} is rtaffect's, "
            f"{theirs[0]} is OpenFace's. Remove those of one and make them with the other."
        )
        raise DataError(msg)
    return "rtaffect" if ours else "openface"
