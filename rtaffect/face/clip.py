"""A video file becomes a file of features, by the code that a live camera meets."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rtaffect.core.errors import FaceError
from rtaffect.face.cameras import open_video, read_pictures
from rtaffect.face.extractor import Extractor
from rtaffect.face.openface_csv import OpenFaceCsv, already_there


@dataclass(frozen=True, slots=True)
class Written:
    """What a clip gave.

    Parameters
    ----------
    n_frames, n_faces : int
        Pictures, and those with a face.
    n_without_units : int
        Those of the latter that came before the person's neutral face was known. They have no
        action units, and whoever reads the file takes them for missing.
    """

    n_frames: int
    n_faces: int
    n_without_units: int


def write_features(video: Path, out: Path, extractor: Extractor) -> Written:
    """Write the features of every picture of a video file as an OpenFace-compatible CSV file.

    Parameters
    ----------
    video : Path
        What is read, as fast as it goes.
    out : Path
        What is written; it appears only when it is whole.
    extractor : Extractor
        A new one: it knows nobody yet.

    Raises
    ------
    FaceError
        The video cannot be read or has no picture, or `out` exists or cannot be written.
    """
    if out.exists():
        raise already_there(out)
    if not out.parent.is_dir():
        msg = f"{out.parent} must be a folder that is there, for {out.name} is to lie in it."
        raise FaceError(msg)
    capture, mode = open_video(video)
    n_frames = n_faces = n_without_units = 0
    part = out.with_name(f".{out.name}.part")
    part.unlink(missing_ok=True)
    with OpenFaceCsv(part) as file:
        for picture in read_pictures(capture, mode):
            frame = extractor.extract(picture.image, picture.t_s)
            file.write(frame)
            n_frames += 1
            n_faces += frame.success
            n_without_units += frame.success and not np.isfinite(frame.features).all()
    if not n_frames:
        part.unlink()
        msg = f"{video} must hold pictures, but not one can be decoded."
        raise FaceError(msg)
    part.replace(out)
    return Written(n_frames, n_faces, int(n_without_units))
