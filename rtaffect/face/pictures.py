"""Pictures of a camera: grabbed by a thread of their own, stamped, one at a time in memory.

The newest picture overwrites the one before it. No picture is ever written or sent.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, Self

import cv2
import numpy as np

from rtaffect.core.clock import Clock
from rtaffect.core.errors import FaceError
from rtaffect.face.crop import Image

logger = logging.getLogger(__name__)

RETRY_S = 1.0
"""How often a camera that is gone is looked for."""

JOIN_S = 3.0
SILENT_S = 3.0
"""A camera that gives nothing for so long is gone, whatever its driver says."""


class Capture(Protocol):
    """What is used of `cv2.VideoCapture`."""

    def grab(self) -> bool:
        """Take the next picture off the camera.

        Raises
        ------
        EOFError
            There is no next one: it is a file.
        """

    def retrieve(self) -> tuple[bool, Any]:
        """Decode the picture that was grabbed, as BGR."""

    def release(self) -> None:
        """Let go of the camera."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One picture.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width, 3)
        RGB.
    t_s : float
        When it was grabbed, less the declared delay of the camera; of a file, its time in the file.
    """

    image: Image
    t_s: float


@dataclass(slots=True)
class CaptureCounts:
    """What a camera delivered.

    Parameters
    ----------
    n_grabbed, n_dropped : int
        Pictures that came, and those that were overwritten before anybody took them.
    n_losses : int
        How often the camera went away.
    """

    n_grabbed: int = 0
    n_dropped: int = 0
    n_losses: int = 0


class Grabber:
    """Keeps the newest picture of a camera.

    Parameters
    ----------
    open_capture : callable
        Opens the camera, or raises `FaceError`. Called again whenever the camera is gone.
    clock : callable
        The clock of the stamps, in seconds.
    delay_s : float
        By how much a picture is older than the moment in which it is grabbed.

    Attributes
    ----------
    delay_s : float
        As given.
    counts : CaptureCounts
        What came so far.
    is_over : bool
        No picture will come any more: it was a file.
    """

    def __init__(
        self, open_capture: Callable[[], Capture], *, clock: Clock, delay_s: float = 0.0
    ) -> None:
        self._open = open_capture
        self._clock = clock
        self.delay_s = delay_s
        self.counts = CaptureCounts()
        self.is_over = False
        self._slot: Picture | None = None
        self._failure: BaseException | None = None
        self._changed = threading.Condition()
        self._closed = threading.Event()
        self._capture: Capture | None = open_capture()
        self._t_heard = time.monotonic()
        self._thread = threading.Thread(target=self._guarded, name="camera", daemon=True)
        self._thread.start()

    @property
    def is_lost(self) -> bool:
        """Whether the camera is gone at this moment, or its driver waits for it in vain."""
        return self._capture is None or self._is_silent

    def take(self, timeout_s: float) -> Picture | None:
        """Return the newest picture that nobody has taken yet; None if none comes in time.

        Raises
        ------
        FaceError
            The thread of the camera died.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._slot is not None or self._failure is not None or self.is_over,
                timeout_s,
            )
            if self._failure is not None:
                msg = f"The camera's thread must not fail, but it did: {self._failure!r}."
                raise FaceError(msg) from self._failure
            picture, self._slot = self._slot, None
            return picture

    def close(self) -> None:
        """Stop grabbing and let go of the camera."""
        self._closed.set()
        self._thread.join(JOIN_S)
        if self._thread.is_alive():
            logger.error("The camera does not let go within %g s", JOIN_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @property
    def _is_silent(self) -> bool:
        return not self.is_over and time.monotonic() - self._t_heard > SILENT_S

    def _guarded(self) -> None:
        try:
            self._run()
        except EOFError:
            with self._changed:
                self.is_over = True
                self._changed.notify_all()
        except BaseException as error:  # noqa: BLE001 - `take` raises it where somebody listens
            with self._changed:
                self._failure = error
                self._changed.notify_all()
        finally:
            if self._capture is not None:
                self._capture.release()

    def _run(self) -> None:
        while not self._closed.is_set():
            if self._capture is None:
                self._reopen()
            elif not self._capture.grab():
                self._lose("gives no picture any more")
            else:
                t_s = self._clock() - self.delay_s
                ok, image = self._capture.retrieve()
                if ok:
                    self._t_heard = time.monotonic()
                    self._put(Picture(np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB)), t_s))
                elif self._is_silent:
                    self._lose("gives no picture that can be decoded")

    def _put(self, picture: Picture) -> None:
        with self._changed:
            self.counts.n_grabbed += 1
            self.counts.n_dropped += self._slot is not None
            self._slot = picture
            self._changed.notify_all()

    def _lose(self, why: str) -> None:
        logger.warning("The camera %s; looking for it every %g s", why, RETRY_S)
        self.counts.n_losses += 1
        if self._capture is not None:
            self._capture.release()
        self._capture = None

    def _reopen(self) -> None:
        if self._closed.wait(RETRY_S):
            return
        try:
            self._capture = self._open()
            self._t_heard = time.monotonic()
            logger.warning("The camera is back")
        except FaceError:
            self._capture = None


class PacedFile:
    """A video file as a camera: its pictures come when a camera's would.

    Parameters
    ----------
    capture : Capture
        The open file.
    sfreq : float
        Pictures a second.
    sleep : callable
        Waits so many seconds.
    """

    def __init__(
        self,
        capture: Capture,
        sfreq: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._capture = capture
        self._sfreq = sfreq
        self._clock = clock
        self._sleep = sleep
        self._n = 0
        self._t_first: float | None = None

    def grab(self) -> bool:
        """Wait until the next picture is due, and take it."""
        now = self._clock()
        if self._t_first is None:
            self._t_first = now
        due = self._t_first + self._n / self._sfreq
        if due > now:
            self._sleep(due - now)
        self._n += 1
        if not self._capture.grab():
            raise EOFError
        return True

    def retrieve(self) -> tuple[bool, Any]:
        """Decode the picture."""
        return self._capture.retrieve()

    def release(self) -> None:
        """Close the file."""
        self._capture.release()
