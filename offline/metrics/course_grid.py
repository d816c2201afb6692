"""Answers to a course laid out by presentation and time, and correlations from sums."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from offline.items import NO_CLASS
from offline.predictions import Predictions

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

WITHIN = "correlation_within_trials"
"""Of the expected class with the true value, in each trial by itself: the mean over a subject's
trials, then over subjects. What differs from one trial to the next does not count."""


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Answers and labels of all windows by stimulus and time, shape (n_presentations, n_windows).

    A presentation is a trial of a subject in a fold; one of fewer windows is filled up.
    """

    subject: Ints  # (n_presentations,)
    stimulus: Ints  # (n_presentations,)
    length: Ints  # (n_presentations,)
    label: Ints
    value: Floats
    said: Ints  # (n_seeds, n_presentations, n_windows)
    expected: Floats  # (n_seeds, ...); NaN where nothing was said
    n_classes: int


def lay_out(seeds: Sequence[Predictions]) -> Grid:
    """Lay out answers that seeds gave to the same windows."""
    first = seeds[0]
    names = np.stack(
        [np.asarray(getattr(first, n)).astype(str) for n in ("subject", "session", "trial", "fold")]
    )
    _, start, place = np.unique(names, axis=1, return_index=True, return_inverse=True)
    n_shown = len(start)
    earliest = np.full(n_shown, np.iinfo(np.int64).max)
    latest = np.full(n_shown, np.iinfo(np.int64).min)
    np.minimum.at(earliest, place, first.window)
    np.maximum.at(latest, place, first.window)
    step = max(1, int(np.gcd.reduce(first.window - earliest[place])))  # of recipes that skip frames
    column = (first.window - earliest[place]) // step
    length = (latest - earliest) // step + 1
    shape = (n_shown, int(length.max()))
    n_classes = len(first.classes)
    label = np.full(shape, NO_CLASS, dtype=np.int64)
    value = np.full(shape, np.nan)
    said = np.zeros((len(seeds), *shape), dtype=np.int64)
    expected = np.full((len(seeds), *shape), np.nan)
    for number, part in enumerate(seeds):
        order = _same_order(part, first)
        label[place, column], value[place, column] = part.label[order], part.value[order]
        said[number][place, column] = part.log_p[order].argmax(axis=1)
        expected[number][place, column] = np.exp(part.log_p[order]) @ np.arange(n_classes)
    stimulus = np.asarray(first.stimulus).astype(str)[start]
    trial = np.array(["\t".join(names[i][n] for i in range(3)) for n in start])
    shown = np.where(stimulus == "", trial, stimulus)
    return Grid(
        subject=np.unique(names[0][start], return_inverse=True)[1].astype(np.int64),
        stimulus=np.unique(shown, return_inverse=True)[1].astype(np.int64),
        length=length,
        label=label,
        value=value,
        said=said,
        expected=expected,
        n_classes=n_classes,
    )


def _same_order(part: Predictions, first: Predictions) -> Ints:
    """Return the rows of one seed in the order of the first."""
    if part is first:
        return np.arange(len(first))
    keys = [
        np.lexsort(
            [
                said.window,
                *(
                    np.asarray(getattr(said, n)).astype(str)
                    for n in ("fold", "trial", "session", "subject")
                ),
            ]
        )
        for said in (part, first)
    ]
    order = np.empty(len(first), dtype=np.int64)
    order[keys[1]] = keys[0]
    return order


def has_order(grid: Grid) -> bool:
    """Return whether values are more than numbers of classes."""
    known = grid.label != NO_CLASS
    return grid.n_classes == 2 or bool((grid.value[known] != grid.label[known]).any())


def by_subject_means(correlations: Floats, subject: Ints) -> Floats:
    """Return the mean over each subject's presentations; NaN for who has none that is defined."""
    known = np.isfinite(correlations)
    n_subjects = int(subject.max()) + 1
    total = np.bincount(subject[known], correlations[known], minlength=n_subjects)
    n_known = np.bincount(subject[known], minlength=n_subjects)
    return np.where(n_known > 0, total / np.maximum(n_known, 1), np.nan)


def correlation_sums(x: Floats, y: Floats, known: npt.NDArray[np.bool_]) -> Floats:
    """Return what correlations along the last axis need, shape (..., 6).

    Parameters
    ----------
    x, y : ndarray
        Of any shape, alike.
    known : ndarray of bool
        What counts, of that shape.
    """
    x, y = np.where(known, x, 0.0), np.where(known, y, 0.0)
    terms = (known.astype(np.float64), x, y, x * x, y * y, x * y)
    return np.stack([term.sum(axis=-1) for term in terms], axis=-1)


def correlations(sums: Floats) -> Floats:
    """Return correlations from sums, shape (..., 6) -> (...); NaN where the truth is constant."""
    n, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread_x, spread_y = xx / n - (x / n) ** 2, yy / n - (y / n) ** 2
        found = (xy / n - x * y / n**2) / np.sqrt(spread_x * spread_y)
        found = np.where(spread_x > 1e-12, found, 0.0)
    return np.where((n >= 3) & (spread_y > 1e-12), found, np.nan)
