"""The sliding mean of volumes against numpy's mean, and foretold volumes against known ones."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtaffect.signal.fractional import HALF
from rtaffect.signal.volume_clock import VolumeClock
from rtaffect.signal.volume_template import VolumeTemplate

N_CHANNELS, N_PHASES, N_VOLUMES = 2, 50, 4


def volumes(n: int) -> np.ndarray:
    """Return volumes with `HALF` more phases at either end, in numbers that are exact in floats."""
    rng = np.random.default_rng(0)
    return rng.integers(-999, 999, size=(n, N_CHANNELS, N_PHASES + 2 * HALF)).astype(float)


@given(st.lists(st.integers(1, N_PHASES), max_size=8))
@settings(max_examples=30, deadline=None)
def test_phases_that_are_used_are_the_mean_of_the_last_volumes(cuts: list[int]) -> None:
    template = VolumeTemplate(N_CHANNELS, N_PHASES, N_VOLUMES)
    given_volumes = volumes(9)
    for number, volume in enumerate(given_volumes):
        template.begin()
        expected = given_volumes[max(0, number + 1 - N_VOLUMES) : number + 1].mean(axis=0)
        start = 0
        for stop in sorted({*cuts, N_PHASES}):
            first, last = template.wanted(stop)
            template.take(volume[:, first + HALF : last + HALF])
            np.testing.assert_allclose(
                template.between(start, stop), expected[:, start + 1 : stop + 2 * HALF]
            )
            start = stop
        assert template.n == min(number + 1, N_VOLUMES)
        first, last = template.wanted(N_PHASES)
        assert first == last


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_a_clock_foretells_volumes_of_any_length(noise: float) -> None:
    rng = np.random.default_rng(1)
    true = 100.3 + 9999.83 * np.arange(60)
    clock = VolumeClock(true[0], true[1] + 0.1, whole=False)
    errors = []
    for number in range(2, 60):
        errors.append(abs(clock.position - true[number]))
        clock.begun(true[number] + noise * rng.normal())
    assert max(errors[25:]) < 0.001 + 2 * noise


def test_a_clock_goes_on_where_volumes_were_not_seen_and_where_samples_are_lost() -> None:
    clock = VolumeClock(0.0, 1000.25, whole=False)
    for _ in range(5):
        clock.missed()
    assert clock.position == pytest.approx(7 * 1000.25)
    clock.slipped(clock.position - 31.0)
    assert clock.position == pytest.approx(8 * 1000.25 - 31.0)
    assert clock.misses(8.4 * 1000.25, by=100.0)
    assert not clock.misses(12 * 1000.25 - 31.0 + 80.0, by=100.0)


def test_whole_samples_stay_whole() -> None:
    clock = VolumeClock(10.4, 1010.3, whole=True)
    for number in range(2, 20):
        assert clock.position == 10 + 1000 * number
        clock.begun(10.4 + 1000 * number)
