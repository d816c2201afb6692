"""The resampler against closed forms: a band-limited signal comes back at the grid's times."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtaffect.signal.blocks import BlockCutter
from rtaffect.signal.resample import GridResampler
from rtaffect.signal.timeline import Break, Span


def resample(
    stamps: np.ndarray, data: np.ndarray, *, period_s: float, sfreq: float = 128.0
) -> tuple[np.ndarray, np.ndarray]:
    """Return grid times and samples."""
    cutter, resampler = BlockCutter(), GridResampler(sfreq, half_s=0.0625)
    span = Span(stamps, data, np.zeros(len(stamps), dtype=bool), Break.START)
    parts = [resampler.push([b], period_s=period_s) for b in cutter.push(span, period_s=period_s)]
    times = np.concatenate([(m + np.arange(x.shape[1])) / sfreq for m, x, _ in parts])
    return times, np.concatenate([x for _, x, _ in parts], axis=1)


@pytest.mark.parametrize("sfreq", [127.9, 128.0, 160.0, 250.0, 500.0, 512.0, 1024.0])
@pytest.mark.parametrize("hz", [1.0, 10.0, 30.0, 42.0])
def test_a_sine_comes_back_at_the_grid_times(sfreq: float, hz: float) -> None:
    stamps = 7.0123 + np.arange(int(6 * sfreq)) / sfreq
    times, out = resample(stamps, np.sin(2 * np.pi * hz * stamps)[None], period_s=1 / sfreq)
    np.testing.assert_allclose(out[0], np.sin(2 * np.pi * hz * times), atol=6e-3)


def test_a_constant_is_exact() -> None:
    stamps = np.arange(2000) / 500.0
    _, out = resample(stamps, np.full((1, 2000), 3.25), period_s=1 / 500.0)
    np.testing.assert_allclose(out, 3.25, rtol=1e-12)


@pytest.mark.parametrize("hz", [86.0, 100.0, 128.0, 200.0])
def test_what_would_fold_into_the_bands_is_removed(hz: float) -> None:
    stamps = np.arange(5000) / 500.0
    _, out = resample(stamps, np.sin(2 * np.pi * hz * stamps)[None], period_s=1 / 500.0)
    assert np.abs(out).max() < 5e-3


def test_drift_changes_no_count_and_no_time() -> None:
    stamps = np.arange(60 * 512) / (512.0 * (1 + 300e-6))
    times, out = resample(stamps, np.sin(2 * np.pi * 10 * stamps)[None], period_s=1 / 512.0)
    np.testing.assert_allclose(np.diff(times), 1 / 128.0, atol=1e-9)
    np.testing.assert_allclose(out[0], np.sin(2 * np.pi * 10 * times), atol=2e-3)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(1, 79), max_size=8),
    st.sampled_from([20.0, 127.9, 128.0, 250.0]),
    st.sampled_from([64.0, 128.0]),
    st.integers(0, 999),
)
def test_how_many_blocks_come_at_once_changes_no_bit(
    cuts: list[int], rate: float, sfreq: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    stamps = 7.0123 + (np.arange(int(5 * rate)) + rng.uniform(-0.3, 0.3, int(5 * rate))) / rate
    bridged = rng.uniform(size=len(stamps)) < 0.05
    span = Span(stamps, rng.normal(size=(5, len(stamps))), bridged, Break.START)
    blocks = BlockCutter().push(span, period_s=1 / rate)

    def run(edges: list[int]) -> tuple[np.ndarray, np.ndarray]:
        resampler = GridResampler(sfreq, half_s=0.0625)
        parts = [
            resampler.push(blocks[a:b], period_s=1 / rate)
            for a, b in itertools.pairwise(edges)
            if blocks[a:b]
        ]
        return (
            np.concatenate([data for _, data, _ in parts], axis=1),
            np.concatenate([touched for _, _, touched in parts]),
        )

    expected, touched = run(list(range(81)))
    data, also_touched = run([0, *sorted(set(cuts)), 80])
    assert expected.shape[1] > 4 * sfreq
    np.testing.assert_array_equal(data, expected)
    np.testing.assert_array_equal(also_touched, touched)


def test_a_segment_yields_only_samples_whose_kernel_lies_inside_it() -> None:
    stamps = 3.0 + np.arange(512) / 512.0
    times, _ = resample(stamps, np.ones((1, 512)), period_s=1 / 512.0)
    assert times[0] >= 3.0 + 0.0625 - 1 / 512
    assert times[-1] <= 4.0 - 0.0625


def test_rates_and_lengths_that_do_not_fit_blocks_are_refused() -> None:
    with pytest.raises(ValueError, match="multiple of 16"):
        GridResampler(100.0, half_s=0.0625)
    with pytest.raises(ValueError, match="whole number"):
        GridResampler(128.0, half_s=0.05)
