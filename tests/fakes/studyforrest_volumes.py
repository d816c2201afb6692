"""A small copy of StudyForrest's volumes: two people, two short runs, a few voxels."""

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from fakes.studyforrest import N_FRAMES, write_labels

from offline.datasets.studyforrest_volumes import StudyForrestVolumesSettings

SHAPE = (5, 6, 4)
REC = "dico7Tad2grpbold7TadNL"


def volumes_of(subject: int, run: int) -> np.ndarray:
    """Volumes of shape (x, y, z, n_frames) as the file has them."""
    rng = np.random.default_rng([subject, run])
    return rng.integers(400, 600, size=(*SHAPE, N_FRAMES[run])).astype(np.int16)


def write_fake(folder: Path, **settings: Any) -> StudyForrestVolumesSettings:
    """Write a copy and return the settings that read it."""
    for subject in (1, 2):
        name = f"sub-{subject:02d}"
        func = folder / name / "ses-forrestgump" / "func"
        func.mkdir(parents=True)
        for run in (1, 2):
            image = nibabel.Nifti1Image(volumes_of(subject, run), np.diag([1.4, 1.4, 1.4, 1.0]))
            image.header.set_zooms((1.4, 1.4, 1.4, 2.0))
            file = f"{name}_ses-forrestgump_task-forrestgump_rec-{REC}_run-{run:02d}_bold.nii.gz"
            nibabel.save(image, func / file)
    for table in ("ao_1s_labels.tsv", "av_1s_labels.tsv"):
        write_labels(folder / table)
    return StudyForrestVolumesSettings(path=folder, **settings)
