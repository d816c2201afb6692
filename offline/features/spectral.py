"""Band power by Welch's method, as a fixed matrix product."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

BANDS_HZ: Mapping[str, tuple[float, float]] = {
    "theta": (4.0, 8.0),
    "slow_alpha": (8.0, 10.0),
    "alpha": (8.0, 12.0),
    "beta": (12.0, 30.0),
    "gamma": (30.0, 45.0),
}
"""Half-open bands of Zheng et al. 2023, section 3; their gamma has no end, ours ends at 45 Hz."""


class WelchPower(nn.Module):
    """Power in frequency bands of every channel.

    Parameters
    ----------
    sfreq : float
        Sampling rate in Hz.
    bands_hz : mapping of str to (float, float)
        Half-open bands ``low <= f < high`` in Hz.
    n_per_segment : int
        Samples in a segment; even. Segments overlap by half.
    scale : {"mean", "integral"}
        Mean of the density over the band (uV^2/Hz) or its integral (uV^2).

    Notes
    -----
    Taking the segment's mean off, the Hann window and the discrete Fourier transform are linear,
    hence one matrix that is computed once; a graph with a matrix product and a square runs on
    every execution provider, one with an FFT does not. Equals `scipy.signal.welch` with
    ``window="hann", detrend="constant", scaling="density"`` [1]_.

    References
    ----------
    .. [1] Welch 1967, IEEE Trans. Audio Electroacoust. 15(2), doi:10.1109/TAU.1967.1161901
    """

    def __init__(
        self,
        *,
        sfreq: float,
        bands_hz: Mapping[str, tuple[float, float]] = BANDS_HZ,
        n_per_segment: int = 128,
        scale: Literal["mean", "integral"] = "mean",
    ) -> None:
        super().__init__()
        if n_per_segment % 2:
            msg = f"n_per_segment must be even (segments overlap by half), got {n_per_segment}."
            raise ValueError(msg)
        self._n_half = n_per_segment // 2
        time = np.arange(n_per_segment)
        taper = 0.5 - 0.5 * np.cos(2 * np.pi * time / n_per_segment)
        freqs_hz = np.arange(n_per_segment // 2 + 1) * sfreq / n_per_segment
        in_band = np.stack(
            [(low <= freqs_hz) & (freqs_hz < high) for low, high in bands_hz.values()]
        )
        if not in_band.any(axis=1).all():
            msg = (
                f"Every band must hold a frequency of {freqs_hz[1]} Hz steps, got {dict(bands_hz)}."
            )
            raise ValueError(msg)
        wanted = in_band.any(axis=0)
        centre = np.eye(n_per_segment) - 1.0 / n_per_segment
        phase = 2 * np.pi * np.outer(time, np.flatnonzero(wanted)) / n_per_segment
        transform = centre @ (taper[:, None] * np.hstack([np.cos(phase), -np.sin(phase)]))
        # One-sided density: every frequency but 0 and Nyquist stands for two.
        sides = np.where((freqs_hz == 0) | (freqs_hz == sfreq / 2), 1.0, 2.0)
        density = sides / (sfreq * (taper**2).sum())
        weights = in_band * density
        weights = weights / in_band.sum(axis=1, keepdims=True) if scale == "mean" else weights
        weights = weights * sfreq / n_per_segment if scale == "integral" else weights
        pooled = np.vstack([weights[:, wanted].T] * 2)  # real and imaginary parts
        self.transform: Tensor
        self.weights: Tensor
        self.register_buffer("transform", torch.tensor(transform, dtype=torch.float32))
        self.register_buffer("weights", torch.tensor(pooled, dtype=torch.float32))

    def forward(self, signal: Tensor) -> Tensor:
        """Return band power.

        Parameters
        ----------
        signal : Tensor, shape (batch, n_channels, n_times)
            Samples in microvolts; `n_times` a whole number of half segments, at least two.

        Returns
        -------
        Tensor, shape (batch, n_channels, n_bands)
            Power, never negative.
        """
        batch, n_channels, n_times = signal.shape
        halves = signal.reshape(batch, n_channels, n_times // self._n_half, self._n_half)
        segments = torch.cat([halves[:, :, :-1], halves[:, :, 1:]], dim=3)  # (b, P, S, segment)
        spectrum = segments @ self.transform  # (b, P, S, 2 * n_freqs)
        return (spectrum * spectrum).mean(dim=2) @ self.weights  # (b, P, n_bands)
