"""Volumes from the scanner process, as events beside those of the live streams."""

import logging
from functools import partial

import zmq

from rtaffect.core.clock import Clock, monotonic
from rtaffect.core.errors import ScannerError, StreamError
from rtaffect.core.local_address import is_local
from rtaffect.core.streams import (
    ClockOffset,
    StreamEvent,
    StreamInfo,
    StreamState,
)
from rtaffect.core.volume_message import (
    MAX_HEADER_BYTES,
    VOLUME_MODALITY,
    VolumeMessage,
    decode,
)
from rtaffect.core.voxels import MAX_BYTES
from rtaffect.sources.event_queue import EventQueue
from rtaffect.sources.live import LiveSource
from rtaffect.sources.stream_choice import differences

logger = logging.getLogger(__name__)

POLL_MS = 100  # the longest time in ZeroMQ's hands before the thread looks whether it should end
SILENT_S = 5.0  # a sender says every second that it lives
RCVHWM = 64
MAX_FRAMES = 8  # a message of more frames is not looked at


class VolumeSource(LiveSource):
    """Volumes of the scanner process, see `rtaffect.core.streams.Source`.

    Stamps are on this machine's clock, which is the runtime's: the offset is 0. A sender that is
    silent is reported as lost, and as recovered when it says again that it lives.

    Parameters
    ----------
    address : str
        Where the scanner process publishes: loopback or ipc.
    beside : LiveSource or None
        An open source of other streams: their events and the volumes then are one sequence, and
        this source closes that one. None for volumes alone.
    tick_s : float
        Distance of ticks in seconds, for volumes alone.
    wait_s : float
        How long to wait for the scanner process at the start, in seconds.
    required : bool
        Without volumes the session cannot start; else it goes on without.
    clock : callable
        The runtime's clock, for volumes alone.
    """

    def __init__(
        self,
        address: str,
        *,
        beside: LiveSource | None = None,
        tick_s: float = 0.25,
        wait_s: float = 5.0,
        required: bool = True,
        clock: Clock = monotonic,
    ) -> None:
        if not is_local(address):
            msg = (
                "Volumes come from a scanner process on this machine: the address must be loopback "
                f"or ipc, like tcp://127.0.0.1:5578, got {address!r}."
            )
            raise StreamError(msg)
        super().__init__(EventQueue(clock, tick_s=tick_s) if beside is None else beside.queue)
        if beside is not None:
            self._infos.update(beside.infos)
            self._notes.extend(beside.notes)
        self._address = address
        self._beside = beside
        self._wait_s = wait_s
        self._required = required
        self._newest: tuple[str, int, float] | None = None
        self._refused = ""

    def _begin(self) -> None:
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        socket = context.socket(zmq.SUB)
        try:
            info = self._find(socket)
        except BaseException:
            _let_go(socket, context)
            raise
        if info is None:
            _let_go(socket, context)
            self._note(f"{VOLUME_MODALITY}: absent, and the session goes on without it.")
        else:
            self._infos[VOLUME_MODALITY] = info
            self._queue.run(partial(self._receive, socket, context, info), name="volumes")
        if self._beside is None:
            self._queue.run(self._queue.tick, name="ticks")

    def close(self) -> None:
        """End `events` and disconnect."""
        super().close()
        if self._beside is not None:
            self._beside.close()

    def _find(self, socket: "zmq.Socket[bytes]") -> StreamInfo | None:
        """Connect, and return what the sender says of its volumes; None if nobody is there."""
        socket.linger = 0
        socket.rcvhwm = RCVHWM
        socket.maxmsgsize = MAX_BYTES + MAX_HEADER_BYTES  # a larger frame is never allocated
        try:
            socket.connect(self._address)
        except zmq.ZMQError as error:
            msg = f"The address of the volumes must be like tcp://127.0.0.1:5578: {error}."
            raise StreamError(msg) from error
        socket.subscribe(b"info/")
        clock = self._queue.clock
        deadline = clock() + self._wait_s
        while (left_s := deadline - clock()) > 0:
            if not socket.poll(min(POLL_MS, max(1, int(left_s * 1000)))):
                continue
            told = self._decode(socket.recv_multipart())
            if isinstance(told, StreamInfo):
                socket.subscribe(b"volume/")
                return told
        if not self._required:
            return None
        msg = (
            f"Volumes must come from {self._address}, and within {self._wait_s:g} s nothing did. "
            "Start `rtaffect scanner` with the same session file first, or say `required: false`."
        )
        raise StreamError(msg)

    def _receive(
        self,
        socket: "zmq.Socket[bytes]",
        context: "zmq.Context[zmq.Socket[bytes]]",
        info: StreamInfo,
    ) -> None:
        """Receive until the queue is closed (work for a thread)."""
        queue, lost = self._queue, False
        t_heard = queue.clock()
        try:
            queue.put(partial(ClockOffset, VOLUME_MODALITY, 0.0))
            while not queue.closed.is_set():
                if not socket.poll(POLL_MS):
                    if not lost and queue.clock() - t_heard > SILENT_S:
                        lost = True
                        self._tell(StreamState.LOST, f"{self._address} is silent.")
                    continue
                told = self._decode(socket.recv_multipart())
                if told is None:
                    continue
                t_heard = queue.clock()
                if lost:
                    lost = False
                    self._tell(StreamState.RECOVERED, f"{self._address} is back.")
                    queue.put(partial(ClockOffset, VOLUME_MODALITY, 0.0))
                if isinstance(told, StreamInfo):
                    self._compare(info, told)
                elif not self._refused:
                    self._deliver(told)
        finally:
            _let_go(socket, context)

    def _deliver(self, volume: VolumeMessage) -> None:
        """Hand on a volume, unless it is one that was sent again for somebody who came late."""
        identity = (volume.run, volume.index, volume.stamp_s)
        if identity != self._newest:
            self._newest = identity
            self._queue.put(volume.chunk)

    def _compare(self, info: StreamInfo, told: StreamInfo) -> None:
        """Refuse volumes that are not what they were when the session began."""
        changed = "; ".join(differences(info, told))
        if changed and changed != self._refused:
            self._tell(
                StreamState.REFUSED,
                f"The volumes came back changed: {changed}. Set them as they were, or start the "
                "session anew.",
            )
        elif self._refused and not changed:
            self._tell(StreamState.RECOVERED, "The volumes are again what they were.")
        self._refused = changed

    def _decode(self, frames: list[bytes]) -> VolumeMessage | StreamInfo | None:
        try:
            return decode(frames[:MAX_FRAMES])
        except ScannerError as error:
            logger.warning("what came from %s is not used: %s", self._address, error)
            return None

    def _tell(self, state: StreamState, detail: str) -> None:
        logger.info("%s %s: %s", VOLUME_MODALITY, state.value, detail)
        self._queue.put(partial(StreamEvent, VOLUME_MODALITY, state, detail=detail))


def _let_go(socket: "zmq.Socket[bytes]", context: "zmq.Context[zmq.Socket[bytes]]") -> None:
    socket.close()
    context.term()
