import itertools

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from offline.items import NO_CLASS
from offline.metrics.course import correlation_within, shifted_nulls
from offline.metrics.course_grid import WITHIN
from offline.metrics.episodes import episode_intervals
from offline.metrics.evaluation import evaluate
from offline.predictions import Predictions, concatenate

HOP_S = 2.0
N_WINDOWS, SHIFT = 90, 31  # the first shift of more than 60 s
CLASSES = ("fear", "sadness", "happiness")


def course(run: int) -> np.ndarray:
    """One film's classes, window by window; some windows have none."""
    rng = np.random.default_rng(run)
    lengths = rng.integers(3, 9, size=30)
    kinds = rng.integers(-1, 3, size=30)
    return np.repeat(kinds, lengths)[:N_WINDOWS]


def answers(
    *,
    n_subjects: int = 4,
    n_runs: int = 2,
    hit_rate: float = 0.5,
    seed: int = 0,
    values: bool = False,
) -> Predictions:
    """Answers that are right with `hit_rate`, else drawn anew."""
    rng = np.random.default_rng(seed)
    parts = []
    for subject, run in itertools.product(range(n_subjects), range(n_runs)):
        label = course(run).astype(np.int64)
        said = np.where(rng.random(N_WINDOWS) < hit_rate, label, rng.integers(0, 3, N_WINDOWS))
        said = np.where(label == NO_CLASS, rng.integers(0, 3, N_WINDOWS), said)
        p = np.full((N_WINDOWS, 3), 0.2)
        p[np.arange(N_WINDOWS), said] = 0.6
        value = np.where(label == NO_CLASS, np.nan, label.astype(float))
        parts.append(
            Predictions(
                classes=CLASSES,
                subject=np.full(N_WINDOWS, f"s{subject}"),
                session=np.full(N_WINDOWS, "movie"),
                trial=np.full(N_WINDOWS, f"run-{run}"),
                stimulus=np.full(N_WINDOWS, f"film-{run}"),
                window=np.arange(N_WINDOWS) + 10 * subject,
                fold=np.full(N_WINDOWS, f"s{subject}-{run}"),
                label=label,
                value=value + 0.3 * np.sin(np.arange(N_WINDOWS)) if values else value,
                log_p=np.log(p),
            )
        )
    return concatenate(parts)


def evaluation_of(said: Predictions, *, hop_s: float | None = HOP_S):
    prior = {name: [1 / 3] * 3 for name in np.unique(said.fold).tolist()}
    return evaluate(said, train_prior=prior, seed=0, hop_s=hop_s)


def test_shifted_labels_are_those_of_every_shift_of_more_than_a_minute() -> None:
    said = answers(n_subjects=3, n_runs=1, hit_rate=0.6)
    null = shifted_nulls([said], hop_s=HOP_S, seed=1)["balanced_accuracy"]
    label, answer = said.label.reshape(3, -1), said.log_p.argmax(axis=1).reshape(3, -1)
    every = []
    for shift in range(SHIFT, N_WINDOWS - SHIFT + 1):
        moved = np.roll(label, shift, axis=1)  # of everybody alike: they saw the same film
        known = moved != NO_CLASS
        every.append(balanced_accuracy_score(moved[known], answer[known]))
    assert null.n_draws == 1000
    assert null.mean == pytest.approx(np.mean(every), abs=0.01)
    assert null.sd == pytest.approx(np.std(every), rel=0.15)
    assert min(every) - 1e-9 <= null.high <= max(every) + 1e-9


def test_who_knows_the_film_beats_its_clock_and_who_guesses_does_not() -> None:
    def p_of(said: Predictions) -> float:
        return shifted_nulls([said], hop_s=HOP_S, seed=0)["balanced_accuracy"].p

    assert p_of(answers(hit_rate=0.7)) == pytest.approx(1 / 1001)
    assert 0.25 < np.mean([p_of(answers(hit_rate=0.0, seed=n)) for n in range(8)]) < 0.75


def test_seeds_count_as_their_mean() -> None:
    seeds = [answers(seed=n, hit_rate=0.6) for n in (0, 1)]
    shuffled = seeds[1].rows(np.random.default_rng(0).permutation(len(seeds[1])))
    both = shifted_nulls([seeds[0], shuffled], hop_s=HOP_S, seed=3)["balanced_accuracy"]
    each = [shifted_nulls([one], hop_s=HOP_S, seed=3)["balanced_accuracy"] for one in seeds]
    assert both.mean == pytest.approx(np.mean([null.mean for null in each]))


def test_trials_that_are_too_short_are_not_shifted() -> None:
    assert shifted_nulls([answers()], hop_s=120.0 / N_WINDOWS - 0.01, seed=0) == {}


def test_a_correlation_within_trials_is_numpys_of_each_trial() -> None:
    said = answers(hit_rate=0.6, values=True)
    expected = []
    for subject in np.unique(said.subject):
        own = []
        for trial in np.unique(said.trial):
            rows = (said.subject == subject) & (said.trial == trial) & (said.label != NO_CLASS)
            mean = np.exp(said.log_p[rows]) @ np.arange(3)
            own.append(np.corrcoef(mean, said.value[rows])[0, 1])
        expected.append(np.mean(own))
    found = correlation_within([said], seed=0)
    assert found is not None
    assert found.value == pytest.approx(np.mean(expected))
    _, over_episodes = episode_intervals([said], seed=0)
    assert over_episodes[WITHIN].value == pytest.approx(np.mean(expected))
    assert correlation_within([answers()], seed=0) is None  # categories have no order


def test_episodes_are_stretches_of_one_class_and_count_in_the_interval() -> None:
    said = answers(hit_rate=0.6)
    n_episodes, scores = episode_intervals([said], seed=0)
    stretches = [
        kind for run in range(2) for kind, _ in itertools.groupby(course(run)) if kind != NO_CLASS
    ]
    assert n_episodes == len(stretches)
    known = said.label != NO_CLASS
    whole = balanced_accuracy_score(said.label[known], said.log_p.argmax(axis=1)[known])
    metric = scores["balanced_accuracy"]
    assert metric.value == pytest.approx(whole)
    assert metric.ci_low < whole < metric.ci_high
    per_subject = evaluation_of(said).per_window.scores["balanced_accuracy"]
    # Right or wrong is tossed for each window here, so that both kinds of interval hold the truth.
    assert metric.ci_high - metric.ci_low > 0.5 * (per_subject.ci_high - per_subject.ci_low)


def test_answers_that_hang_on_the_episode_widen_the_interval_over_episodes() -> None:
    said = answers(n_subjects=12, hit_rate=1.0)
    wrong = np.zeros(len(said), dtype=bool)
    for run in range(2):  # the same episodes are wrong in everybody
        number = np.cumsum(np.diff(course(run), prepend=course(run)[0]) != 0)
        rows = np.flatnonzero(said.trial == f"run-{run}")
        wrong[rows] = np.tile(number % 2 == 1, 12)
    rolled = np.where(wrong[:, None], np.roll(said.log_p, 1, axis=1), said.log_p)
    same = Predictions(
        classes=CLASSES,
        **{
            name: getattr(said, name)
            for name in ("subject", "session", "trial", "stimulus", "window", "fold")
        },
        label=said.label,
        value=said.value,
        log_p=rolled,
    )
    found = evaluation_of(same)
    narrow, wide = (
        metric.ci_high - metric.ci_low
        for metric in (
            found.per_window.scores["balanced_accuracy"],
            found.over_episodes["balanced_accuracy"],
        )
    )
    assert wide > 3 * narrow


def test_labels_that_differ_between_people_have_no_episodes_in_common() -> None:
    said = answers()
    other = said.rows(np.arange(len(said)))
    own = np.flatnonzero((other.subject == "s1") & (other.label == 0))
    other.label[own] = 1
    other.value[own] = 1.0
    assert episode_intervals([other], seed=0) == (0, {})


def test_what_is_said_where_there_is_no_label_counts_nowhere_but_among_shifted_ones() -> None:
    said = answers(hit_rate=0.6)
    mad = said.rows(np.arange(len(said)))
    mad.log_p[mad.label == NO_CLASS] = np.log([1e-9, 1e-9, 1 - 2e-9])
    one, other = evaluation_of(said), evaluation_of(mad)
    assert one.per_window == other.per_window
    assert one.per_trial == other.per_trial
    assert one.over_episodes == other.over_episodes
    assert one.shifted != other.shifted


def test_only_a_course_is_reported_by_window() -> None:
    found = evaluation_of(answers())
    assert found.is_course
    assert found.reported == found.per_window
    assert set(found.per_window.trivial) == {"always_high", "majority"}
    assert not evaluation_of(answers(), hop_s=None).is_course
    said = answers()
    constant = said.rows(said.label == 2)
    assert not evaluation_of(constant).is_course
