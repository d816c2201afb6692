"""Predictions in the order that counting wants: by subject, by trial, by time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax

from offline.items import NO_CLASS
from offline.predictions import Predictions

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

TRIAL_RULE = "mean of log p over the trial's windows, normalised again"
"""How the windows of a trial answer together: as if each were one vote of equal weight."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answers:
    """Rows are windows or trials; those of a subject, and of a trial in them, lie side by side.

    Parameters
    ----------
    classes : tuple of str
        Names, from the lowest up.
    subjects : tuple of str
        Names, in the order of their numbers.
    subject, trial : ndarray of int, shape (n,)
        Numbers from 0; a trial that was tested in several folds counts as several.
    window : ndarray of int, shape (n,)
        On the recording's grid: order in time.
    label : ndarray of int, shape (n,)
        True class.
    value : ndarray of float, shape (n,)
        True value.
    prior : ndarray of float, shape (n, n_classes)
        Shares of the classes in the training set of the row's fold.
    previous : ndarray of int, shape (n,)
        Class of the subject's previous trial in the same session, of those that were tested; where
        there is none, the class that is most frequent in training.
    log_p : ndarray of float, shape (n_seeds, n, n_classes)
        What was answered.
    """

    classes: tuple[str, ...]
    subjects: tuple[str, ...]
    subject: Ints
    trial: Ints
    window: Ints
    label: Ints
    value: Floats
    prior: Floats
    previous: Ints
    log_p: Floats

    def __len__(self) -> int:
        return len(self.label)


def answers_of(seeds: Sequence[Predictions], train_prior: Mapping[str, Sequence[float]]) -> Answers:
    """Return windows with a label, in order.

    Parameters
    ----------
    seeds : sequence of Predictions
        Answers to the same windows, one for each seed of the training.
    train_prior : mapping of str to sequence of float
        Shares of the classes in the training set, each above 0, by the name of the fold.

    Raises
    ------
    ValueError
        There is no row, seeds answered different windows, a number is none, or a fold has no prior.
    """
    parts = [_in_order(said.rows(said.label != NO_CLASS)) for said in seeds]
    if not parts or not len(parts[0]):
        msg = "There must be at least one answer with a label to measure, got none."
        raise ValueError(msg)
    first, n_classes = parts[0], len(parts[0].classes)
    keys = ("subject", "session", "trial", "fold", "window", "label", "value")
    for part in parts:
        if not (np.isfinite(part.log_p).all() and part.log_p.shape[1:] == (n_classes,)):
            msg = f"log_p must be finite numbers, {n_classes} a row, got {part.log_p.shape}."
            raise ValueError(msg)
        is_class = (part.label >= 0) & (part.label < n_classes)
        if not (np.isfinite(part.value).all() and is_class.all()):
            msg = f"Labels must be classes from 0 to {n_classes - 1}, and values finite numbers."
            raise ValueError(msg)
        same = part.classes == first.classes and len(part) == len(first)
        if not same or any((getattr(part, k) != getattr(first, k)).any() for k in keys):
            msg = "All seeds must have answered the same windows, with the same truth."
            raise ValueError(msg)
    subjects, subject = np.unique(first.subject, return_inverse=True)
    trial = _runs(first.subject, first.session, first.trial, first.fold)
    prior = _priors(first.fold, train_prior, n_classes)
    answers = Answers(
        classes=first.classes,
        subjects=tuple(subjects.tolist()),
        subject=subject.astype(np.int64),
        trial=trial,
        window=first.window.astype(np.int64),
        label=first.label.astype(np.int64),
        value=first.value.astype(np.float64),
        prior=prior,
        previous=prior.argmax(axis=1),
        log_p=np.stack([part.log_p for part in parts]),
    )
    return replace(answers, previous=_previous(answers, _runs(first.subject, first.session), first))


def by_trial(answers: Answers) -> Answers:
    """Return one row a trial.

    It answers by `TRIAL_RULE`; its true class is that of most of its windows (of two that are
    equally frequent the lower one), its value their mean.
    """
    n_windows = np.bincount(answers.trial)
    first = np.cumsum(n_windows) - n_windows
    log_p = np.add.reduceat(answers.log_p, first, axis=1) / n_windows[:, None]
    return replace(
        answers,
        subject=answers.subject[first],
        trial=np.arange(len(first)),
        window=answers.window[first],
        label=_usual(answers.trial, answers.label, len(answers.classes)),
        value=np.add.reduceat(answers.value, first) / n_windows,
        prior=answers.prior[first],
        previous=answers.previous[first],
        log_p=log_softmax(log_p, axis=2),
    )


def _in_order(said: Predictions) -> Predictions:
    columns = [
        np.asarray(getattr(said, name)).astype(str)
        for name in ("fold", "trial", "session", "subject")
    ]
    return said.rows(np.lexsort([said.window, *columns]))


def _runs(*columns: npt.NDArray[Any]) -> Ints:
    """Return numbers from 0 that rise where any of the sorted columns changes."""
    changes = np.zeros(len(columns[0]), dtype=np.bool_)
    for column in columns:
        changes[1:] |= column[1:] != column[:-1]
    return np.cumsum(changes)


def _usual(groups: Ints, labels: Ints, n_classes: int) -> Ints:
    counts = np.zeros((groups[-1] + 1, n_classes), dtype=np.int64)
    np.add.at(counts, (groups, labels), 1)
    usual: Ints = counts.argmax(axis=1)
    return usual


def _priors(
    folds: npt.NDArray[Any], train_prior: Mapping[str, Sequence[float]], n_classes: int
) -> Floats:
    names, number = np.unique(folds.astype(str), return_inverse=True)
    table = []
    for name in names.tolist():
        shares = np.asarray(train_prior.get(name, ()), dtype=np.float64)
        if shares.shape != (n_classes,) or not (shares > 0).all() or abs(shares.sum() - 1) > 1e-6:
            msg = (
                f"train_prior must hold, for fold {name}, the shares of {n_classes} classes in "
                "its training set, each above 0 (count each once more than it occurs) and 1 in "
                f"all; got {shares.tolist()}."
            )
            raise ValueError(msg)
        table.append(shares)
    return np.array(table)[number]


def _previous(answers: Answers, session: Ints, said: Predictions) -> Ints:
    """Return the class of the trial before, in time, of the same subject and session."""
    own = _runs(said.subject, said.session, said.trial)
    n_windows = np.bincount(own)
    first = np.cumsum(n_windows) - n_windows
    # A trial begins with its earliest window in any fold.
    start = np.minimum.reduceat(answers.window, first)
    label = _usual(own, answers.label, len(answers.classes))
    order = np.lexsort((start, session[first]))
    follows = session[first][order][1:] == session[first][order][:-1]
    previous = np.full(len(first), -1, dtype=np.int64)
    previous[order[1:][follows]] = label[order[:-1][follows]]
    return np.where(previous[own] >= 0, previous[own], answers.previous)
