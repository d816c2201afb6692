"""How sure a number is: intervals over subjects, and how often chance does as well."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import permutation_test

from offline.metrics.answers import Answers
from offline.metrics.scores import class_scores
from rtaffect.manifest import Metric

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

N_BOOTSTRAP = 2000
"""Resamples of the subjects for a 95 % interval."""
N_PERMUTATIONS = 1000
"""Shuffles of the labels for a p; the smallest p is one over one more than that."""
_CHUNK_ROWS = 2_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One variant minus another, over the subjects that both answered for.

    Parameters
    ----------
    value : Metric
        Mean over subjects, with its interval.
    p : float
        How often the mean is as far from 0 when each subject's sign is tossed; two-sided. 1 for one
        subject.
    by_subject : mapping of str to float
        Each subject's difference.
    """

    value: Metric
    p: float
    by_subject: Mapping[str, float]


def bootstrap_weights(n_subjects: int, *, seed: int) -> Floats:
    """Return how often each subject is in each resample, shape (N_BOOTSTRAP, n_subjects)."""
    rng = np.random.default_rng(seed)
    shares = np.full(n_subjects, 1.0 / n_subjects)
    return rng.multinomial(n_subjects, shares, size=N_BOOTSTRAP).astype(np.float64)


def interval(value: float, draws: Floats) -> Metric:
    """Return a value with the 95 % percentile interval of its resamples.

    With few subjects it is a little narrow: for the mean of 18 normal values it covers 93 %. There
    is none where a resample has no value: for one subject, or when too few have a correlation.

    Parameters
    ----------
    value : float
        Of all subjects.
    draws : ndarray, shape (n_draws,)
        Of the resamples; none, for one subject.
    """
    if not len(draws) or not np.isfinite(draws).all():
        return Metric(value=value)
    low, high = np.percentile(draws, [2.5, 97.5])
    return Metric(value=value, ci_low=float(low), ci_high=float(high))


def permutation_p(answers: Answers, names: tuple[str, ...], *, seed: int) -> dict[str, float]:
    """Return how often shuffled labels are answered as well as the true ones.

    Labels are shuffled over the trials of each subject, so that knowing who it is gains nothing.
    The windows of a trial move together: window j of a trial gets the label of window j of another
    one (counted round where that one is shorter). With one trial a subject there is nothing to
    shuffle, and p is 1.

    Parameters
    ----------
    answers : Answers
        Truth and answers; with several seeds a score is their mean.
    names : tuple of str
        Scores, of those in `class_scores`; the higher the better.
    seed : int
        Of the shuffles.

    Returns
    -------
    dict of str to float
        ``(1 + n as good) / (1 + N_PERMUTATIONS)`` by score.
    """
    rng = np.random.default_rng(seed)
    n_windows = np.bincount(answers.trial)
    start = np.cumsum(n_windows) - n_windows
    place = np.arange(len(answers)) - start[answers.trial]
    owner = answers.subject[start].astype(np.float64)
    said = answers.log_p.argmax(axis=2)
    observed = _mean_scores(answers.label[np.newaxis], said, len(answers.classes))
    as_good = dict.fromkeys(names, 0)
    n_chunk = max(1, _CHUNK_ROWS // len(answers))
    for n_done in range(0, N_PERMUTATIONS, n_chunk):
        n_now = min(n_chunk, N_PERMUTATIONS - n_done)
        # Subjects lie side by side, so sorting by subject and chance moves trials within each.
        other = np.argsort(owner + rng.random((n_now, len(start))), axis=1)[:, answers.trial]
        shuffled = answers.label[start[other] + place % n_windows[other]]
        scores = _mean_scores(shuffled, said, len(answers.classes))
        for name in names:
            as_good[name] += int((scores[name] >= observed[name] - 1e-12).sum())
    return {name: (1 + count) / (1 + N_PERMUTATIONS) for name, count in as_good.items()}


def paired_difference(
    one: Mapping[str, float], other: Mapping[str, float], *, seed: int
) -> Difference:
    """Return how far one variant is above another in the same subjects.

    Parameters
    ----------
    one, other : mapping of str to float
        A score by subject.
    seed : int
        Of the bootstrap and of the signs, which are all tried where they are few enough.

    Raises
    ------
    ValueError
        They are of different subjects, or a score is no number.
    """
    if not one or set(one) != set(other):
        msg = (
            "Both variants must have answered for the same subjects; only one did for "
            f"{', '.join(sorted(set(one) ^ set(other))) or 'nobody'}."
        )
        raise ValueError(msg)
    names = sorted(one)
    differences = np.array([one[name] - other[name] for name in names])
    if not np.isfinite(differences).all():
        msg = "Every subject must have a score in both variants, got one that is no number."
        raise ValueError(msg)
    value = float(differences.mean())
    if len(names) == 1:
        metric, p = Metric(value=value), 1.0
    else:
        weights = bootstrap_weights(len(names), seed=seed)
        metric = interval(value, weights @ differences / len(names))
        test = permutation_test(
            (differences,),
            _row_means,
            permutation_type="samples",
            n_resamples=9999,
            vectorized=True,
            rng=np.random.default_rng(seed),
        )
        p = float(test.pvalue)
    by_subject = dict(zip(names, differences.tolist(), strict=True))
    return Difference(value=metric, p=p, by_subject=by_subject)


def _row_means(values: Floats, axis: int) -> Floats:
    mean: Floats = values.mean(axis=axis)
    return mean


def _mean_scores(labels: Ints, said: Ints, n_classes: int) -> dict[str, Floats]:
    """Return the scores of `said` (n_seeds, n) by each row of `labels`, the mean over seeds."""
    n_draws, size = len(labels), n_classes**2
    first = np.arange(n_draws)[:, np.newaxis] * size
    by_seed = []
    for answered in said:
        place = (first + labels * n_classes + answered).ravel()
        counts = np.bincount(place, minlength=n_draws * size).astype(np.float64)
        by_seed.append(class_scores(counts.reshape(n_draws, n_classes, n_classes)))
    return {name: np.mean([one[name] for one in by_seed], axis=0) for name in by_seed[0]}
