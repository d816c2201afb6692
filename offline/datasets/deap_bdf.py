"""DEAP's original recordings ``sNN.bdf``: BioSemi, 512 Hz, one file a subject.

Both sites name the 32 electrodes alike but order them differently, and from s24 on the status
channel has another name and further bits: electrodes are picked by name, the status channel is the
last one, and its lowest eight bits are the code. 4 means that a video begins.
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from offline.datasets.contract import Floats, Ints
from offline.datasets.deap_preprocessed import REST_S, VIDEO_S
from offline.datasets.deap_ratings import N_VIDEOS, Rating
from offline.errors import DataError
from rtaffect.core.montages import EEG_32
from rtaffect.signal.montage import canonical_name

SFREQ = 512.0
BEFORE_S = 4.0
"""Real samples before the rest, in which filters settle: the fixation cross lasts 5 s in all."""
BEHIND_S = 0.5
"""Real samples behind the video, for the resampler."""

_VIDEO_BEGINS = 4
_CODE_BITS = 0xFF
_NEAR_S = 2.0  # a start time of the presenting computer against the amplifier's
_UNITS_S = (1e-6, 1e-3, 1.0)  # the readme says microseconds; milliseconds are reported
_SPOKEN = (OSError, RuntimeError, ValueError, NotImplementedError)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OriginalClip:
    """One trial of an original recording.

    Parameters
    ----------
    rating : Rating
        What was shown and felt.
    eeg_v : ndarray of float32, shape (32, n_times)
        In the order of `EEG_32`, in volts, as the amplifier saw it.
    begins_s : float
        When its first sample was, counted from the video's begin; negative.
    """

    rating: Rating
    eeg_v: npt.NDArray[np.float32]
    begins_s: float


class Original:
    """One subject's original recording.

    Parameters
    ----------
    path : Path
        ``data_original/sNN.bdf``.
    ratings : sequence of Rating
        The participant's trials in the order of presentation.

    Raises
    ------
    DataError
        The file cannot be read, lacks electrodes, has another rate, or its videos cannot be told
        apart.
    """

    def __init__(self, path: Path, ratings: Sequence[Rating]) -> None:
        import mne  # slow to load, and only these files need it

        self._path = path
        with _mne(path):
            self._raw: Any = mne.io.read_raw_bdf(path, stim_channel=None, verbose="ERROR")
            status = self._raw.get_data(picks=[len(self._raw.ch_names) - 1], verbose="ERROR")[0]
        names = [canonical_name(name) for name in self._raw.ch_names]
        if missing := [name for name in EEG_32 if name not in names]:
            msg = f"{path} must have DEAP's 32 electrodes; it lacks {', '.join(missing)}."
            raise DataError(msg)
        if self._raw.info["sfreq"] != SFREQ:
            msg = f"{path} must be sampled at {SFREQ:g} Hz, got {self._raw.info['sfreq']:g} Hz."
            raise DataError(msg)
        self._picks = [names.index(name) for name in EEG_32]
        self._onsets = video_onsets(status)
        self.shown = shown_videos(self._onsets / SFREQ, ratings, path=path)
        """The trials of which there is a recording, in order."""

    def clips(self) -> Iterator[OriginalClip]:
        """Yield the trials, each with some time before and behind it where there is any.

        Raises
        ------
        DataError
            The recording ends within a video, or began within the rest before one.
        """
        n_times = int(self._raw.n_times)
        for onset, rating in zip(self._onsets.tolist(), self.shown, strict=True):
            if onset < REST_S * SFREQ or onset + VIDEO_S * SFREQ > n_times:
                msg = (
                    f"{self._path} must hold {REST_S:g} s before and {VIDEO_S:g} s of every video, "
                    f"but it is cut at trial {rating.trial}."
                )
                raise DataError(msg)
            start = max(0, onset - round((REST_S + BEFORE_S) * SFREQ))
            stop = min(n_times, onset + round((VIDEO_S + BEHIND_S) * SFREQ))
            with _mne(self._path):
                data = self._raw.get_data(self._picks, start, stop, verbose="ERROR")
            yield OriginalClip(
                rating=rating, eeg_v=data.astype(np.float32), begins_s=(start - onset) / SFREQ
            )


def video_onsets(status: Floats) -> Ints:
    """Return the samples at which videos begin.

    Parameters
    ----------
    status : ndarray, shape (n_times,)
        The status channel, all 24 bits.

    Returns
    -------
    ndarray of int, shape (n_videos,)
        Where the code becomes 4; what comes within the 60 s of a video is no other video.
    """
    code = np.rint(status).astype(np.int64) & _CODE_BITS
    begins = np.flatnonzero((code[1:] == _VIDEO_BEGINS) & (code[:-1] != _VIDEO_BEGINS)) + 1
    onsets: list[int] = []
    for begin in begins.tolist():
        if not onsets or begin - onsets[-1] >= VIDEO_S * SFREQ:
            onsets.append(begin)
    return np.array(onsets, dtype=np.int64)


def shown_videos(onsets_s: Floats, ratings: Sequence[Rating], *, path: Path) -> tuple[Rating, ...]:
    """Return which trial each onset is.

    With an onset for every trial, their order is the order of presentation. With fewer (s28 is
    said to have 37), they are told by the times between them, which the presenting computer
    logged as well.

    Parameters
    ----------
    onsets_s : ndarray, shape (n_videos,)
        When videos begin, in seconds.
    ratings : sequence of Rating
        The participant's 40 trials in the order of presentation.
    path : Path
        For the error.

    Raises
    ------
    DataError
        There is none, there are too many, or the times fit no or several ways.
    """
    if len(onsets_s) == N_VIDEOS:
        return tuple(ratings)
    if 2 <= len(onsets_s) < N_VIDEOS:
        found = {
            matched
            for unit_s in _UNITS_S
            for first in range(N_VIDEOS)
            if (matched := _matched(onsets_s, ratings, unit_s=unit_s, first=first)) is not None
        }
        if len(found) == 1:
            return tuple(ratings[at] for at in found.pop())
    msg = (
        f"{path} must say by its status channel (code {_VIDEO_BEGINS}) when each of {N_VIDEOS} "
        f"videos begins; it says so {len(onsets_s)} times"
        + (", and their distances do not tell which ones" if len(onsets_s) > 1 else "")
        + ". Use source: preprocessed for this subject."
    )
    raise DataError(msg)


def _matched(
    onsets_s: Floats, ratings: Sequence[Rating], *, unit_s: float, first: int
) -> tuple[int, ...] | None:
    """Return the trials whose times fit if the first onset is trial `first`, or None."""
    starts_s = np.array([rating.start for rating in ratings]) * unit_s
    due_s = onsets_s - onsets_s[0] + starts_s[first]
    nearest = np.abs(due_s[:, None] - starts_s).argmin(axis=1)
    fits = bool((np.abs(due_s - starts_s[nearest]) < _NEAR_S).all())
    return tuple(nearest.tolist()) if fits and (np.diff(nearest) > 0).all() else None


@contextmanager
def _mne(path: Path) -> Iterator[None]:
    """Map MNE's errors; its warnings speak of names and units of channels that nobody uses."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except _SPOKEN as error:
        msg = f"{path} cannot be read as BDF: {error}"
        raise DataError(msg) from error
