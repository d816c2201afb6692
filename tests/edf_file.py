"""Small EDF files for tests, with a person in the header as real ones have."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

PERSON = "X F 02-MAY-1971 Jane_Roe"
SECRETS = ("1971", "MAY", "Roe", "Hillside")
"""What of a header must never be seen outside it."""


def write_edf(
    path: Path, data_uv: np.ndarray, *, ch_names: Sequence[str], sfreq: int, peak_uv: float = 400.0
) -> Path:
    """Write signals in microvolts, shape (n_channels, n_times), in records of one second."""
    n_channels, n_times = data_uv.shape
    assert n_times % sfreq == 0
    n_records = n_times // sfreq
    top = f"{'0':<8}{PERSON:<80}{'Startdate 03-JUN-2020 Hillside':<80}03.06.2010.00.00"
    top += f"{256 * (1 + n_channels):<8}{'':<44}{n_records:<8}{1:<8}{n_channels:<4}"
    fields = [
        [f"{name:<16}" for name in ch_names],
        [f"{'AgCl':<80}"] * n_channels,
        [f"{'uV':<8}"] * n_channels,
        [f"{-peak_uv:<8g}"] * n_channels,
        [f"{peak_uv:<8g}"] * n_channels,
        [f"{-32767:<8}"] * n_channels,
        [f"{32767:<8}"] * n_channels,
        [f"{'':<80}"] * n_channels,
        [f"{sfreq:<8}"] * n_channels,
        [f"{'':<32}"] * n_channels,
    ]
    header = (top + "".join("".join(field) for field in fields)).encode("ascii")
    assert len(header) == 256 * (1 + n_channels)
    counts = np.round(data_uv / peak_uv * 32767).astype("<i2")
    records = counts.reshape(n_channels, n_records, sfreq).transpose(1, 0, 2)
    path.write_bytes(header + np.ascontiguousarray(records).tobytes())
    return path


def noise_uv(seed: int, *, n_channels: int, sfreq: int, seconds: int) -> np.ndarray:
    """Return something like EEG: noise with an alpha rhythm, shape (n_channels, n_times)."""
    rng = np.random.default_rng(seed)
    times_s = np.arange(sfreq * seconds) / sfreq
    alpha = 15.0 * np.sin(2 * np.pi * 10.0 * times_s + rng.uniform(0, 6, (n_channels, 1)))
    return alpha + rng.normal(0.0, 8.0, (n_channels, len(times_s)))
