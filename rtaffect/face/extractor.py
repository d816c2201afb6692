"""A picture becomes OpenFace's 29 features."""

from dataclasses import dataclass

import numpy as np

from rtaffect.core.face_features import FACE_FEATURES
from rtaffect.face.action_units import distances, in_head_frame, intensities
from rtaffect.face.camera_geometry import Floats, Intrinsics
from rtaffect.face.crop import Image
from rtaffect.face.gaze import Eyeball, gaze
from rtaffect.face.landmarks import Landmarker, Landmarks
from rtaffect.face.neutral import Neutral, NeutralSettings
from rtaffect.face.pose import Pose, PoseSolver

MAX_ERROR = 0.06
"""Landmarks whose pose misses them by more than this share of the face's width are no face."""


@dataclass(frozen=True, slots=True, eq=False)
class FaceFrame:
    """What one picture says.

    Parameters
    ----------
    t_s : float
        When it was taken, in seconds.
    features : ndarray of float64, shape (29,)
        In the order of `FACE_FEATURES`; all NaN without a face, the action units NaN until the
        person's neutral face is known.
    confidence : float
        From 0 to 1.
    success : bool
        There is a face, and its pose explains it.
    n_faces : int
        Faces in the picture when they were last counted; one is followed.
    landmarks : Landmarks or None
        For a preview.
    pose : Pose or None
        For a preview.
    """

    t_s: float
    features: Floats
    confidence: float
    success: bool
    n_faces: int
    landmarks: Landmarks | None
    pose: Pose | None


class Extractor:
    """Follows the face in front of one camera.

    Parameters
    ----------
    landmarker : Landmarker
        Finds the points of a face.
    intrinsics : Intrinsics, optional
        The camera; by OpenFace's rule for the size of the pictures unless given.
    neutral : NeutralSettings
        How the person's face at rest is found.
    eyeball : Eyeball
        For the gaze.
    """

    def __init__(
        self,
        landmarker: Landmarker,
        *,
        intrinsics: Intrinsics | None = None,
        neutral: NeutralSettings | None = None,
        eyeball: Eyeball | None = None,
    ) -> None:
        self._landmarker = landmarker
        self._given = intrinsics
        self._eyeball = eyeball or Eyeball()
        self._size: tuple[int, ...] = ()
        self._use(intrinsics or Intrinsics.of_picture(640, 480))  # until there is a picture
        self.neutral = Neutral(neutral or NeutralSettings())

    def extract(self, image: Image, t_s: float) -> FaceFrame:
        """Return the features of a picture.

        Parameters
        ----------
        image : ndarray of uint8, shape (height, width, 3)
            RGB. Its size changes where a camera comes back in another mode.
        t_s : float
            When it was taken, in seconds; it only grows.
        """
        if image.shape[:2] != self._size:
            self._resize(image.shape[:2])
        landmarks = self._landmarker.find(image)
        pose = None if landmarks is None else self._solver.solve(landmarks.points)
        if landmarks is None or pose is None or not _explains(pose, landmarks):
            self._solver.forget()
            if landmarks is not None:
                self._landmarker.forget()
            nothing = np.full(len(FACE_FEATURES), np.nan)
            return FaceFrame(t_s, nothing, 0.0, False, self._landmarker.n_faces, None, None)
        measured = distances(in_head_frame(landmarks.points))
        self.neutral.push(t_s, measured)
        rest = self.neutral.value
        units = np.full(len(measured), np.nan) if rest is None else intensities(measured, rest)
        looks = gaze(landmarks, pose, self._intrinsics, self._eyeball)
        features = np.concatenate([looks.ravel(), pose.shift_mm, pose.angles_rad, units])
        n_faces = max(1, self._landmarker.n_faces)
        return FaceFrame(t_s, features, landmarks.score, True, n_faces, landmarks, pose)

    def _resize(self, size: tuple[int, ...]) -> None:
        """Begin with pictures of another size: pixels are other angles, and the face moved."""
        if self._size:
            self._landmarker.forget()
        self._size = size
        self._use(self._given or Intrinsics.of_picture(size[1], size[0]))

    def _use(self, intrinsics: Intrinsics) -> None:
        self._intrinsics = intrinsics
        self._solver = PoseSolver(intrinsics)


def _explains(pose: Pose, landmarks: Landmarks) -> bool:
    width = float(np.ptp(landmarks.points[:, 0]))
    return pose.error_px <= MAX_ERROR * width
