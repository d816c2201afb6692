"""Where the voxels of slices lie: DICOM's positions and directions as an affine in RAS+."""

from collections.abc import Sequence

import numpy as np

from rtaffect.core.errors import ScannerError
from rtaffect.scanner.acquired import Floats

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
OFF_MM = 0.05
"""How far slices may lie from even distances."""


def directions(orientation: Sequence[float]) -> tuple[Floats, Floats]:
    """Return along which way columns and rows are counted, as unit vectors.

    Raises
    ------
    ScannerError
        The six cosines are not those of two axes at right angles.
    """
    axes = np.asarray(orientation, dtype=np.float64)
    if axes.shape != (6,) or not np.allclose(
        [axes[:3] @ axes[:3], axes[3:] @ axes[3:], axes[:3] @ axes[3:]], [1, 1, 0], atol=1e-3
    ):
        msg = "A slice must have an orientation of six cosines (0020,0037); this one has none."
        raise ScannerError(msg)
    return axes[:3], axes[3:]


def affine_of(
    orientation: Sequence[float],
    spacing: Sequence[float],
    first: Sequence[float],
    step: Floats,
) -> Floats:
    """Return voxel to world in mm, RAS+, for voxels counted by column, row and slice.

    Parameters
    ----------
    orientation : sequence of 6 floats
        Cosines along a row and down a column, as in (0020,0037).
    spacing : sequence of 2 floats
        Between rows and between columns in mm, as in (0028,0030).
    first : sequence of 3 floats
        Middle of the first slice's first voxel, as in (0020,0032).
    step : ndarray, shape (3,)
        From one slice to the next in mm.

    Raises
    ------
    ScannerError
        Something is missing or not finite.
    """
    along, down = directions(orientation)
    if len(spacing) != 2 or len(first) != 3 or min(spacing) <= 0:
        msg = "A slice must have its spacing (0028,0030) and its position (0020,0032)."
        raise ScannerError(msg)
    affine = np.eye(4)
    affine[:3, 0] = along * spacing[1]
    affine[:3, 1] = down * spacing[0]
    affine[:3, 2] = step
    affine[:3, 3] = first
    if not np.isfinite(affine).all():
        msg = "Position, orientation and spacing of slices must be finite numbers."
        raise ScannerError(msg)
    return np.asarray(LPS_TO_RAS @ affine)


def order_of(positions: Floats, orientation: Sequence[float]) -> tuple[list[int], Floats]:
    """Return in which order slices lie, and the step from one to the next.

    Parameters
    ----------
    positions : ndarray, shape (n_slices, 3)
        Of their first voxels, in mm.
    orientation : sequence of 6 floats
        Theirs.

    Raises
    ------
    ScannerError
        Their distances are not even: one is missing, or is there twice.
    """
    along, down = directions(orientation)
    heights = positions @ np.cross(along, down)
    order = [int(i) for i in np.argsort(heights, kind="stable")]
    placed = positions[order]
    step = (placed[-1] - placed[0]) / max(1, len(placed) - 1)
    even = placed[0] + np.outer(np.arange(len(placed)), step)
    if len(placed) > 1 and not (
        np.abs(placed - even).max() <= OFF_MM and float(np.linalg.norm(step)) > OFF_MM
    ):
        msg = (
            "The slices of a volume must lie at even distances; one is missing, or is there twice."
        )
        raise ScannerError(msg)
    return order, step
