"""What the simulated scanner does to EEG is of the size that it says, and known apart."""

import numpy as np
import pytest

from rtaffect.core.errors import ConfigError
from rtaffect.core.montages import EEG_32
from rtaffect.core.streams import Chunk
from rtaffect.simulate.eeg import SimulatedEeg
from rtaffect.simulate.mr import ECG, SCANNED_CHANNELS, VOLUME_MARKER, MagnetSettings, ScannedEeg
from rtaffect.simulate.participant import Participant
from rtaffect.simulate.source import SimulatedSource

SFREQ = 5000
MAGNET = MagnetSettings(tr_s=1.0, n_slices=11, start_s=2.0, stop_s=5.4, drift=0.0)
SCANNED = ScannedEeg(Participant(3), SFREQ, MAGNET)


def seconds(start: float, stop: float) -> np.ndarray:
    return np.arange(round(start * SFREQ), round(stop * SFREQ)) / SFREQ


def test_without_artifacts_it_is_the_participant_s_eeg_and_an_ecg() -> None:
    clean = SCANNED.clean(0, 3 * SFREQ)
    alone = SimulatedEeg(Participant(3), SFREQ).samples(0, 3 * SFREQ)
    np.testing.assert_array_equal(clean[:-1], alone)
    assert clean[-1].max() == pytest.approx(MAGNET.ecg_uv, rel=0.1)
    recorded = SCANNED.samples(0, SFREQ)
    expected = clean[:, :SFREQ] + SCANNED.artifacts(0, SFREQ)
    np.testing.assert_array_equal(recorded, expected.astype(np.float32))


def test_gradients_run_in_whole_volumes_and_are_of_the_size_that_is_asked_for() -> None:
    during = SCANNED.gradient(seconds(2.0, 5.0))
    assert np.ptp(during, axis=1).max() == pytest.approx(MAGNET.gradient_uv, rel=0.05)
    assert not SCANNED.gradient(seconds(0.0, 2.0)).any()
    assert not SCANNED.gradient(seconds(5.0, 6.0)).any()  # 5.4 s is in the midst of a volume
    volumes = during.reshape(len(during), 3, SFREQ)
    np.testing.assert_allclose(volumes[:, 1], volumes[:, 0], atol=1e-6 * MAGNET.gradient_uv)


def test_gradients_are_within_the_amplifier_s_band() -> None:
    wave = SCANNED.gradient(seconds(2.0, 4.0))
    power = np.abs(np.fft.rfft(wave, axis=1)) ** 2
    hz = np.fft.rfftfreq(wave.shape[1], 1 / SFREQ)
    assert power[:, hz > 1.2 * MAGNET.bandwidth_hz].sum() < 1e-6 * power.sum()
    assert power[:, hz < 30].sum() > 1e-3 * power.sum()


def test_another_clock_moves_volumes_by_fractions_of_a_sample() -> None:
    magnet = MagnetSettings(tr_s=1.0, n_slices=11, start_s=0.0, clock_ppm=50.0, drift=0.0)
    scanned = ScannedEeg(Participant(3), SFREQ, magnet)
    first = scanned.gradient(seconds(0.2, 0.4))
    np.testing.assert_allclose(
        scanned.gradient(seconds(0.2, 0.4) + 10 * 1.00005), first, atol=1e-6 * magnet.gradient_uv
    )
    assert np.abs(scanned.gradient(seconds(10.2, 10.4)) - first).max() > 100.0


def test_the_pulse_artifact_follows_the_heart_and_is_of_the_size_that_is_asked_for() -> None:
    t = seconds(0.0, 30.0)
    wave = SCANNED.pulse(t)
    beats = np.array([onset for onset, _ in SCANNED.beats(0.0, 29.0)])
    assert len(beats) == pytest.approx(29 * MAGNET.beats_per_minute / 60, abs=2)
    heights = [np.ptp(wave[:, (t >= b) & (t < b + 0.7)], axis=1).max() for b in beats]
    assert np.median(heights) == pytest.approx(MAGNET.pulse_uv, rel=0.25)
    assert 0.05 < np.std(heights) / np.mean(heights) < 0.35
    assert not wave[-1].any()
    apart = np.diff(beats)
    assert 0.02 < apart.std() / apart.mean() < 0.12


def test_samples_do_not_depend_on_what_was_asked_for_before() -> None:
    fresh = ScannedEeg(Participant(3), SFREQ, MAGNET)
    late = fresh.samples(17_003, 19_001)
    whole = SCANNED.samples(15_000, 20_000)
    np.testing.assert_array_equal(late, whole[:, 2003:4001])


def test_a_source_sends_an_ecg_and_a_marker_a_volume() -> None:
    source = SimulatedSource(Participant(3), 7.0, sfreq=SFREQ, magnet=MAGNET)
    assert source.infos["eeg"].ch_names == SCANNED_CHANNELS == (*EEG_32, ECG)
    events = list(source.events())
    arrivals = [event.t_received for event in events]
    assert arrivals == sorted(arrivals)
    chunks = [e for e in events if isinstance(e, Chunk)]
    volumes = [e for e in chunks if e.modality == "markers" and e.data[0, 0] == VOLUME_MARKER]
    begun = np.array([e.stamps_s[0] for e in volumes]) - source.t_start
    np.testing.assert_allclose(begun, [2.0, 3.0, 4.0], atol=MAGNET.marker_jitter_s)
    assert len(set(np.round(begun % 1.0, 6))) == 3
    eeg = np.concatenate([e.data for e in chunks if e.modality == "eeg"], axis=1)
    np.testing.assert_array_equal(eeg, SCANNED.samples(0, 7 * SFREQ))


@pytest.mark.parametrize("sfreq", [512, 1600, 5001])
def test_rates_that_cannot_hold_the_artifact_are_refused(sfreq: int) -> None:
    with pytest.raises(ConfigError, match="EEG inside a scanner must be sampled"):
        ScannedEeg(Participant(3), sfreq, MAGNET)
