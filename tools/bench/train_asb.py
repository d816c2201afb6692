"""Training ASB on 8 subjects x 5 runs of StudyForrest's size, from frames to weights; 2 cores."""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from shared import machine, table

from offline.recipe import Recipe
from offline.roles import sequences_of
from offline.table import FeatureTable, read_table
from offline.training import train
from offline.unit import fold_of, split_of, start_unit

N_SUBJECTS, N_RUNS, N_FRAMES, N_REGIONS = 8, 5, 456, 267
CORES = 2


def write_random(folder: Path) -> None:
    """Write frames and labels of StudyForrest's shape, in its files' form, that mean nothing."""
    rng = np.random.default_rng(0)
    header = ",".join(str(number) for number in range(1, N_REGIONS + 1))
    for subject in range(1, N_SUBJECTS + 1):
        for run in range(1, N_RUNS + 1):
            path = folder / f"sub-{subject:02d}_task-avmovie_run-{run}_bold.csv"
            frames = rng.standard_normal((N_FRAMES, N_REGIONS))
            np.savetxt(path, frames, fmt="%.4f", delimiter=",", header=header, comments="")
    names = "arousal valence fear fearsconfirmed sadness disappointment happiness happyfor"
    columns = [*names.split(), "satisfaction", "love", "angerrage"]
    lines = ["\t".join(["run", "t_s", *columns])]
    for run in range(1, N_RUNS + 1):
        for second in range(2 * N_FRAMES):
            shares = np.round(rng.random(len(columns)), 3)
            lines.append("\t".join(map(str, [run, float(second), *shares])))
    (folder / "av_1s_labels.tsv").write_text("\n".join([*lines, ""]))


def recipe_of(data: Path, n_epochs: int) -> Recipe:
    """Return ASB as published on the film, one fold: nearly everybody trains."""
    return Recipe.model_validate(
        {
            "name": "bench",
            "dataset": {"kind": "studyforrest", "path": data},
            "targets": ["valence"],
            "windows": {"kind": "roi", "window_s": 25, "tr_s": 2, "sfreq": 1, "lag_s": 6},
            "model": {"kind": "asb"},
            "training": {
                "optimiser": "ranger",
                "weight_decay": 2e-2,
                "batch_size": 128,
                "max_epochs": n_epochs,
                "patience": n_epochs,
                "device": "cpu",
            },
            "protocol": {"kind": "loso", "n_validation": 1},
        }
    )


def trained(recipe: Recipe, features: FeatureTable) -> tuple[int, float]:
    """Train the first fold; return sequences and seconds."""
    split = split_of(recipe, features)
    fold = fold_of(split, split.folds[0].name)
    data = sequences_of(recipe, features, split, fold)
    network = start_unit(recipe, features, split, fold, data, seed=0)
    start = time.perf_counter()
    train(network, data, recipe.training, t_min=1, seed=0)
    return len(data["train"]), time.perf_counter() - start


def main() -> None:
    """Read, train and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="StudyForrest's ROI frames; random ones without")
    parser.add_argument("--epochs", type=int, default=10)
    args = parser.parse_args()
    torch.set_num_threads(CORES)
    with tempfile.TemporaryDirectory() as scratch:
        data = args.data
        if data is None:
            data = Path(scratch) / "data"
            data.mkdir()
            write_random(data)
        recipe = recipe_of(data.absolute(), args.epochs)
        start = time.perf_counter()
        features = read_table(recipe, Path(scratch) / "cache")
        read_s = time.perf_counter() - start
        torch.set_num_threads(CORES)  # reading takes one
        n_train, train_s = trained(recipe, features)
    whole = (read_s + train_s) / 60
    rows = [
        ("frames to windows, everybody", f"{len(features.trial)} windows", f"{read_s / 60:.2f}"),
        (
            f"{args.epochs} epochs of one fold",
            f"{n_train} windows",
            f"{train_s / 60:.2f}",
        ),
        ("both", "", f"{whole:.2f}"),
    ]
    print(machine())
    print(table(("ASB as published, 2 cores", "size", "minutes"), rows))


if __name__ == "__main__":
    main()
