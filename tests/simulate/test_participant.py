"""EEG and face of simulated participants: what they hold, and what they do not."""

from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import butter, sosfiltfilt, welch

from rtaffect.core.montages import EEG_32
from rtaffect.simulate.eeg import SimulatedEeg, blink_waves
from rtaffect.simulate.face import FACE_CHANNELS, SimulatedFace
from rtaffect.simulate.participant import Participant, ParticipantSettings

Array = npt.NDArray[np.float64]
SFREQ = 128
N_PEOPLE = 8
N_SECONDS = 180
WINDOW_S = 3
QUIET = ParticipantSettings(line_uv=0.0, blink_uv=0.0, muscle_uv=0.0)


def index(*ch_names: str) -> list[int]:
    return [EEG_32.index(ch_name) for ch_name in ch_names]


@cache
def record(seed: int, coupling: float) -> tuple[Array, Array, Array]:
    """Return windows of EEG (n, 32, n_times), face (n, 31), and the truth (n, 2)."""
    participant = Participant(seed, coupling=coupling)
    eeg, face = SimulatedEeg(participant, SFREQ), SimulatedFace(participant)
    signal = eeg.samples(0, N_SECONDS * SFREQ).astype(np.float64)
    windows = signal.reshape(32, -1, WINDOW_S * SFREQ).transpose(1, 0, 2)
    frames = np.stack([face.block(second)[1] for second in range(N_SECONDS)])
    seen = frames[:, -1:]
    sums = (frames * seen).sum(axis=2).reshape(-1, WINDOW_S, 31).sum(axis=1)
    counts = seen.sum(axis=2).reshape(-1, WINDOW_S, 1).sum(axis=1)
    t = np.arange(0, N_SECONDS, 0.1).reshape(-1, WINDOW_S * 10)
    truth = np.stack([values.mean(axis=1) for values in participant.course.at(t)], axis=1)
    return windows, sums / np.maximum(counts, 1.0), truth


def log_power(windows: Array, low_hz: float, high_hz: float) -> Array:
    frequency, power = welch(windows, SFREQ, nperseg=SFREQ, axis=-1)
    band = (frequency >= low_hz) & (frequency < high_hz)
    return np.log(power[..., band].mean(axis=-1))


def mean_correlation(feature: str, coupling: float) -> float:
    """Return the correlation of a feature with its dimension of the course, mean over people."""
    correlations = []
    for seed in range(N_PEOPLE):
        windows, face, truth = record(seed, coupling)
        values, dimension = FEATURES[feature](windows, face)
        correlations.append(np.corrcoef(values, truth[:, dimension])[0, 1])
    return float(np.mean(correlations))


def _asymmetry(windows: Array, face: Array) -> tuple[Array, int]:
    alpha = log_power(windows, 8, 13)
    right, left = index("F4", "F8", "AF4", "FC6"), index("F3", "F7", "AF3", "FC5")
    return alpha[:, right].mean(1) - alpha[:, left].mean(1), 0


def _posterior_alpha(windows: Array, face: Array) -> tuple[Array, int]:
    return -log_power(windows, 8, 13)[:, index("O1", "Oz", "O2", "PO3", "PO4")].mean(1), 1


def _fast(windows: Array, face: Array) -> tuple[Array, int]:
    return log_power(windows, 15, 45).mean(1), 1


def _connectivity(windows: Array, face: Array) -> tuple[Array, int]:
    sos = butter(4, [15, 45], "bandpass", fs=SFREQ, output="sos")
    fast = sosfiltfilt(sos, windows, axis=-1)
    pairs = [index("P3", "C4"), index("P4", "C3"), index("P7", "P4"), index("P8", "P3")]
    pearson = np.stack([np.corrcoef(window) for window in fast])
    return np.mean([pearson[:, i, j] for i, j in pairs], axis=0), 1


def _unit(name: str, sign: int, dimension: int):
    return lambda windows, face: (sign * face[:, FACE_CHANNELS.index(name)], dimension)


FEATURES = {
    "frontal asymmetry": _asymmetry,
    "posterior alpha": _posterior_alpha,
    "beta and gamma": _fast,
    "connectivity": _connectivity,
    "smile": _unit("AU12_r", 1, 0),
    "cheeks": _unit("AU06_r", 1, 0),
    "brow": _unit("AU04_r", -1, 0),
    "lip corners": _unit("AU15_r", -1, 0),
    "inner brow": _unit("AU01_r", 1, 1),
    "jaw": _unit("AU26_r", 1, 1),
}


@pytest.mark.parametrize("feature", FEATURES)
def test_the_course_moves_it_in_the_stated_direction(feature: str) -> None:
    assert mean_correlation(feature, 1.0) > 0.15


@pytest.mark.parametrize("feature", FEATURES)
def test_without_coupling_it_tells_nothing(feature: str) -> None:
    # 8 people with about 13 independent stretches each: standard error 0.1.
    assert abs(mean_correlation(feature, 0.0)) < 0.35


def test_no_linear_feature_of_anybody_tells_anything_without_coupling() -> None:
    correlations = []
    for seed in range(N_PEOPLE):
        windows, face, truth = record(seed, 0.0)
        features = np.hstack([log_power(windows, 4, 8), log_power(windows, 8, 13), face[:, 12:29]])
        features = features - features.mean(0)
        for values in (truth - truth.mean(0)).T:
            norm = np.linalg.norm(features, axis=0) * np.linalg.norm(values) + 1e-12
            correlations.append(values @ features / norm)
    assert np.abs(np.mean(correlations, axis=0)).max() < 0.35


SHORT = 4 * SFREQ


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(0, SHORT), max_size=12), seed=st.integers(0, 1000))
def test_the_eeg_is_the_same_bit_for_bit_however_it_is_cut(cuts: list[int], seed: int) -> None:
    whole = SimulatedEeg(Participant(seed), SFREQ).samples(0, SHORT)
    edges = sorted({0, *cuts, SHORT})
    eeg = SimulatedEeg(Participant(seed), SFREQ)
    pieces = [eeg.samples(a, b) for a, b in pairwise(edges)]
    assert np.array_equal(whole, np.concatenate(pieces, axis=1))


@settings(max_examples=10, deadline=None)
@given(order=st.permutations(range(8)))
def test_any_second_can_be_made_without_the_seconds_before(order: list[int]) -> None:
    eeg, face = SimulatedEeg(Participant(5), SFREQ), SimulatedFace(Participant(5))
    for second in order:
        fresh_eeg = SimulatedEeg(Participant(5), SFREQ).block(second)
        fresh_t, fresh = SimulatedFace(Participant(5)).block(second)
        t, frames = face.block(second)
        assert np.array_equal(eeg.block(second), fresh_eeg)
        assert np.array_equal(t, fresh_t)
        assert np.array_equal(frames, fresh)


@pytest.mark.parametrize("sfreq", [128, 250, 512])
def test_its_spectrum_is_the_brains(sfreq: int) -> None:
    participant = Participant(11, settings=QUIET)
    data = SimulatedEeg(participant, sfreq).samples(0, 120 * sfreq)
    frequency, power = welch(data, sfreq, nperseg=2 * sfreq, axis=-1)

    def at(hz: float, *ch_names: str) -> float:
        near = np.abs(frequency - hz) <= 0.5
        return float(power[np.ix_(index(*ch_names), np.flatnonzero(near))].mean())

    alpha = participant.traits.alpha_hz
    neighbours = (at(4.0, "Oz", "O1", "O2") * at(14.0, "Oz", "O1", "O2")) ** 0.5
    assert at(alpha, "Oz", "O1", "O2") > 3 * neighbours
    assert at(alpha, "Oz", "O1", "O2") > 1.5 * at(alpha, "Fz", "F3", "F4")
    # Between 1 Hz and 55 Hz, off the rhythms, only the background and sensor noise are left.
    middle = [*index("C3", "Cz", "C4")]
    floor = participant.settings.sensor_noise_uv**2 / (sfreq / 2)
    low = power[middle][:, np.isin(frequency, (1.0, 1.5, 2.0, 2.5, 3.0))].mean(axis=0) - floor
    hz = np.array([1.0, 1.5, 2.0, 2.5, 3.0])
    slope = np.polyfit(np.log(hz), np.log(low), 1)[0]
    assert slope == pytest.approx(-participant.traits.slope, abs=0.45)


@pytest.mark.parametrize("line_hz", [50.0, 60.0])
def test_the_mains_hum_is_where_it_was_asked_for(line_hz: float) -> None:
    loud = replace(QUIET, line_uv=2.0, line_hz=line_hz)
    for ask, expected in ((loud, True), (QUIET, False)):
        data = SimulatedEeg(Participant(3, settings=ask), 512).samples(0, 30 * 512)
        frequency, power = welch(data, 512, nperseg=1024, axis=-1)
        at_line = power[:, frequency == line_hz].mean()
        beside = power[:, np.isin(frequency, (line_hz - 3, line_hz + 3))].mean()
        assert (at_line > 10 * beside) == expected


@pytest.mark.parametrize("seed", range(6))
def test_amplitudes_are_those_of_scalp_eeg(seed: int) -> None:
    data = SimulatedEeg(Participant(seed), SFREQ).samples(0, 60 * SFREQ)
    assert data.dtype == np.float32
    assert data.shape == (32, 60 * SFREQ)
    rms = data.std(axis=1)
    assert rms.min() > 7.0
    assert rms.max() < 60.0
    assert np.abs(data).max() < 300.0


def test_neighbours_are_more_alike_than_distant_sites() -> None:
    data = SimulatedEeg(Participant(2, settings=QUIET), SFREQ).samples(0, 60 * SFREQ)
    pearson = np.corrcoef(data)
    near = pearson[index("P3")[0], index("CP5", "CP1", "Pz", "PO3")].mean()
    far = pearson[index("P3")[0], index("F8", "AF4", "Fp2", "FC6")].mean()
    assert near > far + 0.2


def test_blinks_show_on_frontal_sites_and_on_the_lids_at_the_same_time() -> None:
    participant = Participant(4)
    t = np.arange(0, 60, 1 / SFREQ)
    closed = blink_waves(participant, t)
    data = SimulatedEeg(participant, SFREQ).samples(0, len(t))
    blinking, open_ = closed > 0.5, closed == 0.0
    fp = data[index("Fp1", "Fp2")].mean(axis=0)
    oz = data[index("Oz")[0]]
    assert fp[blinking].mean() - fp[open_].mean() > 40.0
    assert abs(oz[blinking].mean() - oz[open_].mean()) < 10.0
    face = SimulatedFace(participant)
    blocks = [face.block(second) for second in range(60)]
    frames = np.concatenate([frames for _, frames in blocks], axis=1)
    lids = blink_waves(participant, np.concatenate([times for times, _ in blocks]))
    seen = frames[-1] == 1
    au45 = frames[FACE_CHANNELS.index("AU45_r")]
    assert au45[seen & (lids > 0.5)].mean() > au45[seen & (lids == 0)].mean() + 1.0


def test_faces_are_what_openface_writes() -> None:
    face = SimulatedFace(Participant(9))
    blocks = [face.block(second) for second in range(120)]
    times = np.concatenate([times for times, _ in blocks])
    frames = np.concatenate([frames for _, frames in blocks], axis=1)
    assert np.all(np.diff(times) > 0)
    assert np.mean(np.diff(times)) == pytest.approx(1 / 30, rel=0.01)
    assert np.std(np.diff(times)) > 1e-4
    units = frames[[name.startswith("AU") for name in FACE_CHANNELS]]
    assert units.min() >= 0.0
    assert units.max() <= 5.0
    success, confidence = frames[-1], frames[-2]
    seen = success == 1
    assert 0.0 < np.mean(~seen) < 0.1
    assert np.all(frames[:29, ~seen] == 0.0)
    assert confidence[~seen].max() < 0.5
    assert confidence[seen].min() >= 0.8
    gaze = frames[:6, seen].reshape(2, 3, -1)
    assert np.allclose(np.linalg.norm(gaze, axis=1), 1.0)


def test_the_face_follows_the_course_late() -> None:
    lagging = Participant(1, settings=ParticipantSettings(face_lag_s=2.0, spontaneous_face=0.0))
    prompt = Participant(1, settings=ParticipantSettings(face_lag_s=0.0, spontaneous_face=0.0))
    t = np.arange(2.0, 60.0, 0.1)
    assert np.allclose(np.stack(lagging.expression(t)), np.stack(prompt.expression(t - 2.0)))


def test_people_differ_and_sessions_of_one_person_share_the_person() -> None:
    one, other, again = Participant(1), Participant(2), Participant(1, session=3)
    assert one.traits.alpha_hz != other.traits.alpha_hz
    assert not np.allclose(one.traits.mixing, other.traits.mixing)
    assert np.array_equal(one.traits.mixing, again.traits.mixing)
    assert np.array_equal(one.traits.band_gain, again.traits.band_gain)
    assert not np.allclose(SimulatedEeg(one).block(0), SimulatedEeg(again).block(0))


@pytest.mark.parametrize("sfreq", [0.0, 32.0, 127.5])
def test_a_rate_that_does_not_fit_a_second_is_refused(sfreq: float) -> None:
    with pytest.raises(ValueError, match="whole number of Hz"):
        SimulatedEeg(Participant(1), sfreq)


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(ValueError, match="seed"):
        Participant(-1)
