"""MediaPipe's own pipelines, where somebody has them: the mesh of 0.10.21, or a ``.task`` file."""

import contextlib
import os
from pathlib import Path
from typing import Any

import numpy as np

from rtaffect.core.errors import FaceError
from rtaffect.face.crop import Floats, Image
from rtaffect.face.landmarks import N_IRIS, N_MESH, Landmarks, corners_in_mesh

N_POINTS = N_MESH + 2 * N_IRIS


class MediapipeMesh:
    """The attention mesh of mediapipe 0.10.21, the last with networks in its wheel."""

    def __init__(self) -> None:
        mediapipe = _mediapipe()
        self.name = f"mediapipe {mediapipe.__version__}"
        self._followed = _Followed()
        try:
            make = mediapipe.solutions.face_mesh.FaceMesh
        except AttributeError as error:
            msg = (
                f"mediapipe {mediapipe.__version__} carries no networks; 0.10.21 was the last that "
                "does. Install that one, or name a .task file."
            )
            raise FaceError(msg) from error
        self._mesh = make(refine_landmarks=True, max_num_faces=2)
        self._mesh.process(np.zeros((480, 640, 3), dtype=np.uint8))  # the first takes the longest

    @property
    def n_faces(self) -> int:
        """How many faces were there, two at most."""
        return self._followed.n_faces

    def forget(self) -> None:
        """Look for a face anew."""
        self._followed = _Followed()
        self._mesh.reset()

    def find(self, image: Image) -> Landmarks | None:
        """Return the landmarks of the face that is followed, or None."""
        faces = self._mesh.process(image).multi_face_landmarks or []
        return self._followed.among([_points(face.landmark, image) for face in faces])


class MediapipeTask:
    """A face landmarker of MediaPipe Tasks.

    Parameters
    ----------
    path : Path
        The user's own ``.task`` file.

    Raises
    ------
    FaceError
        mediapipe is not there, or refuses the file.
    """

    def __init__(self, path: Path) -> None:
        mediapipe = _mediapipe()
        self.name = f"mediapipe {mediapipe.__version__}, {path.name}"
        self._followed = _Followed()
        self._mediapipe = mediapipe
        vision = mediapipe.tasks.vision
        options = vision.FaceLandmarkerOptions(
            base_options=mediapipe.tasks.BaseOptions(model_asset_path=str(path)), num_faces=2
        )
        try:
            self._landmarker = vision.FaceLandmarker.create_from_options(options)
        except (OSError, RuntimeError, ValueError) as error:
            msg = f"{path} must be a face landmarker of MediaPipe, but it says: {error}"
            raise FaceError(msg) from error

    @property
    def n_faces(self) -> int:
        """How many faces were there, two at most."""
        return self._followed.n_faces

    def forget(self) -> None:
        """Look for a face anew."""
        self._followed = _Followed()

    def find(self, image: Image) -> Landmarks | None:
        """Return the landmarks of the face that is followed, or None."""
        srgb = self._mediapipe.ImageFormat.SRGB
        picture = self._mediapipe.Image(image_format=srgb, data=image)
        faces = self._landmarker.detect(picture).face_landmarks
        return self._followed.among([_points(face, image) for face in faces])


def _mediapipe() -> Any:
    os.environ.setdefault("GLOG_minloglevel", "2")  # its remarks are not for our user's screen
    with contextlib.suppress(ImportError):
        import mediapipe

        return mediapipe
    msg = "mediapipe must be installed for this: `pip install mediapipe==0.10.21`."
    raise FaceError(msg)


def _points(landmarks: Any, image: Image) -> Floats:
    """Return points in pixels; depth has the unit of x."""
    height, width = image.shape[:2]
    points = np.array([(p.x * width, p.y * height, p.z * width) for p in landmarks])
    if len(points) == N_POINTS:
        # MediaPipe has the left iris of the picture second, as we do: 468 is the person's right.
        return points
    msg = f"A face must have {N_POINTS} points (with irises), got {len(points)}."
    raise FaceError(msg)


class _Followed:
    """Which of the faces is meant: the largest, then the one nearest to where that was."""

    def __init__(self) -> None:
        self.n_faces = 0
        self._middle: Floats | None = None

    def among(self, faces: list[Floats]) -> Landmarks | None:
        """Return the face that is followed; None where there is none."""
        self.n_faces = len(faces)
        if not faces:
            self._middle = None
            return None
        middle = self._middle
        if middle is None:
            face = max(faces, key=lambda points: float(np.ptp(points[:, 0])))
        else:
            face = min(faces, key=lambda points: float(np.linalg.norm(_middle(points) - middle)))
        self._middle = _middle(face)
        # Its mesh has looked at the eyes closely itself.
        return Landmarks(face, 1.0, corners_in_mesh(face))


def _middle(points: Floats) -> Floats:
    return np.asarray(points[:, :2].mean(axis=0))
