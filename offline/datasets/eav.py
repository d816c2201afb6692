"""EAV: EEG, audio and video of 42 people in conversations (Lee et al. 2024)."""

import hashlib
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from offline.datasets.array_source import ArraySource, Segment
from offline.datasets.contract import About, Finding, Label, Recording, Trial
from offline.datasets.digests import file_digest
from offline.datasets.eav_files import (
    CHANNELS,
    EMOTIONS,
    N_SUBJECTS,
    N_TIMES,
    SFREQ,
    TASKS,
    TRIAL_S,
    SubjectFiles,
    check_media,
    find_files,
    label_rows,
    read_clips,
    read_face,
    subject_folders,
)
from offline.datasets.settings import Settings
from offline.errors import DataError
from rtaffect.core.streams import StreamInfo

ABOUT = About(
    kind="eav",
    title="EAV: EEG, audio and video in conversations (42 people, 5 emotions)",
    reference="10.1038/s41597-024-03838-4",
    licence="see the Zenodo record; cite Lee et al. 2024",
    how_to_get=(
        "Download from Zenodo (10.5281/zenodo.10205702): subject1 ... subject42 with EEG/ and "
        "Video/. For faces run OpenFace's FeatureExtraction on Video/*.mp4 into OpenFace/."
    ),
    modalities=("eeg", "face"),
    tried_on=(
        "no real file: a fake after the authors' code (names, shapes, variables) and after two "
        "independent readers that compared labels with the videos' names. Not tried: the order of "
        "the channels and the unit (no file says them), whether videos begin with the EEG."
    ),
)

_SPACING_S = 32.0  # a clip, its mirrored ends and a gap: no filter reaches from clip to clip
_T_FIRST = 960.0
_PLAUSIBLE_UV = (0.5, 500.0)  # of a channel's middle spread; amplifiers and units err by 1000


class EavSettings(Settings):
    """Where EAV is, and what of it is used.

    Parameters
    ----------
    kind : "eav"
        Name of the data set.
    path : Path
        Folder with ``subject1`` ... ``subject42``.
    task : {"listening", "speaking"}
        Which trials; speaking moves the muscles of the face, which EEG and face both see.
    ch_names : tuple of str
        The 30 channels in their order in the files, which do not say it.
    unit : str
        Of the EEG; the files do not say it. A check looks whether it can be.
    mirror_s : float
        By how much each clip of 20 s is continued at its ends by its own mirror image, in seconds.
        After 4 s filters have settled; with 0.125 the first 4 s of every clip would be lost.
    face : str
        Folder beside ``EEG`` with one OpenFace CSV a video, of the video's name.
    face_offset_s : float
        When a video began after its EEG, in seconds.
    """

    kind: Literal["eav"] = "eav"
    path: Path
    task: Literal["listening", "speaking"] = "listening"
    ch_names: tuple[str, ...] = Field(default=CHANNELS, min_length=30, max_length=30)
    unit: Literal["V", "mV", "uV"] = "uV"
    mirror_s: float = Field(default=4.125, ge=0.125, le=5.5)
    face: str = "OpenFace"
    face_offset_s: float = 0.0

    def open(self) -> "Eav":
        """Return the data set; no file is read yet."""
        return Eav(self)


class Eav:
    """EAV on disk.

    Parameters
    ----------
    settings : EavSettings
        Where it is.
    """

    def __init__(self, settings: EavSettings) -> None:
        self._settings = settings

    @property
    def about(self) -> About:
        """What to know of it."""
        return ABOUT

    @property
    def labels(self) -> Mapping[str, Label]:
        """The emotion that a conversation was about."""
        return {"emotion": Label(classes=EMOTIONS)}

    @property
    def ch_names(self) -> tuple[str, ...]:
        """The 30 electrodes."""
        return self._settings.ch_names

    @property
    def subjects(self) -> tuple[str, ...]:
        """Everybody who has a folder, in the order of their numbers.

        Raises
        ------
        DataError
            There is nobody.
        """
        return tuple(subject_folders(self._settings.path))

    def recordings(self, subject: str) -> Iterator[Recording]:
        """Yield the subject's one recording: clips laid on a clock, with gaps between them.

        Which script was heard is nowhere said, so that no stimulus is known to be another's.

        Raises
        ------
        DataError
            Files are missing or damaged, or labels and videos disagree.
        """
        files = self._files(subject)
        rows = label_rows(files.label)
        check_media(files, rows)
        wanted = np.flatnonzero(rows % 2 == TASKS.index(self._settings.task))
        starts = {int(i): _T_FIRST + n * _SPACING_S for n, i in enumerate(wanted)}
        yield Recording(
            subject=subject,
            session="1",
            open=partial(self._open, files, starts, len(rows)),
            trials=tuple(
                Trial(
                    name=f"{i + 1:03d}",
                    stimulus="",
                    t_start=t_start,
                    t_end=t_start + TRIAL_S,
                    values={"emotion": float(rows[i] // 2)},
                )
                for i, t_start in starts.items()
            ),
        )

    def fingerprint(self, subject: str) -> str:
        """Return a digest of the settings and of every file that is read."""
        files = self._files(subject)
        basis = self._settings.model_dump_json(exclude={"path", "face"})
        paths = (files.eeg, files.label, *files.faces.values())
        told = [basis, *(f"{path.stem[:3]} {file_digest(path)}" for path in paths)]
        return hashlib.sha256("\n".join(told).encode()).hexdigest()

    def check(self) -> Iterator[Finding]:
        """Yield what is wrong with each subject's files; every one of them is read."""
        try:
            subjects = self.subjects
        except DataError as error:
            yield Finding(is_error=True, where=str(self._settings.path), what=str(error))
            return
        if len(subjects) != N_SUBJECTS:
            what = f"EAV has {N_SUBJECTS} subjects; {len(subjects)} are here."
            yield Finding(is_error=False, where=str(self._settings.path), what=what)
        for subject in subjects:
            try:
                yield from self._check_subject(subject)
            except DataError as error:
                yield Finding(is_error=True, where=subject, what=str(error))

    def _check_subject(self, subject: str) -> Iterator[Finding]:
        files = self._files(subject)
        rows = label_rows(files.label)
        check_media(files, rows)
        if not files.media:
            what = "Its labels were compared with nothing: neither Video nor Audio is here."
            yield Finding(is_error=False, where=subject, what=what)
        of_task = set((np.flatnonzero(rows % 2 == TASKS.index(self._settings.task)) + 1).tolist())
        lacking = sorted(of_task - set(files.faces))
        if files.faces and lacking:
            what = f"{len(lacking)} of {len(of_task)} trials have no OpenFace file: {lacking[:9]}."
            yield Finding(is_error=False, where=subject, what=what)
        clips = read_clips(files.eeg, len(rows))
        microvolts = {"V": 1e6, "mV": 1e3, "uV": 1.0}[self._settings.unit]
        quartiles = np.percentile(clips[:, :, 0], (25, 75), axis=0)  # first clip, by channel
        spread = float(np.median(quartiles[1] - quartiles[0])) * microvolts
        low, high = _PLAUSIBLE_UV
        if not low <= spread <= high:
            what = (
                f"Its EEG would spread over {spread:.3g} uV, which EEG does not: is the unit "
                f"{self._settings.unit}? Set unit to V, mV or uV."
            )
            yield Finding(is_error=True, where=subject, what=what)

    def _open(self, files: SubjectFiles, starts: Mapping[int, float], n_trials: int) -> ArraySource:
        settings = self._settings
        clips = read_clips(files.eeg, n_trials)
        steps = np.arange(N_TIMES) / SFREQ
        segments = [
            Segment(
                modality="eeg",
                data=clips[:, :, i].T.copy(),  # a view would keep all clips alive
                stamps_s=t_start + steps,
                mirror_s=settings.mirror_s,
            )
            for i, t_start in starts.items()
        ]
        del clips
        infos = {
            "eeg": StreamInfo(
                modality="eeg",
                name="EAV",
                stype="EEG",
                ch_names=settings.ch_names,
                sfreq=SFREQ,
                units=(settings.unit,) * len(settings.ch_names),
            )
        }
        faces = [
            (files.faces[i + 1], t_start + settings.face_offset_s)
            for i, t_start in starts.items()
            if i + 1 in files.faces
        ]
        for path, t_start in faces:
            info, segment = read_face(path, t_start)
            infos.setdefault("face", info)
            segments.append(segment)
        return ArraySource(infos, segments)

    def _files(self, subject: str) -> SubjectFiles:
        folders = subject_folders(self._settings.path)
        if subject not in folders:
            msg = f"Subject must be one of {', '.join(folders)}; got {subject!r}."
            raise DataError(msg)
        return find_files(folders[subject], face=self._settings.face)
