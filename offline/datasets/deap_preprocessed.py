"""DEAP's preprocessed files ``sNN.dat``: 40 clips at 128 Hz, sorted by video.

3 s before and 60 s of each video, 4 to 45 Hz, eyes removed, common average, in microvolts, channels
in the Geneva order (Koelstra et al. 2012, doi:10.1109/T-AFFC.2011.15, and its readme).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from offline.datasets.contract import Floats
from offline.datasets.deap_ratings import N_VIDEOS, SCALE, TARGETS, Rating
from offline.datasets.safe_pickle import read_pickled_arrays
from offline.errors import DataError

SFREQ = 128.0
REST_S = 3.0
VIDEO_S = 60.0
N_EEG = 32

_SHAPE = (N_VIDEOS, 40, round((REST_S + VIDEO_S) * SFREQ))
_LABELS_SHAPE = (N_VIDEOS, len(TARGETS))
_ROUNDING = 0.006  # ratings have two decimals
_SOME = 16  # every so many samples tell how much a channel varies
_USUAL_UV = (0.1, 1000.0)  # standard deviation of somebody's EEG: wide enough for the odd channel


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Preprocessed:
    """What is in one file.

    Parameters
    ----------
    path : Path
        The file.
    eeg_uv : ndarray, shape (40, 32, 8064)
        By video: row i is Experiment_id i + 1. Microvolts.
    labels : ndarray, shape (40, 4)
        By video: valence, arousal, dominance, liking.
    """

    path: Path
    eeg_uv: Floats
    labels: Floats

    def problems(self, ratings: Sequence[Rating]) -> Iterator[str]:
        """Yield what is wrong with the numbers.

        Parameters
        ----------
        ratings : sequence of Rating
            The participant's rows of participant_ratings.csv; empty where there is no such file.
        """
        yield from self._signal_problems()
        outside = ~((self.labels >= SCALE[0]) & (self.labels <= SCALE[1]))
        if outside.any():
            video, column = np.argwhere(outside)[0].tolist()
            yield (
                f"labels must lie between {SCALE[0]:g} and {SCALE[1]:g}; {int(outside.sum())} do "
                f"not, such as {TARGETS[column]} {self.labels[video, column]:g} of video "
                f"{video + 1}."
            )
        wrong = [
            (rating, target)
            for rating in ratings
            for column, target in enumerate(TARGETS)
            if not abs(self.labels[rating.video - 1, column] - rating.values[target]) < _ROUNDING
        ]
        if wrong:
            rating, target = wrong[0]
            got = self.labels[rating.video - 1, TARGETS.index(target)]
            targets = ", ".join(dict.fromkeys(target for _, target in wrong))
            yield (
                f"{len(wrong)} of {self.labels.size} labels ({targets}) differ from "
                "participant_ratings.csv, such as "
                f"{target} of video {rating.video}: {got:g} here, {rating.values[target]:g} there. "
                "Mirrors with corrupted or re-ordered labels are about: get both files from the "
                "authors."
            )

    def by_video(self) -> tuple[Rating, ...]:
        """Return the labels as ratings, where the order of presentation is not known.

        Raises
        ------
        DataError
            The numbers are not what they must be.
        """
        self.demand(())
        return tuple(
            Rating(trial=0, video=video, start=0.0, values=dict(zip(TARGETS, row, strict=True)))
            for video, row in enumerate(self.labels.tolist(), start=1)
        )

    def demand(self, ratings: Sequence[Rating]) -> None:
        """Check the numbers, see `problems`.

        Raises
        ------
        DataError
            There are problems.
        """
        if problems := list(self.problems(ratings)):
            msg = f"{self.path}: {' '.join(problems)}"
            raise DataError(msg)

    def _signal_problems(self) -> Iterator[str]:
        with np.errstate(invalid="ignore"):  # infinities of both signs in one sum
            finite = np.isfinite(self.eeg_uv.sum(axis=(1, 2), dtype=np.float64))
        if not finite.all():
            videos = ", ".join(str(at + 1) for at in np.flatnonzero(~finite)[:5].tolist())
            yield f"EEG must be numbers, but there are NaN or infinities in video {videos}."
            return
        spread = float(np.median(self.eeg_uv[:, :, ::_SOME].std(axis=2)))
        if not _USUAL_UV[0] <= spread <= _USUAL_UV[1]:
            yield (
                f"EEG must be in microvolts, but half of the channels vary by less than {spread:g} "
                "(standard deviation). Has the file been rescaled?"
            )


def read_preprocessed(path: Path) -> Preprocessed:
    """Read one subject's file.

    Parameters
    ----------
    path : Path
        ``data_preprocessed_python/sNN.dat``.

    Raises
    ------
    DataError
        The file is no pickle of arrays, or not of these shapes.
    """
    content = read_pickled_arrays(path)
    if not isinstance(content, dict) or not {"data", "labels"} <= content.keys():
        held = ", ".join(map(str, content)) if isinstance(content, dict) else type(content).__name__
        msg = f"{path} must hold 'data' and 'labels', it holds {held}."
        raise DataError(msg)
    data, labels = np.asarray(content["data"]), np.asarray(content["labels"])
    for name, array, shape in (("data", data, _SHAPE), ("labels", labels, _LABELS_SHAPE)):
        if array.shape != shape or array.dtype.kind != "f":
            msg = (
                f"{path} must hold {name} of shape {shape} ({REST_S + VIDEO_S:g} s at {SFREQ:g} "
                f"Hz), got {array.shape} of {array.dtype}. Is it data_preprocessed_python?"
            )
            raise DataError(msg)
    return Preprocessed(path=path, eeg_uv=data[:, :N_EEG], labels=labels)
