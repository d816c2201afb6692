"""A small copy of FACED, and the truth that was put in.

EEG of video v is a 10 Hz sine of `amplitude_uv(v)`, plus the place of the channel in the file as an
offset. Videos were shown in another order than they are numbered, and `After_remarks.mat` is in the
order of presentation.
"""

import pickle
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import savemat

from offline.datasets.faced import FacedSettings

N_VIDEOS = 28


def amplitude_uv(video: int) -> float:
    """Amplitude of the sine in the EEG of a video."""
    return 10.0 + 0.5 * video


def presented(subject: int) -> list[int]:
    """Videos in the order in which a subject saw them."""
    order = np.random.default_rng([subject, 1]).permutation(np.arange(1, N_VIDEOS + 1))
    return order.tolist()


def rated(subject: int, video: int) -> tuple[float, ...]:
    """The twelve ratings, from 0 to 7."""
    return tuple(np.random.default_rng([subject, video]).uniform(0.0, 7.0, 12).tolist())


def write_fake(
    folder: Path,
    *,
    subjects: Sequence[int] = (0, 1),
    unrated: Collection[int] = (),
    **settings: Any,
) -> FacedSettings:
    """Write a copy and return the settings that read it, ratings included.

    Parameters
    ----------
    folder : Path
        Where to.
    subjects : sequence of int
        Who is in it; an EEG file takes 54 MB, as the real ones do.
    unrated : collection of int
        Videos without ratings.
    **settings
        For `FacedSettings`.
    """
    for subject in subjects:
        write_processed(folder, subject)
        write_remarks(folder, subject, unrated=unrated)
    return FacedSettings(**{"path": folder, "ratings": "after_remarks", **settings})


def write_processed(folder: Path, subject: int, *, eeg: np.ndarray | None = None) -> Path:
    """Write Processed_data/subNNN.pkl, sorted by video."""
    path = folder / "Processed_data" / f"sub{subject:03d}.pkl"
    path.parent.mkdir(parents=True, exist_ok=True)
    if eeg is None:
        wave = np.sin(2 * np.pi * 10 * np.arange(7500) / 250)
        amplitudes = np.array([amplitude_uv(video) for video in range(1, N_VIDEOS + 1)])
        eeg = amplitudes[:, None, None] * wave + np.arange(32.0)[:, None]
    path.write_bytes(pickle.dumps(eeg, protocol=4))
    return path


def write_remarks(
    folder: Path,
    subject: int,
    *,
    unrated: Collection[int] = (),
    videos: Sequence[int] | None = None,
    add: float = 0.0,
) -> Path:
    """Write After_remarks.mat: an array of structs, as the presenting program did."""
    path = folder / "Data" / f"sub{subject:03d}" / "After_remarks.mat"
    path.parent.mkdir(parents=True, exist_ok=True)
    fields = [(name, object) for name in ("score", "trial", "vid", "Accuracy", "ResponseTime")]
    videos = presented(subject) if videos is None else videos
    remarks = np.empty((len(videos), 1), dtype=fields)
    for at, video in enumerate(videos):
        score = np.zeros((0, 0)) if video in unrated else np.array([rated(subject, video)]) + add
        remarks[at, 0] = (score, float(at + 1), float(video), 1.0, 2.5)
    savemat(path, {"After_remark": remarks})
    return path
