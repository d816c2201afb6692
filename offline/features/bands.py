"""Entropy and power of each channel in each band, from raw windows or from a filter bank's."""

from collections.abc import Mapping
from typing import Literal

from torch import Tensor, nn

from offline.features.entropy import differential_entropy
from offline.features.spectral import WelchPower
from rtaffect.core.errors import ConfigError
from rtaffect.core.spec import SignalSpec, WindowSpec

FOUR_BANDS_HZ: Mapping[str, tuple[float, float]] = {
    "theta": (4.0, 8.0),
    "alpha": (8.0, 14.0),
    "beta": (14.0, 31.0),
    "gamma": (31.0, 45.0),
}
"""Bands of the published code of Shen et al. 2020 (doi:10.1007/s11571-020-09634-1) and Rudakov et
al. 2021 (doi:10.1109/BioSMART54244.2021.9677807); the latter's slides end beta at 30 Hz."""

BandSource = Literal["inside", "filter_bank"]
"""Where bands come from: a spectrum inside the graph, or the runtime's causal filter bank."""


def split_bands(rows: Tensor, n_bands: int) -> Tensor:
    """Return a filter bank's rows by channel and band.

    Parameters
    ----------
    rows : Tensor, shape (batch, n_bands * n_channels, ...)
        All channels of the first band, then all of the second, and so on.
    n_bands : int
        Number of bands.

    Returns
    -------
    Tensor, shape (batch, n_channels, n_bands, ...)
    """
    n_windows, n_rows, *rest = rows.shape
    return rows.reshape(n_windows, n_bands, n_rows // n_bands, *rest).transpose(1, 2)


def sample_variance(windows: Tensor) -> Tensor:
    """Return the unbiased variance over the last axis (``ddof=1``)."""
    centred = windows - windows.mean(dim=-1, keepdim=True)
    return centred.square().sum(dim=-1) / (windows.shape[-1] - 1)


def energy(windows: Tensor) -> Tensor:
    """Return the sum of squares over the last axis: what Rudakov et al. 2021 call "PSD"."""
    return windows.square().sum(dim=-1)


class FilterBankBands(nn.Module):
    """Entropy and energy of windows that the runtime filtered into bands.

    Parameters
    ----------
    n_bands : int
        Number of bands.
    """

    def __init__(self, *, n_bands: int) -> None:
        super().__init__()
        self._n_bands = n_bands

    def forward(self, eeg: Tensor) -> dict[str, Tensor]:
        """Return ``entropy`` (nats) and ``power`` (uV^2), shape (batch, n_channels, n_bands).

        Parameters
        ----------
        eeg : Tensor, shape (batch, n_bands * n_channels, n_times)
            See `split_bands`.
        """
        return {
            "entropy": split_bands(differential_entropy(sample_variance(eeg)), self._n_bands),
            "power": split_bands(energy(eeg), self._n_bands),
        }


class WelchBands(nn.Module):
    """Entropy and power from a spectrum of raw windows.

    The integral of the density over a band is the variance of the signal in that band.

    Parameters
    ----------
    sfreq : float
        Rate in Hz.
    n_times : int
        Samples in a window; a whole number of half segments of one second, or a shorter even
        number, which is then one segment.
    bands_hz : mapping of str to (float, float)
        Half-open bands in Hz.
    """

    def __init__(
        self,
        *,
        sfreq: float,
        n_times: int,
        bands_hz: Mapping[str, tuple[float, float]] = FOUR_BANDS_HZ,
    ) -> None:
        super().__init__()
        n_per_segment = min(2 * round(sfreq / 2), n_times)
        if n_per_segment % 2 or n_times % (n_per_segment // 2):
            msg = (
                "A window must be a whole number of half seconds, or an even number of samples "
                f"below one second; got {n_times} samples at {sfreq:g} Hz. Choose another window_s."
            )
            raise ConfigError(msg)
        self.welch = WelchPower(
            sfreq=sfreq, bands_hz=bands_hz, n_per_segment=n_per_segment, scale="integral"
        )

    def forward(self, eeg: Tensor) -> dict[str, Tensor]:
        """Return ``entropy`` (nats) and ``power`` (uV^2), shape (batch, n_channels, n_bands).

        Parameters
        ----------
        eeg : Tensor, shape (batch, n_channels, n_times)
            Microvolts.
        """
        power: Tensor = self.welch(eeg)
        return {"entropy": differential_entropy(power), "power": power}


def band_features(
    source: BandSource,
    windows: WindowSpec,
    *,
    bands_hz: Mapping[str, tuple[float, float]] = FOUR_BANDS_HZ,
) -> tuple[nn.Module, tuple[str, ...]]:
    """Return what computes entropy and power from these windows, and the names of its bands.

    Parameters
    ----------
    source : {"inside", "filter_bank"}
        See `BandSource`.
    windows : WindowSpec
        The windows; a filter bank's bands are those of its EEG.
    bands_hz : mapping of str to (float, float)
        Bands of a spectrum inside the graph.

    Raises
    ------
    ConfigError
        The windows hold no EEG, no filter bank where one is needed, or one where none may be.
    """
    eeg = windows.modalities.get("eeg")
    if not isinstance(eeg, SignalSpec):
        msg = (
            "This model needs windows of EEG (windows.montage), and they hold "
            f"{', '.join(windows.modalities)}: set them in the recipe."
        )
        raise ConfigError(msg)
    bank = dict(eeg.bands_hz)
    if (source == "filter_bank") != bool(bank):
        msg = (
            f"A model with `features: {source}` needs windows "
            f"{'with' if source == 'filter_bank' else 'without'} a filter bank, got "
            f"bands_hz: {bank or 'none'}. Change the model's `features` or the windows' `bands_hz`."
        )
        raise ConfigError(msg)
    if source == "filter_bank":
        return FilterBankBands(n_bands=len(bank)), tuple(bank)
    n_times = round(windows.window_s * eeg.sfreq)
    return WelchBands(sfreq=eeg.sfreq, n_times=n_times, bands_hz=bands_hz), tuple(bands_hz)
