"""OpenFace's CSV files (FeatureExtraction, 1.x and 2.x) as a face stream.

OpenFace writes a row for every frame, with zeros where it saw no face; such a frame is a gap and
becomes NaN. Column names are padded with blanks in some versions and not in others; 1.x has no
``face_id``. Times count from the start of the video.
"""

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rtaffect.core.errors import RecordingError
from rtaffect.core.face_features import (
    EXTRACTOR,
    FACE_FEATURES,
    FRAME_QUALITY,
    MARK,
    MIN_CONFIDENCE,
)
from rtaffect.core.streams import Event
from rtaffect.sources.recorded import RecordedStream, plain_events

_NOT_OPENFACE = (
    "{path} is a CSV file, but not OpenFace's: of its FeatureExtraction, with columns frame, "
    "timestamp, confidence, success, {first} ... {last}. This one begins with {head}. If it is a "
    "table of ROI frames, say its repetition time by `--tr` or in a .json file beside it."
)


class OpenFaceRecording:
    """One face of an OpenFace CSV file.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    RecordingError
        It is another CSV file, or columns are missing.
    """

    is_relative = True
    is_session = False

    def __init__(self, path: Path) -> None:
        self.path = path
        columns, notes = _read(path)
        columns, chosen = _one_face(columns, path)
        quality, assumed = _quality(columns, path)
        features = np.array([columns[name] for name in FACE_FEATURES])  # (29, n_times)
        valid = (
            (quality[0] >= MIN_CONFIDENCE) & (quality[1] == 1) & np.isfinite(features).all(axis=0)
        )
        features[:, ~valid] = np.nan
        self.notes = (*notes, *chosen, *assumed, *_missed(valid, path))
        self._times_s = columns["timestamp"]
        self._data = np.concatenate([features, quality]).astype(np.float32)
        self.streams = (
            RecordedStream(
                name="OpenFace file",
                stype="Face",
                n_channels=len(self._data),
                sfreq=_sfreq(columns),
                dtype="float32",
                ch_names=FACE_FEATURES + FRAME_QUALITY,
                about={EXTRACTOR: "rtaffect" if MARK in columns else "openface"},
                n_times=len(self._times_s),
                t_first=float(self._times_s[0]),
                t_last=float(self._times_s[-1]),
            ),
        )

    def play(
        self, modalities: Mapping[int, str], *, shift_s: float, delay_s: float
    ) -> Iterator[Event]:
        """Yield the frames, see `RecordedFile`."""
        for modality in modalities.values():
            yield from plain_events(
                modality, self._times_s, self._data, shift_s=shift_s, delay_s=delay_s
            )


Columns = dict[str, npt.NDArray[np.float64]]


def _read(path: Path) -> tuple[Columns, list[str]]:
    """Return the columns that we use, and what is to be said."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, skipinitialspace=True)
            header = [name.strip() for name in next(reader, [])]
            wanted = _wanted(header, path)
            rows, n_cut = _numbers(reader, len(header), wanted, path)
    except (UnicodeDecodeError, csv.Error) as error:
        msg = f"{path} is not a text file of comma separated values: {error}."
        raise RecordingError(msg) from error
    if len(rows) < 2:
        msg = f"{path} must hold at least two frames, it has {len(rows)}."
        raise RecordingError(msg)
    values = np.array(rows, dtype=np.float64).T
    columns = dict(zip(wanted, values, strict=True))
    if not np.isfinite(columns["timestamp"]).all():
        msg = f"{path} has frames without a time: every timestamp must be a number."
        raise RecordingError(msg)
    cut = f"{path.name} ends within a row, which is left out: was OpenFace stopped early?"
    return columns, [cut] * n_cut


def _wanted(header: Sequence[str], path: Path) -> dict[str, int]:
    """Return where the columns are that we use, or say what the file is or lacks."""
    if "timestamp" not in header and {"face", "confidence"} <= set(header):
        msg = (
            f"{path} is OpenFace's output for images (FaceLandmarkImg): it has no times. "
            "Run FeatureExtraction on the video instead."
        )
        raise RecordingError(msg)
    known = {"timestamp", *FRAME_QUALITY, *FACE_FEATURES}
    if "timestamp" not in header or len(known & set(header)) < 5:
        head = ", ".join(repr(name) for name in header[:4]) or "nothing"
        msg = _NOT_OPENFACE.format(
            path=path, first=FACE_FEATURES[0], last=FACE_FEATURES[-1], head=head
        )
        raise RecordingError(msg)
    missing = [name for name in FACE_FEATURES if name not in header]
    if missing:
        msg = (
            f"{path} lacks {len(missing)} of the 29 facial features: {', '.join(missing)}. Run "
            "OpenFace's FeatureExtraction with -gaze -pose -aus and keep all columns."
        )
        raise RecordingError(msg)
    used = ("timestamp", *FACE_FEATURES, *FRAME_QUALITY, "frame", "face_id")
    return {name: header.index(name) for name in (*used, MARK) if name in header}


def _numbers(
    reader: Iterator[list[str]], n_columns: int, wanted: Mapping[str, int], path: Path
) -> tuple[list[list[float]], int]:
    """Return the wanted numbers row by row, and whether (0 or 1) the last row is cut off."""
    rows: list[list[float]] = []
    for line, fields in enumerate(reader, start=2):
        if not fields:
            continue
        if len(fields) < n_columns:
            if next(reader, None) is None:
                return rows, 1
            msg = f"{path}, line {line}: {n_columns} values are needed, {len(fields)} are there."
            raise RecordingError(msg)
        try:
            rows.append([float(fields[i]) for i in wanted.values()])
        except ValueError as error:
            msg = f"{path}, line {line}: numbers are needed ({error})."
            raise RecordingError(msg) from error
    return rows, 0


def _one_face(columns: Columns, path: Path) -> tuple[Columns, list[str]]:
    """Keep the face that was seen in most frames; ids are not stable, so one has to be picked."""
    faces = columns.get("face_id")
    if faces is None or len(set(faces.tolist())) == 1:
        return columns, []
    success = columns.get("success", np.ones_like(faces))
    seen = Counter(faces[success == 1].tolist()) or Counter(faces.tolist())
    longest = min(seen, key=lambda face: (-seen[face], face))
    note = (
        f"{path.name} has {len(set(faces.tolist()))} faces; the one seen in most frames, face_id "
        f"{longest:g} with {seen[longest]} frames, is taken and the others are left out."
    )
    return {name: values[faces == longest] for name, values in columns.items()}, [note]


def _quality(columns: Columns, path: Path) -> tuple[npt.NDArray[np.float64], list[str]]:
    """Return confidence and success, shape (2, n_times)."""
    absent = [name for name in FRAME_QUALITY if name not in columns]
    certain = np.ones_like(columns["timestamp"])
    quality = np.array([columns.get(name, certain) for name in FRAME_QUALITY])
    note = f"{path.name} has no column {' and '.join(absent)}: every frame is taken as valid."
    return quality, [note] if absent else []


def _missed(valid: npt.NDArray[np.bool_], path: Path) -> list[str]:
    n_invalid = int((~valid).sum())
    note = (
        f"{path.name}: {n_invalid} of {len(valid)} frames have no face (success 0 or confidence "
        f"below {MIN_CONFIDENCE}) and count as missing."
    )
    return [note] if n_invalid else []


def _sfreq(columns: Columns) -> float:
    """Return the video's rate in Hz, by frame numbers where given; 0.0 if time stands still."""
    elapsed = float(columns["timestamp"][-1] - columns["timestamp"][0])
    frames = columns.get("frame", np.arange(len(columns["timestamp"]), dtype=np.float64))
    n_frames = float(frames[-1] - frames[0])
    return n_frames / elapsed if elapsed > 0 and n_frames > 0 else 0.0
