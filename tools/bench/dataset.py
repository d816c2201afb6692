"""A data set as large as DEAP's 18 complete subjects, from its files to features, on two cores."""

import argparse
import os
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from shared import ROOT, ProcessMeter, cpu_s, machine, say, table

MODELS: dict[str, dict[str, Any]] = {
    "prior_dfcn, 3 s": {
        "windows": {},
        "model": {"kind": "prior_dfcn", "prior": False},
        "sequences": {"t_min": 1, "t_max": 20},
    },
    "dgcnn, 1 s": {
        "windows": {"window_s": 1.0, "train_hop_s": 1.0},
        "model": {"kind": "dgcnn"},
    },
    "mtcnn as published, 0.5 s, four bands": {
        "windows": {
            "window_s": 0.5,
            "train_hop_s": 0.5,
            "bands_hz": {"theta": [4, 8], "alpha": [8, 14], "beta": [14, 31], "gamma": [31, 45]},
        },
        "model": {"kind": "mtcnn", "features": "filter_bank", "baseline": "mean"},
    },
}


def write_files(folder: Path, n_subjects: int) -> None:
    """Write a fake of DEAP's preprocessed files: 40 trials of 63 s a subject, 103 MB each."""
    sys.path.insert(0, str(ROOT / "tests" / "fakes"))
    from deap import N_VIDEOS, write_preprocessed  # type: ignore[import-not-found]

    rng = np.random.default_rng(0)
    data = 10.0 * rng.standard_normal((N_VIDEOS, 40, 8064))
    for participant in range(1, n_subjects + 1):
        write_preprocessed(folder, participant, data=np.roll(data, participant, axis=0))


def measure(
    settings: dict[str, Any], deap: Path, n_workers: int
) -> tuple[float, float, float, int]:
    """Return seconds, CPU seconds of all processes, memory in MB and the number of windows."""
    from offline.recipe import Recipe
    from offline.table import read_table

    recipe = Recipe.model_validate(
        {
            "name": "bench",
            "dataset": {"kind": "deap", "path": str(deap)},
            "targets": ["valence"],
            "protocol": {"kind": "loso"},
            **settings,
        }
    )
    meter, over = ProcessMeter(os.getpid()), threading.Event()

    def watch() -> None:
        while not over.wait(0.1):
            meter.sample()

    watcher = threading.Thread(target=watch)
    with tempfile.TemporaryDirectory() as cache:
        watcher.start()
        began, cpu_began = time.perf_counter(), cpu_s()
        try:
            features = read_table(recipe, Path(cache), n_workers=n_workers)
            took = time.perf_counter() - began
        finally:
            over.set()
            watcher.join()
    return took, cpu_s() - cpu_began, meter.read().rss_mb, len(features.trial)


def main() -> None:
    """Write the files, read them once for each model, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subjects", type=int, default=18)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        say(f"Writing {args.subjects} files of 103 MB ...")
        write_files(Path(scratch), args.subjects)
        for name, settings in MODELS.items():
            took, cpu, rss_mb, n_windows = measure(settings, Path(scratch), args.workers)
            rate = args.subjects * 40 * 63 / took
            cells = (f"{took:.1f}", f"{cpu:.1f}", f"{rate:.0f}", f"{rss_mb:.0f}")
            rows.append((name, n_windows, *cells))
    print(
        f"### {args.subjects} subjects x 40 trials x 63 s, 32 channels at 128 Hz, from files to "
        f"features, {args.workers} processes\n\n{machine()}\n"
    )
    header = ("features of", "windows", "s", "CPU s, all", "x real time", "memory MB, all")
    print(table(header, rows), "\n")


if __name__ == "__main__":
    main()
