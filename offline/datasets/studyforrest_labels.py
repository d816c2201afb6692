"""What Forrest Gump portrays, second by second, and the classes that are made of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import numpy as np

from offline.datasets.contract import Course, Floats
from offline.datasets.tables import read_table
from offline.errors import DataError

RUN_STARTS_S: Mapping[int, float] = MappingProxyType(
    dict(enumerate((0.0, 886.0, 1752.0, 2612.0, 3572.0, 4480.0, 5342.0, 6410.0), start=1))
)
"""Where each run begins in the film. Runs overlap by 16 s, so that these are not sums of the runs'
lengths (0, 902, 1784, 2660 ...), by which labels drift away by up to 112 s."""

EMOTIONS = ("fear", "sadness", "happiness", "love", "anger")
"""As they are counted: the first three, four or five."""

TrainLabels = Literal["strict", "any_observer", "merged"]
"""What a frame of the training set needs to have an emotion.

``"strict"``: as in the test. ``"any_observer"``: at least one of nine observers named it.
``"merged"``: the same, and kindred emotions count as it (`MERGED`).
"""

COLUMN = MappingProxyType({name: name for name in EMOTIONS} | {"anger": "angerrage"})
"""Where an emotion stands in the table."""

MERGED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {name: (COLUMN[name],) for name in EMOTIONS}
    | {
        "fear": ("fear", "fearsconfirmed"),
        "sadness": ("sadness", "disappointment"),
        "happiness": ("happiness", "happyfor", "satisfaction"),
    }
)
"""Columns of which the largest share counts."""

RATINGS = ("arousal", "valence")
_HAIR = 1e-6  # shares are ninths that were written as decimals


@dataclass(frozen=True, slots=True, kw_only=True)
class EmotionRule:
    """When a moment has an emotion.

    Parameters
    ----------
    columns : sequence of sequence of str
        For each class, the columns of which the largest share of observers counts.
    threshold : float
        Least share, the mean over one distance of frames, that the strongest one needs.
    """

    columns: Sequence[Sequence[str]]
    threshold: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Annotation:
    """One run's annotation, one row a second from the beginning of the run.

    Parameters
    ----------
    t_start : float
        Of the run, in the film.
    columns : mapping of str to ndarray, shape (n_seconds,)
        By name; a second without an entry is 0.
    """

    t_start: float
    columns: Mapping[str, Floats]

    @property
    def n_seconds(self) -> int:
        """How long it is."""
        return len(next(iter(self.columns.values())))

    def mean(self, name: str, t: Floats, *, length_s: float) -> Floats:
        """Return a column's mean about moments of the film; NaN where the run does not reach.

        Parameters
        ----------
        name : str
            Column.
        t : ndarray, shape (n,)
            Middle of what is averaged, in seconds of the film.
        length_s : float
            How much is averaged.
        """
        edges = np.arange(self.n_seconds + 1)
        whole = np.concatenate([[0.0], np.cumsum(self.columns[name])])
        start, end = (t - self.t_start + half for half in (-length_s / 2, length_s / 2))
        mean = (np.interp(end, edges, whole) - np.interp(start, edges, whole)) / length_s
        mean = mean.round(9)  # rounding of a long sum must not lead beyond the scale
        found: Floats = np.where((start >= -_HAIR) & (end <= edges[-1] + _HAIR), mean, np.nan)
        return found


@lru_cache(maxsize=4)
def read_annotations(path: Path) -> Mapping[int, Annotation]:
    """Read a table with one row a second and run.

    Parameters
    ----------
    path : Path
        Columns ``run``, ``t_s`` (from the beginning of the run), ``arousal``, ``valence`` and the
        emotions, as shares of the observers.

    Returns
    -------
    mapping of int to Annotation
        By run.

    Raises
    ------
    DataError
        It cannot be read, or a run's seconds do not follow one another.
    """
    needed = sorted({"run", "t_s", *RATINGS, *(c for group in MERGED.values() for c in group)})
    rows = read_table(path, needed)
    names = [name for name in rows[0].cells if name not in ("run", "t_s")] if rows else []
    by_run: dict[int, list[list[float]]] = {}
    for row in rows:
        run, second = int(row.number("run")), row.number("t_s")
        seconds = by_run.setdefault(run, [])
        if run not in RUN_STARTS_S or second != len(seconds):
            msg = (
                f"{row.where}: runs must be from 1 to {len(RUN_STARTS_S)}, and t_s count their "
                f"seconds from 0, got run {run} and {second:g} after {len(seconds)} seconds."
            )
            raise DataError(msg)
        seconds.append([row.number(name) for name in names])
    found = {}
    for run, values in by_run.items():
        table = np.array(values)
        columns = {name: table[:, i] for i, name in enumerate(names)}
        found[run] = Annotation(t_start=RUN_STARTS_S[run], columns=columns)
    return found


def course_of(annotation: Annotation, rule: EmotionRule, *, tr_s: float) -> Course:
    """Return arousal, valence and the emotion at moments of the film, each a mean over a frame."""
    return partial(_course, annotation, rule, tr_s)


def emotion_course(annotation: Annotation, rule: EmotionRule, *, tr_s: float) -> Course:
    """Return the emotion alone at moments of the film."""
    return partial(_emotion, annotation, rule, tr_s)


def _course(
    annotation: Annotation, rule: EmotionRule, tr_s: float, t: Floats
) -> Mapping[str, Floats]:
    ratings = {name: annotation.mean(name, t, length_s=tr_s) for name in RATINGS}
    return {**_emotion(annotation, rule, tr_s, t), **ratings}


def _emotion(
    annotation: Annotation, rule: EmotionRule, tr_s: float, t: Floats
) -> Mapping[str, Floats]:
    shares = np.stack(
        [
            np.max([annotation.mean(name, t, length_s=tr_s) for name in names], axis=0)
            for names in rule.columns
        ]
    )
    known = np.nan_to_num(shares, nan=-1.0)
    strongest = known.argmax(axis=0).astype(np.float64)
    return {"emotion": np.where(known.max(axis=0) >= rule.threshold - _HAIR, strongest, np.nan)}
