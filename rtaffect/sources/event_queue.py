"""The one ordered queue between the threads of a live source and whoever reads its events."""

import logging
import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue

from rtaffect.core.clock import Clock
from rtaffect.core.streams import Event, Tick

logger = logging.getLogger(__name__)

JOIN_S = 2.0  # a thread of ours looks at `closed` several times within this


class EventQueue:
    """Collects what several threads receive, in the order of its arrival.

    An event gets its ``t_received`` and its place in the queue under one lock, so that
    ``t_received`` never decreases. An error in a thread that was started with `run` ends `events`
    with that very error.

    Parameters
    ----------
    clock : callable
        The runtime's clock, in seconds.
    tick_s : float
        Distance of ticks, which lie on the multiples of `tick_s` on the clock, where windows end.
    """

    def __init__(self, clock: Clock, *, tick_s: float) -> None:
        self.clock = clock
        self.tick_s = tick_s
        self.closed = threading.Event()
        self._queue: SimpleQueue[Event | BaseException | None] = SimpleQueue()
        self._lock = threading.RLock()  # a second Ctrl-C may come while the first one closes
        self._t_last = float("-inf")
        self._threads: list[threading.Thread] = []

    def put(self, stamped: Callable[[float], Event]) -> None:
        """Add an event.

        Parameters
        ----------
        stamped : callable
            Makes the event when given its ``t_received`` in seconds; it has to be quick.
        """
        with self._lock:
            if not self.closed.is_set():
                self._t_last = max(self._t_last, self.clock())
                self._queue.put(stamped(self._t_last))

    def run(self, work: Callable[[], None], *, name: str) -> None:
        """Run `work` in a thread of its own, which has to return soon after `closed` is set."""

        def guarded() -> None:
            try:
                work()
            except BaseException as error:
                if self.closed.is_set():  # nobody may be listening any more
                    logger.exception("%s failed while it was closed", name)
                self._queue.put(error)  # `events` raises it

        thread = threading.Thread(target=guarded, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def tick(self) -> None:
        """Add ticks until the queue is closed (work for a thread)."""
        while not self.closed.wait(self.tick_s - self.clock() % self.tick_s):
            self.put(Tick)

    @property
    def n_waiting(self) -> int:
        """How many events nobody has read yet."""
        return self._queue.qsize()

    def events(self) -> Iterator[Event]:
        """Yield events in the order of arrival, until the queue is closed and empty."""
        while (item := self._queue.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
        self._queue.put(None)  # whoever asks again finds the end too

    def close(self) -> None:
        """Take no more events, let `events` end, and wait for the threads to return."""
        with self._lock:
            if self.closed.is_set():
                return
            self.closed.set()
            self._queue.put(None)
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(JOIN_S)
                if thread.is_alive():
                    logger.error("%s did not end within %g s", thread.name, JOIN_S)
