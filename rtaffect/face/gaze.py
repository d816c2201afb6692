"""Where the eyes look: the ray through an iris meets the eyeball, behind where the eye is seen.

OpenFace's convention: a unit vector for each eye in the camera's axes, eye 0 the one further left
in the picture (the person's right); a look into the camera has z close to -1.
"""

import math
from dataclasses import dataclass

import numpy as np

from rtaffect.face.camera_geometry import Floats, Intrinsics
from rtaffect.face.head_model import head_model
from rtaffect.face.landmarks import LEFT_EYE, N_IRIS, N_MESH, RIGHT_EYE, Landmarks
from rtaffect.face.pose import Pose


@dataclass(frozen=True, slots=True, kw_only=True)
class Eyeball:
    """The sphere on which an iris moves.

    Parameters
    ----------
    radius_mm : float
        From its centre to the iris.
    depth_mm : float
        How far its centre lies behind the middle between the corners of the eye.
    """

    radius_mm: float = 12.0
    depth_mm: float = 6.0


def gaze(landmarks: Landmarks, pose: Pose, intrinsics: Intrinsics, eyeball: Eyeball) -> Floats:
    """Return the two gaze vectors.

    Parameters
    ----------
    landmarks : Landmarks
        The face.
    pose : Pose
        The head.
    intrinsics : Intrinsics
        The camera.
    eyeball : Eyeball
        The eye.

    Returns
    -------
    ndarray of float64, shape (2, 3)
        Unit vectors: the person's right eye, then the left one.
    """
    vectors = np.empty((2, 3))
    for eye, corners in enumerate((RIGHT_EYE, LEFT_EYE)):
        middle = head_model().points[list(corners)].mean(axis=0)
        depth_mm = float((pose.rotation @ middle + pose.shift_mm)[2])
        # Where this person's eye is seen, not where the average head has it: a pixel is degrees.
        seen = intrinsics.ray(landmarks.eyes[eye].mean(axis=0))
        centre = seen * (depth_mm / seen[2]) + pose.rotation[:, 2] * eyeball.depth_mm
        iris = intrinsics.ray(landmarks.points[N_MESH + eye * N_IRIS, :2])
        vectors[eye] = _towards(iris, centre, eyeball.radius_mm)
    return vectors


def _towards(ray: Floats, centre: Floats, radius: float) -> Floats:
    """Return the direction from a sphere's centre to where a ray first meets it, or passes it."""
    along = float(ray @ centre)
    nearest_squared = float(centre @ centre) - along**2
    before = math.sqrt(max(0.0, radius**2 - nearest_squared))
    direction = (along - before) * ray - centre
    return np.asarray(direction / np.linalg.norm(direction))
