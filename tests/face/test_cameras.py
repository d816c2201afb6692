"""What a camera is asked for, and what it is believed to do: only what is read back."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from rtaffect.core.errors import FaceError
from rtaffect.face import cameras
from rtaffect.face.cameras import CameraMode, list_cameras, open_camera

Driver = Callable[[int, float], float | None]


class FakeCapture:
    """A camera whose driver makes of each wish what it likes."""

    def __init__(self, driver: Driver, *, opens: bool = True, gives: bool = True) -> None:
        self._driver, self._opens, self._gives = driver, opens, gives
        self.asked: list[int] = []
        self.values: dict[int, float] = {}
        self.released = False

    def isOpened(self) -> bool:
        return self._opens

    def set(self, prop: int, value: float) -> bool:
        self.asked.append(prop)
        given = self._driver(prop, value)
        if given is not None:
            self.values[prop] = given
        return given == value

    def get(self, prop: int) -> float:
        return self.values.get(prop, 0.0)

    def grab(self) -> bool:
        return self._gives

    def release(self) -> None:
        self.released = True


@pytest.fixture
def plugged(monkeypatch: pytest.MonkeyPatch) -> dict[int, FakeCapture]:
    """The cameras that are there, by number."""
    there: dict[int, FakeCapture] = {}
    nothing = FakeCapture(lambda _prop, _value: None, opens=False)
    monkeypatch.setattr(cameras.cv2, "VideoCapture", lambda number: there.get(number, nothing))
    monkeypatch.setattr(cameras, "_numbers", lambda: [0, 1, 2])
    return there


def obedient(_: int, value: float) -> float:
    return value


def stubborn(prop: int, value: float) -> float | None:
    """Does half the rate of what it is asked for, keeps four pictures and its own format."""
    told = {
        cv2.CAP_PROP_FPS: value / 2,
        cv2.CAP_PROP_BUFFERSIZE: 4.0,
        cv2.CAP_PROP_FOURCC: float(cv2.VideoWriter.fourcc(*"YUYV")),
    }
    return told.get(prop, value)


def test_a_camera_that_obeys_is_in_the_mode_it_was_asked_for(
    plugged: dict[int, FakeCapture],
) -> None:
    plugged[0] = FakeCapture(obedient)
    mode = CameraMode(width=1280, height=720, sfreq=60.0)
    assert open_camera(0, mode)[1] == mode
    assert plugged[0].asked[0] == cv2.CAP_PROP_FOURCC  # others are set back when it changes
    assert not plugged[0].released


def test_what_a_driver_makes_of_a_wish_is_read_back(plugged: dict[int, FakeCapture]) -> None:
    plugged[0] = FakeCapture(stubborn)
    _, mode = open_camera(0, CameraMode())
    assert mode == CameraMode(sfreq=15.0, fourcc="YUYV", n_buffered=4)
    assert str(mode) == "640 x 480, 15 pictures a second, YUYV, 4 buffered"


def test_a_camera_that_says_nothing_is_said_to_say_nothing(
    plugged: dict[int, FakeCapture],
) -> None:
    plugged[0] = FakeCapture(lambda _prop, _value: None)
    _, mode = open_camera(0, CameraMode())
    assert (mode.sfreq, mode.fourcc, mode.n_buffered) == (0.0, "unknown format", 1)


def test_a_camera_without_pictures_is_let_go(plugged: dict[int, FakeCapture]) -> None:
    plugged[0] = FakeCapture(obedient, gives=False)
    with pytest.raises(FaceError, match="Camera 0 opens but gives no picture"):
        open_camera(0, CameraMode())
    assert plugged[0].released
    with pytest.raises(FaceError, match="Camera 1 must be connected and free"):
        open_camera(1, CameraMode())


def test_cameras_that_open_are_listed(plugged: dict[int, FakeCapture]) -> None:
    plugged[0] = FakeCapture(obedient, gives=False)
    plugged[2] = FakeCapture(obedient)
    found = list_cameras()
    assert [(number, mode) for number, _, mode in found] == [(2, CameraMode())]
    assert plugged[2].released


def test_a_picture_number_over_the_rate_is_its_time() -> None:
    class Film:
        def __init__(self) -> None:
            self.n = 0

        def read(self) -> tuple[bool, np.ndarray | None]:
            self.n += 1
            return (self.n <= 3), np.full((4, 4, 3), [1, 2, 3], dtype=np.uint8)

        def release(self) -> None:
            self.n = -1

    film = Film()
    seen = list(cameras.read_pictures(film, CameraMode(sfreq=25.0)))  # type: ignore[arg-type]
    assert [picture.t_s for picture in seen] == [0.0, 0.04, 0.08]
    assert seen[0].image[0, 0].tolist() == [3, 2, 1]
    assert film.n == -1
    assert next(cameras.read_pictures(Film(), CameraMode(sfreq=0.0))).t_s == 0.0  # type: ignore[arg-type]
