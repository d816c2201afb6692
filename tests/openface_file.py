"""Small OpenFace files for tests."""

from pathlib import Path

from rtaffect.core.face_features import FACE_FEATURES


def write_openface(path: Path, *, seconds: float, sfreq: float = 30.0, value: float = 0.5) -> Path:
    """Write a file in which every feature of every frame is `value`."""
    header = ("frame", "face_id", "timestamp", "confidence", "success", *FACE_FEATURES)
    rows = [
        (i + 1, 0, round(i / sfreq, 3), 0.98, 1, *([value] * len(FACE_FEATURES)))
        for i in range(round(seconds * sfreq))
    ]
    lines = [", ".join(header), *(", ".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path
