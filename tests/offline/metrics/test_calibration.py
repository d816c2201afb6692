"""Temperature, skill and bins."""

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax

from offline.metrics.calibration import (
    N_BINS,
    bin_sums,
    expected_calibration_error,
    fit_temperature,
    nll,
    skill,
)

HALF = (0.5, 0.5)


def _calibrated(n: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    logits = 2 * rng.normal(size=(n, 2))
    labels = (rng.random(n) < softmax(logits, axis=1)[:, 1]).astype(int)
    return logits, labels


def test_the_temperature_that_was_put_in_is_found() -> None:
    logits, labels = _calibrated()
    assert fit_temperature(3.0 * logits, labels) == pytest.approx(3.0, rel=0.05)
    assert fit_temperature(0.4 * logits, labels) == pytest.approx(0.4, rel=0.05)


def test_tensors_are_welcome() -> None:
    logits, labels = _calibrated(500)
    wanted = fit_temperature(logits, labels)
    assert fit_temperature(torch.from_numpy(logits), torch.from_numpy(labels)) == wanted


def test_a_temperature_that_nothing_bounds_is_bounded() -> None:
    right = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert 1 / 21 < fit_temperature(right, [0, 1]) < 1 / 19
    assert 19 < fit_temperature(right, [1, 0]) < 21


def test_skill_is_what_its_definition_says() -> None:
    logits = np.array([[2.0, 0.0], [0.0, 1.0], [0.3, 0.0]])
    labels = np.array([0, 1, 1])
    own = -np.mean([np.log(softmax(row)[label]) for row, label in zip(logits, labels, strict=True)])
    assert skill(logits, labels, HALF) == pytest.approx(1 - own / np.log(2))
    assert nll(log_softmax(logits, axis=1), labels) == pytest.approx(own)


def test_a_model_worse_than_the_prior_has_no_skill() -> None:
    assert skill([[5.0, 0.0], [5.0, 0.0]], [1, 1], HALF) == 0.0


def test_calibrated_answers_have_little_error_and_sharpened_ones_much() -> None:
    logits, labels = _calibrated()
    groups = np.zeros(len(labels), dtype=np.int64)

    def error(scale: float) -> float:
        sums = bin_sums(log_softmax(scale * logits, axis=1), labels, groups, 1)
        return float(expected_calibration_error(sums)[0])

    assert error(1.0) < 0.015
    assert error(4.0) > 0.1


def test_bins_are_closed_above_and_sums_of_groups_add_up() -> None:
    log_p = np.log([[1.0, 1e-300], [0.6, 0.4], [8 / 15, 7 / 15]])
    sums = bin_sums(log_p, np.array([0, 1, 0]), np.array([0, 1, 1]), 2)
    assert sums.shape == (2, N_BINS, 3)
    np.testing.assert_array_equal(np.nonzero(sums[0, :, 0])[0], [14])
    assert sums[1, 8].tolist() == pytest.approx([1, 0.6, 0])
    assert sums[..., 0].sum() == 3
