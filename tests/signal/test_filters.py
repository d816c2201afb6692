"""Causal filters: cutting, start, forgetting, frequency response."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from rtaffect.core.errors import BundleError
from rtaffect.core.spec import SignalSpec
from rtaffect.signal.filters import (
    CausalFilter,
    Sos,
    design,
    filter_bank,
    highpass,
    notch,
    settling_time_s,
)

SFREQ = 128.0
DESIGNS = {
    "highpass": highpass(1.0, order=2, sfreq=SFREQ),
    "highpass 4": highpass(0.5, order=4, sfreq=SFREQ),
    "notch": notch(50.0, sfreq=SFREQ),
    "both": design(SignalSpec(ch_names=("Fz",), notch_hz=(50.0, 60.0))),
    "alpha": filter_bank({"alpha": (8.0, 13.0)}, n_channels=1, sfreq=SFREQ)["alpha"].sos,
    "delta": filter_bank({"delta": (0.5, 4.0)}, n_channels=1, sfreq=SFREQ)["delta"].sos,
}


def eeg_like(n_channels: int, n_times: int, *, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    offsets = rng.normal(0.0, 1e4, (n_channels, 1))
    return offsets + rng.normal(0.0, 20.0, (n_channels, n_times)).cumsum(axis=1) * 0.1


def response_at(sos: Sos, hz: float, sfreq: float = SFREQ) -> float:
    _, response = signal.sosfreqz(sos, [hz], fs=sfreq)
    return float(abs(response[0]))


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(sorted(DESIGNS)),
    cuts=st.lists(st.integers(0, 400), max_size=30),
    seed=st.integers(0, 100),
)
def test_the_output_does_not_depend_on_how_the_signal_was_cut(
    name: str, cuts: list[int], seed: int
) -> None:
    data = eeg_like(3, 400, seed=seed)
    whole = CausalFilter(DESIGNS[name], 3).process(data)
    in_blocks = CausalFilter(DESIGNS[name], 3)
    parts = [in_blocks.process(part) for part in np.split(data, sorted(cuts), axis=1)]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)


@pytest.mark.parametrize("name", sorted(DESIGNS))
def test_it_equals_scipy_on_the_whole_signal(name: str) -> None:
    sos, data = DESIGNS[name], eeg_like(4, 1000)
    state = signal.sosfilt_zi(sos)[:, None, :] * data[:, :1]
    expected, _ = signal.sosfilt(sos, data, axis=1, zi=state)
    filtered = np.concatenate(
        [(f := CausalFilter(sos, 4)).process(data[:, :13]), f.process(data[:, 13:])], axis=1
    )
    np.testing.assert_array_equal(filtered, expected)


@pytest.mark.parametrize(("name", "gain"), [("both", 0.0), ("highpass 4", 0.0), ("notch", 1.0)])
def test_a_constant_offset_makes_no_transient(name: str, gain: float) -> None:
    offsets = np.array([[180_000.0], [-3.0]])
    filtered = CausalFilter(DESIGNS[name], 2).process(np.repeat(offsets, 500, axis=1))
    np.testing.assert_allclose(filtered, gain * np.repeat(offsets, 500, axis=1), atol=1e-5)


@pytest.mark.parametrize("name", sorted(DESIGNS))
@pytest.mark.parametrize("seed", range(3))
def test_a_later_start_is_forgotten_after_the_settling_time(name: str, seed: int) -> None:
    sos = DESIGNS[name]
    n_settle = round(settling_time_s(sos, SFREQ) * SFREQ)
    n_late = 1000
    data = eeg_like(8, n_late + n_settle + 500, seed=seed)
    early = CausalFilter(sos, 8).process(data)[:, n_late:]
    late = CausalFilter(sos, 8).process(data[:, n_late:])
    difference = np.abs(early - late).max(axis=1) / np.ptp(data, axis=1)
    settled = np.abs(early - late)[:, n_settle:].max(axis=1) / np.ptp(data, axis=1)
    assert (settled <= 1e-6).all()
    assert (difference > 1e-4).all()  # before it, the start shows: the claim is not empty


def test_the_settling_time_is_that_of_the_worst_past() -> None:
    sos = DESIGNS["highpass"]
    n_settle = round(settling_time_s(sos, SFREQ) * SFREQ)
    impulse = np.zeros(4000)
    impulse[0] = 1.0
    response = signal.sosfilt(sos, impulse)
    # the past that hurts most at n: of the sign of each remaining sample of the response
    worst = {n: np.abs(response[n:]).sum() for n in (n_settle - 2, n_settle)}
    assert worst[n_settle] <= 1e-6 < worst[n_settle - 2]


@pytest.mark.parametrize("name", ["highpass", "delta", "both"])
def test_the_settling_time_is_of_the_order_that_the_largest_pole_says(name: str) -> None:
    radius = np.abs(signal.sos2zpk(DESIGNS[name])[1]).max()
    by_pole_s = np.log(1e-6) / np.log(radius) / SFREQ
    assert 0.8 * by_pole_s < settling_time_s(DESIGNS[name], SFREQ) < 1.5 * by_pole_s


def test_reset_begins_a_new_segment() -> None:
    data = eeg_like(2, 200)
    used = CausalFilter(DESIGNS["both"], 2)
    used.process(eeg_like(2, 77, seed=9))
    used.reset()
    np.testing.assert_array_equal(
        used.process(data), CausalFilter(DESIGNS["both"], 2).process(data)
    )


def test_an_empty_block_neither_starts_nor_changes_anything() -> None:
    data = eeg_like(2, 50)
    causal = CausalFilter(DESIGNS["highpass"], 2)
    assert causal.process(data[:, :0]).shape == (2, 0)
    np.testing.assert_array_equal(
        causal.process(data), CausalFilter(DESIGNS["highpass"], 2).process(data)
    )


def test_the_design_removes_drift_and_line_and_keeps_eeg() -> None:
    sos = design(SignalSpec(ch_names=("Fz",), highpass_hz=1.0, notch_hz=(50.0,)))
    assert response_at(sos, 0.01) < 2e-4
    assert response_at(sos, 50.0) < 1e-6
    assert response_at(sos, 1.0) == pytest.approx(2**-0.5, rel=1e-3)
    assert response_at(sos, 50.0 * (1 - 1 / 60)) == pytest.approx(2**-0.5, rel=0.02)
    assert response_at(sos, 10.0) == pytest.approx(1.0, abs=0.005)


def test_a_model_that_wants_no_filter_gets_its_samples_untouched() -> None:
    sos = design(SignalSpec(ch_names=("Fz",), highpass_hz=0.0))
    data = eeg_like(2, 50)
    assert sos.shape == (0, 6)
    assert settling_time_s(sos, SFREQ) == 0.0
    np.testing.assert_array_equal(CausalFilter(sos, 2).process(data), data)


def test_the_default_spec_covers_what_its_filters_remember() -> None:
    spec = SignalSpec(ch_names=("Fz",))
    assert 1.0 < settling_time_s(design(spec), spec.sfreq) <= spec.settle_s


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (SignalSpec(ch_names=("Fz",), settle_s=2.0), r"settle_s must cover .* got 2 s"),
        (SignalSpec(ch_names=("Fz",), highpass_hz=0.1), r"settle_s must cover"),
        (SignalSpec(ch_names=("Fz",), bands_hz={"delta": (1.0, 4.0)}), r"settle_s must cover .*7"),
        (SignalSpec(ch_names=("Fz",), bands_hz={"high": (30.0, 64.0)}), r"band 'high' .* 64 Hz"),
        (SignalSpec(ch_names=("Fz",), notch_hz=(64.0,)), r"notch must lie between 0 and .*64 Hz"),
        (SignalSpec(ch_names=("Fz",), highpass_hz=-1.0), r"high-pass edge must lie between"),
    ],
)
def test_a_spec_that_cannot_be_is_refused(spec: SignalSpec, words: str) -> None:
    with pytest.raises(BundleError, match=words):
        design(spec)


def test_an_unstable_filter_is_refused() -> None:
    with pytest.raises(BundleError, match="stable"):
        settling_time_s(np.array([[1.0, 0.0, 0.0, 1.0, -1.01, 0.0]]), SFREQ)


def test_a_filter_bank_passes_each_tone_through_its_own_band_only() -> None:
    bands_hz = {"theta": (4.0, 8.0), "alpha": (8.0, 13.0), "beta": (13.0, 30.0)}
    bank = filter_bank(bands_hz, n_channels=1, sfreq=SFREQ)
    t = np.arange(1280) / SFREQ
    assert list(bank) == list(bands_hz)
    for hz, own in ((5.7, "theta"), (10.2, "alpha"), (20.0, "beta")):
        tone = np.sin(2 * np.pi * hz * t)[None, :]
        for name, causal in bank.items():
            causal.reset()
            rms = causal.process(tone)[0, 640:].std() * 2**0.5
            assert rms > 0.95 if name == own else rms < 0.25


def test_the_order_of_a_bank_is_that_of_the_low_pass_that_it_is_made_from() -> None:
    bank = filter_bank({"alpha": (8.0, 13.0)}, n_channels=1, sfreq=SFREQ, order=2)
    expected = signal.butter(2, (8.0, 13.0), "bandpass", fs=SFREQ, output="sos")
    np.testing.assert_array_equal(bank["alpha"].sos, expected)


@pytest.mark.parametrize("band", [(13.0, 8.0), (0.0, 4.0), (30.0, 64.0)])
def test_a_band_that_cannot_be_is_refused(band: tuple[float, float]) -> None:
    with pytest.raises(BundleError):
        filter_bank({"odd": band}, n_channels=1, sfreq=SFREQ)
