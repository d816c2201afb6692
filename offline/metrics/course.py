"""What labels that change within a trial ask of a number: that the stimulus's clock gives no part.

Neighbouring windows have the same label and much the same answer, so that shuffled labels say
nothing. Labels that are shifted in time keep all of that.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from offline.items import NO_CLASS
from offline.metrics.course_grid import (
    WITHIN,
    Grid,
    by_subject_means,
    correlation_sums,
    correlations,
    has_order,
    lay_out,
)
from offline.metrics.intervals import bootstrap_weights, interval
from offline.metrics.scores import class_scores
from offline.predictions import Predictions
from rtaffect.manifest import Metric

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

N_SHIFTS = 1000
"""Draws of shifted labels; the smallest p is one over one more than that."""

SHIFT_S = 60.0
"""Labels are shifted by more than this, forwards or backwards."""


class ShiftedNull(BaseModel):
    """A score of the same answers against labels that are shifted in time.

    Parameters
    ----------
    mean, sd : float
        Over draws.
    high : float
        95 % of the draws lie below it.
    p : float
        How often shifted labels are answered as well as the true ones.
    n_draws : int
        How many.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    mean: float
    sd: float
    high: float
    p: float
    n_draws: int


def changes_within_trials(said: Predictions) -> bool:
    """Return whether some trial has windows of different truth."""
    names = np.stack([np.asarray(n).astype(str) for n in (said.subject, said.session, said.trial)])
    _, trial = np.unique(names, axis=1, return_inverse=True)
    known = said.label != NO_CLASS
    low = np.full(trial.max(initial=0) + 1, np.inf)
    high = -low
    np.minimum.at(low, trial[known], said.value[known])
    np.maximum.at(high, trial[known], said.value[known])
    return bool((high > low).any())


def correlation_within(seeds: Sequence[Predictions], *, seed: int) -> Metric | None:
    """Return `WITHIN` with its interval over subjects; None where the classes have no order.

    Parameters
    ----------
    seeds : sequence of Predictions
        Answers to the same windows, one for each seed of the training.
    seed : int
        Of the bootstrap.
    """
    grid = lay_out(seeds)
    if not has_order(grid):
        return None
    known = grid.label != NO_CLASS
    each = []
    for expected in grid.expected:
        sums = correlation_sums(expected, grid.value, known)
        each.append(by_subject_means(correlations(sums), grid.subject))
    by_subject = np.mean(each, axis=0)
    own = by_subject[np.isfinite(by_subject)]
    if not len(own):
        return None
    if len(own) == 1:
        return Metric(value=float(own[0]))
    draws = bootstrap_weights(len(own), seed=seed) @ own / len(own)
    return interval(float(own.mean()), draws)


def shifted_nulls(
    seeds: Sequence[Predictions], *, hop_s: float, seed: int
) -> dict[str, ShiftedNull]:
    """Return what the same answers are worth against shifted labels.

    The labels of a stimulus are shifted round by the same random time for everybody, as they are
    the same for everybody; all answers stay where they are, those to windows without a label too.

    Parameters
    ----------
    seeds : sequence of Predictions
        Answers to the same windows, one for each seed of the training.
    hop_s : float
        Distance of neighbouring windows in seconds.
    seed : int
        Of the shifts.

    Returns
    -------
    dict of str to ShiftedNull
        ``"balanced_accuracy"`` of all windows pooled, and `WITHIN` where the classes have an
        order. None where trials are too short to be shifted.
    """
    grid = lay_out(seeds)
    least = int(np.floor(SHIFT_S / hop_s)) + 1
    if (grid.length < 2 * least).any():
        return {}
    rng = np.random.default_rng(seed)
    ordered = has_order(grid)
    true = _scores(grid, grid.label, grid.value, ordered=ordered)
    draws: dict[str, list[float]] = {name: [] for name in true}
    columns = np.arange(grid.label.shape[1])
    for _ in range(N_SHIFTS):
        share = rng.random(grid.stimulus.max() + 1)[grid.stimulus]
        shift = least + np.floor(share * (grid.length - 2 * least + 1)).astype(np.int64)
        place = (columns - shift[:, None]) % grid.length[:, None]
        inside = columns < grid.length[:, None]
        label = np.where(inside, np.take_along_axis(grid.label, place, axis=1), NO_CLASS)
        value = np.take_along_axis(grid.value, place, axis=1)
        for name, score in _scores(grid, label, value, ordered=ordered).items():
            draws[name].append(score)
    return {
        name: _null(true[name], np.array(found))
        for name, found in draws.items()
        if np.isfinite([true[name], *found]).all()
    }


def _scores(grid: Grid, label: Ints, value: Floats, *, ordered: bool) -> dict[str, float]:
    """Return the scores of the answers against some labels, the mean over seeds."""
    known = (label != NO_CLASS) & np.isfinite(grid.expected[0])
    accuracy, correlation = [], []
    for said, expected in zip(grid.said, grid.expected, strict=True):
        place = label[known] * grid.n_classes + said[known]
        counts = np.bincount(place, minlength=grid.n_classes**2).astype(np.float64)
        table = counts.reshape(grid.n_classes, grid.n_classes)
        accuracy.append(float(class_scores(table)["balanced_accuracy"]))
        if ordered:
            sums = correlation_sums(expected, value, known)
            by_subject = by_subject_means(correlations(sums), grid.subject)
            own = by_subject[np.isfinite(by_subject)]
            correlation.append(float(own.mean()) if len(own) else np.nan)
    scores = {"balanced_accuracy": float(np.mean(accuracy))}
    return scores | ({WITHIN: float(np.mean(correlation))} if ordered else {})


def _null(true: float, draws: Floats) -> ShiftedNull:
    return ShiftedNull(
        mean=float(draws.mean()),
        sd=float(draws.std(ddof=1)),
        high=float(np.percentile(draws, 95)),
        p=float((1 + (draws >= true - 1e-12).sum()) / (1 + len(draws))),
        n_draws=len(draws),
    )
