"""Heartbeats found, and what they do to electrodes taken out, against known ones."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scanned_eeg import N_CHANNELS, SFREQ, band_power, eeg, in_db

from rtaffect.core.mr import PulseSpec
from rtaffect.signal.heartbeat import IN_ECG, IN_FIELD, BeatDetector
from rtaffect.signal.pulse_artifact import PulseCorrector

DURATION = 40.0
SPEC = PulseSpec(n_beats=20, min_beats=5)
FIELD = np.array([1.0, -0.8, 0.5, -1.2])


def session(spread: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return clean samples with an ECG as their last row, the artifact, and the R waves."""
    n = round(DURATION * SFREQ)
    t = np.arange(n) / SFREQ
    apart = np.random.default_rng(0).uniform(0.9 - spread, 0.9 + spread, size=50)
    times = 0.3 + np.cumsum(apart)
    times = times[times < DURATION]
    since = t[:, None] - times[None, :]
    wave = (since / 0.1) ** 2 * np.exp(-((since - 0.15) ** 2) / 0.01) * np.cos(20 * since)
    artifact = np.outer(FIELD, np.where(since > 0, wave, 0.0).sum(axis=1))
    artifact *= 100.0 / np.abs(artifact).max()
    rng = np.random.default_rng(1)
    ecg = 800 * np.exp(-((since / 0.012) ** 2)).sum(axis=1)
    ecg += 200 * np.exp(-(((since - 0.28) / 0.06) ** 2)).sum(axis=1) + rng.normal(scale=20, size=n)
    clean = np.concatenate([eeg(5, n), ecg[None, :]])
    return clean, np.concatenate([artifact, np.zeros((1, n))]), times


CLEAN, ARTIFACT, TIMES = session(0.15)
RAW = CLEAN + ARTIFACT


def run(data: np.ndarray, cuts: list[int] | None = None, *, ecg: int | None = -1) -> np.ndarray:
    corrector = PulseCorrector(
        SPEC, sfreq=SFREQ, picks=range(N_CHANNELS), ecg=None if ecg is None else N_CHANNELS
    )
    return np.concatenate([corrector.push(x) for x in np.split(data, sorted(cuts or []), 1)], 1)


OUT = run(RAW)


def detector(n_channels: int = 1) -> BeatDetector:
    return BeatDetector(
        n_channels,
        sfreq=SFREQ,
        beat=IN_ECG if n_channels == 1 else IN_FIELD,
        shortest_s=SPEC.shortest_beat_s,
        longest_s=SPEC.longest_beat_s,
    )


def test_every_beat_is_found_once_at_the_same_place_after_it() -> None:
    found = np.array(detector().push(RAW[-1:])) / SFREQ
    due = TIMES[(TIMES > 3.0) & (TIMES < DURATION - 0.5)]
    matched = [found[(found > t) & (found < t + 0.2)] for t in due]
    assert all(len(one) == 1 for one in matched)
    delays = np.concatenate(matched) - due
    assert np.ptp(delays) < 0.004  # of about 50 ms


def test_a_beat_is_said_a_fixed_time_after_it() -> None:
    watched = detector()
    for start in range(0, RAW.shape[1], 50):
        for beat in watched.push(RAW[-1:, start : start + 50]):
            assert start <= beat + watched.delay <= start + 50 + watched.delay
            assert beat + watched.delay >= start  # nobody is told after it was due


def test_beats_are_found_again_after_a_gap_and_after_the_signal_sank() -> None:
    watched = detector()
    half = RAW.shape[1] // 2
    watched.push(RAW[-1:, :half])
    watched.skip(2500)
    found = np.array(watched.push(0.2 * RAW[-1:, half + 2500 :])) / SFREQ
    late = TIMES[(TIMES > 30.0) & (TIMES < DURATION - 0.5)]
    assert all(((found > t) & (found < t + 0.2)).sum() == 1 for t in late)


def test_what_a_heartbeat_does_is_taken_out_of_electrodes_and_of_nothing_else() -> None:
    there = np.isfinite(OUT).all(axis=0)
    first = int(np.argmax(there))
    assert TIMES[SPEC.min_beats] < first / SFREQ < 12.0
    assert there[first : round((TIMES[-1] + 0.5) * SFREQ)].all()
    np.testing.assert_array_equal(OUT[-1], RAW[-1])
    late = slice(round(25 * SFREQ), round(39 * SFREQ))
    left = OUT[:-1, late] - CLEAN[:-1, late]
    for band_hz in ((1, 4), (4, 8)):
        assert in_db(band_power(left, *band_hz), band_power(ARTIFACT[:-1, late], *band_hz)) < -6.0
    assert in_db(band_power(left, 1, 40), band_power(CLEAN[:-1, late], 1, 40)) < -4.0


def test_it_leaves_what_a_mean_over_the_same_beats_leaves() -> None:
    """Against a plain mean over all beats, locked to the known R waves, nothing causal."""
    late = slice(round(25 * SFREQ), round(39 * SFREQ))
    starts = [round((t + 0.1) * SFREQ) for t in TIMES if 20 < t < DURATION - 1.2]
    mean = np.mean([RAW[:-1, a : a + 3750] for a in starts], axis=0)
    mean -= mean[:, :250].mean(axis=1, keepdims=True)
    plain = RAW[:-1].copy()
    for a in starts:
        plain[:, a : a + 3750] -= mean
    reference = band_power(plain[:, late] - CLEAN[:-1, late], 1, 20)
    assert in_db(band_power(OUT[:-1, late] - CLEAN[:-1, late], 1, 20), reference) < 2.0


def test_without_an_ecg_the_field_does_for_a_heart_that_beats_regularly() -> None:
    clean, artifact, _ = session(0.01)
    out = run(clean + artifact, ecg=None)
    late = slice(round(28 * SFREQ), round(39 * SFREQ))
    left = out[:-1, late] - clean[:-1, late]
    assert np.isfinite(left).all()
    assert in_db(band_power(left, 2, 8), band_power(artifact[:-1, late], 2, 8)) < -6.0


def test_what_beats_are_like_is_known_after_a_long_silence() -> None:
    watched = detector()
    watched.push(RAW[-1:, : round(15 * SFREQ)])
    watched.skip(round(15 * SFREQ))
    found = np.array(watched.push(RAW[-1:, round(30 * SFREQ) :])) / SFREQ
    due = TIMES[(TIMES > 30.4) & (TIMES < DURATION - 0.5)]
    assert all(((found > t) & (found < t + 0.2)).sum() == 1 for t in due)


@pytest.mark.parametrize("flat", [0.0, np.nan])
def test_without_heartbeats_there_are_no_samples(flat: float) -> None:
    silent = RAW.copy()
    silent[-1, round(20 * SFREQ) :] = flat
    corrector = PulseCorrector(SPEC, sfreq=SFREQ, picks=range(N_CHANNELS), ecg=N_CHANNELS)
    out = corrector.push(silent)
    assert np.isnan(out[:-1, round((20.2 + SPEC.longest_beat_s) * SFREQ) :]).all()
    assert "no heartbeat was found for 1.8 s" in corrector.note


N_SHORT = round(12 * SFREQ)


@given(st.lists(st.integers(0, N_SHORT), max_size=30))
@settings(max_examples=10, deadline=None)
def test_how_samples_are_cut_changes_no_bit(cuts: list[int]) -> None:
    short = RAW[:, :N_SHORT].copy()
    short[:, 20_000:20_400] = np.nan
    np.testing.assert_array_equal(run(short, cuts), run(short))


@given(st.integers(1, N_SHORT - 1))
@settings(max_examples=10, deadline=None)
def test_the_future_changes_nothing_that_was_said(now: int) -> None:
    other = RAW[:, :N_SHORT].copy()
    other[:, now:] = np.random.default_rng(9).normal(scale=500, size=other[:, now:].shape)
    np.testing.assert_array_equal(run(other)[:, :now], OUT[:, :now])
