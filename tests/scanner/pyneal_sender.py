"""Pyneal's scanner side, written from the protocol's description: it waits for each reply."""

import json
from collections.abc import Callable, Sequence
from threading import Thread
from types import TracebackType
from typing import Any, Self

import numpy as np
import zmq


def header(index: int, data: np.ndarray, *, tr: str = "2.0", **other: Any) -> bytes:
    """The first frame: an affine in JSON inside JSON, the TR as text."""
    affine = np.diag([-3.75, 3.75, 4.0, 1.0]) if "affine" not in other else other["affine"]
    fields = {
        "volIdx": index,
        "dtype": str(data.dtype),
        "shape": list(data.shape),
        "affine": json.dumps(np.asarray(affine).tolist()),
        "TR": tr,
    }
    return json.dumps({**fields, **{k: v for k, v in other.items() if k != "affine"}}).encode()


class PynealSender:
    """Connects, sends what it is given, and keeps the replies; it works in a thread."""

    def __init__(self, address: str) -> None:
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.PAIR)
        self.socket.linger = 0
        self.socket.rcvtimeo = self.socket.sndtimeo = 10_000
        self.socket.connect(address)
        self.replies: list[bytes] = []
        self.thread: Thread | None = None

    def send(self, *messages: Sequence[bytes], hello: bool = True) -> None:
        """Send messages one after the other, each after the reply to the last."""

        def work() -> None:
            greeting = [[b"hello from pynealScanner_sim"]] if hello else []
            for message in [*greeting, *messages]:
                self.socket.send_multipart(list(message))
                self.replies.append(self.socket.recv())

        self.in_thread(work)

    def in_thread(self, work: Callable[[], None]) -> None:
        self.thread = Thread(target=work, daemon=True)
        self.thread.start()

    def join(self) -> None:
        assert self.thread is not None
        self.thread.join(10)
        assert not self.thread.is_alive()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.thread is not None:
            self.thread.join(10)
        self.context.destroy(linger=0)
