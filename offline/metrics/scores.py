"""Numbers from sums over subjects: any set of subjects is measured by adding up what each adds."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from offline.metrics.answers import Answers
from offline.metrics.calibration import bin_sums, expected_calibration_error

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

TRIVIAL = ("always_high", "majority", "last_label")
"""Who knows nothing of the signals: says the last class ("high") every time; says the class that is
most frequent in training every time; says what the subject's previous trial was."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tallies:
    """What each subject adds.

    Parameters
    ----------
    confusion : ndarray, shape (n_subjects, n_classes, n_classes)
        Number of rows by true class and answer.
    nll, prior_nll : ndarray, shape (n_subjects,)
        Sums in nats.
    bins : ndarray, shape (n_subjects, N_BINS, 3)
        See `offline.metrics.calibration.bin_sums`.
    correlation : ndarray, shape (n_subjects,)
        0 where `is_correlated` is 0.
    is_correlated : ndarray, shape (n_subjects,)
        1 for those in whom a correlation is defined.
    """

    confusion: Floats
    nll: Floats
    prior_nll: Floats
    bins: Floats
    correlation: Floats
    is_correlated: Floats

    def pooled(self, weights: Floats) -> "Tallies":
        """Return sums over subjects, one for each row of `weights`, (n_draws, n_subjects)."""
        sums = {
            name: np.tensordot(weights, getattr(self, name), axes=1)
            for name in Tallies.__dataclass_fields__
        }
        return Tallies(**sums)


def tally(answers: Answers, log_p: Floats) -> Tallies:
    """Return what each subject adds.

    Parameters
    ----------
    answers : Answers
        The truth.
    log_p : ndarray, shape (n, n_classes)
        What one seed answered.
    """
    rows = np.arange(len(answers))
    correlation = _correlations(answers, log_p)
    return Tallies(
        confusion=confusions(answers, log_p.argmax(axis=1)),
        nll=_sums(answers, -log_p[rows, answers.label]),
        prior_nll=_sums(answers, -np.log(answers.prior[rows, answers.label])),
        bins=bin_sums(log_p, answers.label, answers.subject, len(answers.subjects)),
        correlation=np.nan_to_num(correlation, nan=0.0),
        is_correlated=np.isfinite(correlation).astype(np.float64),
    )


def confusions(answers: Answers, said: Ints) -> Floats:
    """Return how often each subject's class was answered as which.

    Parameters
    ----------
    answers : Answers
        The truth.
    said : ndarray of int, shape (n,)
        Answered classes.

    Returns
    -------
    ndarray, shape (n_subjects, n_classes, n_classes)
        By true class, then by answer.
    """
    n_classes, n_subjects = len(answers.classes), len(answers.subjects)
    place = (answers.subject * n_classes + answers.label) * n_classes + said
    counts = np.bincount(place, minlength=n_subjects * n_classes**2)
    return counts.reshape(n_subjects, n_classes, n_classes).astype(np.float64)


def trivial_answers(answers: Answers) -> dict[str, Ints]:
    """Return what each of `TRIVIAL` answers, shape (n,)."""
    high = np.full(len(answers), len(answers.classes) - 1, dtype=np.int64)
    return dict(zip(TRIVIAL, (high, answers.prior.argmax(axis=1), answers.previous), strict=True))


def class_scores(confusion: Floats) -> dict[str, Floats]:
    """Return all that a confusion matrix tells.

    Parameters
    ----------
    confusion : ndarray, shape (..., n_classes, n_classes)
        Counts by true class, then by answer; at least one in all.

    Returns
    -------
    dict of str to ndarray, shape (...)
        As scikit-learn defines them, with ``zero_division=0``: ``accuracy``;
        ``balanced_accuracy``, the mean recall of the classes that occur; ``macro_precision``,
        ``macro_sensitivity`` and ``macro_f1``, means over the classes that occur or are answered;
        ``f1_high``, of the last class alone.
    """
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    truly, said = confusion.sum(axis=-1), confusion.sum(axis=-2)
    recall, precision = _ratio(hits, truly), _ratio(hits, said)
    f1 = _ratio(2 * hits, truly + said)
    occurs, is_known = (truly > 0), (truly + said > 0)
    return {
        "accuracy": hits.sum(axis=-1) / truly.sum(axis=-1),
        "balanced_accuracy": _mean(recall, occurs),
        "macro_precision": _mean(precision, is_known),
        "macro_sensitivity": _mean(recall, is_known),
        "macro_f1": _mean(f1, is_known),
        "f1_high": f1[..., -1],
    }


def all_scores(pooled: Tallies) -> dict[str, Floats]:
    """Return every score of pooled tallies, each of shape (n_draws,).

    Beside `class_scores`: ``prevalence``, the share of the last class; ``nll`` and ``prior_nll`` in
    nats a row; ``ece``; and ``correlation``, the mean over subjects of that of the expected class
    with the true value, NaN where no subject has one.
    """
    counts = pooled.confusion.sum(axis=(-2, -1))
    with np.errstate(invalid="ignore"):
        correlation = pooled.correlation / pooled.is_correlated
    return {
        **class_scores(pooled.confusion),
        "prevalence": pooled.confusion[..., -1, :].sum(axis=-1) / counts,
        "nll": pooled.nll / counts,
        "prior_nll": pooled.prior_nll / counts,
        "ece": expected_calibration_error(pooled.bins),
        "correlation": correlation,
    }


def why_undefined(answers: Answers, scores: Mapping[str, Floats]) -> dict[str, str]:
    """Return, for each score that is no number, the reason."""
    reason = (
        "the classes have no order"
        if _has_no_order(answers)
        else "no subject has three rows with different true values"
    )
    return {name: reason for name, values in scores.items() if not np.isfinite(values).all()}


def _correlations(answers: Answers, log_p: Floats) -> Floats:
    """Return each subject's correlation.

    0 where the answers never change; NaN where the truth never does, or rows are fewer than three.
    """
    expected = np.exp(log_p) @ np.arange(len(answers.classes))
    found = np.full(len(answers.subjects), np.nan)
    if _has_no_order(answers):
        return found
    for number in range(len(found)):
        rows = answers.subject == number
        said, truth = expected[rows], answers.value[rows]
        if len(said) >= 3 and np.ptp(truth) > 0:
            found[number] = np.corrcoef(said, truth)[0, 1] if np.ptp(said) > 1e-12 else 0.0
    return found


def _has_no_order(answers: Answers) -> bool:
    """Return whether the classes are categories: then a value is the number of its class."""
    return len(answers.classes) > 2 and bool((answers.value == answers.label).all())


def _sums(answers: Answers, values: Floats) -> Floats:
    sums = np.zeros(len(answers.subjects))
    np.add.at(sums, answers.subject, values)
    return sums


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0)


def _mean(values: Floats, over: npt.NDArray[np.bool_]) -> Floats:
    mean: Floats = (values * over).sum(axis=-1) / over.sum(axis=-1)
    return mean
