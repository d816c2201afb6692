"""Two models on the same windows of few episodes: by how much one is better, and how sure that is.

A film shows an emotion in a few stretches. Windows of one stretch are nearly one observation, and
everybody saw the same ones, so that resampling subjects alone makes any film look like all films.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from offline.items import NO_CLASS
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
    one, other : Metric
        Mean over subjects, with its interval over subjects and episodes.
    by_subject : Difference
        One less the other: the interval, and the p, are over subjects.
    by_episode : Metric
        The same difference, its interval over subjects and episodes.
    n_better : int
        Subjects in whom one is better than the other.
    n_episodes : int
        Stretches of one class.
    """

    one: Metric
    other: Metric
    by_subject: Difference
    by_episode: Metric
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
    said, mine = _hits(one)
    again, theirs = _hits(other)
    if len(said) != len(again) or any(
        (a != b).any() for a, b in zip(_key(said), _key(again), strict=True)
    ):
        msg = "Both models must have answered the same windows to be compared."
        raise ValueError(msg)
    names, subject = np.unique(said.subject.astype(str), return_inverse=True)
    episode = episodes(said)
    n_subjects, n_episodes = len(names), int(episode.max()) + 1
    owner = np.zeros(n_episodes, dtype=np.int64)
    owner[episode] = said.label
    tallies = np.zeros((3, n_subjects, n_episodes))
    for table, values in zip(tallies, (np.ones(len(said)), mine, theirs), strict=True):
        np.add.at(table, (subject, episode), values)
    first, second = _scores(tallies, owner, np.ones((1, n_episodes)))[:, 0]
    rng = np.random.default_rng(seed)
    people = rng.multinomial(n_subjects, np.full(n_subjects, 1 / n_subjects), size=N_BOOTSTRAP)
    drawn = _scores(tallies, owner, _episode_weights(owner, rng))  # (2, n_draws, n_subjects)
    means = (drawn * people).sum(axis=2) / n_subjects
    difference = paired_difference(
        dict(zip(names.tolist(), first.tolist(), strict=True)),
        dict(zip(names.tolist(), second.tolist(), strict=True)),
        seed=seed,
    )
    return Comparison(
        one=interval(float(first.mean()), means[0]),
        other=interval(float(second.mean()), means[1]),
        by_subject=difference,
        by_episode=interval(float((first - second).mean()), means[0] - means[1]),
        n_better=int((first > second).sum()),
        n_episodes=n_episodes,
    )


def episodes(said: Predictions) -> Ints:
    """Return the number of each row's episode, shape (n_windows,).

    An episode is a stretch of a stimulus in which the windows with a label, whoever saw them, have one
    class and follow one another. Without the name of its stimulus each trial has its own.
    """
    own = [
        "/".join(map(str, key)) for key in zip(said.subject, said.session, said.trial, strict=True)
    ]
    shown = np.where(said.stimulus.astype(str) == "", own, said.stimulus.astype(str))
    order = np.lexsort((said.label, said.window, shown))
    label, window, place = said.label[order], said.window[order], shown[order]
    hop = np.diff(window)
    step = hop[(hop > 0) & (place[1:] == place[:-1])].min(initial=np.iinfo(np.int64).max)
    is_new = np.ones(len(order), dtype=np.bool_)
    is_new[1:] = (label[1:] != label[:-1]) | (place[1:] != place[:-1]) | (hop > step)
    numbers = np.empty(len(order), dtype=np.int64)
    numbers[order] = np.cumsum(is_new) - 1
    return numbers


def _hits(seeds: Sequence[Predictions]) -> tuple[Predictions, Floats]:
    """Return the windows with a label in order, and the share of the seeds that were right about each."""
    known = [said.rows(said.label != NO_CLASS) for said in seeds]
    rows = [said.rows(np.lexsort(_key(said))) for said in known]
    right = [(said.log_p.argmax(axis=1) == said.label).astype(np.float64) for said in rows]
    return rows[0], np.mean(right, axis=0)


def _key(said: Predictions) -> list[npt.NDArray[Any]]:
    names = [getattr(said, name).astype(str) for name in ("trial", "session", "subject")]
    return [said.window, *names]


def _scores(tallies: Floats, owner: Ints, weights: Floats) -> Floats:
    """Return both models' balanced accuracies, shape (2, n_draws, n_subjects).

    Parameters
    ----------
    tallies : ndarray, shape (3, n_subjects, n_episodes)
        Windows, and those that either model was right about.
    owner : ndarray of int, shape (n_episodes,)
        Class of each episode.
    weights : ndarray, shape (n_draws, n_episodes)
        How often each episode is drawn.
    """
    recalls = []
    for number in np.unique(owner):
        mine = owner == number
        n_rows, *right = (weights[:, mine] @ table[:, mine].T for table in tallies)
        recalls.append(np.stack(right) / np.where(n_rows > 0, n_rows, np.nan))
    scores: Floats = np.nanmean(recalls, axis=0)
    return scores


def _episode_weights(owner: Ints, rng: np.random.Generator) -> Floats:
    """Return how often each episode is in each resample, which keeps how many a class has."""
    weights = np.zeros((N_BOOTSTRAP, len(owner)))
    for number in np.unique(owner):
        mine = np.flatnonzero(owner == number)
        shares = np.full(len(mine), 1 / len(mine))
        weights[:, mine] = rng.multinomial(len(mine), shares, size=N_BOOTSTRAP)
    return weights
