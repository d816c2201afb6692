"""A ZeroMQ PAIR that serves one peer after the other.

A PAIR takes one peer, and turns away whoever comes before it is done with the last one: what that
peer has sent already is lost, and where it waits for an answer it waits for ever. ZeroMQ asks who
may come in (its ZAP protocol) before a peer may send; we answer when the last one is gone. A peer
whose machine died never says goodbye, so its silence ends it.
"""

import contextlib
import math

import zmq
from zmq.utils.monitor import recv_monitor_message

from rtaffect.core.clock import monotonic

MAX_WAITING = 8  # messages; whoever waits for replies sends one at a time
BEAT_MS = 1000
SILENT_MS = 4000  # a peer that answers no beat for so long is gone
HANDSHAKE_MS = 2000  # whoever waits longer to come in has to ask anew
GOODBYE_S = 0.05  # ZeroMQ's threads need a moment to be done with a peer
DOOR = "inproc://zeromq.zap.01"


class OnePeer:
    """Listens, receives and replies; used by one thread at a time.

    Parameters
    ----------
    address : str
        Where to listen.
    max_bytes : int
        The largest frame; a peer that sends a larger one is disconnected.

    Raises
    ------
    ZMQError
        The address cannot be bound.
    """

    def __init__(self, address: str, *, max_bytes: int) -> None:
        self._context = zmq.Context()
        self._door = self._context.socket(zmq.REP)
        self._door.bind(DOOR)
        self._asks: list[bytes] = []  # who waits at the door
        self._n_connected, self._serves, self._t_free = 0, False, -math.inf
        self._socket = self._context.socket(zmq.PAIR)
        self._socket.zap_domain = b"one peer"
        self._socket.maxmsgsize = max_bytes
        self._socket.rcvhwm = self._socket.sndhwm = MAX_WAITING
        self._socket.heartbeat_ivl, self._socket.heartbeat_timeout = BEAT_MS, SILENT_MS
        self._socket.handshake_ivl = HANDSHAKE_MS
        self._monitor = self._socket.get_monitor_socket(zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED)
        try:
            self._socket.bind(address)
        except zmq.ZMQError:
            self.close()
            raise
        self.address = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self._poller = zmq.Poller()
        for socket in (self._socket, self._monitor, self._door):
            self._poller.register(socket, zmq.POLLIN)

    def poll(self, timeout_s: float) -> bool:
        """Wait for a message; return whether one is there. Peers come in while somebody waits."""
        if self._asks:
            timeout_s = min(timeout_s, GOODBYE_S)
        ready = dict(self._poller.poll(math.ceil(1000 * timeout_s)))
        self._count()
        if self._door in ready:
            self._asks = self._door.recv_multipart()
        if self._serves and self._n_connected <= len(self._asks[:1]):  # all but who asks are gone
            self._serves, self._t_free = False, monotonic()
        if self._asks and not self._serves and monotonic() - self._t_free >= GOODBYE_S:
            version, request = self._asks[:2]
            self._door.send_multipart([version, request, b"200", b"OK", b"", b""])
            self._asks, self._serves = [], self._n_connected > 0  # or it went while it waited
        return self._socket in ready

    def receive(self) -> list[zmq.Frame]:
        """Return a message; of one with many frames the first two and the last."""
        frames = [self._socket.recv(copy=False)]
        while frames[-1].more:
            frames = [*frames[:2], self._socket.recv(copy=False)]
        return frames

    def reply(self, text: bytes) -> None:
        """Send a frame, unless nobody is there any more."""
        with contextlib.suppress(zmq.Again):
            self._socket.send(text, zmq.NOBLOCK)

    def close(self) -> None:
        """Let go of the address; more than once does no harm."""
        self._context.destroy(linger=0)

    def _count(self) -> None:
        """Follow who comes and goes."""
        while self._monitor.poll(0):
            event = recv_monitor_message(self._monitor)["event"]
            change = 1 if event == zmq.EVENT_ACCEPTED else -1
            self._n_connected = max(0, self._n_connected + change)
