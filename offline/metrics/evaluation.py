"""Everything that is said of a model's answers, counted per window and per trial."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from offline.metrics.answers import TRIAL_RULE, Answers, answers_of, by_trial
from offline.metrics.calibration import Bin, reliability
from offline.metrics.course import (
    ShiftedNull,
    changes_within_trials,
    correlation_within,
    shifted_nulls,
)
from offline.metrics.course_grid import WITHIN
from offline.metrics.episodes import episode_intervals
from offline.metrics.intervals import bootstrap_weights, interval, permutation_p
from offline.metrics.scores import (
    Tallies,
    all_scores,
    class_scores,
    confusions,
    tally,
    trivial_answers,
    why_undefined,
)
from offline.predictions import Predictions
from rtaffect.manifest import Metric

Floats = npt.NDArray[np.float64]

_TESTED = ("accuracy", "balanced_accuracy", "macro_f1")


class _Result(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class SubjectRow(_Result):
    """One subject's own numbers.

    Parameters
    ----------
    subject : str
        Name.
    n : int
        Its rows.
    scores : mapping of str to float
        As in `Level`; what is not defined for this subject is not there.
    trivial : mapping of str to float
        Accuracy of those who know nothing, by name.
    """

    subject: str
    n: int
    scores: Mapping[str, float]
    trivial: Mapping[str, float]


class Level(_Result):
    """Numbers counted per window, or per trial.

    Parameters
    ----------
    n : int
        Rows: windows or trials.
    scores : mapping of str to Metric
        All subjects' rows pooled, the mean over seeds: see `offline.metrics.scores.class_scores`
        and ``all_scores``. Intervals are over subjects; there is none for one subject.
    trivial : mapping of str to mapping of str to Metric
        The same scores of those who know nothing: ``always_high``, ``majority``, ``last_label``
        (not of a course).
    p : mapping of str to float
        By score: how often labels shuffled within subjects are answered as well.
    undefined : mapping of str to str
        Scores that are not there, and why.
    confusion : tuple of tuple of float
        Rows by true class, then by answer; the mean over seeds.
    reliability : tuple of Bin
        By confidence; all seeds together.
    subjects : tuple of SubjectRow
        By name.
    """

    n: int
    scores: Mapping[str, Metric]
    trivial: Mapping[str, Mapping[str, Metric]]
    p: Mapping[str, float]
    undefined: Mapping[str, str]
    confusion: tuple[tuple[float, ...], ...]
    reliability: tuple[Bin, ...]
    subjects: tuple[SubjectRow, ...]


class Evaluation(_Result):
    """How good the answers to one target are.

    Parameters
    ----------
    classes : tuple of str
        Names; the last one is "high" in the names of scores.
    n_subjects, n_seeds : int
        How many subjects were tested, by how many trainings each.
    trial_rule : str
        How the windows of a trial answer together.
    per_trial, per_window : Level
        Windows of a trial are not independent: what is reported is per trial.
    is_course : bool
        Labels change within trials that are long enough to shift them, so that a trial has no
        answer: what is reported is per window.
    shifted : mapping of str to ShiftedNull
        Of a course, by score: what the same answers are worth against labels shifted in time.
    n_episodes : int
        Of a course: stretches of the stimuli with one label; 0 where they are not the same for
        everybody.
    over_episodes : mapping of str to Metric
        Scores with intervals over subjects and episodes: those over subjects alone take the
        stimuli for granted, and are too narrow for others.
    """

    classes: tuple[str, ...]
    n_subjects: int
    n_seeds: int
    trial_rule: str = TRIAL_RULE
    per_trial: Level
    per_window: Level
    is_course: bool = False
    shifted: Mapping[str, ShiftedNull] = {}
    n_episodes: int = 0
    over_episodes: Mapping[str, Metric] = {}

    @property
    def reported(self) -> Level:
        """What is reported: windows where labels change within trials, else trials."""
        return self.per_window if self.is_course else self.per_trial


def evaluate(
    predictions: Predictions | Sequence[Predictions],
    *,
    train_prior: Mapping[str, Sequence[float]],
    seed: int,
    hop_s: float | None = None,
) -> Evaluation:
    """Measure answers to one target.

    Parameters
    ----------
    predictions : Predictions or sequence of Predictions
        Of all folds; one for each seed of the training where there are several.
    train_prior : mapping of str to sequence of float
        By the name of the fold: shares of the classes in its training set, each above 0.
    seed : int
        Of bootstrap and permutations.
    hop_s : float, optional
        Distance of neighbouring windows in seconds; without it labels are not shifted.

    Returns
    -------
    Evaluation
        JSON by ``model_dump_json``.

    Raises
    ------
    ValueError
        See `offline.metrics.answers.answers_of`.
    """
    seeds = [predictions] if isinstance(predictions, Predictions) else list(predictions)
    windows = answers_of(seeds, train_prior)
    shifted: Mapping[str, ShiftedNull] = {}
    if hop_s is not None and changes_within_trials(seeds[0]):
        shifted = shifted_nulls(seeds, hop_s=hop_s, seed=seed)
    n_episodes, over_episodes = episode_intervals(seeds, seed=seed) if shifted else (0, {})
    per_window = _level(windows, seed=seed)
    if shifted:  # no trial before has one label
        known = {k: x for k, x in per_window.trivial.items() if k != "last_label"}
        per_window = per_window.model_copy(update={"trivial": known})
    if WITHIN in shifted and (within := correlation_within(seeds, seed=seed)) is not None:
        per_window = per_window.model_copy(update={"scores": {**per_window.scores, WITHIN: within}})
    return Evaluation(
        classes=windows.classes,
        n_subjects=len(windows.subjects),
        n_seeds=len(seeds),
        per_trial=_level(by_trial(windows), seed=seed),
        per_window=per_window,
        is_course=bool(shifted),
        shifted=shifted,
        n_episodes=n_episodes,
        over_episodes=over_episodes,
    )


def _level(answers: Answers, *, seed: int) -> Level:
    n_subjects = len(answers.subjects)
    tallies = [tally(answers, log_p) for log_p in answers.log_p]
    everybody = np.ones((1, n_subjects))
    draws = bootstrap_weights(n_subjects, seed=seed) if n_subjects > 1 else everybody[:0]
    trivial = {name: confusions(answers, said) for name, said in trivial_answers(answers).items()}
    value = _mean_scores(tallies, everybody)
    undefined = why_undefined(answers, value)
    pooled = [one.pooled(everybody) for one in tallies]
    return Level(
        n=len(answers),
        scores=_metrics(value, _mean_scores(tallies, draws), undefined),
        trivial={
            name: _metrics(
                class_scores(np.tensordot(everybody, table, axes=1)),
                class_scores(np.tensordot(draws, table, axes=1)),
            )
            for name, table in trivial.items()
        },
        p=permutation_p(answers, _TESTED, seed=seed),
        undefined=undefined,
        confusion=np.mean([one.confusion[0] for one in pooled], axis=0).tolist(),
        reliability=reliability(np.sum([one.bins[0] for one in pooled], axis=0)),
        subjects=_rows(answers, tallies, trivial),
    )


def _mean_scores(tallies: Sequence[Tallies], weights: Floats) -> dict[str, Floats]:
    """Return the scores of each draw of subjects, the mean over seeds."""
    by_seed = [all_scores(one.pooled(weights)) for one in tallies]
    return {name: np.mean([one[name] for one in by_seed], axis=0) for name in by_seed[0]}


def _metrics(
    value: Mapping[str, Floats], draws: Mapping[str, Floats], undefined: Mapping[str, str] = {}
) -> dict[str, Metric]:
    return {
        name: interval(float(of_all[0]), draws[name])
        for name, of_all in value.items()
        if name not in undefined
    }


def _rows(
    answers: Answers, tallies: Sequence[Tallies], trivial: Mapping[str, Floats]
) -> tuple[SubjectRow, ...]:
    n_subjects = len(answers.subjects)
    scores = _mean_scores(tallies, np.eye(n_subjects))
    blind = {name: class_scores(table)["accuracy"] for name, table in trivial.items()}
    n_rows = np.bincount(answers.subject, minlength=n_subjects)
    return tuple(
        SubjectRow(
            subject=name,
            n=int(n_rows[i]),
            scores={k: float(x[i]) for k, x in scores.items() if np.isfinite(x[i])},
            trivial={k: float(x[i]) for k, x in blind.items()},
        )
        for i, name in enumerate(answers.subjects)
    )
