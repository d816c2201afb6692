"""EAV's files: where they are, what they hold, and whether labels and videos agree."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from offline.datasets.array_source import Segment
from offline.datasets.contract import Ints
from offline.datasets.matlab import read_array
from offline.errors import DataError
from rtaffect.core.errors import RtaffectError
from rtaffect.core.streams import Chunk, StreamInfo

EMOTIONS = ("neutral", "sadness", "anger", "happiness", "calmness")
TASKS = ("listening", "speaking")
"""Row r of the labels is emotion r // 2 and task r % 2. (The authors' code calls the odd rows, 1, 3
..., listening; the names of their videos call them speaking, in all 8400 of them.)"""

CHANNELS: tuple[str, ...] = tuple(
    "Fp1 Fp2 F7 F3 Fz F4 F8 FC5 FC1 FC2 FC6 T7 C3 Cz C4 T8 CP5 CP1 CP2 CP6 "
    "P7 P3 Pz P4 P8 PO9 O1 Oz O2 PO10".split()
)
"""The amplifier's standard 32 without the mastoids, which are the reference."""

SFREQ = 500.0
TRIAL_S = 20.0
N_TIMES = 10_000
N_SUBJECTS = 42

_SUBJECT = re.compile(r"subject0*(\d+)")
_MEDIA = re.compile(r"(\d{3})_Trial_\d+_(listening|speaking)_([a-z]+)(?:_aud)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SubjectFiles:
    """Where one subject's files are; `media` tell by their names what each trial was."""

    eeg: Path
    label: Path
    media: tuple[Path, ...]
    faces: Mapping[int, Path]


def subject_folders(root: Path) -> dict[str, Path]:
    """Return everybody's folder by name, in the order of their numbers.

    Raises
    ------
    DataError
        There is nobody.
    """
    try:
        folders = [path for path in root.iterdir() if path.is_dir()]
    except OSError as error:
        msg = f"{root} cannot be read: {error.strerror or error}."
        raise DataError(msg) from error
    matches = [(match, path) for path in folders if (match := _SUBJECT.fullmatch(path.name))]
    found = {int(match[1]): path for match, path in matches}
    if not found:
        msg = f"{root} must hold EAV's folders subject1 ... subject{N_SUBJECTS}, and has none."
        raise DataError(msg)
    return {f"subject{number:02d}": found[number] for number in sorted(found)}


def find_files(folder: Path, *, face: str) -> SubjectFiles:
    """Return one subject's files; `face` names the folder of OpenFace CSVs.

    Raises
    ------
    DataError
        A CSV is not called like a video.
    """
    faces = {}
    for path in _listed(folder / face, ".csv"):
        match = _MEDIA.fullmatch(path.stem)
        if match is None:
            msg = f"{path} must be called like the video that it is of, 001_Trial_01_....csv."
            raise DataError(msg)
        faces[int(match[1])] = path
    media = [*_listed(folder / "Video", ".mp4"), *_listed(folder / "Audio", ".wav")]
    return SubjectFiles(
        eeg=folder / "EEG" / f"{folder.name}_eeg.mat",
        label=folder / "EEG" / f"{folder.name}_eeg_label.mat",
        media=(*media, *faces.values()),
        faces=faces,
    )


def _listed(folder: Path, ending: str) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.suffix.lower() == ending)


def label_rows(path: Path) -> Ints:
    """Return the row of each trial's one, shape (n_trials,).

    Raises
    ------
    DataError
        The file holds no labels of one class each.
    """
    label = read_array(path, ["label"])
    if label.ndim == 2 and label.shape[0] != 2 * len(EMOTIONS):
        label = label.T
    if label.ndim != 2 or label.shape[0] != 2 * len(EMOTIONS):
        msg = f"{path} must hold 10 classes x trials, got the shape {label.shape}."
        raise DataError(msg)
    wrong = np.flatnonzero((label != 0).sum(axis=0) != 1)
    if len(wrong):
        msg = f"{path}: each trial must be of one class; trial {wrong[0] + 1} is of none or many."
        raise DataError(msg)
    rows: Ints = label.argmax(axis=0).astype(np.int64)
    return rows


def read_clips(path: Path, n_trials: int) -> npt.NDArray[Any]:
    """Return all clips, shape (n_times, n_channels, n_trials).

    Raises
    ------
    DataError
        The file holds another shape, or what is no number.
    """
    clips = read_array(path, ["seg", "seg1"])
    wanted = (N_TIMES, len(CHANNELS), n_trials)
    if clips.shape != wanted:
        msg = f"{path} must hold times x channels x trials = {wanted}, got {clips.shape}."
        raise DataError(msg)
    for i in range(n_trials):
        if not np.isfinite(clips[:, :, i]).all():
            msg = f"{path}: every sample must be a number; trial {i + 1} has others."
            raise DataError(msg)
    return clips


def check_media(files: SubjectFiles, rows: Ints) -> None:
    """Compare labels with the names of videos, sounds and OpenFace files.

    Raises
    ------
    DataError
        They do not say the same.
    """
    for path in files.media:
        match = _MEDIA.fullmatch(path.stem)
        if match is None:
            continue
        number, task, emotion = int(match[1]), match[2].lower(), match[3].lower()
        if not 1 <= number <= len(rows):
            msg = f"{path} is of trial {number}, and {files.label.name} has {len(rows)}."
            raise DataError(msg)
        row = int(rows[number - 1])
        said = (TASKS[row % 2], EMOTIONS[row // 2])
        if (task, emotion) != said:
            msg = (
                f"{path.name} and {files.label.name} must say the same of trial {number}; the "
                f"label says {' '.join(said)}. Are the files of one subject?"
            )
            raise DataError(msg)


def read_face(path: Path, t_start: float) -> tuple[StreamInfo, Segment]:
    """Return one trial's frames, which begin at `t_start` (in seconds).

    Raises
    ------
    DataError
        The file is none of OpenFace's.
    """
    from rtaffect.sources.openface import OpenFaceRecording

    try:
        recording = OpenFaceRecording(path)
    except RtaffectError as error:
        raise DataError(str(error)) from error
    stream = recording.streams[0]
    frames = [
        event
        for event in recording.play({0: "face"}, shift_s=0.0, delay_s=0.0)
        if isinstance(event, Chunk)
    ]
    info = StreamInfo(
        modality="face",
        name=stream.name,
        stype=stream.stype,
        ch_names=stream.ch_names,
        sfreq=stream.sfreq,
        units=("",) * stream.n_channels,
    )
    segment = Segment(
        modality="face",
        data=np.concatenate([frame.data for frame in frames], axis=1),
        stamps_s=np.concatenate([frame.stamps_s for frame in frames]) + t_start,
    )
    return info, segment
