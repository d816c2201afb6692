"""A peer: what torcheeg 1.1.3 takes for features of one trial, and for an epoch of its DGCNN.

Run by the interpreter of torcheeg's own environment; prints one line of JSON.
"""

import argparse
import json
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torcheeg.models import DGCNN  # type: ignore[import-not-found]
from torcheeg.transforms import (  # type: ignore[import-not-found]
    BandDifferentialEntropy,
    BandPowerSpectralDensity,
    PearsonCorrelation,
)

BANDS_HZ = {"theta": [4, 8], "alpha": [8, 14], "beta": [14, 31], "gamma": [31, 45]}


def best_of(n: int, work: Callable[[], object]) -> float:
    """Return the shortest of `n` runs in seconds."""
    took = []
    for _ in range(n):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return min(took)


def windows_of(trial: np.ndarray, n_times: int) -> list[np.ndarray]:
    """Return a trial's windows, each of shape (n_channels, n_times)."""
    return [trial[:, i : i + n_times] for i in range(0, trial.shape[1], n_times)]


def each(windows: list[np.ndarray], *transforms: Callable[..., object]) -> None:
    """Apply all transforms to each window."""
    for window in windows:
        for transform in transforms:
            transform(eeg=window)


def features(path: str, repeats: int) -> dict[str, float]:
    """Time the transforms on a trial, window by window, as torcheeg's data sets do."""
    trial = np.load(path)
    entropy = BandDifferentialEntropy(sampling_rate=128, band_dict=BANDS_HZ)
    power = BandPowerSpectralDensity(sampling_rate=128, band_dict=BANDS_HZ)
    took = {}
    for n_times in (64, 128, 384):
        windows = windows_of(trial, n_times)
        work = partial(each, windows, entropy, power)
        took[f"bands {n_times}"] = best_of(repeats, work)
    windows = windows_of(trial, 384)
    took["pearson 384"] = best_of(repeats, partial(each, windows, PearsonCorrelation()))
    return took


def epoch(path: str, repeats: int) -> dict[str, float]:
    """Time an epoch over windows that are all in memory, batches picked by their indices."""
    data = np.load(path)
    x, y = torch.from_numpy(data["x"]), torch.from_numpy(data["y"])
    torch.manual_seed(0)
    model = DGCNN(in_channels=x.shape[2], num_electrodes=x.shape[1], num_layers=2, num_classes=2)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-5)
    loss_of = torch.nn.CrossEntropyLoss()

    def work() -> None:
        model.train()
        for picks in torch.split(torch.randperm(len(x)), 64):
            optimiser.zero_grad()
            loss = loss_of(model(x[picks]), y[picks])
            loss.backward()
            optimiser.step()
            loss.item()

    work()
    return {"epoch": best_of(repeats, work), "weights": sum(p.numel() for p in model.parameters())}


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("features", "epoch"))
    parser.add_argument("data", help="a file of numpy's")
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(1)
    work = features if args.what == "features" else epoch
    print(json.dumps(work(args.data, args.repeats)), flush=True)


if __name__ == "__main__":
    main()
