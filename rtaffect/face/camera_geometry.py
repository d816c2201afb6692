"""How a camera projects: focal lengths and centre, given or by OpenFace's rule."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Intrinsics:
    """A pinhole camera without distortion.

    Parameters
    ----------
    fx, fy : float
        Focal lengths in pixels.
    cx, cy : float
        Where its axis meets the picture, in pixels.
    """

    fx: float
    fy: float
    cx: float
    cy: float

    @classmethod
    def of_picture(cls, width: int, height: int) -> "Intrinsics":
        """Return what OpenFace takes of an unknown camera: about 65 degrees across 640 pixels."""
        focal = (500.0 * width / 640.0 + 500.0 * height / 480.0) / 2.0
        return cls(fx=focal, fy=focal, cx=width / 2.0, cy=height / 2.0)

    @property
    def matrix(self) -> Floats:
        """The camera matrix, shape (3, 3)."""
        return np.array([[self.fx, 0.0, self.cx], [0.0, self.fy, self.cy], [0.0, 0.0, 1.0]])

    def project(self, points: Floats) -> Floats:
        """Return where points (mm, camera's axes, (n, 3)) lie in the picture, shape (n, 2)."""
        x, y, z = points.T
        return np.stack([self.fx * x / z + self.cx, self.fy * y / z + self.cy], axis=1)

    def ray(self, point: Floats) -> Floats:
        """Return the unit vector from the camera through a point of the picture."""
        direction = np.array(
            [(point[0] - self.cx) / self.fx, (point[1] - self.cy) / self.fy, 1.0], dtype=np.float64
        )
        return np.asarray(direction / np.linalg.norm(direction))
