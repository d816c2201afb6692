"""FACED: EEG of 123 people who watched 28 video clips of nine emotions."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from offline.datasets.array_source import ArraySource, Segment
from offline.datasets.clips import clip_start_s
from offline.datasets.contract import About, Dataset, Finding, Label, Recording, Trial
from offline.datasets.faced_files import (
    EMOTIONS,
    ITEMS,
    N_CHANNELS,
    N_VIDEOS,
    SCALE,
    SFREQ,
    VIDEO_S,
    Remark,
    emotion_of,
    read_processed,
    read_remarks,
)
from offline.datasets.settings import Settings
from offline.errors import DataError
from rtaffect.core.streams import StreamInfo
from rtaffect.signal.montage import canonical_name

ABOUT = About(
    kind="faced",
    title="FACED: finer-grained affective computing EEG dataset",
    reference="10.1038/s41597-023-02650-w",
    licence="CC-BY-4.0",
    how_to_get=(
        "Register at https://www.synapse.org (syn50614194) and unpack Processed_data, and Data "
        "with its After_remarks.mat files for ratings, into one folder. The original recordings "
        "are at NEMAR (nm000112) as BIDS: read those as a BIDS data set, not with this reader."
    ),
    modalities=("eeg",),
    tried_on=(
        "No real copy was at hand. Shapes, order of videos and ratings follow the authors' readme "
        "and public scripts, and were tried on small files made like them. Not tried on real "
        "files: the order of the 32 channels, which the authors give in a spreadsheet only; the "
        "default is the one that most public readers take, with the mastoids last. The original "
        "BDF recordings are not read here."
    ),
)

_READER = 1  # of what a subject's numbers depend on: count up where this reader changes them
_N_SUBJECTS = 123
_SUBJECT = re.compile(r"sub\d\d\d")
_MIRROR_S = 4.125  # clips are cut to the sample: the filters settle on their mirror image
_MASTOIDS = ("A1", "A2", "M1", "M2")
_ORDER = tuple(
    "Fp1 Fp2 Fz F3 F4 F7 F8 FC1 FC2 FC5 FC6 Cz C3 C4 T7 T8 "
    "CP1 CP2 CP5 CP6 Pz P3 P4 P7 P8 PO3 PO4 Oz O1 O2 A2 A1".split()
)


class FacedSettings(Settings):
    """Where a copy of FACED is, and how it is read.

    Parameters
    ----------
    kind : "faced"
        Name of the data set.
    path : Path
        Folder with Processed_data, and Data for ratings.
    ratings : {"none", "after_remarks"}
        ``"after_remarks"`` adds what was rated after each video to the emotion that the video is
        to evoke; videos that somebody did not rate are then left out.
    threshold : float
        Ratings above it are high, those at it are low.
    ch_order : tuple of str
        The 32 channels in the order of the files.
    """

    kind: Literal["faced"] = "faced"
    path: Path
    ratings: Literal["none", "after_remarks"] = "none"
    threshold: float = Field(default=3.5, gt=SCALE[0], lt=SCALE[1])
    ch_order: tuple[str, ...] = _ORDER

    @model_validator(mode="after")
    def _names_every_channel(self) -> Self:
        if len({canonical_name(name) for name in self.ch_order}) != N_CHANNELS:
            msg = f"ch_order must be {N_CHANNELS} different channels, got {list(self.ch_order)}"
            raise ValueError(msg)
        return self

    def open(self) -> Dataset:
        """Return the data set; nothing is read yet."""
        return Faced(self)


class Faced:
    """A copy of FACED on disk, see `offline.datasets.contract.Dataset`.

    A subject's videos are laid on one clock, each a segment of its own of 30 s, in the order of
    presentation where ratings are read, else by number.

    Parameters
    ----------
    settings : FacedSettings
        Where and how.
    """

    def __init__(self, settings: FacedSettings) -> None:
        self.settings = settings
        self._folder = settings.path / "Processed_data"
        self._ch_names = tuple(canonical_name(name) for name in settings.ch_order)

    @property
    def about(self) -> About:
        """What to know of it."""
        return ABOUT

    @property
    def labels(self) -> Mapping[str, Label]:
        """The emotion that a video is to evoke; low or high, by what was rated, if asked for."""
        labels = {"emotion": Label(classes=EMOTIONS)}
        if self.settings.ratings != "none":
            edges = (SCALE[0], self.settings.threshold, SCALE[1])
            labels |= {item: Label(classes=("low", "high"), edges=edges) for item in ITEMS}
        return labels

    @property
    def ch_names(self) -> tuple[str, ...]:
        """The electrodes of the scalp, without the mastoids."""
        return tuple(name for name in self._ch_names if name not in _MASTOIDS)

    @property
    def subjects(self) -> tuple[str, ...]:
        """Everybody with an EEG file.

        Raises
        ------
        DataError
            There is nobody.
        """
        names = sorted(path.stem for path in self._folder.glob("*.pkl"))
        if not (found := tuple(name for name in names if _SUBJECT.fullmatch(name))):
            msg = (
                f"{self.settings.path} must be the folder that holds {self._folder.name}/"
                "sub000.pkl and so on; there is no such file."
            )
            raise DataError(msg)
        return found

    def recordings(self, subject: str) -> Iterator[Recording]:
        """Yield the subject's one recording.

        Raises
        ------
        DataError
            Ratings are not what they must be; on opening, that EEG is not.
        """
        if subject not in self.subjects:
            msg = f"The data set has {', '.join(self.subjects)}; got {subject}."
            raise DataError(msg)
        remarks = [remark for remark in self._remarks(subject) if self._is_rated(remark)]
        opener = FacedOpener(
            path=self._eeg_path(subject),
            videos=tuple(remark.video for remark in remarks),
            ch_names=self._ch_names,
        )
        trials = tuple(self._trial(number, remark) for number, remark in enumerate(remarks))
        yield Recording(subject=subject, session="1", open=opener, trials=trials)

    def fingerprint(self, subject: str) -> str:
        """Return the SHA-256 of the subject's files and ratings, and of how they are read."""
        path = self._eeg_path(subject)
        try:
            with path.open("rb") as file:
                eeg = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            msg = f"{path} cannot be opened: {error.strerror or error}."
            raise DataError(msg) from error
        depends = {
            "reader": _READER,
            "ratings": self.settings.ratings,
            "ch_order": self._ch_names,
            "remarks": [(remark.video, remark.values) for remark in self._remarks(subject)],
            "eeg": eeg,
        }
        return hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()

    def check(self) -> Iterator[Finding]:
        """Yield what is wrong with the copy on disk, subject by subject."""
        try:
            found = self.subjects
        except DataError as error:
            yield Finding(is_error=True, where=self._folder.name, what=str(error))
            return
        if len(found) < _N_SUBJECTS:
            what = f"{_N_SUBJECTS - len(found)} of {_N_SUBJECTS} subjects are not there."
            yield Finding(is_error=False, where=self._folder.name, what=what)
        for subject in found:
            yield from self._check_subject(subject)

    def _check_subject(self, subject: str) -> Iterator[Finding]:
        try:
            read_processed(self._eeg_path(subject))
        except DataError as error:
            yield Finding(is_error=True, where=subject, what=str(error))
        try:
            remarks = self._remarks(subject)
        except DataError as error:
            yield Finding(is_error=True, where=subject, what=str(error))
            return
        if unrated := [str(remark.video) for remark in remarks if not self._is_rated(remark)]:
            what = f"{len(unrated)} videos were not rated and are left out: {', '.join(unrated)}."
            yield Finding(is_error=False, where=subject, what=what)

    def _eeg_path(self, subject: str) -> Path:
        return self._folder / f"{subject}.pkl"

    def _remarks(self, subject: str) -> tuple[Remark, ...]:
        if self.settings.ratings == "none":
            return tuple(Remark(video=video, values=()) for video in range(1, N_VIDEOS + 1))
        return read_remarks(self.settings.path / "Data" / subject / "After_remarks.mat")

    def _is_rated(self, remark: Remark) -> bool:
        return self.settings.ratings == "none" or bool(remark.values)

    def _trial(self, number: int, remark: Remark) -> Trial:
        begin_s = clip_start_s(number, length_s=VIDEO_S, around_s=2 * _MIRROR_S)
        name = f"video{remark.video:02d}"
        rated = dict(zip(ITEMS, remark.values, strict=True)) if remark.values else {}
        return Trial(
            name=name,
            stimulus=f"faced-{name}",
            t_start=begin_s,
            t_end=begin_s + VIDEO_S,
            values={"emotion": float(emotion_of(remark.video)), **rated},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FacedOpener:
    """Opens a subject's recording; until then only its path is held.

    Parameters
    ----------
    path : Path
        The EEG.
    videos : tuple of int
        In the order in which they are laid.
    ch_names : tuple of str
        All channels, in the order of the file.
    """

    path: Path
    videos: tuple[int, ...]
    ch_names: tuple[str, ...]

    def __call__(self) -> ArraySource:
        """Read the file.

        Raises
        ------
        DataError
            It is not what it must be.
        """
        eeg_uv = read_processed(self.path)
        times_s = np.arange(eeg_uv.shape[2]) / SFREQ
        info = StreamInfo(
            modality="eeg",
            name="FACED",
            stype="EEG",
            ch_names=self.ch_names,
            sfreq=SFREQ,
            units=("uV",) * len(self.ch_names),
        )
        segments = [
            Segment(
                modality="eeg",
                data=eeg_uv[video - 1],
                stamps_s=clip_start_s(number, length_s=VIDEO_S, around_s=2 * _MIRROR_S) + times_s,
                mirror_s=_MIRROR_S,
            )
            for number, video in enumerate(self.videos)
        ]
        return ArraySource({"eeg": info}, segments)
