"""A video file becomes a file of features, by the code that a live camera meets."""

from dataclasses import dataclass
from pathlib import Path

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
    """

    n_frames: int
    n_faces: int


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
        The video cannot be read, or `out` exists or cannot be written.
    """
    capture, mode = open_video(video)
    n_frames = n_faces = 0
    part = out.with_name(f".{out.name}.part")
    part.unlink(missing_ok=True)
    if out.exists():
        capture.release()
        raise already_there(out)
    with OpenFaceCsv(part) as file:
        for picture in read_pictures(capture, mode):
            frame = extractor.extract(picture.image, picture.t_s)
            file.write(frame)
            n_frames += 1
            n_faces += frame.success
    part.replace(out)
    return Written(n_frames, n_faces)
