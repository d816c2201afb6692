"""Channel quality on synthetic signals whose faults are known, and on real recordings."""

import itertools
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtaffect.core.montages import EEG_15, EEG_32
from rtaffect.core.spec import QualitySpec
from rtaffect.signal.montage import plan_montage
from rtaffect.signal.quality import Fault, QualityMonitor

SFREQ = 512.0
SPEC = QualitySpec()
N_CHANNELS = len(EEG_32)


def eeg(*, seconds: float = 4.0, sfreq: float = SFREQ, seed: int = 0) -> np.ndarray:
    """Noise of 20 uV whose power falls with frequency, on offsets of many millivolts."""
    rng = np.random.default_rng(seed)
    n_times = round(seconds * sfreq)
    freqs_hz = np.fft.rfftfreq(n_times, 1.0 / sfreq)
    spectrum = np.fft.rfft(rng.normal(size=(N_CHANNELS, n_times)), axis=1)
    spectrum *= np.where(freqs_hz >= 0.5, np.maximum(freqs_hz, 0.5) ** -0.5, 0.0)
    noise = np.fft.irfft(spectrum, n_times, axis=1)
    offsets = rng.normal(0.0, 1e4, (N_CHANNELS, 1))
    return offsets + 20.0 * noise / noise.std(axis=1, keepdims=True)


def times(data: np.ndarray, sfreq: float = SFREQ) -> np.ndarray:
    return np.arange(data.shape[1]) / sfreq


def blocks(data: np.ndarray, sfreq: float = SFREQ) -> list[np.ndarray]:
    edges = np.arange(1, int(data.shape[1] / sfreq * 32) + 1) / 32 * sfreq
    return np.split(data, np.floor(edges[:-1]).astype(int), axis=1)


def judge(
    data: np.ndarray, *, sfreq: float = SFREQ, spec: QualitySpec = SPEC
) -> tuple[np.ndarray, QualityMonitor]:
    """Return which channels were bad, shape (n_channels, n_blocks), and the monitor."""
    monitor = QualityMonitor(spec, len(data), sfreq)
    judged = [monitor.process([block])[0] for block in blocks(data, sfreq)]
    return np.stack(judged, axis=1), monitor


def found(monitor: QualityMonitor) -> set[Fault]:
    return {fault for fault, n in monitor.report().n_bad.items() if n}


@pytest.mark.parametrize("sfreq", [100.0, 128.0, 250.0, 256.3, 500.0, 512.0, 1000.0])
@pytest.mark.parametrize("lsb_uv", [0.0, 0.03, 0.5])
def test_good_eeg_is_good_at_any_rate_and_resolution(sfreq: float, lsb_uv: float) -> None:
    data = eeg(sfreq=sfreq, seconds=6.0)
    if lsb_uv:
        data = np.round(data / lsb_uv) * lsb_uv
    bad, monitor = judge(data, sfreq=sfreq)
    assert not bad.any()
    assert found(monitor) == set()


def test_a_flat_channel_is_found_after_the_stated_time_and_not_before() -> None:
    data = eeg()
    data[3, 512:] = data[3, 512] + np.random.default_rng(1).uniform(
        -0.04, 0.04, data.shape[1] - 512
    )
    bad, monitor = judge(data)
    n_flat = round(SPEC.flat_s * 32)
    assert not bad[3, : 32 + n_flat - 1].any()
    assert bad[3, 32 + n_flat + 1 :].all()
    assert not np.delete(bad, 3, axis=0).any()
    assert monitor.report().faults[3] == (Fault.FLAT,)


def test_a_slow_creep_is_not_flat() -> None:
    data = eeg()
    data[3] = 0.3 * times(data)  # 0.3 uV/s: flat within any block, not within flat_s
    assert not judge(data, spec=QualitySpec(flat_s=0.5, flat_uv=0.1))[0].any()


def test_a_channel_that_comes_back_is_no_longer_flat() -> None:
    data = eeg()
    data[3, 512:1024] = 0.0
    bad, _ = judge(data)
    assert bad[3, 63]
    assert not bad[3, 66:].any()


def test_a_railed_channel_is_found_in_the_very_block() -> None:
    data = eeg()
    data[5, 700:720] = -187_500.0
    bad, monitor = judge(data)
    assert bad[5, 700 // 16]
    assert Fault.RAILED in found(monitor)
    assert not bad[:, : 700 // 16].any()


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("sfreq", [128.0, 250.0, 512.0])
def test_a_clipped_channel_is_found(sign: float, sfreq: float) -> None:
    data = eeg(sfreq=sfreq)
    clipped_uv = np.clip(300.0 * np.sin(2 * np.pi * 3.0 * times(data, sfreq)), -1e9, 200.0)
    data[7] = 3_000.0 + sign * clipped_uv
    bad, monitor = judge(data, sfreq=sfreq)
    assert Fault.CLIPPED in found(monitor)
    assert monitor.report().n_bad[Fault.CLIPPED] >= 0.25 * bad.shape[1]
    assert not np.delete(bad, 7, axis=0).any()


@pytest.mark.parametrize("lsb_uv", [0.02, 0.1, 0.5])
@pytest.mark.parametrize("hz", [2.0, 10.0])
def test_a_coarsely_digitised_wave_is_not_clipped(lsb_uv: float, hz: float) -> None:
    data = eeg()
    data[7] = np.round(100.0 * np.sin(2 * np.pi * hz * times(data)) / lsb_uv) * lsb_uv
    assert Fault.CLIPPED not in found(judge(data)[1])


def test_a_coarsely_digitised_ramp_is_not_clipped() -> None:
    data = eeg()
    data[7] = np.round(170.0 * times(data) / 2.0) * 2.0  # steps of 6 samples, each a new extreme
    assert Fault.CLIPPED not in found(judge(data)[1])


def test_a_jump_is_found_even_where_two_blocks_meet() -> None:
    for start in (1024, 1030):
        data = eeg()
        data[9, start:] += 400.0
        bad, monitor = judge(data)
        assert np.flatnonzero(bad[9]).tolist() == [64]
        assert found(monitor) == {Fault.AMPLITUDE}


def test_a_steady_drift_is_no_artifact_but_the_same_swing_around_a_mean_is() -> None:
    data = eeg()
    data[2] += 8_000.0 * times(data)  # 250 uV a block
    data[4] += 125.0 * np.sign(np.sin(2 * np.pi * 16.0 * times(data)))  # 250 uV a block
    bad, _ = judge(data)
    assert not bad[2, 64:].any()
    assert bad[4, 64:].all()


@pytest.mark.parametrize("line_hz", [50.0, 60.0])
@pytest.mark.parametrize("sfreq", [128.0, 250.0, 512.0])
def test_hum_is_found_at_the_stated_ratio(line_hz: float, sfreq: float) -> None:
    quiet, loud = eeg(sfreq=sfreq), eeg(sfreq=sfreq)
    tone = np.sin(2 * np.pi * line_hz * times(quiet, sfreq))
    freqs_hz = np.fft.rfftfreq(quiet.shape[1], 1.0 / sfreq)
    power = np.abs(np.fft.rfft(quiet[6] - quiet[6].mean())) ** 2 * 2 / quiet.shape[1] ** 2
    eeg_power = power[(freqs_hz >= 1.0) & (freqs_hz <= 40.0)].sum()
    amplitude_uv = np.sqrt(2.0 * SPEC.line_ratio * eeg_power)  # of a tone of exactly that ratio
    no_steps = QualitySpec(amplitude_uv=1e6)
    quiet[6] += tone * amplitude_uv / 1.6
    loud[6] += tone * amplitude_uv * 1.6
    assert not judge(quiet, sfreq=sfreq, spec=no_steps)[0].any()
    bad, monitor = judge(loud, sfreq=sfreq, spec=no_steps)
    assert not bad[:, :30].any()  # the first second is not over
    assert bad[6, 33:].all()
    assert not np.delete(bad, 6, axis=0).any()
    assert found(monitor) == {Fault.HUM}


def test_hum_that_the_rate_cannot_show_is_not_looked_for() -> None:
    data = eeg(sfreq=100.0)
    data[6] += 60.0 * np.sin(2 * np.pi * 49.0 * times(data, 100.0))
    assert Fault.HUM not in found(judge(data, sfreq=100.0)[1])


def test_a_blink_alone_makes_no_artifact_of_the_window() -> None:
    data = eeg()
    n_blink = round(0.3 * SFREQ)
    blink_uv = 150.0 * (1.0 - np.cos(2 * np.pi * np.arange(n_blink) / n_blink))  # 300 uV at its top
    for name, share in (("Fp1", 1.0), ("Fp2", 1.0), ("AF3", 0.5), ("AF4", 0.5)):
        data[EEG_32.index(name), 1000 : 1000 + n_blink] += share * blink_uv
    bad, _ = judge(data)
    assert (bad.mean(axis=0) <= SPEC.max_bad_channels).all()


def test_a_movement_on_many_channels_makes_an_artifact() -> None:
    data = eeg()
    t = times(data)
    sway = np.where((t >= 2.0) & (t < 2.5), np.sin(2 * np.pi * 8.0 * t), 0.0)
    data[:20] += 300.0 * np.random.default_rng(3).uniform(0.7, 1.5, (20, 1)) * sway
    bad, _ = judge(data)
    assert bad[:, 64:80].mean() > SPEC.max_bad_channels
    assert (bad[:, 65:79].mean(axis=0) > SPEC.max_bad_channels).mean() > 0.7
    assert not bad[:, :64].any()
    assert not bad[20:].any()


def test_samples_that_are_not_finite_are_counted_and_held_over() -> None:
    data = eeg()
    data[1, 800:803] = np.nan
    data[2, 900] = np.inf
    data[2, 901] = -np.inf
    bad, monitor = judge(data)
    assert monitor.n_nonfinite == monitor.report().n_nonfinite == 5
    assert not bad.any()


def test_a_channel_that_sends_nothing_finite_turns_flat() -> None:
    data = eeg()
    data[1] = np.nan
    data[2, :40] = np.inf
    bad, monitor = judge(data)
    assert bad[1, 16:].all()
    assert monitor.report().faults[1] == (Fault.FLAT,)
    assert not bad[2:, 16:].any()


def test_a_new_segment_starts_with_a_clean_slate_and_keeps_the_counts() -> None:
    faulty = eeg(seed=4)
    faulty[0] = 0.0
    faulty[1] += 400.0 * np.sin(2 * np.pi * 50.0 * times(faulty))
    good = eeg(seed=5) + 1e5
    _, monitor = judge(faulty)
    n_bad = dict(monitor.report().n_bad)
    assert monitor.report().faults[0] == (Fault.FLAT,)
    monitor.reset()
    assert not monitor.process(blocks(good)).any()
    assert monitor.report().n_bad == n_bad
    assert monitor.report().n_blocks == 256


def troubled(seed: int) -> np.ndarray:
    data = eeg(seed=seed, seconds=2.0)
    rng = np.random.default_rng(seed)
    data[0, rng.integers(0, 512) :] = 5.0
    data[1] += 500.0 * np.sin(2 * np.pi * 50.0 * times(data))
    data[2] = np.clip(400.0 * np.sin(2 * np.pi * 5.0 * times(data)), -300.0, 300.0)
    data[3, rng.integers(0, 1024)] = np.nan
    data[4, rng.integers(0, 1024) :] += 600.0
    return data


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000))
def test_the_same_blocks_are_judged_the_same_and_each_channel_by_itself(seed: int) -> None:
    data = troubled(seed)
    bad, monitor = judge(data)
    again, _ = judge(data)
    np.testing.assert_array_equal(again, bad)
    order = np.random.default_rng(seed).permutation(N_CHANNELS)
    shuffled, _ = judge(data[order])
    np.testing.assert_array_equal(shuffled, bad[order])
    alone, _ = judge(data[2:3])
    np.testing.assert_array_equal(alone[0], bad[2])
    assert found(monitor) >= {Fault.FLAT, Fault.CLIPPED, Fault.HUM, Fault.AMPLITUDE}


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), cuts=st.lists(st.integers(1, 63), max_size=8))
def test_how_many_blocks_come_at_once_changes_nothing(seed: int, cuts: list[int]) -> None:
    data = troubled(seed)
    data[5, : seed % 20] = np.nan
    expected, one_by_one = judge(data)
    monitor = QualityMonitor(SPEC, N_CHANNELS, SFREQ)
    edges = [0, *sorted(set(cuts)), 64]
    at_once = [monitor.process(blocks(data)[a:b]) for a, b in itertools.pairwise(edges)]
    np.testing.assert_array_equal(np.concatenate(at_once).T, expected)
    assert monitor.report() == one_by_one.report()


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000))
def test_a_layout_in_memory_does_not_matter_and_blocks_may_be_reused(seed: int) -> None:
    data = troubled(seed)
    expected, _ = judge(data)
    monitor = QualityMonitor(SPEC, N_CHANNELS, SFREQ)
    buffer = np.empty((N_CHANNELS, 16), order="F")
    for i, block in enumerate(blocks(data)):
        buffer[:] = block
        np.testing.assert_array_equal(monitor.process([buffer])[0], expected[:, i])
        buffer[:] = np.nan


def real_15(path: Path) -> tuple[np.ndarray, float]:
    import mne

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MNE's remarks on these files are not our subject
        raw = mne.io.read_raw(path, preload=True, verbose="error")
    return plan_montage(raw.ch_names, EEG_15).apply(raw.get_data() * 1e6), raw.info["sfreq"]


@pytest.mark.recordings
def test_a_real_recording_of_good_quality_is_hardly_touched(shared_data: Path) -> None:
    data, sfreq = real_15(shared_data / "eeg/eeglab-sample/eeglab_data.set")
    bad, _ = judge(data, sfreq=sfreq)
    assert not (bad.mean(axis=0) > SPEC.max_bad_channels).any()
    assert bad.mean() < 1e-3


@pytest.mark.recordings
def test_the_dead_end_of_a_real_file_is_found(shared_data: Path) -> None:
    data, sfreq = real_15(shared_data / "eeg/eegmat/Subject00_2.edf")
    bad, monitor = judge(data, sfreq=sfreq)
    n_flat, n_slack = round(SPEC.flat_s * sfreq), round(2 / 32 * sfreq)
    for i, end in enumerate(np.cumsum([block.shape[1] for block in blocks(data, sfreq)])):
        if bad[:, i].any():
            assert (np.ptp(data[bad[:, i], end - n_flat : end], axis=1) < SPEC.flat_uv).all()
        elif end >= n_flat + n_slack:
            assert (np.ptp(data[:, end - n_flat - n_slack : end], axis=1) >= SPEC.flat_uv).all()
    assert bad[:, -1].all()
    assert found(monitor) == {Fault.FLAT}
