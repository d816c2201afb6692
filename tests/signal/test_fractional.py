"""Fractions of a sample against sinusoids, of which every value is known."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtaffect.signal.fractional import HALF, find_lag, fine_lag, shifted

N = 600


def wave(place: np.ndarray, frequency: float) -> np.ndarray:
    return np.sin(2 * np.pi * frequency * place + 0.3)


@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.5, 0.93])
@pytest.mark.parametrize("frequency", [0.01, 0.1, 0.25])
def test_values_between_samples_are_the_wave_s(fraction: float, frequency: float) -> None:
    place = np.arange(N, dtype=float)
    between = shifted(wave(place, frequency)[None, :], fraction)
    expected = wave(place[HALF - 1 : N - HALF] + fraction, frequency)
    assert np.abs(between[0] - expected).max() < 2e-4


@given(st.lists(st.integers(0, N), max_size=5), st.floats(0.0, 0.999))
@settings(max_examples=25, deadline=None)
def test_how_it_is_cut_changes_no_bit(cuts: list[int], fraction: float) -> None:
    data = np.random.default_rng(0).normal(size=(3, N + 2 * HALF - 1))
    edges = [0, *sorted(cuts), N]
    parts = [shifted(data[:, a : b + 2 * HALF - 1], fraction) for a, b in itertools.pairwise(edges)]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), shifted(data, fraction))


def bandlimited(place: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(4)
    return sum(
        rng.normal() * np.sin(2 * np.pi * f * place + rng.uniform(0, 6))
        for f in np.linspace(0.004, 0.16, 60)
    )


@pytest.mark.parametrize("lag", [-0.4, -0.01, 0.0, 0.003, 0.3])
def test_a_small_lag_is_found_to_a_hundredth_of_a_sample(lag: float) -> None:
    place = np.arange(3000, dtype=float)
    found = fine_lag(bandlimited(place - lag), bandlimited(place))
    assert found.samples == pytest.approx(lag, abs=0.01 + 0.1 * abs(lag))
    assert found.match > 0.9


@pytest.mark.parametrize("lag", [-37.3, -1.0, 0.0, 12.45, 49.0])
def test_a_large_lag_is_found_in_noise(lag: float) -> None:
    reach = 50
    place = np.arange(-reach, 2000 + reach, dtype=float)
    noise = np.random.default_rng(1).normal(scale=0.3, size=len(place))
    reference = bandlimited(place[reach:-reach])
    found = find_lag(bandlimited(place - lag) + noise, reference, reach=reach)
    assert found.samples == pytest.approx(lag, abs=0.2)
    assert found.match > 0.6


def test_two_things_that_have_nothing_in_common_do_not_match() -> None:
    rng = np.random.default_rng(2)
    assert abs(find_lag(rng.normal(size=2100), rng.normal(size=2000), reach=50).match) < 0.2
    assert abs(fine_lag(rng.normal(size=2000), rng.normal(size=2000)).match) < 0.2
    assert fine_lag(rng.normal(size=2000), np.zeros(2000)).match == 0.0
