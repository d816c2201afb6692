import dataclasses

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from offline.items import NO_CLASS
from offline.metrics.differences import compare, same_windows
from offline.predictions import Predictions
from rtaffect.manifest import Metric

N_SUBJECTS, N_WINDOWS = 6, 240


def _said(share: float, *, seed: int, n_classes: int = 3) -> Predictions:
    """Answers of which a share is right, to a film whose class changes every ten windows."""
    rng = np.random.default_rng(seed)
    course = np.repeat(np.arange(N_WINDOWS // 10) % n_classes, 10)
    label = np.tile(course, N_SUBJECTS)
    n = len(label)
    said = np.where(rng.random(n) < share, label, rng.integers(0, n_classes, n))
    subject = np.repeat([f"s{i}" for i in range(N_SUBJECTS)], N_WINDOWS)
    return Predictions(
        classes=tuple("abc"[:n_classes]),
        subject=subject,
        session=np.full(n, ""),
        trial=np.full(n, "run-1"),
        stimulus=np.full(n, "film"),
        window=np.tile(np.arange(N_WINDOWS), N_SUBJECTS),
        fold=np.full(n, "1"),
        label=label,
        value=label.astype(np.float64),
        log_p=np.log(np.eye(n_classes)[said] * 0.9 + 0.03),
    )


def _width(metric: Metric) -> float:
    assert metric.ci_low is not None
    assert metric.ci_high is not None
    return metric.ci_high - metric.ci_low


def _own_scores(said: Predictions) -> np.ndarray:
    return np.array(
        [
            balanced_accuracy_score(said.label[mine], said.log_p[mine].argmax(axis=1))
            for mine in (said.subject == name for name in np.unique(said.subject))
        ]
    )


def test_scores_are_each_subjects_own_as_scikit_learn_has_them() -> None:
    one, other = _said(0.6, seed=0), _said(0.3, seed=1)
    found = compare([one], [other], seed=0)
    mine, theirs = _own_scores(one), _own_scores(other)
    assert found.one == pytest.approx(mine.mean())
    assert found.other == pytest.approx(theirs.mean())
    assert found.by_subject.value.value == pytest.approx((mine - theirs).mean())
    assert found.n_better == (mine > theirs).sum()
    assert found.n_episodes == N_WINDOWS // 10


def test_the_order_of_rows_changes_nothing_and_other_windows_are_refused() -> None:
    one, other = _said(0.6, seed=0), _said(0.3, seed=1)
    mixed = other.rows(np.random.default_rng(0).permutation(len(other)))
    assert compare([one], [mixed], seed=3) == compare([one], [other], seed=3)
    fewer = other.rows(other.window < N_WINDOWS - 1)
    assert same_windows([one], [mixed])
    assert not same_windows([one], [fewer])
    with pytest.raises(ValueError, match="the same windows"):
        compare([one], [fewer], seed=0)


def test_seeds_count_by_their_mean() -> None:
    seeds = [_said(0.6, seed=i) for i in range(3)]
    other = _said(0.3, seed=9)
    mean = np.mean([_own_scores(each) for each in seeds])
    assert compare(seeds, [other], seed=0).one == pytest.approx(mean)


def test_a_model_beside_itself_differs_by_nothing() -> None:
    one = _said(0.5, seed=0)
    found = compare([one], [one], seed=0)
    assert found.by_episode is not None
    assert (found.by_episode.value, _width(found.by_episode)) == (0, 0)
    assert found.by_subject.p == 1


def test_answers_that_hang_on_the_episode_make_the_interval_wide() -> None:
    """Everybody is right about the same stretches: subjects vary little, episodes do."""
    one, other = _said(1.0, seed=0), _said(0.0, seed=1)
    right = (one.window // 10) % 2 == 0
    log_p = np.where(right[:, None], one.log_p, np.roll(one.log_p, 1, axis=1))
    fickle = dataclasses.replace(one, log_p=log_p)
    found = compare([fickle], [other], seed=0)
    by_subject, by_episode = found.by_subject.value, found.by_episode
    assert by_episode is not None
    assert _width(by_episode) > 3 * _width(by_subject)


def test_labels_that_differ_between_people_have_no_episodes_in_common() -> None:
    one, other = _said(0.6, seed=0), _said(0.3, seed=1)
    own = one.subject == "s2"
    moved = np.where(own, (one.label + 1) % 3, one.label)
    one, other = (dataclasses.replace(said, label=moved) for said in (one, other))
    found = compare([one], [other], seed=0)
    assert found.n_episodes == 0
    assert found.by_episode is None
    assert found.one == pytest.approx(_own_scores(one).mean())


def test_windows_without_a_label_count_nothing() -> None:
    one, other = _said(0.6, seed=0), _said(0.3, seed=1)
    lost = one.window % 7 == 0
    expected = _own_scores(one.rows(~lost)).mean()
    without = (
        dataclasses.replace(said, label=np.where(lost, NO_CLASS, said.label))
        for said in (one, other)
    )
    assert compare(*([said] for said in without), seed=0).one == pytest.approx(expected)
