"""Features of a trial: entropy and power of bands, Pearson's r; against numpy, scipy and torcheeg.

All three do the same to the same windows, but for torcheeg's entropy, which filters each window of
each channel anew instead of looking at its spectrum.
"""

import argparse
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from scipy.signal import welch
from shared import machine, one_core, table, timed_ms
from torcheeg_peer import measured

from offline.features.bands import FOUR_BANDS_HZ, WelchBands
from offline.features.connectivity import pearson

SFREQ, N_CHANNELS, TRIAL_S = 128, 32, 60
Floats = npt.NDArray[np.float32]


def by_scipy(windows: Floats) -> tuple[npt.NDArray[np.floating], npt.NDArray[np.floating]]:
    """Return entropy and power of all windows at once, by `scipy.signal.welch`."""
    freqs_hz, density = welch(windows, SFREQ, nperseg=min(SFREQ, windows.shape[2]))
    bands = [(low <= freqs_hz) & (freqs_hz < high) for low, high in FOUR_BANDS_HZ.values()]
    power = np.stack([density[..., band].sum(axis=-1) * freqs_hz[1] for band in bands], axis=-1)
    return 0.5 * np.log(2 * np.pi * np.e * power), power


def by_numpy(windows: Floats) -> Floats:
    """Return Pearson's r of all windows at once."""
    centred = windows - windows.mean(axis=2, keepdims=True)
    centred /= np.sqrt((centred * centred).sum(axis=2, keepdims=True))
    return np.asarray(centred @ centred.transpose(0, 2, 1))


def best_ms(work: Callable[[], object]) -> float:
    """Return the shortest of many runs: other processes only ever add."""
    return float(timed_ms(work, 60).min())


def main() -> None:
    """Time everything and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer-repeats", type=int, default=2, help="of torcheeg, which takes long")
    args = parser.parse_args()
    one_core()
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    trial = (20.0 * rng.standard_normal((N_CHANNELS, TRIAL_S * SFREQ))).astype(np.float32)
    with tempfile.TemporaryDirectory() as scratch:
        np.save(Path(scratch) / "trial.npy", trial)
        peer = measured("features", Path(scratch) / "trial.npy", repeats=args.peer_repeats)
    rows = []

    def row(name: str, theirs: str, ours: float, numpys: float, in_peer: str) -> None:
        cells = [name, theirs, f"{ours:.2f}", f"{numpys:.2f}", f"{numpys / ours:.1f}"]
        peers = 1e3 * peer[in_peer] if peer else float("nan")
        rows.append((*cells, f"{peers:.0f}", f"{peers / ours:.0f}"))

    with torch.inference_mode():
        for n_times in (64, 128, 384):
            windows = trial.reshape(N_CHANNELS, -1, n_times).transpose(1, 0, 2).copy()
            bands, tensor = WelchBands(sfreq=SFREQ, n_times=n_times), torch.from_numpy(windows)
            entropy = bands(tensor)["entropy"].numpy()
            np.testing.assert_allclose(entropy, by_scipy(windows)[0], atol=1e-4)
            row(
                f"entropy and power, {len(windows)} windows of {n_times / SFREQ:g} s",
                "scipy.signal.welch",
                best_ms(partial(bands, tensor)),
                best_ms(partial(by_scipy, windows)),
                f"bands {n_times}",
            )
        np.testing.assert_allclose(pearson(tensor).numpy(), by_numpy(windows), atol=1e-5)
        ours = best_ms(partial(pearson, tensor))
        name = f"Pearson's r, {len(windows)} windows of 3 s"
        row(name, "numpy, all at once", ours, best_ms(partial(by_numpy, windows)), "pearson 384")
        each = best_ms(lambda: [np.corrcoef(window) for window in windows])
        row(name, "numpy.corrcoef, one by one", ours, each, "pearson 384")
    header = ("what", "against", "ours, ms", "theirs, ms", "times", "torcheeg, ms", "times")
    print(
        f"### Features of a trial, {N_CHANNELS} channels x {TRIAL_S} s, one core\n\n{machine()}\n\n"
        f"{table(header, rows)}\n"
    )


if __name__ == "__main__":
    main()
