"""Faces whose pose, gaze and expression are known: the head model moved, turned and projected."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from rtaffect.face.camera_geometry import Intrinsics
from rtaffect.face.gaze import Eyeball
from rtaffect.face.head_model import head_model
from rtaffect.face.landmarks import LEFT_EYE, RIGHT_EYE

Floats = npt.NDArray[np.float64]

CAMERA = Intrinsics.of_picture(640, 480)

UPPER_LIDS, LOWER_LIDS = (158, 159, 160, 385, 386, 387), (144, 145, 153, 373, 374, 380)
BROWS = {"inner": (55, 107, 285, 336, 66, 296), "outer": (46, 70, 63, 276, 300, 293)}
CORNERS = {61: -1.0, 291: 1.0}


def turned(pitch: float, yaw: float, roll: float) -> Floats:
    """Return the rotation that OpenFace calls by these angles, put together by hand."""
    c, s = np.cos, np.sin
    about_x = np.array([[1, 0, 0], [0, c(pitch), -s(pitch)], [0, s(pitch), c(pitch)]])
    about_y = np.array([[c(yaw), 0, s(yaw)], [0, 1, 0], [-s(yaw), 0, c(yaw)]])
    about_z = np.array([[c(roll), -s(roll), 0], [s(roll), c(roll), 0], [0, 0, 1]])
    return np.asarray(about_x @ about_y @ about_z)


def expression(moves_mm: Mapping[tuple[int, ...], tuple[float, float, float]]) -> Floats:
    """Return the head model with some of its points moved, shape (468, 3)."""
    points = head_model().points.copy()
    for at, by in moves_mm.items():
        points[list(at)] += by
    return points


def smile(mm: float) -> Floats:
    """Corners of the mouth up and outwards."""
    return expression({(at,): (0.4 * mm * side, -mm, 0.0) for at, side in CORNERS.items()})


def blink(share: float) -> Floats:
    """Lids closed by a share of how far they are open."""
    model = head_model().points
    opening = model[list(LOWER_LIDS), 1].mean() - model[list(UPPER_LIDS), 1].mean()
    return expression({UPPER_LIDS: (0.0, share * opening, 0.0)})


def brows(part: str, mm: float) -> Floats:
    """Inner or outer brows raised; lowered where negative."""
    return expression({BROWS[part]: (0.0, -mm, 0.0)})


def rendered(
    head: Floats,
    *,
    rotation: Floats | None = None,
    shift_mm: tuple[float, float, float] = (0.0, 0.0, 600.0),
    looks: tuple[Floats, Floats] | None = None,
) -> Floats:
    """Return 478 landmarks in pixels, with depth as a mesh network has it.

    Parameters
    ----------
    head : ndarray, shape (468, 3)
        The head's points in its own frame, mm.
    rotation : ndarray, shape (3, 3)
        Head to camera.
    shift_mm : tuple of float
        Where the head is.
    looks : two unit vectors
        Gaze of the right and left eye in the camera's axes; into the camera's axis unless given.
    """
    rotation = np.eye(3) if rotation is None else rotation
    shift = np.array(shift_mm)
    placed = head @ rotation.T + shift
    into = np.array([0.0, 0.0, -1.0])
    irises = []
    for corners, look in zip((RIGHT_EYE, LEFT_EYE), looks or (into, into), strict=True):
        ball = Eyeball()
        middle = head_model().points[list(corners)].mean(axis=0)
        middle += np.array([0.0, 0.0, ball.depth_mm])
        iris = rotation @ middle + shift + ball.radius_mm * np.asarray(look)
        irises.append(np.repeat(iris[np.newaxis], 5, axis=0))
    points = np.concatenate([placed, *irises])
    scale = CAMERA.fx / shift[2]  # the network's depth: weak perspective
    depth = (points[:, 2] - shift[2]) * scale
    return np.concatenate([CAMERA.project(points), depth[:, np.newaxis]], axis=1)
