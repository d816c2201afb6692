"""Agreement and what it is worth, against closed forms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import lfilter
from scipy.stats import pearsonr

from rtaffect.simulate.agreement import agreement


def ar1(n: int, phi: float, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal(n + 1000)
    return lfilter([1.0], [1.0, -phi], noise)[1000:]


@given(st.integers(0, 2**16), st.integers(3, 300))
def test_r_is_pearsons_and_signs_are_counted(seed: int, n: int) -> None:
    x, y = np.random.default_rng(seed).standard_normal((2, n))
    found = agreement(x.tolist(), (x + y).tolist())
    assert found.r == pytest.approx(pearsonr(x, x + y).statistic, abs=1e-12)
    assert found.same_sign == np.count_nonzero(x * (x + y) > 0) / n
    assert found.n == n
    assert 0 < found.n_effective <= n


@pytest.mark.parametrize(("a", "b"), [(0.9, 0.9), (0.95, 0.8), (0.5, 0.9)])
def test_effective_n_of_two_ar1_series_is_the_closed_form(a: float, b: float) -> None:
    # Autocorrelations a^k and b^k give Bartlett's n (1 - a b) / (1 + a b).
    n = 4000
    estimates = [
        agreement(ar1(n, a, 2 * seed), ar1(n, b, 2 * seed + 1)).n_effective for seed in range(30)
    ]
    assert np.mean(estimates) == pytest.approx(n * (1 - a * b) / (1 + a * b), rel=0.05)


def test_effective_n_of_white_noise_is_n() -> None:
    rng = np.random.default_rng(0)
    shares = [agreement(*rng.standard_normal((2, 2000))).n_effective / 2000 for _ in range(50)]
    assert np.mean(shares) > 0.99
    assert max(shares) <= 1.0


def test_effective_n_predicts_how_much_r_scatters() -> None:
    # For independent series the variance of r is 1 / n_effective: what the number is for.
    found = [agreement(ar1(2000, 0.9, 2 * k), ar1(2000, 0.9, 2 * k + 1)) for k in range(200)]
    variance = np.var([one.r for one in found])
    assert 1 / variance == pytest.approx(np.mean([one.n_effective for one in found]), rel=0.2)


@pytest.mark.parametrize(
    ("estimates", "truth"), [([], []), ([0.1, 0.2], [0.1, 0.3]), ([0.5] * 9, list(range(9)))]
)
def test_too_little_is_worth_nothing(estimates: list[float], truth: list[float]) -> None:
    found = agreement(estimates, truth)
    assert np.isnan(found.r)
    assert found.n_effective == 0.0
    assert found.n == len(estimates)
