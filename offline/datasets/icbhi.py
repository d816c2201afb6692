"""ICBHI 2024 "Mind-Reading Emotions": 25 s of ROI frames of each of 30 clips, class and level."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import Literal

import numpy as np

from offline.datasets.array_source import ArraySource
from offline.datasets.contract import About, Finding, Floats, Label, Recording, Trial
from offline.datasets.digests import file_digest
from offline.datasets.frames import roi_source
from offline.datasets.npz import read_npz
from offline.datasets.settings import Settings
from offline.datasets.tables import read_table
from offline.errors import DataError
from rtaffect.core.atlas import brainnetome

ABOUT = About(
    kind="icbhi",
    title='ICBHI 2024 challenge "Mind-Reading Emotions": ROI frames',
    reference="IFMBE International Conference on Biomedical and Health Informatics 2024, Tainan",
    licence="none stated; registered participants of the challenge only",
    how_to_get=(
        "From the challenge's organisers, to those who registered: Train/P01/fMRI_data.npz and "
        "labels.npz, Test/P17/fMRI_data.npz. The data are not ours to pass on."
    ),
    modalities=("roi",),
    tried_on=(
        "No real copy was at hand. Shapes, keys and scales follow the organisers' description and "
        "sample script, and were tried on small files made like them."
    ),
)

N_TRIALS, N_REGIONS, N_FRAMES = 30, 246, 25
FRAME_S = 1.0
TRIAL_STEP_S = 85.0
"""From one trial to the next on our clock. How much lay between them is not known; it is made so
much that a running normaliser starts anew with each trial, and none knows the one before."""

LABELS: Mapping[str, Label] = {
    "class": Label(classes=("negative", "neutral", "positive"), edges=(-1.5, -0.5, 0.5, 1.5)),
    "level": Label(
        classes=tuple(f"{level:+d}" if level else "0" for level in range(-4, 5)),
        edges=tuple(float(edge) for edge in np.arange(-4.5, 5)),
    ),
}

_READER = 1  # of what a subject's numbers depend on: count up where this reader changes them
_SUBJECT = re.compile(r"P\d\d")
_ABOUT_STREAM = {
    "acquisition.tr_s": "1.0",
    "acquisition.time_reference": "mid",
    "atlas.name": "Brainnetome",
    "processing.normalisation": "none",
}


class IcbhiSettings(Settings):
    """Where a copy is.

    Parameters
    ----------
    kind : "icbhi"
        Name of the data set.
    path : Path
        Folder with Train and Test.
    test_labels : Path or None
        Table (CSV: Participant,Trial,CLASS,LEVEL) with labels of some trials of Test, as its second
        phase published; without it nobody in Test has a label.
    """

    kind: Literal["icbhi"] = "icbhi"
    path: Path
    test_labels: Path | None = None

    def open(self) -> "Icbhi":
        """Return the data set; nothing is read yet."""
        return Icbhi(self)


class Icbhi:
    """A copy on disk, see `offline.datasets.contract.Dataset`.

    A trial is 5 s of fixation, 15 s of film and 5 s after, one frame a second: a window of 25 s and
    no lag take it whole. Its stimulus is not known, so that nobody can keep clips apart.

    Parameters
    ----------
    settings : IcbhiSettings
        Where.
    """

    def __init__(self, settings: IcbhiSettings) -> None:
        self.settings = settings

    @property
    def about(self) -> About:
        """What to know of it."""
        return ABOUT

    @property
    def labels(self) -> Mapping[str, Label]:
        """Class and level of valence."""
        return LABELS

    @property
    def ch_names(self) -> tuple[str, ...]:
        """The 246 regions of the Brainnetome atlas."""
        return brainnetome().names

    @property
    def subjects(self) -> tuple[str, ...]:
        """Everybody in Train, then in Test."""
        return tuple(self._folders())

    def recordings(self, subject: str) -> Iterator[Recording]:
        """Yield the subject's one recording.

        Raises
        ------
        DataError
            A file is missing, or is not what it must be.
        """
        folder = self._folder(subject)
        labels = self._labels(subject)
        trials = tuple(
            Trial(
                name=f"{number + 1:02d}",
                stimulus="",
                t_start=number * TRIAL_STEP_S,
                t_end=number * TRIAL_STEP_S + N_FRAMES * FRAME_S,
                values={"class": float(labels[number, 0]), "level": float(labels[number, 1])},
            )
            for number in range(N_TRIALS)
        )
        yield Recording(
            subject=subject,
            session="1",
            open=partial(_open, folder / "fMRI_data.npz"),
            trials=trials,
            file="fMRI_data.npz",
        )

    def fingerprint(self, subject: str) -> str:
        """Return a digest of the subject's files."""
        folder = self._folder(subject)
        files = [path for name in _FILES if (path := folder / name).is_file()]
        labels = np.nan_to_num(self._labels(subject), nan=99.0).tolist()
        parts = [f"icbhi {_READER}", subject, repr(labels), *map(file_digest, files)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def check(self) -> Iterator[Finding]:
        """Yield what is wrong with the copy on disk, and whose trials follow the same order."""
        try:
            subjects = self.subjects
        except DataError as error:
            yield Finding(is_error=True, where=str(self.settings.path), what=str(error))
            return
        orders: dict[tuple[float, ...], list[str]] = {}
        for subject in subjects:
            try:
                labels = self._labels(subject)
                _read_frames(self._folder(subject) / "fMRI_data.npz")
            except DataError as error:
                yield Finding(is_error=True, where=subject, what=str(error))
                continue
            n_without = int(np.isnan(labels[:, 0]).sum())
            if n_without:
                what = f"{n_without} of {N_TRIALS} trials have no label: they are in no number."
                yield Finding(is_error=False, where=subject, what=what)
            else:
                orders.setdefault(tuple(labels[:, 0].tolist()), []).append(subject)
        alike = [names for names in orders.values() if len(names) > 1]
        if alike:
            shown = "; ".join(" = ".join(names) for names in alike)
            yield Finding(
                is_error=False,
                where="labels",
                what=f"Some subjects saw classes in the same order ({shown}), so that the number "
                "of a trial tells its class: no model may know it.",
            )

    def _folders(self) -> Mapping[str, Path]:
        return _find_subjects(self.settings.path)

    def _folder(self, subject: str) -> Path:
        folders = self._folders()
        if subject not in folders:
            msg = f"Subject must be one of {', '.join(folders)}; got {subject!r}."
            raise DataError(msg)
        return folders[subject]

    def _labels(self, subject: str) -> Floats:
        """Return class and level of each trial, shape (30, 2); NaN where they are not known."""
        path = self._folder(subject) / "labels.npz"
        if path.is_file():
            return _checked(read_npz(path, "data", (N_TRIALS, 2)), where=str(path))
        labels = np.full((N_TRIALS, 2), np.nan)
        if self.settings.test_labels is not None:
            for number, values in _read_test_labels(self.settings.test_labels, subject):
                labels[number - 1] = values
            _checked(labels, where=f"{self.settings.test_labels}, {subject}")
        return labels


_FILES = ("fMRI_data.npz", "labels.npz")


def _checked(labels: Floats, *, where: str) -> Floats:
    for column, (name, label) in enumerate(LABELS.items()):
        values = labels[:, column]
        known = values[~np.isnan(values)]
        largest = label.edges[-1] - 0.5
        if (known != np.round(known)).any() or (np.abs(known) > largest).any():
            msg = f"{where}: {name} must be whole numbers from {-largest:g} to {largest:g}."
            raise DataError(msg)
    return labels


def _read_test_labels(path: Path, subject: str) -> Iterator[tuple[int, tuple[float, float]]]:
    for row in read_table(path, ("Participant", "Trial", "CLASS", "LEVEL"), delimiter=","):
        if row.text("Participant") != subject or not row.text("CLASS"):
            continue
        number = int(row.number("Trial"))
        if not 1 <= number <= N_TRIALS:
            msg = f"{row.where}: Trial must be from 1 to {N_TRIALS}, got {number}."
            raise DataError(msg)
        yield number, (row.number("CLASS"), row.number("LEVEL"))


def _open(path: Path) -> ArraySource:
    frames = _read_frames(path)  # (30, 246, 25)
    starts = np.arange(N_TRIALS) * TRIAL_STEP_S
    stamps = (starts[:, None] + (np.arange(N_FRAMES) + 0.5) * FRAME_S).ravel()
    return roi_source(
        frames.transpose(1, 0, 2).reshape(N_REGIONS, -1),
        stamps,
        name="icbhi",
        ch_names=brainnetome().names,
        about=_ABOUT_STREAM,
    )


def _read_frames(path: Path) -> Floats:
    frames = read_npz(path, "data", (N_TRIALS, N_REGIONS, N_FRAMES))
    if not np.isfinite(frames).all():
        msg = f"{path} must hold finite numbers, {int((~np.isfinite(frames)).sum())} are not."
        raise DataError(msg)
    return frames


@lru_cache(maxsize=4)
def _find_subjects(root: Path) -> Mapping[str, Path]:
    found = {
        folder.name: folder
        for part in ("Train", "Test")
        for folder in sorted((root / part).glob("P*"))
        if _SUBJECT.fullmatch(folder.name) and (folder / "fMRI_data.npz").is_file()
    }
    if not found:
        msg = f"{root} must hold Train/P01/fMRI_data.npz and the like; got none."
        raise DataError(msg)
    return found
