"""One picture in memory: the newest; a camera that dies is looked for; nothing waits for a face."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import pytest

from rtaffect.core.errors import FaceError
from rtaffect.face import pictures
from rtaffect.face.pictures import Grabber, PacedFile


class FakeCamera:
    """Gives numbered pictures when told to; dies when told to."""

    def __init__(self, n: int | None = None) -> None:
        self.n_left = n
        self.ready = threading.Semaphore(0)
        self.number = 0
        self.is_dead = False
        self.released = False

    def give(self, n: int = 1) -> None:
        self.ready.release(n)

    def die(self) -> None:
        self.is_dead = True
        self.ready.release()

    def grab(self) -> bool:
        if not self.ready.acquire(timeout=2.0) or self.is_dead:
            return False
        self.number += 1
        return True

    def retrieve(self) -> tuple[bool, npt.NDArray[np.uint8]]:
        return True, np.full((4, 6, 3), [1, 2, self.number], dtype=np.uint8)

    def release(self) -> None:
        self.released = True


@contextmanager
def grabbing(open_capture: Callable[[], FakeCamera], **kwargs: float) -> Iterator[Grabber]:
    grabber = Grabber(open_capture, clock=time.monotonic, **kwargs)
    try:
        yield grabber
    finally:
        grabber.close()


def wait_for(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10.0
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_the_newest_picture_is_taken_and_others_are_counted_as_dropped() -> None:
    camera = FakeCamera()
    with grabbing(lambda: camera) as grabber:
        camera.give(5)
        wait_for(lambda: grabber.counts.n_grabbed == 5)
        picture = grabber.take(1.0)
        assert picture is not None
        assert picture.image[0, 0].tolist() == [5, 2, 1]  # the fifth, as RGB
        assert grabber.counts.n_dropped == 4
        assert grabber.take(0.01) is None  # nobody sees a picture twice
        camera.die()
    assert camera.released


def test_a_picture_is_as_old_as_the_camera_is_slow() -> None:
    camera = FakeCamera()
    with grabbing(lambda: camera, delay_s=100.0) as grabber:
        before = time.monotonic()
        camera.give()
        picture = grabber.take(2.0)
        assert picture is not None
        assert before - 100.0 <= picture.t_s <= time.monotonic() - 100.0
        camera.die()


def test_a_camera_that_dies_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "RETRY_S", 0.01)
    first, second = FakeCamera(), FakeCamera()
    answers: list[FakeCamera | None] = [first, None, None, second]
    tried = []

    def open_capture() -> FakeCamera:
        tried.append(1)
        answer = answers.pop(0)
        if answer is None:
            msg = "gone"
            raise FaceError(msg)
        return answer

    with grabbing(open_capture) as grabber:
        first.give()
        assert grabber.take(2.0) is not None
        first.die()
        wait_for(lambda: len(tried) == 4)
        assert first.released
        assert grabber.counts.n_losses == 1
        second.give()
        assert grabber.take(2.0) is not None
        assert not grabber.is_lost
        second.die()
        answers.append(None)
        wait_for(lambda: grabber.is_lost)
        assert grabber.take(0.01) is None
        answers.extend([None] * 1000)


def test_a_driver_that_waits_in_vain_is_a_camera_that_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pictures, "SILENT_S", 0.05)
    camera = FakeCamera()
    with grabbing(lambda: camera) as grabber:
        wait_for(lambda: grabber.is_lost)
        camera.give()
        assert grabber.take(2.0) is not None
        assert not camera.released
        camera.die()


def test_a_camera_whose_pictures_cannot_be_decoded_is_opened_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pictures, "SILENT_S", 0.05)
    monkeypatch.setattr(pictures, "RETRY_S", 0.01)

    class Garbled(FakeCamera):
        def grab(self) -> bool:
            time.sleep(0.005)
            return True

        def retrieve(self) -> tuple[bool, npt.NDArray[np.uint8]]:
            return False, np.empty((0, 0, 3), dtype=np.uint8)

    garbled, sound = Garbled(), FakeCamera()
    cameras: list[FakeCamera] = [garbled, sound]
    with grabbing(lambda: cameras.pop(0)) as grabber:
        sound.give()
        assert grabber.take(5.0) is not None
        assert garbled.released
        assert grabber.counts.n_losses == 1
        cameras.append(FakeCamera())
        sound.die()


def test_an_error_in_the_cameras_thread_reaches_whoever_waits() -> None:
    class Broken(FakeCamera):
        def grab(self) -> bool:
            msg = "driver"
            raise OSError(msg)

    with grabbing(Broken) as grabber, pytest.raises(FaceError, match=r"OSError\('driver'\)"):
        grabber.take(2.0)


class FakeFile(FakeCamera):
    """A file: its pictures are there at once, and then it is over."""

    def grab(self) -> bool:
        self.number += 1
        return self.n_left is None or self.number <= self.n_left


def test_a_file_comes_at_a_cameras_pace() -> None:
    now, waited = [50.0], []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        now[0] += seconds

    paced = PacedFile(FakeFile(4), 25.0, clock=lambda: now[0], sleep=sleep)
    times = []
    for _ in range(4):
        assert paced.grab()
        times.append(now[0])
    assert np.allclose(np.diff(times), 0.04)
    with pytest.raises(EOFError):
        paced.grab()
    now[0] += 10.0  # a late reader does not move the pictures that follow
    assert len(waited) == 4


def test_the_end_of_a_file_is_no_loss() -> None:
    grabber = Grabber(lambda: PacedFile(FakeFile(3), 1000.0), clock=time.monotonic)
    wait_for(lambda: grabber.is_over)
    assert grabber.counts.n_losses == 0
    assert grabber.counts.n_grabbed == 3
    assert grabber.take(0.1) is not None  # the last one is still there
    assert grabber.take(0.1) is None
    grabber.close()
