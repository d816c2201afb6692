"""A small copy of the ICBHI 2024 challenge: two who train and one who is tested, all 30 trials."""

from pathlib import Path

import numpy as np

from offline.datasets.icbhi import IcbhiSettings

N_TRIALS, N_REGIONS, N_FRAMES = 30, 246, 25
PHASE_2 = {3: (1, 1), 4: (0, 0), 5: (-1, -2)}
"""What the second phase told of P17: by trial, class and level."""


def frames_of(subject: int) -> np.ndarray:
    """Means as they come, about 9500, regions far apart; shape (30, 246, 25)."""
    rng = np.random.default_rng(subject)
    between = rng.normal(9500, 2000, size=(1, N_REGIONS, 1))
    return between + rng.normal(0, 60, size=(N_TRIALS, N_REGIONS, N_FRAMES))


def labels_of(subject: int) -> np.ndarray:
    """Class and level of each trial, shape (30, 2)."""
    classes = np.random.default_rng(7).permutation(np.repeat([-1, 0, 1], N_TRIALS // 3))
    size = np.random.default_rng([subject, 1]).integers(1, 5, N_TRIALS)
    return np.stack([classes, classes * size], axis=1)


def write_fake(folder: Path) -> IcbhiSettings:
    """Write a copy and return the settings that read it."""
    for subject in (1, 2, 17):
        part = folder / ("Test" if subject == 17 else "Train") / f"P{subject:02d}"
        part.mkdir(parents=True)
        np.savez(part / "fMRI_data.npz", data=frames_of(subject))
        if subject != 17:
            np.savez(part / "labels.npz", data=labels_of(subject))
    lines = ["Participant,Trial,CLASS,LEVEL"]
    for trial in range(1, N_TRIALS + 1):
        told = PHASE_2.get(trial)
        lines.append(f"P17,{trial}," + (f"{told[0]},{told[1]}" if told else ","))
    (folder / "phase2.csv").write_text("\n".join(lines) + "\n")
    return IcbhiSettings(path=folder, test_labels=folder / "phase2.csv")
