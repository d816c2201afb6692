import numpy as np
import pytest

from offline.items import NO_CLASS
from offline.metrics.challenge import challenge_score
from offline.predictions import Predictions

CLASSES = np.array([-1, 0, 1, 1, 0, -1])
LEVELS = np.array([-4, 0, 3, 2, 1, -1])


def _said(truth: np.ndarray, said: np.ndarray, n_classes: int) -> Predictions:
    middle = (n_classes - 1) // 2
    names = {
        name: np.full(len(truth), "x")
        for name in ("subject", "session", "trial", "stimulus", "fold")
    }
    label = np.where(truth == 99, NO_CLASS, truth + middle)
    return Predictions(
        classes=tuple(map(str, range(n_classes))),
        window=np.arange(len(truth)),
        label=label,
        value=truth.astype(np.float64),
        log_p=np.log(0.9 * np.eye(n_classes)[said + middle] + 0.01),
        **names,
    )


def _reference(classes: np.ndarray, levels: np.ndarray) -> float:
    """The challenge's words, trial by trial."""
    error = 0.0
    for said, true in zip(levels.tolist(), LEVELS.tolist(), strict=True):
        size = abs(said) + abs(true)
        error += abs(said - true) / size if size else 0.0
    return 0.6 * float(np.mean(classes != CLASSES)) + 0.4 * error / len(LEVELS)


@pytest.mark.parametrize("seed", range(5))
def test_the_score_is_what_the_challenge_says(seed: int) -> None:
    rng = np.random.default_rng(seed)
    classes, levels = rng.integers(-1, 2, 6), rng.integers(-4, 5, 6)
    got = challenge_score(_said(CLASSES, classes, 3), _said(LEVELS, levels, 9))
    assert got == pytest.approx(_reference(classes, levels))


def test_who_is_right_has_none_and_who_says_the_opposite_has_the_most() -> None:
    right = challenge_score(_said(CLASSES, CLASSES, 3), _said(LEVELS, LEVELS, 9))
    assert right == 0
    ones = np.ones(4, dtype=np.int64)
    assert challenge_score(_said(ones, -ones, 3), _said(4 * ones, -4 * ones, 9)) == 1


def test_trials_without_a_label_do_not_count() -> None:
    expected = challenge_score(_said(CLASSES, CLASSES[::-1], 3), _said(LEVELS, LEVELS[::-1], 9))
    more = [np.concatenate([truth, [99]]) for truth in (CLASSES, LEVELS)]
    said = [np.concatenate([truth[::-1], [0]]) for truth in (CLASSES, LEVELS)]
    got = challenge_score(_said(more[0], said[0], 3), _said(more[1], said[1], 9))
    assert got == pytest.approx(expected)
