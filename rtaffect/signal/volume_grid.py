"""Brings volumes of any geometry onto the grid on which a model sees them."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import sparse

from rtaffect.core.errors import ScannerError
from rtaffect.signal.timeline import LARGEST, Floats

MAX_POINTS = 3
"""Along each axis: a voxel of the model's grid is the mean of so many cubed points at most."""

MIN_INSIDE = 0.5
"""Share of such a voxel that must lie on voxels that have a value."""

MIN_VOXEL_MM3 = 1e-6
"""Of a voxel's volume: an affine with less has lost a dimension."""

Shape = tuple[int, int, int]


class VolumeGrid:
    """Resamples volumes that share one geometry.

    A voxel of the grid is the mean of points that lie evenly in it, at most one source voxel
    apart; each point is interpolated trilinearly. All of that is one sparse matrix, made once.
    Voxels outside the field of view are NaN, as are those that mostly rest on values that are
    missing.

    Parameters
    ----------
    shape : tuple of int
        Voxels of the grid along x, y and z.
    affine : sequence of sequence of float or None
        Voxel to world of the grid (RAS+, mm, 4 x 4). None lays the grid over the whole field of
        view, its axes along those of the volume that are nearest to right, anterior and superior.
    of_shape : tuple of int
        Voxels of the volumes.
    of_affine : ndarray of float64, shape (4, 4)
        Their voxel to world.

    Raises
    ------
    ScannerError
        `of_affine` is not the affine of a volume.
    """

    def __init__(
        self,
        shape: Shape,
        affine: Sequence[Sequence[float]] | None,
        *,
        of_shape: Shape,
        of_affine: npt.NDArray[np.float64],
    ) -> None:
        check_affine(of_affine)
        to_source: Floats
        if affine is None:
            to_source = _fitted(shape, of_shape, of_affine)
        else:
            to_source = np.asarray(np.linalg.inv(of_affine) @ np.array(affine), dtype=np.float64)
        self._matrix = _matrix(shape, of_shape, to_source)
        self._weights: Floats = self._matrix @ np.ones(math.prod(of_shape))

    def resample(self, voxels: npt.NDArray[np.generic]) -> Floats:
        """Return a volume on the grid.

        Parameters
        ----------
        voxels : ndarray, shape (n_voxels,)
            In C order; NaN, infinite and absurd ones count as missing.

        Returns
        -------
        ndarray of float64, shape (n_rows,)
            In C order of the grid.
        """
        values = voxels.astype(np.float64)
        there = np.abs(values) <= LARGEST
        if there.all():
            weights = self._weights
            total = self._matrix @ values
        else:
            weights = self._matrix @ there.astype(np.float64)
            total = self._matrix @ np.where(there, values, 0.0)
        inside = weights > MIN_INSIDE - 1e-9
        return np.where(inside, total / np.where(inside, weights, 1.0), np.nan)


def check_affine(affine: npt.NDArray[np.float64]) -> None:
    """Check that an affine maps voxels to a world of three dimensions.

    Raises
    ------
    ScannerError
        It does not.
    """
    if (
        affine.shape != (4, 4)
        or not np.isfinite(affine).all()
        or abs(np.linalg.det(affine[:3, :3])) < MIN_VOXEL_MM3
    ):
        msg = (
            "An affine must be 4 x 4 finite numbers that turn voxels into millimetres along three "
            f"axes, got {np.asarray(affine).tolist()}. Check what the scanner's side sends."
        )
        raise ScannerError(msg)


def _fitted(shape: Shape, of_shape: Shape, of_affine: npt.NDArray[np.float64]) -> Floats:
    """Return grid voxel -> source voxel for a grid that fills the source's field of view."""
    towards = of_affine[:3, :3] / np.linalg.norm(of_affine[:3, :3], axis=0)  # world x source axis
    nearest = max(
        itertools.permutations((0, 1, 2)),
        key=lambda axes: sum(abs(towards[world, axis]) for world, axis in enumerate(axes)),
    )
    to_source = np.zeros((4, 4))
    to_source[3, 3] = 1.0
    for world, axis in enumerate(nearest):
        step = of_shape[axis] / shape[world]
        first = step / 2 - 0.5
        if towards[world, axis] < 0:  # the volume's axis runs the other way
            step, first = -step, of_shape[axis] - 1 - first
        to_source[axis, world], to_source[axis, 3] = step, first
    return to_source


def _matrix(shape: Shape, of_shape: Shape, to_source: Floats) -> sparse.csr_array:
    """Return what turns source voxels into grid voxels, shape (n_rows, n_voxels)."""
    n_rows, n_voxels = math.prod(shape), math.prod(of_shape)
    sizes = np.linalg.norm(to_source[:3, :3], axis=0)  # of a grid voxel, in source voxels
    counts = np.clip(np.ceil(sizes - 1e-6), 1, MAX_POINTS).astype(int)
    within = [(np.arange(n) + 0.5) / n - 0.5 for n in counts]
    centres = np.indices(shape).reshape(3, -1)
    total = sparse.csr_array((n_rows, n_voxels))
    for point in itertools.product(*within):
        at = to_source[:3, :3] @ (centres + np.array(point)[:, None]) + to_source[:3, 3:]
        total = total + _interpolation(at, of_shape)
    total.sum_duplicates()
    total.data /= math.prod(counts.tolist())
    return total


def _interpolation(at: Floats, of_shape: Shape) -> sparse.csr_array:
    """Return trilinear weights of points, shape (n_points, n_voxels).

    A point in the outer half of a voxel at the edge takes that voxel; one beyond takes nothing.
    """
    limits = np.array(of_shape)[:, None]
    inside = ((at > -0.5 - 1e-9) & (at < limits - 0.5 + 1e-9)).all(axis=0)
    rows = np.flatnonzero(inside)
    held = np.clip(at[:, inside], 0, limits - 1)
    low = np.minimum(np.floor(held).astype(np.int64), np.maximum(limits - 2, 0))
    share = held - low
    columns, weights = [], []
    for corner in itertools.product((0, 1), repeat=3):
        index = np.minimum(low + np.array(corner)[:, None], limits - 1)
        columns.append(np.ravel_multi_index(tuple(index), of_shape))
        weights.append(
            np.prod([s if up else 1 - s for up, s in zip(corner, share, strict=True)], axis=0)
        )
    matrix = sparse.csr_array(
        (np.concatenate(weights), (np.tile(rows, 8), np.concatenate(columns))),
        shape=(at.shape[1], math.prod(of_shape)),
    )
    matrix.eliminate_zeros()
    return matrix
