"""Intervals over subjects and over episodes of the stimuli.

An interval over subjects alone takes the stimuli for granted. Another film has other episodes, and
there are few in one.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from offline.items import NO_CLASS
from offline.metrics.course_grid import (
    WITHIN,
    Grid,
    correlations,
    has_order,
    lay_out,
)
from offline.metrics.intervals import N_BOOTSTRAP, interval
from offline.metrics.scores import class_scores
from offline.predictions import Predictions
from rtaffect.manifest import Metric

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_DRAWS_AT_ONCE = 50


def episode_intervals(seeds: Sequence[Predictions], *, seed: int) -> tuple[int, dict[str, Metric]]:
    """Return scores with intervals over subjects and over episodes of the stimuli.

    An episode is a stretch of a stimulus with one label. Subjects are drawn, and of each class as
    many of its episodes as there are.

    Parameters
    ----------
    seeds : sequence of Predictions
        Answers to the same windows, one for each seed of the training.
    seed : int
        Of the draws.

    Returns
    -------
    n_episodes : int
        How many there are; 0 where the labels of a stimulus differ from subject to subject.
    scores : dict of str to Metric
        As of `offline.metrics.course.shifted_nulls`.
    """
    grid = lay_out(seeds)
    episode, of_class = find_episodes(grid)
    if not len(of_class):
        return 0, {}
    rng = np.random.default_rng(seed)
    n_subjects, n_episodes = int(grid.subject.max()) + 1, len(of_class)
    ones = np.ones((1, n_subjects, n_episodes))
    tables = [
        _sums_by_episode(grid, said, expected, episode, n_subjects, n_episodes)
        for said, expected in zip(grid.said, grid.expected, strict=True)
    ]
    value = _weighted(tables, ones, grid.subject)
    if n_subjects < 2:
        return n_episodes, {name: Metric(value=float(x[0])) for name, x in value.items()}
    draws: dict[str, list[Floats]] = {name: [] for name in value}
    n = _DRAWS_AT_ONCE
    for _ in range(N_BOOTSTRAP // n):
        people = rng.multinomial(n_subjects, np.full(n_subjects, 1 / n_subjects), size=n)
        parts = np.zeros((_DRAWS_AT_ONCE, n_episodes))
        for number in np.unique(of_class):
            own = np.flatnonzero(of_class == number)
            parts[:, own] = rng.multinomial(len(own), np.full(len(own), 1 / len(own)), size=n)
        weights = people[:, :, None] * parts[:, None, :]
        for name, x in _weighted(tables, weights, grid.subject).items():
            draws[name].append(x)
    return n_episodes, {
        name: interval(float(x[0]), np.concatenate(draws[name])) for name, x in value.items()
    }


def find_episodes(grid: Grid) -> tuple[Ints, Ints]:
    """Return each window's episode, shape as the grid (-1 for none), and each episode's class.

    There is none where two subjects' labels of a stimulus differ.
    """
    episode = np.full(grid.label.shape, -1, dtype=np.int64)
    classes: list[int] = []
    for number in range(int(grid.stimulus.max()) + 1):
        rows = np.flatnonzero(grid.stimulus == number)
        labels = grid.label[rows]
        if (labels != labels[0]).any():
            return episode, np.zeros(0, dtype=np.int64)
        known = np.flatnonzero(labels[0] != NO_CLASS)
        if not len(known):
            continue
        own = labels[0][known]
        begins = np.concatenate([[True], (np.diff(known) > 1) | (np.diff(own) != 0)])
        episode[np.ix_(rows, known)] = len(classes) + np.cumsum(begins) - 1
        classes += own[begins].tolist()
    return episode, np.array(classes, dtype=np.int64)


def _sums_by_episode(
    grid: Grid, said: Ints, expected: Floats, episode: Ints, n_subjects: int, n_episodes: int
) -> tuple[Floats, Floats | None]:
    """Return confusions (n_subjects, n_episodes, n_classes ** 2), and what correlations need.

    The latter is by presentation and episode, and None where the classes have no order.
    """
    row, column = np.nonzero((episode >= 0) & np.isfinite(expected))
    owner = grid.subject[row] * n_episodes + episode[row, column]
    confusion = np.zeros((n_subjects * n_episodes, grid.n_classes**2))
    place = grid.label[row, column] * grid.n_classes + said[row, column]
    np.add.at(confusion, (owner, place), 1.0)
    shaped = confusion.reshape(n_subjects, n_episodes, -1)
    if not has_order(grid):
        return shaped, None
    own = row * n_episodes + episode[row, column]
    x, y = expected[row, column], grid.value[row, column]
    shape = (len(grid.subject), n_episodes)
    terms = (np.ones_like(x), x, y, x * x, y * y, x * y)  # as of `correlation_sums`
    sums = [np.bincount(own, term, minlength=shape[0] * shape[1]) for term in terms]
    return shaped, np.stack(sums, axis=-1).reshape(*shape, -1).astype(np.float64)


def _weighted(
    tables: Sequence[tuple[Floats, Floats | None]], weights: Floats, subject: Ints
) -> dict[str, Floats]:
    """Return the scores of each draw (n_draws, n_subjects, n_episodes), the mean over seeds."""
    found: dict[str, list[Floats]] = {"balanced_accuracy": []}
    for confusion, sums in tables:
        n_classes = round(confusion.shape[-1] ** 0.5)
        counts = np.tensordot(weights, confusion, axes=([1, 2], [0, 1]))
        table = counts.reshape(-1, n_classes, n_classes)
        found["balanced_accuracy"].append(class_scores(table)["balanced_accuracy"])
        if sums is not None:
            own = weights[:, subject]  # of each presentation's subject
            within = correlations(np.einsum("dpe,pek->dpk", own, sums))
            # Of a draw the weights of subjects are the same episodes', times how often each is in.
            times = np.where(np.isfinite(within), own.sum(axis=2), 0.0)
            total = (np.nan_to_num(within) * times).sum(axis=1)
            found.setdefault(WITHIN, []).append(total / times.sum(axis=1))
    return {name: np.mean(parts, axis=0) for name, parts in found.items()}
