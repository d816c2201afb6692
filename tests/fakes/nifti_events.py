"""NIfTI runs of two people that are stored left to right the other way, a label image, trials."""

from pathlib import Path
from typing import Any

import nibabel
import numpy as np

from offline.datasets.nifti_events import NiftiEventsSettings

SHAPE, N_FRAMES, TR_S = (6, 5, 4), 70, 2.0
AFFINE = np.array([[-3.0, 0, 0, 9], [0, 3, 0, -7], [0, 0, 4, -8], [0, 0, 0, 1]])  # LAS
LABELS = {"emotion": {"classes": ["fear", "joy"]}}
HEADER = "recording\tsubject\ttrial\tstimulus\tonset\tduration\temotion"


def volumes_of(subject: str) -> np.ndarray:
    """Volumes of shape (x, y, z, n_frames) as the file has them."""
    rng = np.random.default_rng(len(subject))
    return rng.normal(1000, 20, size=(*SHAPE, N_FRAMES)).astype(np.float32)


def labels() -> np.ndarray:
    """Three regions and the rest."""
    return np.random.default_rng(5).integers(0, 4, size=SHAPE).astype(np.int16)


def write_fake(folder: Path, *, regions: bool = True, **settings: Any) -> NiftiEventsSettings:
    """Write a copy and return the settings that read it."""
    lines = [HEADER]
    for subject in ("anna", "bo"):
        image = nibabel.Nifti1Image(volumes_of(subject), AFFINE)
        image.header.set_zooms((3.0, 3.0, 4.0, TR_S))
        nibabel.save(image, folder / f"{subject}.nii.gz")
        for number, emotion in enumerate(("fear", "joy", "")):
            cells = [f"{subject}.nii.gz", subject, f"t{number}", f"clip{number}"]
            lines.append("\t".join([*cells, f"{4 + 44 * number}", "44", emotion]))
    (folder / "events.tsv").write_text("\n".join(lines) + "\n")
    atlas = folder / "atlas.nii.gz"
    nibabel.save(nibabel.Nifti1Image(labels(), AFFINE), atlas)
    image_path = atlas if regions else None
    return NiftiEventsSettings(path=folder, labels=LABELS, labels_image=image_path, **settings)
