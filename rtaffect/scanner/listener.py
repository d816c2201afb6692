"""What inputs that listen on a socket share: one thread at a time, and an end that never waits."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Self

from rtaffect.core.clock import monotonic
from rtaffect.scanner.acquired import Acquired

LOOK_S = 0.05  # the longest time in the system's hands before we look whether to end


class Listener(ABC):
    """Listens until it is closed, see `rtaffect.scanner.acquired.ScannerInput`."""

    def __init__(self) -> None:
        self._closed = threading.Event()
        self._lock = threading.Lock()  # sockets belong to one thread at a time

    def receive(self, timeout_s: float) -> Sequence[Acquired]:
        """Return what arrived, in order; see `ScannerInput.receive`."""
        deadline = monotonic() + timeout_s
        while not self._closed.is_set():
            left_s = max(0.0, deadline - monotonic())
            with self._lock:
                if self._closed.is_set():
                    break
                arrived = self._look(min(LOOK_S, left_s))
            if arrived or left_s == 0.0:
                return arrived
        return ()

    def close(self) -> None:
        """Let go of the sockets; whoever waits for something returns."""
        self._closed.set()
        with self._lock:
            self._let_go()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @abstractmethod
    def _look(self, timeout_s: float) -> list[Acquired]:
        """Return what the sockets bring within so many seconds."""

    @abstractmethod
    def _let_go(self) -> None:
        """Close the sockets; more than once does no harm."""
