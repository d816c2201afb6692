"""A small copy of StudyForrest's ROI frames: two people, three short runs, few regions.

A region's frames are its label times the frame's number plus the subject's: whoever matches columns
by position is found out, because everybody's are in another order, and somebody lacks one.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from offline.datasets.studyforrest import StudyForrestSettings

REGIONS = (1, 2, 3, 5, 8, 13, 21)
N_FRAMES: Mapping[int, int] = {1: 60, 2: 64, 3: 62}
COLUMNS = (
    "run t_s arousal valence admiration angerrage compassion contempt disappointment fear "
    "fearsconfirmed gloating gratification gratitude happiness happyfor hate hope love pride "
    "relief remorse resentment sadness satisfaction shame"
).split()


def frames_of(subject: int, run: int, labels: Sequence[int]) -> np.ndarray:
    """Frames of shape (n_frames, n_regions), standardised as the published ones are."""
    rng = np.random.default_rng([subject, run])
    waves = rng.normal(size=(N_FRAMES[run], max(REGIONS) + 1))
    return waves[:, list(labels)]


def annotation(run: int) -> dict[str, np.ndarray]:
    """Each column's value in every second of a run, in ninths."""
    n_seconds = 2 * N_FRAMES[run]
    rng = np.random.default_rng([99, run])
    second = np.arange(n_seconds)
    table = {name: np.zeros(n_seconds) for name in COLUMNS[2:]}
    for place, name in enumerate(("fear", "sadness", "happiness")):
        inside = (second // 12) % 4 == place
        table[name][inside] = rng.integers(3, 10, n_seconds)[inside] / 9
    table["happyfor"] = ((second // 12) % 4 == 3) / 9
    table["arousal"] = np.round(np.sin(second / 15 + run), 3)
    table["valence"] = np.round(np.cos(second / 20 + run), 3)
    return table


def write_frames(folder: Path, subject: int, *, labels: Sequence[int], runs: Sequence[int]) -> None:
    """Write a subject's runs, columns in the order of `labels`."""
    for run in runs:
        table = frames_of(subject, run, labels)
        lines = [",".join(map(str, labels))]
        lines += [",".join(f"{x:.10f}" for x in row) for row in table]
        name = f"sub-{subject:02d}_task-avmovie_run-{run}_bold.csv"
        (folder / name).write_text("\n".join(lines) + "\n")


def write_labels(path: Path, *, runs: Sequence[int] = tuple(N_FRAMES)) -> None:
    """Write the table with one row a second."""
    lines = ["\t".join(COLUMNS)]
    for run in runs:
        table = annotation(run)
        for second in range(2 * N_FRAMES[run]):
            values = [f"{table[name][second]:.6f}" for name in COLUMNS[2:]]
            lines.append("\t".join([str(run), str(second), *values]))
    path.write_text("\n".join(lines) + "\n")


def write_fake(
    folder: Path, *, subjects: Sequence[int] = (1, 2), **settings: Any
) -> StudyForrestSettings:
    """Write a copy and return the settings that read it."""
    runs = settings.get("runs") or tuple(N_FRAMES)
    for subject in subjects:
        labels = np.random.default_rng(subject).permutation(REGIONS).tolist()
        write_frames(folder, subject, labels=labels[subject % 2 :], runs=runs)
    write_labels(folder / "av_1s_labels.tsv")
    return StudyForrestSettings(path=folder, **settings)
