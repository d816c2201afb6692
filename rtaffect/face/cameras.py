"""Cameras and video files by OpenCV: opened, asked for a mode, and read back what they do."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from rtaffect.core.errors import FaceError
from rtaffect.face.pictures import Picture

MAX_CAMERAS = 10
"""Numbers that `list_cameras` tries."""

LARGEST_SIDE = 8192
DEFAULT_SFREQ = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraMode:
    """What is asked of a camera, or what it does.

    Parameters
    ----------
    width, height : int
        Pixels.
    sfreq : float
        Pictures a second; 0 where it does not say.
    fourcc : str
        How pictures travel: MJPG leaves room on the bus for 30 of them a second.
    n_buffered : int
        Pictures that the driver keeps; each is as old as the camera's period when it comes out.
    """

    width: int = 640
    height: int = 480
    sfreq: float = DEFAULT_SFREQ
    fourcc: str = "MJPG"
    n_buffered: int = 1

    def __str__(self) -> str:
        told = f"{self.width} x {self.height}, {self.sfreq:g} pictures a second, {self.fourcc}"
        return told if self.n_buffered == 1 else f"{told}, {self.n_buffered} buffered"


def open_camera(number: int, mode: CameraMode) -> tuple[cv2.VideoCapture, CameraMode]:
    """Open a camera and return it with the mode that it is really in.

    Raises
    ------
    FaceError
        There is no such camera, another program has it, or it gives no picture.
    """
    capture = cv2.VideoCapture(number)
    if not capture.isOpened():
        capture.release()
        msg = (
            f"Camera {number} must be connected and free, but it does not open. `rtaffect face "
            "--list` shows the cameras; another program may hold it, or on macOS the terminal may "
            "lack the right to use it."
        )
        raise FaceError(msg)
    # The format comes first: some drivers set size and rate back when it changes.
    capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*mode.fourcc))
    capture.set(cv2.CAP_PROP_FRAME_WIDTH, mode.width)
    capture.set(cv2.CAP_PROP_FRAME_HEIGHT, mode.height)
    capture.set(cv2.CAP_PROP_FPS, mode.sfreq)
    capture.set(
        cv2.CAP_PROP_BUFFERSIZE, mode.n_buffered
    )  # the newest picture, not the oldest of a queue
    if not capture.grab():
        capture.release()
        msg = f"Camera {number} opens but gives no picture. Disconnect it and connect it again."
        raise FaceError(msg)
    return capture, _mode_of(capture)


def open_video(path: Path) -> tuple[cv2.VideoCapture, CameraMode]:
    """Open a video file.

    Raises
    ------
    FaceError
        There is no such file, or OpenCV cannot read it as a video.
    """
    if not path.is_file():
        msg = f"There is no video file {path}."
        raise FaceError(msg)
    capture = cv2.VideoCapture(str(path))
    mode = _mode_of(capture)
    if not capture.isOpened() or not 0 < max(mode.width, mode.height) <= LARGEST_SIDE:
        capture.release()
        msg = f"{path} must be a video that OpenCV reads (mp4, mov, avi, webm ...), it is not."
        raise FaceError(msg)
    return capture, mode


def read_pictures(capture: cv2.VideoCapture, mode: CameraMode) -> Iterator[Picture]:
    """Yield every picture of a video file as fast as they are taken, and let go of it.

    The time of a picture is its number over the rate, as OpenFace has it; a file without a rate
    counts as one of 30 pictures a second.
    """
    sfreq = mode.sfreq or DEFAULT_SFREQ
    number = 0
    try:
        while True:
            ok, image = capture.read()
            if not ok:
                return
            rgb = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)
            yield Picture(rgb, number / sfreq)
            number += 1
    finally:
        capture.release()


def list_cameras() -> list[tuple[int, str, CameraMode]]:
    """Return number, name and mode of every camera that opens right now."""
    found = []
    for number in _numbers():
        try:
            capture, mode = open_camera(number, CameraMode())
        except FaceError:
            continue
        capture.release()
        found.append((number, _name(number), mode))
    return found


def _numbers() -> list[int]:
    if sys.platform.startswith("linux"):
        files = Path("/dev").glob("video*")
        names = [file.name.removeprefix("video") for file in files]
        return sorted(int(name) for name in names if name.isdigit())
    return list(range(MAX_CAMERAS))


def _name(number: int) -> str:
    told = Path(f"/sys/class/video4linux/video{number}/name")
    return told.read_text("utf-8", errors="replace").strip() if told.is_file() else ""


def _mode_of(capture: cv2.VideoCapture) -> CameraMode:
    code = int(capture.get(cv2.CAP_PROP_FOURCC))
    letters = "".join(chr((code >> shift) & 0xFF) for shift in (0, 8, 16, 24))
    return CameraMode(
        width=int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
        height=int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
        sfreq=max(0.0, float(capture.get(cv2.CAP_PROP_FPS))),
        fourcc=letters if letters.isprintable() and letters.strip() else "unknown format",
        n_buffered=max(1, int(capture.get(cv2.CAP_PROP_BUFFERSIZE))),  # 0 where it does not say
    )
