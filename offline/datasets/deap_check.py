"""What is wrong with a copy of DEAP."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from offline.datasets.contract import Finding
from offline.datasets.deap_bdf import Original
from offline.datasets.deap_faces import read_face
from offline.datasets.deap_files import DeapFiles, EegSource
from offline.datasets.deap_preprocessed import VIDEO_S, read_preprocessed
from offline.datasets.deap_ratings import N_VIDEOS
from offline.errors import DataError

_N_SUBJECTS = 32
_CLIP_TOLERANCE_S = 3.0
_SEEN = 0.5  # share of a clip's frames with a face below which it deserves a remark


def check_files(files: DeapFiles, *, source: EegSource, with_faces: bool) -> Iterator[Finding]:
    """Yield everything that is wrong or worth a remark, subject by subject.

    Parameters
    ----------
    files : DeapFiles
        The copy.
    source : {"preprocessed", "bdf"}
        Which EEG is wanted.
    with_faces : bool
        Features of face clips are wanted.
    """
    try:
        found = files.subjects()
    except DataError as error:
        yield _error(files.eeg_folder.name, error)
        return
    everybody = [f"s{number:02d}" for number in range(1, _N_SUBJECTS + 1)]
    if absent := [name for name in everybody if name not in found]:
        what = f"{len(absent)} of {_N_SUBJECTS} subjects are not there: {', '.join(absent)}."
        yield Finding(is_error=False, where=files.eeg_folder.name, what=what)
    try:
        has_ratings = bool(files.ratings)
    except DataError as error:
        yield _error(files.ratings_path.name, error)
        return
    if not has_ratings:
        where = files.ratings_path.name
        yield Finding(is_error=files.needs_ratings, where=where, what=files.no_ratings)
        if files.needs_ratings:
            return
    for subject in found:
        check = _check_original if source == "bdf" else _check_preprocessed
        try:
            yield from check(files, subject)
        except DataError as error:
            yield _error(subject, error)
        if with_faces:
            yield from _check_faces(files, subject)


def _check_preprocessed(files: DeapFiles, subject: str) -> Iterator[Finding]:
    content = read_preprocessed(files.eeg(subject))
    for what in content.problems(files.ratings_of(subject)):
        yield Finding(is_error=True, where=content.path.name, what=what)


def _check_original(files: DeapFiles, subject: str) -> Iterator[Finding]:
    ratings = files.ratings_of(subject)
    original = Original(files.eeg(subject), ratings)
    shown = {rating.trial for rating in original.shown}
    if missing := [str(rating.trial) for rating in ratings if rating.trial not in shown]:
        what = f"No marker for {len(missing)} trials, left out: {', '.join(missing)}."
        yield Finding(is_error=False, where=files.eeg(subject).name, what=what)
    for _ in original.clips():
        pass  # each is read once


def _check_faces(files: DeapFiles, subject: str) -> Iterator[Finding]:
    try:
        faces = files.faces(subject)
    except DataError as error:
        yield _error(subject, error)
        return
    missing = [str(trial) for trial in range(1, N_VIDEOS + 1) if trial not in faces.trials]
    if missing:
        listed = "all of them" if len(missing) == N_VIDEOS else ", ".join(missing)
        what = f"{len(missing)} of {N_VIDEOS} trials have no face file: {listed}."
        yield Finding(is_error=False, where=subject, what=what)
    if faces.without_features:
        what = files.run_openface(subject, faces)
        yield Finding(is_error=True, where=subject, what=what)
    for path in faces.features.values():
        yield from _check_face(path)


def _check_face(path: Path) -> Iterator[Finding]:
    try:
        times_s, data = read_face(path)
    except DataError as error:
        yield _error(path.name, error)
        return
    if abs(times_s[-1] - VIDEO_S) > _CLIP_TOLERANCE_S:
        what = f"A face clip should last {VIDEO_S:g} s, this one lasts {times_s[-1]:.1f} s."
        yield Finding(is_error=False, where=path.name, what=what)
    seen = float(np.isfinite(data[0]).mean())
    if seen < _SEEN:
        what = f"OpenFace saw a face in {seen:.0%} of the frames only."
        yield Finding(is_error=False, where=path.name, what=what)


def _error(where: str, error: DataError) -> Finding:
    return Finding(is_error=True, where=where, what=str(error))
