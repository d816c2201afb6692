"""Two models on the same windows of few episodes: by how much one is better, and how sure that is.

A film shows an emotion in a few stretches. Windows of one stretch are nearly one observation, and
everybody saw the same ones, so that resampling subjects alone makes any film look like all films.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from offline.items import NO_CLASS
from offline.metrics.course_grid import Grid, lay_out
from offline.metrics.episodes import find_episodes
from offline.metrics.intervals import N_BOOTSTRAP, Difference, interval, paired_difference
from offline.predictions import Predictions
from rtaffect.manifest import Metric

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two models' balanced accuracies, each subject's own, window by window.

    Parameters
    ----------
    one, other : float
        Means over subjects.
    by_subject : Difference
        One less the other: the interval, and the p, are over subjects.
    by_episode : Metric or None
        The same difference, its interval over subjects and episodes; None where labels of a
        stimulus differ from subject to subject.
    n_better : int
        Subjects in whom one is better than the other.
    n_episodes : int
        Stretches of one class.
    """

    one: float
    other: float
    by_subject: Difference
    by_episode: Metric | None
    n_better: int
    n_episodes: int


def compare(one: Sequence[Predictions], other: Sequence[Predictions], *, seed: int) -> Comparison:
    """Compare two models that answered the same windows.

    Parameters
    ----------
    one, other : sequence of Predictions
        One for each seed of the training, of which the mean counts.
    seed : int
        Of the resamples.

    Raises
    ------
    ValueError
        They answered different windows.
    """
    grid, again = lay_out(one), lay_out(other)
    if not _alike(grid, again):
        msg = "Both models must have answered the same windows to be compared."
        raise ValueError(msg)
    episode, of_class = find_episodes(grid)
    n_episodes = len(of_class)
    if not n_episodes:  # each class of a presentation counts as one, and none is drawn
        of_class = np.arange(grid.n_classes)
        episode = grid.label
    tallies = _tallies(grid, [grid.said, again.said], episode, len(of_class))
    first, second = _scores(tallies, of_class, np.ones((1, len(of_class))))[:, 0]
    names = sorted({str(name) for name in one[0].subject})
    difference = paired_difference(
        dict(zip(names, first.tolist(), strict=True)),
        dict(zip(names, second.tolist(), strict=True)),
        seed=seed,
    )
    by_episode = None
    if n_episodes:
        rng = np.random.default_rng(seed)
        people = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=N_BOOTSTRAP)
        drawn = _scores(tallies, of_class, _episode_weights(of_class, rng))
        means = ((drawn[0] - drawn[1]) * people).sum(axis=1) / len(names)
        by_episode = interval(float((first - second).mean()), means)
    return Comparison(
        one=float(first.mean()),
        other=float(second.mean()),
        by_subject=difference,
        by_episode=by_episode,
        n_better=int((first > second).sum()),
        n_episodes=n_episodes,
    )


def same_windows(one: Sequence[Predictions], other: Sequence[Predictions]) -> bool:
    """Return whether two models answered the same windows, and were asked the same of them."""
    return _alike(lay_out(one), lay_out(other))


def _alike(grid: Grid, again: Grid) -> bool:
    return grid.label.shape == again.label.shape and not (grid.label != again.label).any()


def _tallies(grid: Grid, said: Sequence[Ints], episode: Ints, n_episodes: int) -> Floats:
    """Return windows, and how many of them each model was right about, by subject and episode."""
    row, column = np.nonzero(grid.label != NO_CLASS)
    place = grid.subject[row], episode[row, column]
    right = [(each == grid.label).mean(axis=0)[row, column] for each in said]  # over seeds
    tallies = np.zeros((1 + len(said), int(grid.subject.max()) + 1, n_episodes))
    for table, values in zip(tallies, (np.ones(len(row)), *right), strict=True):
        np.add.at(table, place, values)
    return tallies


def _scores(tallies: Floats, of_class: Ints, weights: Floats) -> Floats:
    """Return both models' balanced accuracies, shape (2, n_draws, n_subjects).

    Parameters
    ----------
    tallies : ndarray, shape (3, n_subjects, n_episodes)
        Windows, and those that either model was right about.
    of_class : ndarray of int, shape (n_episodes,)
        Class of each episode.
    weights : ndarray, shape (n_draws, n_episodes)
        How often each episode is drawn.
    """
    recalls = []
    for number in np.unique(of_class):
        mine = of_class == number
        n_rows, *right = (weights[:, mine] @ table[:, mine].T for table in tallies)
        recalls.append(np.stack(right) / np.where(n_rows > 0, n_rows, np.nan))
    known = [np.isfinite(recall) for recall in recalls]
    scores: Floats = np.nansum(recalls, axis=0) / np.sum(known, axis=0)
    return scores


def _episode_weights(of_class: Ints, rng: np.random.Generator) -> Floats:
    """Return how often each episode is in each resample, which keeps how many a class has."""
    weights = np.zeros((N_BOOTSTRAP, len(of_class)))
    for number in np.unique(of_class):
        mine = np.flatnonzero(of_class == number)
        shares = np.full(len(mine), 1 / len(mine))
        weights[:, mine] = rng.multinomial(len(mine), shares, size=N_BOOTSTRAP)
    return weights
