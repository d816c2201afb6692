"""Receive estimates in another application: needs numpy, pyzmq and ``wire.py``, nothing else.

::

    with Subscriber("tcp://127.0.0.1:5577") as subscriber:
        for message in subscriber:
            print(message)

Install rtaffect, or copy ``wire.py`` and ``client.py`` side by side into your application.
"""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import zmq
import zmq.asyncio
import zmq.auth

try:
    from rtaffect import wire
except ImportError:  # copied alone into another application
    import wire  # type: ignore[import-not-found,no-redef]

__all__ = ["AsyncSubscriber", "CurveKeys", "Subscriber", "read_key_file", "to_array"]

ADDRESS = "tcp://127.0.0.1:5577"
TOPICS = ("session/", "estimate/", "health/", "event/")
KEY_LENGTH = 40  # characters of a CURVE key in Z85


def to_array(message: wire.MatrixMessage) -> npt.NDArray[Any]:
    """Return the matrix of a message, read-only, in the shape that it declares."""
    matrix = message.matrix
    return np.frombuffer(message.data, dtype=matrix.dtype).reshape(matrix.shape)


def read_key_file(path: Path) -> tuple[bytes, bytes | None]:
    """Return the public key and, where the file holds it, the secret key.

    Parameters
    ----------
    path : Path
        A file that ``rtaffect keys`` wrote.

    Raises
    ------
    wire.WireError
        The file cannot be read or holds no keys.
    """
    try:
        public, secret = zmq.auth.load_certificate(path)
    except (OSError, ValueError) as error:
        msg = f"{path} must be a key file made by `rtaffect keys`: {error}."
        raise wire.WireError(msg) from error
    if any(key is not None and len(key) != KEY_LENGTH for key in (public, secret)):
        msg = f"{path} must hold keys of {KEY_LENGTH} characters; make new ones: `rtaffect keys`."
        raise wire.WireError(msg)
    return public, secret


@dataclass(frozen=True, slots=True)
class CurveKeys:
    """What a subscriber needs where the publisher asks for CURVE.

    Parameters
    ----------
    server_public : bytes
        The publisher's public key: makes sure that it is the right publisher.
    public, secret : bytes
        The subscriber's own pair.
    """

    server_public: bytes
    public: bytes
    secret: bytes = field(repr=False)

    @classmethod
    def read(cls, server_key: Path, own_secret: Path | None = None) -> Self:
        """Read key files.

        Parameters
        ----------
        server_key : Path
            The publisher's public key file.
        own_secret : Path, optional
            The subscriber's own secret key file, where the publisher admits only known subscribers;
            without it a new pair is made.

        Raises
        ------
        wire.WireError
            A file cannot be read or holds no such key.
        """
        server_public, _ = read_key_file(server_key)
        if own_secret is None:
            return cls(server_public, *zmq.curve_keypair())
        public, secret = read_key_file(own_secret)
        if secret is None:
            msg = f"{own_secret} must hold a secret key; it is the file that ends in .key_secret."
            raise wire.WireError(msg)
        return cls(server_public, public, secret)


class _Inbox:
    """Decodes frames, leaves out repeats, counts losses, notices a restarted publisher."""

    def __init__(self, topics: Sequence[str]) -> None:
        self.topics = {"session/", *topics}
        self.asked_for = tuple(topics)
        self.session: wire.Session | None = None
        self.session_id: str | None = None
        self.n_restarts = 0
        self.n_dropped: dict[str, int] = {}
        self._seqs: dict[str, int] = {}

    def take(self, frames: Sequence[bytes]) -> wire.Message | None:
        """Return the message, or None when it is a repeat or only of use to ourselves."""
        message = wire.decode(frames)
        if message.session_id != self.session_id:
            self.n_restarts += self.session_id is not None
            self.session_id, self.session = message.session_id, None
            self._seqs.clear()
        last = self._seqs.get(message.topic)
        if last is not None and message.seq <= last:
            return None
        if last is not None and message.seq > last + 1:
            lost = message.seq - last - 1
            self.n_dropped[message.topic] = self.n_dropped.get(message.topic, 0) + lost
        self._seqs[message.topic] = message.seq
        if isinstance(message, wire.SessionMessage):
            self.session = message.session
        return message if message.topic.startswith(self.asked_for) else None

    def take_new_topics(self) -> list[str]:
        """Return topics of the session that were asked for by a prefix, once each.

        A publisher answers a subscription with one last value; to get that of every decoder, each
        topic is subscribed by its full name.
        """
        known = self.session.topics if self.session else ()
        new = [t for t in known if t.startswith(self.asked_for) and t not in self.topics]
        self.topics.update(new)
        return new


class _Connection:
    """A connected socket with its inbox; how to wait is for the subclasses."""

    def __init__(
        self,
        context: "zmq.Context[Any]",
        address: str,
        topics: Sequence[str],
        curve: CurveKeys | None,
    ) -> None:
        self.address = address
        self._inbox = _Inbox(topics)
        self._context = context
        self._socket = context.socket(zmq.SUB)
        self._socket.linger = 0
        try:
            if curve is not None:
                self._socket.curve_serverkey = curve.server_public
                self._socket.curve_publickey = curve.public
                self._socket.curve_secretkey = curve.secret
            for topic in sorted(self._inbox.topics):
                self._socket.subscribe(topic)
            self._socket.connect(address)
        except zmq.ZMQError as error:
            self.close()
            msg = (
                f"The address must be like {ADDRESS} or ipc://path, and keys (if any) of "
                f"{KEY_LENGTH} characters; got {address!r} ({error})."
            )
            raise wire.WireError(msg) from error

    @property
    def session(self) -> wire.Session | None:
        """What runs at the publisher; None before its ``session/`` message came."""
        return self._inbox.session

    @property
    def session_id(self) -> str | None:
        """The publisher's session; None before the first message."""
        return self._inbox.session_id

    @property
    def n_restarts(self) -> int:
        """How often the publisher was replaced by another session."""
        return self._inbox.n_restarts

    @property
    def n_dropped(self) -> dict[str, int]:
        """By topic: messages that were published but did not arrive here."""
        return dict(self._inbox.n_dropped)

    def close(self) -> None:
        """Let go of the connection."""
        self._socket.close()
        self._context.term()

    def _take(self, frames: Sequence[bytes]) -> wire.Message | None:
        message = self._inbox.take(frames)
        for topic in self._inbox.take_new_topics():
            self._socket.subscribe(topic)
        return message

    def _timeout(self, timeout_s: float | None) -> TimeoutError:
        return TimeoutError(
            f"No message on {', '.join(self._inbox.asked_for)} from {self.address} within "
            f"{timeout_s:g} s. Is `rtaffect live` or `rtaffect replay --publish` running, is this "
            "its address, and are the CURVE keys (if any) the right ones?"
        )


class Subscriber(_Connection):
    """Receives messages; one thread at a time may use it.

    Parameters
    ----------
    address : str
        Where the publisher is.
    topics : sequence of str
        Beginnings of topics: ``"estimate/"`` is every decoder, ``"dfcn/main/"`` one's matrices.
    curve : CurveKeys, optional
        Needed where the publisher asks for keys.

    Raises
    ------
    wire.WireError
        The address or the keys are not valid.

    Notes
    -----
    The publisher drops messages for a subscriber that does not keep up; `n_dropped` counts them. A
    message that arrives twice (a topic's last value, live and on subscribing) is given once.
    """

    def __init__(
        self,
        address: str = ADDRESS,
        *,
        topics: Sequence[str] = TOPICS,
        curve: CurveKeys | None = None,
    ) -> None:
        super().__init__(zmq.Context(), address, topics, curve)

    def receive(self, *, timeout_s: float | None = None) -> wire.Message:
        """Return the next message.

        Parameters
        ----------
        timeout_s : float, optional
            How long to wait, in seconds; for ever by default.

        Raises
        ------
        TimeoutError
            None came in time.
        wire.WireError
            What came is not a message of this version; the next call goes on behind it.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            left_s = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not self._socket.poll(None if left_s is None else math.ceil(left_s * 1e3)):
                raise self._timeout(timeout_s)
            message = self._take(self._socket.recv_multipart())
            if message is not None:
                return message

    def __iter__(self) -> Iterator[wire.Message]:
        """Yield messages for ever."""
        while True:
            yield self.receive()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class AsyncSubscriber(_Connection):
    """The same for asyncio: ``async with``, ``async for`` and ``await subscriber.receive()``.

    Parameters
    ----------
    address : str
        Where the publisher is.
    topics : sequence of str
        Beginnings of topics.
    curve : CurveKeys, optional
        Needed where the publisher asks for keys.

    Raises
    ------
    wire.WireError
        The address or the keys are not valid.
    """

    def __init__(
        self,
        address: str = ADDRESS,
        *,
        topics: Sequence[str] = TOPICS,
        curve: CurveKeys | None = None,
    ) -> None:
        super().__init__(zmq.asyncio.Context(), address, topics, curve)

    async def receive(self, *, timeout_s: float | None = None) -> wire.Message:
        """Return the next message; see `Subscriber.receive`."""
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    message = self._take(await self._socket.recv_multipart())
                    if message is not None:
                        return message
        except TimeoutError:
            raise self._timeout(timeout_s) from None

    async def __aiter__(self) -> AsyncIterator[wire.Message]:
        """Yield messages for ever."""
        while True:
            yield await self.receive()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.close()
