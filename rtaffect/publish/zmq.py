"""The publisher: estimates, health, events and matrices on one ZeroMQ socket.

A message is queued for each subscriber and sent by ZeroMQ's own thread. A subscriber that does not
keep up has messages dropped, it alone; nobody waits for it.
"""

import contextlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

import zmq
from zmq.auth.thread import ThreadAuthenticator

from rtaffect import wire
from rtaffect.core.clock import Clock
from rtaffect.core.errors import PublishError
from rtaffect.core.estimate import Estimate
from rtaffect.core.health import Health
from rtaffect.core.local_address import is_local
from rtaffect.core.sinks import Matrix, Timing
from rtaffect.core.streams import Chunk, ClockOffset, Event, StreamEvent
from rtaffect.publish.keys import ServerKeys
from rtaffect.publish.messages import (
    estimate_body,
    health_body,
    marker_bodies,
    matrix_body,
    note_body,
    stream_event_body,
)
from rtaffect.signal.timeline import ClockMap

ADDRESS = "tcp://127.0.0.1:5577"
SNDHWM = 1000
"""Messages that wait for one subscriber before more are dropped for it: minutes of estimates."""

LINGER_MS = 200  # how long closing waits for subscribers to take what is queued
HEARTBEAT_MS = 5_000  # a dead connection is noticed after three of these
ZAP_DOMAIN = "rtaffect"  # ties the list of admitted keys to the socket
MAX_SUBSCRIPTION_BYTES = 1024
MAX_SERVED = 200  # subscriptions looked at in one go
REPLAYED = ("session/", "estimate/", "health/")
"""What has a last value. A marker is no state, and a matrix is of no use when it is old."""

SUBSCRIBE, UNSUBSCRIBE = 1, 0  # first byte of what a subscriber sends


class ZmqPublisher:
    """Publishes to any number of subscribers; a `rtaffect.core.sinks.Sink`.

    Parameters
    ----------
    address : str
        Where to bind: ``"tcp://127.0.0.1:5577"``, ``"ipc:///run/rtaffect"``.
    session : wire.Session
        What runs; the first message, and the last value of ``session/``.
    session_id : str
        Tells this session from others.
    clock : callable or None
        The runtime's clock; None in replay, where time is that of the recording.
    curve : ServerKeys, optional
        Subscribers must know the public key, and are admitted as it says.
    insecure : bool
        Allow an address that other machines reach without keys.
    sndhwm : int
        Messages that wait for one subscriber before more are dropped for it.

    Raises
    ------
    PublishError
        The address is not valid, is in use, or is reachable from other machines without keys.

    Notes
    -----
    A subscription is answered with one last value: of its own topic, of ``session/`` when its
    prefix holds that, else the newest that it matches. Only the new subscriber gets it (libzmq's
    ``ZMQ_XPUB_MANUAL_LAST_VALUE``). That option makes the next message, whatever it is, go to the
    subscriber that was heard last; hence it is on for the answer alone.
    """

    def __init__(
        self,
        address: str = ADDRESS,
        *,
        session: wire.Session,
        session_id: str,
        clock: Clock | None,
        curve: ServerKeys | None = None,
        insecure: bool = False,
        sndhwm: int = SNDHWM,
    ) -> None:
        if curve is None and not insecure:
            _require_local(address)
        self.address = address
        self._session_id = session_id
        self._topics = tuple(topic.encode() for topic in session.topics)
        self._clock = clock
        self._newest_t = 0.0
        self._seqs: Counter[str] = Counter()
        self._n_subscribers: Counter[bytes] = Counter()
        self._last: dict[bytes, list[bytes]] = {}  # by topic, the newest at the end
        self._mistaken = False
        self._clock_maps: dict[str, ClockMap] = {}
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._authenticator = _authenticator(self._context, curve)
        self._socket = self._context.socket(zmq.XPUB)
        try:
            self._open(curve, sndhwm)
        except PublishError:
            self.close()
            raise
        self._publish(wire.SessionMessage, "session/", session=session)

    def _open(self, curve: ServerKeys | None, sndhwm: int) -> None:
        socket = self._socket
        try:
            socket.linger = LINGER_MS
            socket.sndhwm = sndhwm
            socket.setsockopt(zmq.MAXMSGSIZE, MAX_SUBSCRIPTION_BYTES)
            socket.setsockopt(zmq.HEARTBEAT_IVL, HEARTBEAT_MS)
            socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 3 * HEARTBEAT_MS)
            socket.setsockopt(zmq.XPUB_MANUAL, 1)
            if curve is not None:
                socket.curve_server = True
                socket.curve_secretkey = curve.secret
                socket.zap_domain = ZAP_DOMAIN.encode()
            socket.bind(self.address)
        except zmq.ZMQError as error:
            raise PublishError(_why_not_bound(self.address, error)) from error
        self.address = socket.getsockopt_string(zmq.LAST_ENDPOINT)

    def on_event(self, event: Event) -> None:
        """Publish markers and what became of a stream; hear who subscribes."""
        self._newest_t = event.t_received
        if isinstance(event, StreamEvent):
            self._publish(wire.EventMessage, "event/", event=stream_event_body(event))
        elif isinstance(event, ClockOffset):
            self._clock_maps.setdefault(event.modality, ClockMap()).update(event)
        elif isinstance(event, Chunk) and event.data.dtype == object:
            clock_map = self._clock_maps.get(event.modality, ClockMap())
            for body in marker_bodies(event, clock_map):
                self._publish(wire.EventMessage, "event/", event=body)
        self.serve()

    def on_estimate(self, estimate: Estimate, timing: Timing) -> None:
        """Publish an estimate."""
        body = estimate_body(estimate)
        now = self._now(timing.t_decoded)
        self._publish(
            wire.EstimateMessage,
            wire.topic_of("estimate", estimate.decoder),
            t_published=now,
            t_closed=timing.t_closed,
            t_decoded=timing.t_decoded,
            age_s=now - estimate.t_end,
            compute_s=now - timing.t_closed,
            estimate=body,
        )

    def on_health(self, health: Health) -> None:
        """Publish the report that is made once a second."""
        self._publish(wire.HealthMessage, "health/", health=health_body(health))

    def note(self, text: str) -> None:
        """Publish a note for people, such as the end of a baseline."""
        now = self._now(self._newest_t)
        self._publish(wire.EventMessage, "event/", event=note_body(text, now))

    def wants_matrices(self, decoder: str) -> bool:
        """Return whether anybody subscribes the decoder's matrices right now."""
        topic = wire.topic_of("dfcn", decoder).encode()
        return any(n > 0 and topic.startswith(each) for each, n in self._n_subscribers.items())

    def on_matrix(self, matrix: Matrix) -> None:
        """Publish a matrix."""
        body, data = matrix_body(matrix)
        topic = wire.topic_of("dfcn", matrix.decoder)
        self._publish(wire.MatrixMessage, topic, matrix=body, data=data)

    def close(self) -> None:
        """Give subscribers a moment to take what is queued, and let go of the address."""
        if self._authenticator is not None:
            self._authenticator.stop()
        self._socket.close()
        self._context.term()

    def serve(self) -> None:
        """Answer new subscriptions; never waits."""
        with _zmq_errors():
            for _ in range(MAX_SERVED):
                if not int(self._socket.getsockopt(zmq.EVENTS)) & zmq.POLLIN:
                    self._mistaken = False
                    return
                self._hear(self._socket.recv(zmq.NOBLOCK))

    def _hear(self, heard: bytes) -> None:
        """Act on one subscription (first byte 1), its end (0), or what should not have been sent.

        libzmq keeps subscriptions and their makers in two queues, and something else in the first
        one shifts them against each other until both are empty. Until then whoever is heard is
        subscribed to everything: subscribers leave out by themselves what they did not ask for.
        """
        kind, topic = heard[:1], heard[1:]
        if kind not in (b"\0", b"\1"):
            self._mistaken = True
        if self._mistaken:
            self._socket.setsockopt(zmq.SUBSCRIBE, b"")
        if kind not in (b"\0", b"\1") or not any(each.startswith(topic) for each in self._topics):
            return
        if heard[0] == SUBSCRIBE:
            self._n_subscribers[topic] += 1
            self._socket.setsockopt(zmq.SUBSCRIBE, topic)
            self._send_last(topic)
        else:
            self._n_subscribers[topic] -= 1
            if not self._mistaken:
                self._socket.setsockopt(zmq.UNSUBSCRIBE, topic)

    def _send_last(self, topic: bytes) -> None:
        """Send one last value to the subscriber that was heard last, and to nobody else."""
        matching = [each for each in self._last if each.startswith(topic)]
        if not matching:
            return
        best = next((each for each in matching if each in (topic, b"session/")), matching[-1])
        self._socket.setsockopt(zmq.XPUB_MANUAL_LAST_VALUE, 1)
        self._socket.send_multipart(self._last[best])
        self._socket.setsockopt(zmq.XPUB_MANUAL_LAST_VALUE, 0)
        self._socket.setsockopt(zmq.XPUB_MANUAL, 1)

    def _now(self, t: float) -> float:
        return t if self._clock is None else self._clock()

    def _publish(
        self,
        kind: type[wire.Message],
        topic: str,
        *,
        t_published: float | None = None,
        **content: Any,
    ) -> None:
        message = kind(
            schema=wire.SCHEMA,
            topic=topic,
            seq=self._seqs[topic],
            session_id=self._session_id,
            t_published=self._now(self._newest_t) if t_published is None else t_published,
            **content,
        )
        frames = wire.encode(message)
        self._seqs[topic] += 1
        if topic.startswith(REPLAYED):
            self._last.pop(frames[0], None)
            self._last[frames[0]] = frames
        with _zmq_errors():
            self._socket.send_multipart(frames)


@contextlib.contextmanager
def _zmq_errors() -> Iterator[None]:
    try:
        yield
    except zmq.ZMQError as error:
        msg = f"ZeroMQ refused to publish: {error}. Start the session again."
        raise PublishError(msg) from error


def _authenticator(
    context: "zmq.Context[zmq.Socket[bytes]]", curve: ServerKeys | None
) -> ThreadAuthenticator | None:
    """Return a thread that admits the known subscribers; None where all may connect."""
    if curve is None or curve.admitted is None:
        return None
    authenticator = ThreadAuthenticator(context)
    authenticator.start()
    authenticator.configure_curve_callback(
        ZAP_DOMAIN, credentials_provider=_Admission(curve.admitted)
    )
    return authenticator


class _Admission:
    """Says which public keys may connect."""

    def __init__(self, admitted: frozenset[bytes]) -> None:
        self._admitted = admitted

    def callback(self, domain: str, key: bytes) -> bool:  # noqa: ARG002
        """Return whether the owner of a public key (Z85) may connect."""
        return key in self._admitted


def _require_local(address: str) -> None:
    """Refuse addresses that other machines reach."""
    if is_local(address):
        return
    msg = (
        f"An address that other machines reach needs CURVE keys, got {address!r} without. Either "
        "make keys with `rtaffect keys` and name them in the session file, or, on a network where "
        "everybody may read the estimates, say so with `publish: insecure: true`. For this "
        f"machine alone use {ADDRESS}."
    )
    raise PublishError(msg)


def _why_not_bound(address: str, error: zmq.ZMQError) -> str:
    if error.errno == zmq.EADDRINUSE:
        port = address.rpartition(":")[2]
        return (
            f"Port {port} must be free, and something else on this machine has {address}: perhaps "
            "another `rtaffect live` or `rtaffect demo` that still runs. End that one, or choose "
            "another port in the session file (`publish: address: tcp://127.0.0.1:5578`), and give "
            "it to the subscribers."
        )
    return (
        f"The address must be one of this machine, like {ADDRESS} or ipc:///tmp/rtaffect, got "
        f"{address!r}, which cannot be bound ({error})."
    )
