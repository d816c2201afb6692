"""The preview shows mesh, axes and bars; the person only when asked."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from rtaffect.core.errors import FaceError
from rtaffect.core.face_features import FACE_FEATURES
from rtaffect.face import preview
from rtaffect.face.cameras import open_video, read_pictures
from rtaffect.face.extractor import Extractor, FaceFrame
from rtaffect.face.landmarks import Landmarker
from rtaffect.face.preview import BAR_WIDTH, PreviewWindow, draw

Image = npt.NDArray[np.uint8]
NOBODY = FaceFrame(0.0, np.full(29, np.nan), 0.0, False, 0, None, None)


@pytest.fixture
def seen(shared_data: Path, landmarker: Landmarker) -> tuple[Image, FaceFrame]:
    """A picture of a face, and what was found in it."""
    clip = shared_data / "face" / "pyfeat_single_face.mp4"
    picture = next(read_pictures(*open_video(clip)))
    return picture.image, Extractor(landmarker).extract(picture.image, 0.0)


@pytest.mark.recordings
def test_what_is_shown_has_nothing_of_the_picture_unless_asked(
    seen: tuple[Image, FaceFrame],
) -> None:
    image, frame = seen
    height, width = image.shape[:2]
    shown = draw(image, frame, with_picture=False)
    assert shown.shape == (height, width + BAR_WIDTH, 3)
    assert (shown == draw(np.zeros_like(image), frame, with_picture=False)).all()
    open_shown = draw(image, frame, with_picture=True)
    away = frame.landmarks is not None and frame.landmarks.points[:, 0].max() + 100
    assert (open_shown[:, int(away) : width] == image[:, int(away) :, ::-1]).all()


@pytest.mark.recordings
def test_the_mesh_is_drawn_where_the_face_is(seen: tuple[Image, FaceFrame]) -> None:
    image, frame = seen
    shown = draw(image, frame, with_picture=False)[:, : image.shape[1]]
    assert frame.landmarks is not None
    drawn = np.argwhere(shown.any(axis=2))[:, ::-1]
    points = frame.landmarks.points[:468, :2]
    assert (drawn.min(axis=0) <= points.min(axis=0) + 2).all()
    for x, y in points.round().astype(int).tolist():
        assert shown[y - 1 : y + 2, x - 1 : x + 2].any()


def test_a_bar_is_as_long_as_its_unit_is_strong() -> None:
    image = np.zeros((480, 640, 3), dtype=np.uint8)
    lit = []
    for value in (0.0, 2.5, 5.0):
        features = np.zeros(29)
        features[FACE_FEATURES.index("AU12_r")] = value
        frame = FaceFrame(0.0, features, 1.0, False, 0, None, None)
        shown = draw(image, frame, with_picture=False)[:, 640:]
        lit.append(int((shown == preview.FACE).all(axis=2).sum()))
    assert lit[0] < lit[1] < lit[2]
    assert (lit[2] - lit[0]) == pytest.approx(2 * (lit[1] - lit[0]), rel=0.05)


def test_nobody_is_shown_as_nobody() -> None:
    shown = draw(np.full((480, 640, 3), 200, dtype=np.uint8), NOBODY, with_picture=False)
    assert not shown[:, :640].any()


def test_without_a_screen_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview.sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(FaceError, match=r"A preview needs a screen .*DISPLAY is not set"):
        PreviewWindow(with_picture=False)


def test_a_screen_that_does_not_answer_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview.sys, "platform", "linux")
    monkeypatch.setenv("DISPLAY", ":7777")
    with pytest.raises(FaceError, match=r"No window opens on the screen :7777"):
        PreviewWindow(with_picture=False)


def test_an_opencv_without_windows_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_windows(_: str) -> None:
        msg = "The function is not implemented"
        raise cv2.error(msg)

    monkeypatch.setattr(preview.sys, "platform", "darwin")
    monkeypatch.setattr(preview.cv2, "namedWindow", no_windows)
    with pytest.raises(FaceError, match="not the headless one"):
        PreviewWindow(with_picture=False)
