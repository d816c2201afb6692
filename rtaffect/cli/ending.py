"""How a process that runs until somebody ends it is ended."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress


@contextmanager
def stopped_by_signals(stop: threading.Event) -> Iterator[None]:
    """Set an event on Ctrl-C and on SIGTERM."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_with_parent(stop: threading.Event) -> None:
    """Set an event when the program that started this one, which holds stdin, is gone."""

    def wait() -> None:
        with suppress(OSError, ValueError):  # closed already
            while sys.stdin.buffer.read(1):
                pass
        stop.set()

    threading.Thread(target=wait, name="parent", daemon=True).start()


def end_after(duration_s: float | None, stop: threading.Event, open_things: ExitStack) -> None:
    """Set an event after a time in seconds, if there is one."""
    if duration_s is None:
        return
    timer = threading.Timer(duration_s, stop.set)
    timer.daemon = True
    timer.start()
    open_things.callback(timer.cancel)
