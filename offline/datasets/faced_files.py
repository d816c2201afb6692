"""FACED's files: preprocessed EEG of 28 videos, and what was said after each of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from offline.datasets.contract import Floats
from offline.datasets.safe_pickle import read_pickled_arrays
from offline.errors import DataError

SFREQ = 250.0
VIDEO_S = 30.0
N_VIDEOS = 28
N_CHANNELS = 32

EMOTIONS = (
    *("anger", "disgust", "fear", "sadness", "neutral"),
    *("amusement", "inspiration", "joy", "tenderness"),
)
"""What videos are to evoke, in the order of their numbers: 3 of each, 4 neutral ones."""

ITEMS = (
    *("joy", "tenderness", "inspiration", "amusement", "anger", "disgust", "fear", "sadness"),
    *("arousal", "valence", "familiarity", "liking"),
)
"""What was rated after each video, in the order of ``After_remark.score``."""

SCALE = (0.0, 7.0)

_SHAPE = (N_VIDEOS, N_CHANNELS, round(VIDEO_S * SFREQ))
_SOME = 16  # every so many samples tell how much a channel varies
_USUAL_UV = (0.1, 1000.0)
_LAST_VIDEO = (3, 6, 9, 12, 16, 19, 22, 25, 28)  # of each emotion


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """What was said after one video.

    Parameters
    ----------
    video : int
        Its number, from 1.
    values : tuple of float
        By `ITEMS`, from 0 to 7; empty where nothing was said.
    """

    video: int
    values: tuple[float, ...]


def emotion_of(video: int) -> int:
    """Return the place in `EMOTIONS` of what a video (from 1) is to evoke."""
    return int(np.searchsorted(_LAST_VIDEO, video))


def read_processed(path: Path) -> Floats:
    """Read one subject's preprocessed EEG.

    Parameters
    ----------
    path : Path
        ``Processed_data/subNNN.pkl``.

    Returns
    -------
    ndarray, shape (28, 32, 7500)
        The last 30 s of each video at 250 Hz, in microvolts; row i is video i + 1.

    Raises
    ------
    DataError
        The file is no pickle of such an array, or its numbers cannot be microvolts.
    """
    eeg = read_pickled_arrays(path)
    if not isinstance(eeg, np.ndarray) or eeg.shape != _SHAPE or eeg.dtype.kind != "f":
        got = f"{eeg.shape} of {eeg.dtype}" if isinstance(eeg, np.ndarray) else type(eeg).__name__
        msg = (
            f"{path} must hold one array of shape {_SHAPE} (videos, channels, {VIDEO_S:g} s at "
            f"{SFREQ:g} Hz), got {got}. Is it Processed_data?"
        )
        raise DataError(msg)
    with np.errstate(invalid="ignore"):  # infinities of both signs in one sum
        finite = np.isfinite(eeg.sum(axis=(1, 2), dtype=np.float64))
    if not finite.all():
        videos = ", ".join(str(at + 1) for at in np.flatnonzero(~finite)[:5].tolist())
        msg = f"{path}: EEG must be numbers, but there are NaN or infinities in video {videos}."
        raise DataError(msg)
    spread = float(np.median(eeg[:, :, ::_SOME].std(axis=2)))
    if not _USUAL_UV[0] <= spread <= _USUAL_UV[1]:
        msg = (
            f"{path}: EEG must be in microvolts, but half of the channels vary by less than "
            f"{spread:g} (standard deviation). Has the file been rescaled?"
        )
        raise DataError(msg)
    return eeg


def read_remarks(path: Path) -> tuple[Remark, ...]:
    """Read what one subject said.

    Parameters
    ----------
    path : Path
        ``Data/subNNN/After_remarks.mat``.

    Returns
    -------
    tuple of Remark
        In the order of presentation, which is another one for everybody.

    Raises
    ------
    DataError
        The file cannot be read, does not speak of each of 28 videos once, or a rating lies
        outside 0 to 7.
    """
    from scipy.io import loadmat  # slow to load, and only ratings need it
    from scipy.io.matlab import MatReadError

    try:
        structs = loadmat(path, variable_names=["After_remark"])["After_remark"].ravel()
        remarks = tuple(_remark(struct) for struct in structs)
    except OSError as error:
        msg = f"{path} cannot be opened: {error.strerror or error}."
        raise DataError(msg) from error
    except (
        MatReadError,
        NotImplementedError,
        KeyError,
        ValueError,
        TypeError,
        IndexError,
    ) as error:
        msg = f"{path} must hold After_remark with score and vid; it cannot be read ({error})."
        raise DataError(msg) from error
    if problems := list(_problems(remarks)):
        msg = f"{path}: {' '.join(problems)}"
        raise DataError(msg)
    return remarks


def _remark(struct: Any) -> Remark:
    score = np.asarray(struct["score"], dtype=np.float64).ravel()
    video = int(np.asarray(struct["vid"], dtype=np.int64).ravel()[0])
    return Remark(video=video, values=tuple(score.tolist()))


def _problems(remarks: tuple[Remark, ...]) -> Iterator[str]:
    videos = sorted(remark.video for remark in remarks)
    if videos != list(range(1, N_VIDEOS + 1)):
        yield f"Every video from 1 to {N_VIDEOS} must be there once, got {videos}."
    for remark in remarks:
        if remark.values and len(remark.values) != len(ITEMS):
            yield f"{len(ITEMS)} ratings a video are needed, video {remark.video} has others."
        if not all(SCALE[0] <= value <= SCALE[1] for value in remark.values):
            yield (
                f"Ratings must lie between {SCALE[0]:g} and {SCALE[1]:g}, those of video "
                f"{remark.video} do not: {[round(value, 2) for value in remark.values]}."
            )
