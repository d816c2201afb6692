"""Turned squares of a picture, cut out for a network, and the way back for what it found there."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Square:
    """A square in a picture.

    Parameters
    ----------
    x, y : float
        Its centre in pixels.
    side : float
        Its length in pixels.
    angle : float
        By how much it is turned, in radians, clockwise as seen on the screen.
    """

    x: float
    y: float
    side: float
    angle: float

    def _axes(self, n: int) -> tuple[float, float]:
        scale = self.side / n
        return scale * math.cos(self.angle), scale * math.sin(self.angle)

    def cut(self, image: Image, n: int, *, mirrored: bool = False) -> Image:
        """Return the square as ``n`` x ``n`` pixels; what lies outside the picture is black.

        Parameters
        ----------
        image : ndarray of uint8, shape (height, width, 3)
            The picture.
        n : int
            Pixels along a side.
        mirrored : bool
            Left and right exchanged, for a network that knows one eye only.
        """
        c, s = self._axes(n)
        sign = -1.0 if mirrored else 1.0
        half = (n - 1) / 2
        # From pixels of the square to those of the picture, as warpAffine wants it.
        matrix = np.array(
            [
                [sign * c, -s, self.x - half * (sign * c - s)],
                [sign * s, c, self.y - half * (sign * s + c)],
            ]
        )
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return np.asarray(cv2.warpAffine(image, matrix, (n, n), flags=flags), dtype=np.uint8)

    def place(self, points: Floats, n: int, *, mirrored: bool = False) -> Floats:
        """Return points of the ``n`` x ``n`` pixels as points of the picture.

        Parameters
        ----------
        points : ndarray, shape (n_points, 3)
            x, y, and depth in the same unit.
        n : int
            Pixels along a side.
        mirrored : bool
            As in `cut`.
        """
        c, s = self._axes(n)
        half = (n - 1) / 2
        x = (points[:, 0] - half) * (-1.0 if mirrored else 1.0)
        y = points[:, 1] - half
        depth = points[:, 2] * (self.side / n)
        return np.stack([self.x + c * x - s * y, self.y + s * x + c * y, depth], axis=1)
