"""478 points of one face: a mesh of 468 (Kartynnik et al. 2019, arXiv:1907.06724) and two irises.

The face of the last picture says where to look in the next one; the detector is asked only when
there is none, and now and then to count faces.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from rtaffect.face.crop import Floats, Image, Square
from rtaffect.face.detector import FACE_MARGIN, Detector, Network

MESH_SIDE, IRIS_SIDE = 192, 64
N_MESH, N_IRIS = 468, 5

RIGHT_EYE, LEFT_EYE = (33, 133), (263, 362)
"""Outer and inner corner of the person's right and left eye in the mesh."""

CONTOUR_CORNERS = (0, 8)
"""Outer and inner corner among the points that the iris network gives around an eye."""

EYE_MARGIN = 2.3
"""Side of the square that the iris network wants, over the distance of an eye's corners."""

COUNT_EVERY = 30
"""Pictures between two counts of faces while one is followed."""


@dataclass(frozen=True, slots=True, eq=False)
class Landmarks:
    """The face that is followed.

    Parameters
    ----------
    points : ndarray of float64, shape (478, 3)
        x, y in pixels and relative depth: the mesh, then five points (centre first) of the person's
        right iris (468 to 472) and of the left one (473 to 477).
    score : float
        How sure the network is that this is a face, from 0 to 1.
    eyes : ndarray of float64, shape (2, 2, 2)
        Outer and inner corner of the right eye and of the left one, x and y in pixels, by whatever
        looked at them most closely: a gaze turns by degrees with each pixel that they are off.
    """

    points: Floats
    score: float
    eyes: Floats


class Landmarker(Protocol):
    """A way to get landmarks. `find` is called by one thread, with pictures in order of time."""

    @property
    def name(self) -> str:
        """What runs, for people and for the stream's description."""

    @property
    def n_faces(self) -> int:
        """How many faces were there when they were last counted."""

    def find(self, image: Image) -> Landmarks | None:
        """Return the landmarks of the face that is followed, or None where there is none.

        Parameters
        ----------
        image : ndarray of uint8, shape (height, width, 3)
            RGB.
        """

    def forget(self) -> None:
        """Look for a face anew: what comes next has nothing to do with what came before."""


class MeshLandmarker:
    """Runs the three networks one after the other.

    Parameters
    ----------
    name : str
        What runs them.
    detector : Detector
        Finds faces.
    mesh, iris : Network
        The face mesh, and the iris of one eye.
    min_score : float
        Below it the face counts as lost.
    """

    def __init__(
        self, name: str, *, detector: Detector, mesh: Network, iris: Network, min_score: float = 0.5
    ) -> None:
        self._name = name
        self._detector = detector
        self._mesh = mesh
        self._iris = iris
        self._min_score = min_score
        self._square: Square | None = None
        self._n_faces = 0
        self._since_count = 0

    @property
    def name(self) -> str:
        """What runs."""
        return self._name

    @property
    def n_faces(self) -> int:
        """How many faces were there when they were last counted."""
        return self._n_faces

    def forget(self) -> None:
        """Look for a face anew."""
        self._square = None

    def find(self, image: Image) -> Landmarks | None:
        """Return the landmarks of the largest face, followed as long as it stays."""
        self._since_count += 1
        if self._square is None or self._since_count >= COUNT_EVERY:
            found = self._detector.find(image)
            self._n_faces, self._since_count = len(found), 0
            if self._square is None:
                if not found:
                    return None
                self._square = found[0].square
        landmarks = self._look(image, self._square)
        self._square = None if landmarks is None else square_around(landmarks.points)
        return landmarks

    def _look(self, image: Image, square: Square) -> Landmarks | None:
        outputs = self._mesh.run(square.cut(image, MESH_SIDE).astype(np.float32) / 255.0)
        logit = float(np.clip(outputs["conv2d_31"].ravel()[0], -80.0, 80.0))
        score = 1.0 / (1.0 + math.exp(-logit))
        if score < self._min_score:
            return None
        raw = outputs["conv2d_21"].reshape(N_MESH, 3).astype(np.float64)
        mesh = square.place(raw, MESH_SIDE)
        # The network knows the person's right eye; the left one is shown to it in a mirror.
        eyes = [
            self._eye_of(image, mesh[list(corners)], mirrored=mirrored)
            for corners, mirrored in ((RIGHT_EYE, False), (LEFT_EYE, True))
        ]
        points = np.concatenate([mesh, *(iris for iris, _ in eyes)])
        return Landmarks(points, score, np.stack([corners for _, corners in eyes]))

    def _eye_of(self, image: Image, corners: Floats, *, mirrored: bool) -> tuple[Floats, Floats]:
        """Return the iris, and the corners as the closer look has them, shapes (5, 3), (2, 2)."""
        (x_0, y_0), (x_1, y_1) = corners[:, :2]
        # From the screen's left to its right: the right eye's outer corner, the left eye's inner.
        angle = math.atan2(y_0 - y_1, x_0 - x_1) if mirrored else math.atan2(y_1 - y_0, x_1 - x_0)
        side = EYE_MARGIN * math.hypot(x_1 - x_0, y_1 - y_0)
        square = Square((x_0 + x_1) / 2, (y_0 + y_1) / 2, side, angle)
        cut = square.cut(image, IRIS_SIDE, mirrored=mirrored).astype(np.float32) / 255.0
        outputs = self._iris.run(cut)
        iris, contour = (
            square.place(
                outputs[name].reshape(-1, 3).astype(np.float64), IRIS_SIDE, mirrored=mirrored
            )
            for name in ("output_iris", "output_eyes_contours_and_brows")
        )
        iris[:, 2] += corners[:, 2].mean()
        return iris, contour[list(CONTOUR_CORNERS), :2]


def corners_in_mesh(points: Floats) -> Floats:
    """Return the corners of the eyes as the mesh has them, shape (2, 2, 2); see `Landmarks`."""
    return np.stack([points[list(corners), :2] for corners in (RIGHT_EYE, LEFT_EYE)])


def square_around(points: Floats) -> Square:
    """Return the square in which to look for the same face in the next picture."""
    (x_0, y_0), (x_1, y_1) = points[RIGHT_EYE[0], :2], points[LEFT_EYE[0], :2]
    angle = math.atan2(y_1 - y_0, x_1 - x_0)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    upright = points[:N_MESH, :2] @ turn
    low, high = upright.min(axis=0), upright.max(axis=0)
    x, y = turn @ ((low + high) / 2)
    return Square(float(x), float(y), FACE_MARGIN * float((high - low).max()), angle)
