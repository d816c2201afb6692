"""Face clips of a data set become files of features, by the very extractor that runs live."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from offline.errors import DataError
from rtaffect.core.errors import FaceError
from rtaffect.core.face_features import MARK

VIDEO_SUFFIXES = frozenset({".avi", ".mp4", ".mov", ".mkv", ".webm", ".wmv", ".m4v", ".mpg"})


MAX_HEADER = 1 << 16
"""Characters of a file's first line that are looked at."""


@dataclass(frozen=True, slots=True)
class Clip:
    """One video and where its features go.

    Parameters
    ----------
    video, out : Path
        An OpenFace-compatible CSV file beside the video or, in another folder, at the same place.
    """

    video: Path
    out: Path

    @property
    def is_done(self) -> bool:
        """Whether its features are there: a file appears only when it is whole."""
        return self.out.is_file()


@dataclass(frozen=True, slots=True)
class ClipDone:
    """What came of a clip.

    Parameters
    ----------
    clip : Clip
        Which.
    n_frames, n_faces : int
        Pictures, and those with a face.
    problem : str
        Why there are none; empty if all went well.
    """

    clip: Clip
    n_frames: int = 0
    n_faces: int = 0
    problem: str = ""


def find_clips(folder: Path, out: Path | None = None) -> list[Clip]:
    """Return every video below a folder, in order of its path.

    Parameters
    ----------
    folder : Path
        Where to look.
    out : Path or None
        Folder in which the same tree of CSV files is made; None puts each beside its video.

    Raises
    ------
    DataError
        There is no such folder, it holds no video, two videos would share one file, or another
        program's file lies where one would be.
    """
    if not folder.is_dir():
        msg = f"{folder} must be a folder with face videos below it, it is not."
        raise DataError(msg)
    # What begins with a dot is no clip: macOS puts such a file beside each one on other disks.
    videos = sorted(
        p
        for p in folder.rglob("*")
        if p.suffix.lower() in VIDEO_SUFFIXES and not p.name.startswith(".") and p.is_file()
    )
    if not videos:
        msg = (
            f"{folder} must hold videos ({', '.join(sorted(VIDEO_SUFFIXES))}) in it or below, got "
            "none."
        )
        raise DataError(msg)
    root = folder if out is None else out
    clips = [Clip(v, (root / v.relative_to(folder)).with_suffix(".csv")) for v in videos]
    taken: dict[Path, Path] = {}
    for clip in clips:
        if (other := taken.setdefault(clip.out, clip.video)) != clip.video:
            msg = f"{other} and {clip.video} would both become {clip.out}: rename one of them."
            raise DataError(msg)
    if foreign := [clip.out for clip in clips if clip.is_done and not _is_ours(clip.out)]:
        msg = (
            f"{len(foreign)} files lie where features would be written, but rtaffect did not make "
            f"them: {foreign[0]} is the first. Choose another folder (`--out`) or move them."
        )
        raise DataError(msg)
    return clips


def _is_ours(path: Path) -> bool:
    with path.open(encoding="utf-8", errors="replace") as file:
        return MARK in file.readline(MAX_HEADER)


def extract_all(
    clips: Sequence[Clip], *, n_processes: int | None = None, backend: str = "auto"
) -> Iterator[ClipDone]:
    """Make the features of clips, several at a time, and yield each as it is done.

    Parameters
    ----------
    clips : sequence of Clip
        Those that are done already are left alone.
    n_processes : int, optional
        How many at a time; one a core unless given.
    backend : str
        What finds the faces, see `rtaffect.face.backends.open_landmarker`.

    Raises
    ------
    DataError
        A process was killed.
    """
    missing = [clip for clip in clips if not clip.is_done]
    n = min(n_processes or os.cpu_count() or 1, max(1, len(missing)))
    with ProcessPoolExecutor(n, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(_extract, clip, backend) for clip in missing]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool as error:
            msg = (
                "A process that made features was killed, by want of memory perhaps. What is done "
                "stays: the same command goes on, with fewer `--processes` if it happens again."
            )
            raise DataError(msg) from error
        finally:
            for future in futures:
                future.cancel()


def _extract(clip: Clip, backend: str) -> ClipDone:
    import cv2

    from rtaffect.face.backends import open_landmarker
    from rtaffect.face.clip import write_features
    from rtaffect.face.extractor import Extractor

    try:
        clip.out.parent.mkdir(parents=True, exist_ok=True)
        done = write_features(clip.video, clip.out, Extractor(open_landmarker(backend)))
    except (FaceError, OSError, cv2.error) as error:
        return ClipDone(clip, problem=str(error))
    return ClipDone(clip, done.n_frames, done.n_faces)
