"""One subject of DEAP as a recording: trial after trial on one clock, faces beside their EEG."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from offline.datasets import deap_bdf, deap_preprocessed
from offline.datasets.array_source import ArraySource, Segment
from offline.datasets.clips import clip_start_s
from offline.datasets.contract import Trial
from offline.datasets.deap_bdf import Original
from offline.datasets.deap_faces import extractor_of, read_face
from offline.datasets.deap_files import EegSource
from offline.datasets.deap_preprocessed import REST_S, VIDEO_S, read_preprocessed
from offline.datasets.deap_ratings import Rating
from rtaffect.core.face_features import EXTRACTOR, FACE_FEATURES, FRAME_QUALITY
from rtaffect.core.montages import EEG_32
from rtaffect.core.streams import StreamInfo

_MIRROR_S = 4.125
"""Clips of the preprocessed files are cut to the sample, rest and all: on their own mirror image
the filters settle before the rest begins."""

_AROUND_S = max(2 * _MIRROR_S, deap_bdf.BEFORE_S + deap_bdf.BEHIND_S)
_UNITS = {"preprocessed": "uV", "bdf": "V"}
_SFREQS = {"preprocessed": deap_preprocessed.SFREQ, "bdf": deap_bdf.SFREQ}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeapOpener:
    """Opens a subject's recording; until then only paths and ratings are held.

    Parameters
    ----------
    source : {"preprocessed", "bdf"}
        What `eeg_path` is.
    eeg_path : Path
        The EEG.
    clips : tuple of Rating
        The trials, in the order in which they are laid.
    ratings : tuple of Rating
        All rows of the participant, to compare labels with; empty where there is no such file.
    features : mapping of int to Path
        OpenFace's files by trial.
    face_offset_s : float
        When a face clip began after its video, in seconds.
    """

    source: EegSource
    eeg_path: Path
    clips: tuple[Rating, ...]
    ratings: tuple[Rating, ...]
    features: Mapping[int, Path]
    face_offset_s: float

    def __call__(self) -> ArraySource:
        """Read the files.

        Raises
        ------
        DataError
            They are not what they must be.
        """
        infos = {
            "eeg": StreamInfo(
                modality="eeg",
                name="DEAP",
                stype="EEG",
                ch_names=EEG_32,
                sfreq=_SFREQS[self.source],
                units=(_UNITS[self.source],) * len(EEG_32),
            )
        }
        segments = list(self._original() if self.source == "bdf" else self._preprocessed())
        if self.features:
            infos["face"] = StreamInfo(
                modality="face",
                name="face files",
                stype="Face",
                ch_names=FACE_FEATURES + FRAME_QUALITY,
                sfreq=0.0,
                about={EXTRACTOR: extractor_of(self.features.values())},
            )
            segments += self._faces()
        return ArraySource(infos, segments)

    def _preprocessed(self) -> Iterator[Segment]:
        content = read_preprocessed(self.eeg_path)
        content.demand(self.ratings)
        times_s = np.arange(content.eeg_uv.shape[2]) / deap_preprocessed.SFREQ
        for number, clip in enumerate(self.clips):
            yield Segment(
                modality="eeg",
                data=content.eeg_uv[clip.video - 1],
                stamps_s=_begin_s(number) + times_s,
                mirror_s=_MIRROR_S,
            )

    def _original(self) -> Iterator[Segment]:
        for number, clip in enumerate(Original(self.eeg_path, self.ratings).clips()):
            times_s = clip.begins_s + np.arange(clip.eeg_v.shape[1]) / deap_bdf.SFREQ
            stamps_s = _begin_s(number) + REST_S + times_s
            yield Segment(modality="eeg", data=clip.eeg_v, stamps_s=stamps_s)

    def _faces(self) -> Iterator[Segment]:
        for number, clip in enumerate(self.clips):
            if clip.trial not in self.features:
                continue
            times_s, data = read_face(self.features[clip.trial])
            times_s = times_s + self.face_offset_s
            kept = (times_s >= -REST_S) & (times_s < VIDEO_S)  # a clip may have a tail
            stamps_s = _begin_s(number) + REST_S + times_s[kept]
            yield Segment(modality="face", data=data[:, kept], stamps_s=stamps_s)


def trial_of(clip: Rating, *, number: int) -> Trial:
    """Return the trial that is laid as clip `number`, 3 s of rest before it.

    Parameters
    ----------
    clip : Rating
        What was shown and felt.
    number : int
        From 0.
    """
    begin_s = _begin_s(number)
    name = f"video{clip.video:02d}"
    return Trial(
        name=name,
        stimulus=f"deap-{name}",
        t_start=begin_s + REST_S,
        t_end=begin_s + REST_S + VIDEO_S,
        values=dict(clip.values),
        rest=(begin_s, begin_s + REST_S),
    )


def _begin_s(number: int) -> float:
    """Return when the rest before a trial begins on the recording's clock."""
    return clip_start_s(number, length_s=REST_S + VIDEO_S, around_s=_AROUND_S)
