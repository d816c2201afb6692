"""A window that shows what is tracked: mesh, axes, gaze and action units, not the person.

The picture itself is drawn only when somebody asks for it. Nothing is kept.
"""

import os
import subprocess
import sys

import cv2
import numpy as np

from rtaffect.core.errors import FaceError
from rtaffect.core.face_features import FACE_FEATURES
from rtaffect.face.camera_geometry import Intrinsics
from rtaffect.face.crop import Floats, Image
from rtaffect.face.extractor import FaceFrame
from rtaffect.face.landmarks import LEFT_EYE, N_MESH, RIGHT_EYE
from rtaffect.face.pictures import Picture

TITLE = "rtaffect face"
NEEDS = (
    "A preview needs a screen and an OpenCV with windows (pip install opencv-python, not the "
    "headless one)."
)
TRY_S = 20.0
AXIS_MM = 60.0
GAZE_MM = 80.0
BAR_WIDTH = 150
FIRST_UNIT = 12
INK, DIM, FACE = (230, 230, 230), (110, 110, 110), (170, 200, 120)
AXES = ((80, 80, 230), (80, 200, 80), (230, 160, 60))
"""Red, green and blue for x, y and z, in OpenCV's order of colours (blue first)."""


def draw(image: Image, frame: FaceFrame, *, with_picture: bool) -> Image:
    """Return what the window shows.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width, 3)
        RGB; only its size is used unless the picture is asked for.
    frame : FaceFrame
        What was found in it.
    with_picture : bool
        Draw over the picture instead of over black.

    Returns
    -------
    ndarray of uint8, shape (height, width + 150, 3)
        BGR, as `cv2.imshow` wants it.
    """
    height, width = image.shape[:2]
    canvas = np.zeros((height, width + BAR_WIDTH, 3), dtype=np.uint8)
    if with_picture:
        canvas[:, :width] = image[:, :, ::-1]
    if frame.landmarks is not None:
        for x, y, _ in frame.landmarks.points[:N_MESH].tolist():
            cv2.circle(canvas, (round(x), round(y)), 1, FACE, -1)
        for x, y, _ in frame.landmarks.points[N_MESH:].tolist():
            cv2.circle(canvas, (round(x), round(y)), 1, INK, -1)
        _draw_directions(canvas, frame, Intrinsics.of_picture(width, height))
    _draw_bars(canvas, frame, width)
    return canvas


class PreviewWindow:
    """The window; a `rtaffect.face.process.FrameSink`.

    Parameters
    ----------
    with_picture : bool
        Show the person, too.

    Raises
    ------
    FaceError
        This OpenCV has no windows (``opencv-python-headless``), or there is no screen.
    """

    def __init__(self, *, with_picture: bool) -> None:
        self._with_picture = with_picture
        if sys.platform.startswith("linux"):
            _require_screen()
        try:
            cv2.namedWindow(TITLE)
        except cv2.error as error:
            raise FaceError(NEEDS) from error

    def show(self, picture: Picture, frame: FaceFrame) -> None:
        """Draw a frame."""
        cv2.imshow(TITLE, draw(picture.image, frame, with_picture=self._with_picture))
        cv2.waitKey(1)

    def close(self) -> None:
        """Close the window."""
        cv2.destroyWindow(TITLE)


def _require_screen() -> None:
    """Look whether a window opens: Qt, which draws it on Linux, ends the whole process if not."""
    display = os.environ.get("DISPLAY")
    if not display:
        msg = f"{NEEDS} There is no screen: DISPLAY is not set."
        raise FaceError(msg)
    command = [sys.executable, "-c", "import cv2; cv2.namedWindow('rtaffect')"]
    try:
        code = subprocess.run(command, capture_output=True, check=False, timeout=TRY_S).returncode  # noqa: S603
    except subprocess.TimeoutExpired:
        code = -1
    if code != 0:
        msg = f"{NEEDS} No window opens on the screen {display} (DISPLAY)."
        raise FaceError(msg)


def _draw_directions(canvas: Image, frame: FaceFrame, camera: Intrinsics) -> None:
    pose, landmarks = frame.pose, frame.landmarks
    assert pose is not None
    assert landmarks is not None
    tips = np.concatenate([np.zeros((1, 3)), AXIS_MM * np.eye(3)]) @ pose.rotation.T + pose.shift_mm
    start, *ends = _pixels(camera.project(tips))
    for end, colour in zip(ends, AXES, strict=True):
        cv2.line(canvas, start, end, colour, 2)
    scale = camera.fx / pose.shift_mm[2]
    for eye, corners in enumerate((RIGHT_EYE, LEFT_EYE)):
        middle = landmarks.points[list(corners), :2].mean(axis=0)
        looks = middle + GAZE_MM * scale * frame.features[3 * eye : 3 * eye + 2]
        begin, end = _pixels(np.stack([middle, looks]))
        cv2.line(canvas, begin, end, INK, 1)


def _draw_bars(canvas: Image, frame: FaceFrame, left: int) -> None:
    names = FACE_FEATURES[FIRST_UNIT:]
    step = canvas.shape[0] / (len(names) + 1)
    for i, (name, value) in enumerate(zip(names, frame.features[FIRST_UNIT:], strict=True)):
        y = round((i + 1) * step)
        label = name.removesuffix("_r")
        cv2.putText(canvas, label, (left + 4, y), cv2.FONT_HERSHEY_SIMPLEX, 0.35, INK, 1)
        end = left + 45 + round(100 * float(np.nan_to_num(value)) / 5)
        cv2.rectangle(canvas, (left + 45, y - 8), (left + 145, y), DIM, 1)
        cv2.rectangle(canvas, (left + 45, y - 8), (end, y), FACE, -1)


def _pixels(points: Floats) -> list[tuple[int, int]]:
    return [(round(x), round(y)) for x, y in points.tolist()]
