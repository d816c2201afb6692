import numpy as np
import pytest
import torch
from scipy import signal

from offline.features.spectral import BANDS_HZ, WelchPower

SFREQ = 128.0


def _highpassed(seed: int, *, n_times: int = 384) -> np.ndarray:
    """Coloured noise as a window of the runtime: high-passed at 1 Hz, tens of microvolts."""
    rng = np.random.default_rng(seed)
    noise = np.cumsum(rng.normal(size=(2, 32, n_times + 1280)), axis=2)
    sos = signal.butter(2, 1.0, "highpass", fs=SFREQ, output="sos")
    return (10 * signal.sosfilt(sos, noise, axis=2)[:, :, -n_times:]).astype(np.float32)


def _reference(data: np.ndarray, scale: str, n_per_segment: int = 128) -> np.ndarray:
    freqs, density = signal.welch(data.astype(np.float64), SFREQ, nperseg=n_per_segment)
    bands = []
    for low, high in BANDS_HZ.values():
        part = density[..., (low <= freqs) & (freqs < high)]
        bands.append(part.mean(-1) if scale == "mean" else part.sum(-1) * freqs[1])
    return np.stack(bands, axis=-1)


@pytest.mark.parametrize("scale", ["mean", "integral"])
@pytest.mark.parametrize("n_per_segment", [64, 128])
def test_band_power_is_that_of_scipy(scale: str, n_per_segment: int) -> None:
    data = _highpassed(0)
    welch = WelchPower(sfreq=SFREQ, scale=scale, n_per_segment=n_per_segment)
    got = welch(torch.from_numpy(data)).numpy()
    np.testing.assert_allclose(got, _reference(data, scale, n_per_segment), rtol=1e-5)


def test_a_sine_has_its_power_in_its_band_and_nowhere_else() -> None:
    time = np.arange(384) / SFREQ
    data = torch.tensor(20 * np.sin(2 * np.pi * 20 * time), dtype=torch.float32)[None, None]
    power = dict(zip(BANDS_HZ, WelchPower(sfreq=SFREQ, scale="integral")(data)[0, 0], strict=True))
    assert power["beta"].item() == pytest.approx(20**2 / 2, rel=1e-5)
    assert max(power[name].item() for name in power if name != "beta") < 1e-6


def test_the_mean_of_a_segment_does_not_count() -> None:
    data = torch.from_numpy(_highpassed(1))
    welch = WelchPower(sfreq=SFREQ)
    torch.testing.assert_close(welch(data + 50), welch(data), rtol=1e-3, atol=1e-4)


def test_silence_has_no_power() -> None:
    assert WelchPower(sfreq=SFREQ)(torch.zeros(1, 3, 384)).abs().max() == 0


def test_a_window_that_is_no_whole_number_of_half_segments_is_refused() -> None:
    with pytest.raises(RuntimeError):
        WelchPower(sfreq=SFREQ)(torch.zeros(1, 3, 385))


def test_an_odd_segment_is_refused() -> None:
    with pytest.raises(ValueError, match="even"):
        WelchPower(sfreq=SFREQ, n_per_segment=127)


def test_a_band_between_two_frequencies_is_refused() -> None:
    with pytest.raises(ValueError, match="Every band"):
        WelchPower(sfreq=SFREQ, bands_hz={"narrow": (8.2, 8.7)})
