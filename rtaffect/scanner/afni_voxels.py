"""A volume of the voxels that AFNI lists one by one, each with its place."""

import numpy as np
import numpy.typing as npt

from rtaffect.core.errors import ScannerError
from rtaffect.scanner.acquired import Floats

OFF_MM = 0.1
"""How far a voxel may lie from where an affine of all puts it."""

LPS_TO_RAS = np.array([-1.0, -1.0, 1.0])
"""AFNI's coordinates are DICOM's: x grows to the left, y to the back."""


def volume_of(
    voxels: Floats, shape: tuple[int, int, int]
) -> tuple[npt.NDArray[np.float32], Floats]:
    """Return a volume with NaN where no voxel was listed, and its affine.

    Parameters
    ----------
    voxels : ndarray, shape (n_voxels, 8)
        1D index, i, j, k, x, y, z (mm, DICOM's axes) and value.
    shape : tuple of int
        Voxels along the three axes.

    Returns
    -------
    data : ndarray of float32, shape (x, y, z)
        The values.
    affine : ndarray of float64, shape (4, 4)
        Voxel to world in mm, RAS+, from the voxels' own places.

    Raises
    ------
    ScannerError
        Voxels lie outside the shape, contradict it, or do not span three dimensions.
    """
    places = voxels[:, 1:4]
    sides = np.array(shape)
    inside = np.isfinite(voxels[:, :7]).all() and ((places >= 0) & (places < sides)).all()
    i, j, k = np.where(inside, places, 0).astype(np.intp).T
    indices = (i + sides[0] * (j + sides[1] * k)).astype(np.float32)  # as they were sent
    if not inside or not np.array_equal(voxels[:, 0], indices):
        msg = (
            f"Voxels of All_Data must lie in a dataset of {shape} and be numbered in it; these do "
            "not. Is `shape` that of AFNI's dataset (3dinfo -n4)?"
        )
        raise ScannerError(msg)
    world = voxels[:, 4:7] * LPS_TO_RAS
    design = np.column_stack([places, np.ones(len(places))])
    normal = design.T @ design  # four by four: a least-squares fit in a millisecond
    spans = np.linalg.matrix_rank(normal) == 4
    fit = np.linalg.solve(normal, design.T @ world) if spans else np.zeros((4, 3))
    if not spans or np.abs(design @ fit - world).max() > OFF_MM:
        msg = (
            "Voxels of All_Data must lie on one grid and not all in one plane, or there is no "
            "affine. Take a mask of several slices."
        )
        raise ScannerError(msg)
    affine = np.eye(4)
    affine[:3] = fit.T
    data = np.full(shape, np.nan, dtype=np.float32)
    data[i, j, k] = voxels[:, 7]
    return data, affine
