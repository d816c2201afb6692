"""An epoch of DGCNN over 4800 windows in batches of 64, against torcheeg's in a bare loop."""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from shared import machine, one_core, table
from torcheeg_peer import measured

from offline.datasets.contract import Label
from offline.items import Items
from offline.models.contract import Shapes
from offline.models.dgcnn import DGCNNSettings
from offline.recipe import TrainingSettings
from offline.sequences import make_sequences
from offline.table import FeatureTable
from offline.trained import Epoch
from offline.training import train
from rtaffect.core.montages import EEG_32
from rtaffect.core.spec import SignalSpec, WindowSpec

N_WINDOWS, N_TRIALS = 4800, 80
N_VALIDATION = 60  # windows: next to nothing, because the peer has no validation


def make_table() -> FeatureTable:
    """Return random entropies, those of the last trial for validation."""
    rng = np.random.default_rng(0)
    trial = np.repeat(np.arange(N_TRIALS + 1), N_WINDOWS // N_TRIALS)
    classes = rng.integers(0, 2, N_TRIALS + 1)
    entropy = rng.standard_normal((len(trial), len(EEG_32), 4)).astype(np.float32)
    labels = {"valence": Label(classes=("low", "high"), edges=(-1.0, 0.0, 1.0))}
    return FeatureTable(
        features={"entropy": torch.from_numpy(entropy)},
        trials=Items(
            level="trial",
            subject=("s",) * (N_TRIALS + 1),
            session=("1",) * (N_TRIALS + 1),
            trial=tuple(map(str, range(N_TRIALS + 1))),
            stimulus=("",) * (N_TRIALS + 1),
        ),
        trial=trial,
        window=np.arange(len(trial)),
        step=1,
        labels=labels,
        values={"valence": classes[trial].astype(np.float64) - 0.5},
        classes={"valence": classes[trial]},
        train_classes={"valence": classes[trial]},
        moment=np.full(len(trial), -1),
        trial_classes={"valence": classes},
        digest="",
    )


def main() -> None:
    """Train a few epochs here and there and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=8, help="the fastest counts")
    args = parser.parse_args()
    one_core()
    torch.set_num_threads(1)
    made = make_table()
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "windows.npz"
        rows = slice(0, N_WINDOWS)
        np.savez(path, x=made.features["entropy"][rows].numpy(), y=made.classes["valence"][rows])
        peer = measured("epoch", path, repeats=args.epochs)
    data = {
        "train": make_sequences(made, np.arange(N_WINDOWS), t_min=1, t_max=1),
        "validation": make_sequences(made, np.arange(N_WINDOWS, len(made.trial)), t_min=1, t_max=1),
    }
    spec = WindowSpec(modalities={"eeg": SignalSpec(ch_names=EEG_32)})
    torch.manual_seed(0)
    network = DGCNNSettings().build(Shapes(windows=spec, targets={"valence": 2}))
    network.fit_scales(made.features)
    ends: list[float] = []

    def ended(epoch: Epoch) -> None:
        del epoch
        ends.append(time.perf_counter())

    settings = TrainingSettings(
        batch_size=64, max_epochs=args.epochs + 2, patience=args.epochs + 2, device="cpu"
    )
    train(network, data, settings, t_min=1, seed=0, report=ended)
    ours, n_weights = float(np.diff(ends).min()), sum(p.numel() for p in network.parameters())
    rows_ = [("rtaffect, validation included", n_weights, f"{ours:.3f}")]
    if peer:
        rows_.append(("torcheeg, in memory", int(peer["weights"]), f"{peer['epoch']:.3f}"))
    print(f"### DGCNN, an epoch of {N_WINDOWS} windows, one core\n\n{machine()}\n")
    print(table(("loop", "weights", "s"), rows_), "\n")
    if peer:
        print(f"Ours takes {ours / peer['epoch']:.2f} of torcheeg's time.\n")


if __name__ == "__main__":
    main()
