import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from offline.metrics.differences import compare, episodes
from offline.predictions import Predictions

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
    assert found.one.value == pytest.approx(mine.mean())
    assert found.other.value == pytest.approx(theirs.mean())
    assert found.by_subject.value.value == pytest.approx((mine - theirs).mean())
    assert found.n_better == (mine > theirs).sum()
    assert found.n_episodes == N_WINDOWS // 10


def test_the_order_of_rows_changes_nothing_and_other_windows_are_refused() -> None:
    one, other = _said(0.6, seed=0), _said(0.3, seed=1)
    mixed = other.rows(np.random.default_rng(0).permutation(len(other)))
    assert compare([one], [mixed], seed=3) == compare([one], [other], seed=3)
    with pytest.raises(ValueError, match="the same windows"):
        compare([one], [other.rows(np.arange(len(other) - 1))], seed=0)


def test_seeds_count_by_their_mean() -> None:
    seeds = [_said(0.6, seed=i) for i in range(3)]
    other = _said(0.3, seed=9)
    mean = np.mean([_own_scores(each) for each in seeds])
    assert compare(seeds, [other], seed=0).one.value == pytest.approx(mean)


def test_a_model_beside_itself_differs_by_nothing() -> None:
    one = _said(0.5, seed=0)
    found = compare([one], [one], seed=0)
    assert (found.by_episode.value, found.by_episode.ci_low, found.by_episode.ci_high) == (0, 0, 0)
    assert found.by_subject.p == 1


def test_answers_that_hang_on_the_episode_make_the_interval_wide() -> None:
    """Everybody is right about the same stretches: subjects vary little, episodes do."""
    one, other = _said(1.0, seed=0), _said(0.0, seed=1)
    right = (one.window // 10) % 2 == 0
    log_p = np.where(right[:, None], one.log_p, np.roll(one.log_p, 1, axis=1))
    fickle = Predictions(
        classes=one.classes,
        log_p=log_p,
        **{
            name: getattr(one, name)
            for name in (
                *("subject", "session", "trial", "stimulus", "window", "fold", "label", "value"),
            )
        },
    )
    found = compare([fickle], [other], seed=0)
    by_subject, by_episode = found.by_subject.value, found.by_episode
    assert by_episode.ci_high is not None
    assert by_episode.ci_low is not None
    assert by_subject.ci_high is not None
    assert by_subject.ci_low is not None
    wide, narrow = (
        by_episode.ci_high - by_episode.ci_low,
        by_subject.ci_high - by_subject.ci_low,
    )
    assert wide > 3 * narrow


def test_episodes_end_with_the_class_with_a_gap_and_with_the_stimulus() -> None:
    said = _said(1.0, seed=0)
    numbers = episodes(said)
    assert (numbers.reshape(N_SUBJECTS, -1) == np.arange(N_WINDOWS) // 10).all()
    gap = said.rows(np.isin(said.window, [0, 1, 2, 5, 6, 7]))
    assert (episodes(gap).reshape(N_SUBJECTS, -1) == [0, 0, 0, 1, 1, 1]).all()
