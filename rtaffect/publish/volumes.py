"""Volumes out of the scanner process: one ZeroMQ socket, for runtimes on this machine."""

import zmq

from rtaffect.core.clock import Clock
from rtaffect.core.errors import PublishError
from rtaffect.core.local_address import is_local
from rtaffect.core.streams import StreamInfo
from rtaffect.core.volume_message import VolumeMessage, encode_info, encode_volume

ADDRESS = "tcp://127.0.0.1:5578"
ALIVE_S = 1.0
"""So often a sender says that it lives, volumes or not."""

SNDHWM = 64
"""Volumes that wait for one subscriber before more are dropped for it: minutes of a scan."""

LINGER_MS = 500
MAX_SUBSCRIPTION_BYTES = 1024
MAX_HEARD = 100


class VolumePublisher:
    """Publishes volumes to any number of subscribers on this machine.

    A subscriber that comes late gets the description and the newest volume. One that does not keep
    up has volumes dropped, it alone. Everything is called by one thread.

    Parameters
    ----------
    address : str
        Where to bind: loopback or ipc. Stamps are on this machine's clock and volumes show a
        person, hence no other machine may connect.
    info : StreamInfo
        What the volumes are.
    clock : callable
        The runtime's clock.

    Raises
    ------
    PublishError
        The address cannot be bound, or another machine would reach it.
    """

    def __init__(self, address: str = ADDRESS, *, info: StreamInfo, clock: Clock) -> None:
        if not is_local(address):
            msg = (
                "Volumes stay on this machine: the address must be loopback or ipc, like "
                f"{ADDRESS}, got {address!r}."
            )
            raise PublishError(msg)
        self._info = encode_info(info)
        self._newest: list[bytes] | None = None
        self._clock = clock
        self._t_alive = -float("inf")
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.XPUB)
        self._socket.linger = LINGER_MS
        self._socket.sndhwm = SNDHWM
        self._socket.setsockopt(zmq.MAXMSGSIZE, MAX_SUBSCRIPTION_BYTES)
        self._socket.setsockopt(zmq.XPUB_VERBOSE, 1)
        try:
            self._socket.bind(address)
        except zmq.ZMQError as error:
            self.close()
            msg = (
                f"Volumes cannot be published on {address} ({error}): it must be a free address of "
                f"this machine, like {ADDRESS}. Does another `rtaffect scanner` run?"
            )
            raise PublishError(msg) from error
        self.address = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)

    def publish(self, volume: VolumeMessage) -> None:
        """Send a volume; never waits."""
        self.serve()
        self._newest = encode_volume(volume)
        self._send(self._newest)

    def serve(self) -> None:
        """Say that we live, and welcome those who subscribed; call it at least every second."""
        now = self._clock()
        welcome = self._heard_subscription()
        if welcome or now - self._t_alive >= ALIVE_S:
            self._t_alive = now
            self._send(self._info)
        if welcome and self._newest is not None:
            # To everybody: a subscriber leaves out the volume that it has.
            self._send(self._newest)

    def close(self) -> None:
        """Give subscribers a moment to take what is queued, and let go of the address."""
        self._socket.close()
        self._context.term()

    def _heard_subscription(self) -> bool:
        heard = False
        for _ in range(MAX_HEARD):
            if not int(self._socket.getsockopt(zmq.EVENTS)) & zmq.POLLIN:
                break
            heard |= self._socket.recv(zmq.NOBLOCK)[:1] == b"\1"
        return heard

    def _send(self, frames: list[bytes]) -> None:
        try:
            self._socket.send_multipart(frames, copy=False)
        except zmq.ZMQError as error:
            msg = f"ZeroMQ refused to publish a volume: {error}. Start the scanner process again."
            raise PublishError(msg) from error
