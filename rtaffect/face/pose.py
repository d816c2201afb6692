"""Where the head is and how it is turned: the head model laid into the picture (solvePnP)."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from rtaffect.face.camera_geometry import Floats, Intrinsics
from rtaffect.face.head_model import STABLE, head_model

FARTHEST_MM, NEAREST_MM = 10_000.0, 50.0


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """The head in the camera's axes: x right, y down, z away from the camera.

    Parameters
    ----------
    shift_mm : ndarray, shape (3,)
        Where the head model's origin is.
    rotation : ndarray, shape (3, 3)
        Head to camera; the identity for a head that looks straight into the camera.
    error_px : float
        Root mean square distance between the points and where the model puts them.
    """

    shift_mm: Floats
    rotation: Floats
    error_px: float

    @property
    def angles_rad(self) -> tuple[float, float, float]:
        """Pitch, yaw and roll as OpenFace has them: ``rotation = Rx @ Ry @ Rz``."""
        r = self.rotation
        return (
            math.atan2(-r[1, 2], r[2, 2]),
            math.asin(float(np.clip(r[0, 2], -1.0, 1.0))),
            math.atan2(-r[0, 1], r[0, 0]),
        )


class PoseSolver:
    """Follows one head; each solution starts from the last.

    Parameters
    ----------
    intrinsics : Intrinsics
        The camera.
    """

    def __init__(self, intrinsics: Intrinsics) -> None:
        self._intrinsics = intrinsics
        self._model = np.ascontiguousarray(head_model().points[list(STABLE)])
        self._last: tuple[Floats, Floats] | None = None

    def forget(self) -> None:
        """Start anew: another head, or none for a while."""
        self._last = None

    def solve(self, points: Floats) -> Pose | None:
        """Return the pose that explains the landmarks best, or None where none does.

        Parameters
        ----------
        points : ndarray, shape (>= 468, 2 or more)
            Landmarks in pixels.
        """
        seen = np.ascontiguousarray(points[list(STABLE), :2])
        matrix = self._intrinsics.matrix
        first = self._last or self._first(seen)
        if first is None:
            return None
        ok, turn, shift = cv2.solvePnP(
            self._model,
            seen,
            matrix,
            None,
            first[0].copy(),  # both are written to
            first[1].copy(),
            useExtrinsicGuess=True,
            flags=cv2.SOLVEPNP_ITERATIVE,
        )
        if not ok or not NEAREST_MM < float(shift[2, 0]) < FARTHEST_MM:
            self.forget()
            return None
        self._last = (np.asarray(turn, dtype=np.float64), np.asarray(shift, dtype=np.float64))
        rotation = np.asarray(cv2.Rodrigues(turn)[0], dtype=np.float64)
        shift_mm = np.asarray(shift[:, 0], dtype=np.float64)
        put = self._intrinsics.project(self._model @ rotation.T + shift_mm)
        error_px = float(np.sqrt(((put - seen) ** 2).sum(axis=1).mean()))
        return Pose(shift_mm, rotation, error_px)

    def _first(self, seen: Floats) -> tuple[Floats, Floats] | None:
        """Return a pose to begin with, which needs no guess."""
        ok, turn, shift = cv2.solvePnP(
            self._model, seen, self._intrinsics.matrix, None, flags=cv2.SOLVEPNP_SQPNP
        )
        if not ok:
            return None
        return np.asarray(turn, dtype=np.float64), np.asarray(shift, dtype=np.float64)
