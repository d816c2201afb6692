import numpy as np
import pytest
import torch

from offline.features.bands import (
    FOUR_BANDS_HZ,
    FilterBankBands,
    WelchBands,
    band_features,
    split_bands,
)
from rtaffect.core.errors import ConfigError
from rtaffect.core.spec import SignalSpec, WindowSpec


def _windows(window_s: float = 3.0, **settings: object) -> WindowSpec:
    eeg = SignalSpec(ch_names=("Fz", "Cz", "Pz"), **settings)
    return WindowSpec(window_s=window_s, modalities={"eeg": eeg})


def test_rows_are_read_in_the_runtimes_order() -> None:
    eeg = SignalSpec(ch_names=("Fz", "Cz", "Pz"), bands_hz=FOUR_BANDS_HZ)
    numbers = split_bands(torch.arange(12)[None], 4)[0]
    for channel, name in enumerate(eeg.ch_names):
        for band, band_name in enumerate(FOUR_BANDS_HZ):
            assert eeg.row_names[numbers[channel, band]] == f"{band_name}:{name}"


def test_a_sine_has_the_same_entropy_by_either_way() -> None:
    time = np.arange(384) / 128
    sine = torch.tensor(20 * np.sin(2 * np.pi * 10 * time), dtype=torch.float32)
    inside = WelchBands(sfreq=128.0, n_times=384)(sine[None, None])["entropy"][0, 0, 1]
    banked = FilterBankBands(n_bands=1)(sine[None, None])["entropy"][0, 0, 0]
    expected = 0.5 * np.log(2 * np.pi * np.e * 20**2 / 2)
    assert inside.item() == pytest.approx(expected, abs=1e-3)
    assert banked.item() == pytest.approx(expected, abs=2e-3)


def test_the_windows_say_which_bands_a_filter_bank_has() -> None:
    bank = {"low": (4.0, 13.0), "high": (13.0, 45.0)}
    module, names = band_features("filter_bank", _windows(bands_hz=bank))
    assert names == ("low", "high")
    assert module(torch.randn(2, 6, 384))["power"].shape == (2, 3, 2)


@pytest.mark.parametrize("window_s", [0.5, 1.0, 1.5, 3.0])
def test_a_spectrum_takes_windows_of_half_seconds(window_s: float) -> None:
    module, names = band_features("inside", _windows(window_s))
    entropy = module(torch.randn(2, 3, round(128 * window_s)))["entropy"]
    assert entropy.shape == (2, 3, len(names))


def test_other_windows_are_refused_in_words() -> None:
    with pytest.raises(ConfigError, match="whole number of half seconds"):
        band_features("inside", _windows(1.25))
