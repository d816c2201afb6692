"""A small copy of EAV: 10 clips a subject instead of 200, one a class, shapes as in the real one.

What tells clips apart: channel c of clip i is a 10 Hz sine of `amplitude_uv(c, i)`.
"""

from pathlib import Path
from typing import Any

import numpy as np
from openface_file import write_openface
from scipy.io import savemat

from offline.datasets.eav import EavSettings

ROWS = (0, 1, 6, 7, 4, 5, 8, 9, 2, 3)  # listening before speaking, as in the experiment
EMOTIONS = ("Neutral", "Sadness", "Anger", "Happiness", "Calmness")
TASKS = ("Listening", "Speaking")
N_FACES = 3  # clips of the first subject with an OpenFace file


def amplitude_uv(channel: int, clip: int) -> float:
    """Amplitude of the sine."""
    return 5.0 + channel + 0.5 * clip


def media_name(clip: int) -> str:
    """Return what the video of a clip (from 0) is called."""
    row = ROWS[clip]
    return f"{clip + 1:03d}_Trial_{clip + 1:02d}_{TASKS[row % 2]}_{EMOTIONS[row // 2]}"


def write_fake(folder: Path, *, scale: float = 1.0, **settings: Any) -> EavSettings:
    """Write two subjects; `scale` multiplies the EEG. Return the settings that read them."""
    times_s = np.arange(10_000) / 500.0
    for subject, variable in ((1, "seg1"), (2, "seg")):
        home = folder / f"subject{subject}"
        for name in ("EEG", "Video", "OpenFace"):
            (home / name).mkdir(parents=True)
        sizes = np.array([[amplitude_uv(c, i) for i in range(len(ROWS))] for c in range(30)])
        sine = np.sin(2 * np.pi * 10.0 * times_s + subject)
        noise = np.random.default_rng(subject).normal(0.0, 3.0, (10_000, 30, 1))
        clips = scale * (sine[:, None, None] * sizes[None] + noise)
        savemat(home / "EEG" / f"subject{subject}_eeg.mat", {variable: clips.astype(np.float32)})
        label = np.zeros((10, len(ROWS)))
        label[ROWS, np.arange(len(ROWS))] = 1.0
        savemat(home / "EEG" / f"subject{subject}_eeg_label.mat", {"label": label})
        for clip in range(len(ROWS)):
            (home / "Video" / f"{media_name(clip)}.mp4").touch()
    for clip in range(N_FACES):
        path = folder / "subject1" / "OpenFace" / f"{media_name(clip)}.csv"
        write_openface(path, seconds=20.0, value=0.1 * (clip + 1))
    return EavSettings(path=folder, **settings)
