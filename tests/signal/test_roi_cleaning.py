"""Cleaning of ROI frames, against ordinary least squares and series whose make-up is known."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from rtaffect.core.spec import CleaningSpec
from rtaffect.signal.roi_cleaning import RoiCleaner, RunningNormaliser

NO_DESPIKE = CleaningSpec(despike=False, window_s=60.0)


def cleaned(spec, series, stamps_s=None, motion=None):
    """Clean a series, shape (n_frames, n_regions)."""
    cleaner = RoiCleaner(series.shape[1], spec)
    stamps_s = np.arange(len(series)) * 2.0 if stamps_s is None else stamps_s
    motion = [None] * len(series) if motion is None else motion
    return np.array(
        [
            cleaner.push(frame, stamp_s=stamp, motion=moved)
            for frame, stamp, moved in zip(series, stamps_s, motion, strict=True)
        ]
    )


def by_least_squares(series, stamps_s, motion, *, window_s):
    """Do the same with NumPy's solver, one region and one frame at a time."""
    out = np.full(series.shape, np.nan)
    for i, region in np.ndindex(series.shape):
        frames = [
            j
            for j in range(i + 1)
            if stamps_s[j] > stamps_s[i] - window_s and np.isfinite(series[j, region])
        ]
        in_window = [j for j in range(i + 1) if stamps_s[j] > stamps_s[i] - window_s]
        if not np.isfinite(series[i, region]):
            continue
        columns = [np.ones(len(frames))]
        if len(frames) >= 8:
            columns.append(stamps_s[frames])
        if motion is not None and len(frames) >= 32 and np.isfinite(motion[in_window]).all():
            columns += list(motion[frames].T)
        design = np.stack(columns, axis=1)
        beta, *_ = np.linalg.lstsq(design, series[frames, region], rcond=None)
        out[i, region] = series[i, region] - design[-1] @ beta
    return out


@pytest.mark.parametrize("window_s", [30.0, 90.0])
@pytest.mark.parametrize("moves", [False, True])
def test_equals_least_squares_over_the_window(window_s, moves):
    rng = np.random.default_rng(3)
    series = 9000 + 50 * rng.standard_normal((90, 5))
    series[rng.random(series.shape) < 0.05] = np.nan
    series[:, 3] = np.nan
    stamps_s = 1e5 + np.cumsum(rng.choice([2.0, 4.0], 90, p=[0.9, 0.1]))
    motion = rng.standard_normal((90, 6)) if moves else None
    spec = CleaningSpec(despike=False, window_s=window_s)
    expected = by_least_squares(series, stamps_s, motion, window_s=window_s)
    assert_allclose(cleaned(spec, series, stamps_s, motion), expected, atol=1e-7)


def test_motion_that_is_not_known_throughout_is_left_out():
    rng = np.random.default_rng(4)
    series = rng.standard_normal((50, 2))
    motion = list(rng.standard_normal((50, 6)))
    motion[30] = None
    spec = CleaningSpec(despike=False, window_s=200.0)
    got = cleaned(spec, series, motion=motion)
    assert_allclose(got[31:], cleaned(spec, series)[31:])


def test_a_head_that_lies_still_and_regressors_that_repeat_each_other_do_no_harm():
    rng = np.random.default_rng(5)
    series = rng.standard_normal((50, 2))
    one = rng.standard_normal(50)
    motion = np.stack([one, 3 * one, 0 * one, 0 * one + 7, one - 2, 0 * one], axis=1)
    expected = by_least_squares(series, np.arange(50) * 2.0, motion, window_s=60.0)
    assert_allclose(cleaned(NO_DESPIKE, series, motion=motion), expected, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_kept=st.integers(1, 59),
    despike=st.booleans(),
    detrend=st.sampled_from(["glm", "none"]),
)
def test_the_future_never_changes_the_past(seed, n_kept, despike, detrend):
    rng = np.random.default_rng(seed)
    series = 100 + np.cumsum(rng.standard_normal((60, 4)), axis=0)
    series[rng.random(series.shape) < 0.03] = np.nan
    series[rng.random(series.shape) < 0.03] += 50
    other = series.copy()
    other[n_kept:] = rng.standard_normal((60 - n_kept, 4)) * 1e6
    motion = rng.standard_normal((60, 6))
    spec = CleaningSpec(window_s=50.0, despike=despike, detrend=detrend)
    got, got_other = cleaned(spec, series, motion=motion), cleaned(spec, other, motion=motion)
    assert_array_equal(got[:n_kept], got_other[:n_kept])


def test_a_known_drift_and_known_motion_are_removed():
    rng = np.random.default_rng(6)
    n = 300
    t = np.arange(n) * 2.0
    signal = np.sin(2 * np.pi * t[:, None] / np.array([24.0, 31.0, 40.0]))
    motion = 0.2 * rng.standard_normal((n, 6))
    series = 9500 + signal + 0.05 * t[:, None] + 6 * motion @ rng.standard_normal((6, 3))
    got = cleaned(CleaningSpec(), series, motion=motion)[60:]
    for region in range(3):
        assert np.corrcoef(series[60:, region], signal[60:, region])[0, 1] < 0.5
        assert np.corrcoef(got[:, region], signal[60:, region])[0, 1] > 0.8
    slope = np.polyfit(t[60:], got, 1)[0]
    assert np.abs(slope).max() < 1e-3  # of 0.05


def test_a_known_spike_is_held_back_and_leaves_no_trace():
    rng = np.random.default_rng(7)
    waves = np.sin(2 * np.pi * np.arange(120)[:, None] / np.array([13.0, 17.0, 19.0]))
    series = 1000 + waves + 0.1 * rng.standard_normal((120, 3))
    spiked = series.copy()
    spiked[80, 1] += 40.0
    plain, got = cleaned(CleaningSpec(), series), cleaned(CleaningSpec(), spiked)
    assert_array_equal(got[:80], plain[:80])
    assert abs(got[80, 1] - plain[80, 1]) < 1.0
    assert_allclose(got[:, [0, 2]], plain[:, [0, 2]], atol=1e-12)
    assert np.abs(got[81:, 1] - plain[81:, 1]).max() < 0.3
    kept = cleaned(replace(CleaningSpec(), despike=False), spiked)
    assert kept[80, 1] > 30  # without the filter it passes ...
    assert np.abs(kept[81:, 1] - plain[81:, 1]).max() > 2  # ... and bends what comes after


def test_a_change_that_lasts_is_a_frame_late_and_not_lost():
    rng = np.random.default_rng(8)
    series = 0.1 * rng.standard_normal((60, 1))
    series[40:] += 5.0
    spec = CleaningSpec(detrend="none")
    got = cleaned(spec, series)
    assert abs(got[40, 0]) < 1.0
    assert_array_equal(got[41:], series[41:])


def test_quiet_values_pass_the_spike_filter_as_they_are():
    series = np.sin(np.arange(100) / 5)[:, None]
    assert_array_equal(cleaned(CleaningSpec(detrend="none"), series), series)


def test_what_is_no_measurement_is_missing_and_spoils_nothing():
    rng = np.random.default_rng(9)
    series = rng.standard_normal((60, 3))
    bad = series.copy()
    bad[10, 0], bad[11, 0], bad[12, 0], bad[20:, 1] = np.nan, np.inf, 1e300, np.nan
    got, plain = cleaned(CleaningSpec(), bad), cleaned(CleaningSpec(), series)
    assert np.isnan(got[10:13, 0]).all()
    assert np.isnan(got[20:, 1]).all()
    assert np.isfinite(got[13:, 0]).all()
    assert_allclose(got[:, 2], plain[:, 2], atol=1e-12)


def test_a_region_that_joins_late_begins_at_zero():
    series = np.full((30, 2), 9000.0) + np.random.default_rng(1).standard_normal((30, 2))
    series[:20, 0] = np.nan
    got = cleaned(CleaningSpec(), series)
    assert got[20, 0] == pytest.approx(0.0, abs=1e-9)
    assert np.abs(got[20:, 0]).max() < 5


def test_reset_is_a_new_run():
    rng = np.random.default_rng(10)
    cleaner = RoiCleaner(4, CleaningSpec())
    frames = 50 + rng.standard_normal((40, 4))
    first = [cleaner.push(frame, stamp_s=2.0 * i) for i, frame in enumerate(frames)]
    cleaner.reset()
    again = [cleaner.push(frame, stamp_s=9000 + 2.0 * i) for i, frame in enumerate(frames)]
    assert_allclose(again, first, atol=1e-9)


def test_the_normaliser_is_the_mean_and_variance_of_what_there_was():
    rng = np.random.default_rng(11)
    frames = rng.normal([5.0, -3.0, 0.0], [2.0, 0.01, 1.0], (50, 3))
    frames[rng.random(frames.shape) < 0.1] = np.nan
    normaliser = RunningNormaliser(3, variance_floor=0.01, clip=2.0)
    for i, frame in enumerate(frames):
        got = normaliser.push(frame)
        seen = frames[: i + 1]
        there = np.isfinite(frame)
        for region in np.flatnonzero(there):
            past = seen[np.isfinite(seen[:, region]), region]
            z = (frame[region] - past.mean()) / np.sqrt(max(past.var(), 0.01))
            assert got[region] == pytest.approx(np.clip(z, -2, 2), abs=1e-9)
        assert np.isnan(got[~there]).all()
    normaliser.reset()
    assert_array_equal(normaliser.push(np.array([1.0, 2.0, 3.0])), np.zeros(3))
