"""A FieldTrip buffer as a live source.

The buffer counts samples and stamps none. Here the sender's clock *is* that count: sample n carries
the stamp ``n / sfreq``, and the clock offset is the smallest ``arrival - stamp`` of the last
seconds, the arrival that was held up least. The first arrival anchors the stream in time; drift is
followed; a jump of the count is a jump of the stamps, that is a gap. The time from the amplifier to
the buffer is known to nobody and stays in the stamps.

The protocol is spoken by the client inside `mne_realtime.FieldTripClient`. That class itself hands
out the newest samples only, guesses channel kinds from digits in labels (and fails on "Cz"), and
waits for ever for a peer that hung up.
"""

import logging
import math
import socket
import struct
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from rtaffect.core.clock import Clock, monotonic
from rtaffect.core.errors import StreamError, UnitError
from rtaffect.core.streams import (
    Chunk,
    ClockOffset,
    StreamChoice,
    StreamEvent,
    StreamInfo,
    StreamState,
)
from rtaffect.sources.event_queue import EventQueue
from rtaffect.sources.live import LiveSource
from rtaffect.sources.stream_choice import describe, differences

logger = logging.getLogger(__name__)

PORT = 1972
WAIT_MS = 100  # the buffer answers after this at the latest
ANSWER_S = 2.0  # a buffer that takes longer is as good as gone
RETRY_S = 0.2
NEVER = 0xFFFFFFFF  # no number of events ends the wait
RESOLUTIONS = 3  # header chunk: physical units a step, one float64 a channel, for integer samples

Lost = (OSError, struct.error)  # what the protocol's client raises when the peer fails


class _LiveSocket(socket.socket):
    """A socket that says so when the peer hung up, where the client would ask again for ever."""

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        received = super().recv(bufsize, flags)
        if not received:
            msg = "the buffer closed the connection"
            raise ConnectionError(msg)
        return received


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedBuffer:
    """What a buffer's header says; it knows neither units nor who sends."""

    name: str
    n_channels: int
    sfreq: float
    ch_names: tuple[str, ...]
    dtype: str = "float32"
    stype: str = "FieldTrip"
    source_id: str = ""
    units: tuple[str, ...] = ()
    simulated: bool = False
    about: Mapping[str, str] = field(default_factory=dict)
    selectable: bool = True

    def __str__(self) -> str:
        return f"The FieldTrip buffer on {self.name} ({self.n_channels} ch, {self.sfreq:g} Hz)"


class FieldTripSource(LiveSource):
    """A FieldTrip buffer as one sequence of events, see `rtaffect.core.streams.Source`.

    A buffer that goes away, or whose count starts anew, is reported as lost, and as recovered when
    it is back with the same channels and rate; with others it is refused.

    Parameters
    ----------
    choice : StreamChoice
        The stream's modality, and unit, labels and rate where the header's do not serve. There is
        but one stream, so its name, type and source_id are not asked for.
    host : str
        Machine of the buffer.
    port : int
        Its TCP port.
    tick_s : float
        Distance of ticks in seconds.
    offset_interval_s : float
        How often the clock offset is reported, in seconds.
    connect_timeout_s : float
        How long to wait for the buffer and its header at the start, in seconds.
    clock : callable
        The runtime's clock.
    """

    def __init__(
        self,
        choice: StreamChoice,
        *,
        host: str,
        port: int = PORT,
        tick_s: float = 0.25,
        offset_interval_s: float = 5.0,
        connect_timeout_s: float = 5.0,
        clock: Clock = monotonic,
    ) -> None:
        super().__init__(EventQueue(clock, tick_s=tick_s))
        self._choice = choice
        self._modality = choice.modality
        self._host = host
        self._port = port
        self._offset_interval_s = offset_interval_s
        self._connect_timeout_s = connect_timeout_s

    def _begin(self) -> None:
        """Connect and begin to receive, from the newest sample on."""
        clock = self._queue.clock
        deadline = clock() + self._connect_timeout_s
        while True:
            try:
                client, header = self._connect()
                break
            except Lost as error:
                if clock() > deadline:
                    msg = (
                        f"A FieldTrip buffer must listen on {self._host}:{self._port} and have a "
                        f"header; within {self._connect_timeout_s:g} s: {error}. Is the "
                        "acquisition running, are host and port right, does a firewall block it?"
                    )
                    raise StreamError(msg) from error
            self._queue.closed.wait(RETRY_S)
        try:
            self._infos[self._modality] = self._describe(header)
        except (StreamError, UnitError):
            client.disconnect()
            raise
        self._queue.run(self._queue.tick, name="ticks")
        self._queue.run(partial(self._receive, client, header), name=f"fieldtrip-{self._modality}")

    def _connect(self) -> tuple[Any, Any]:
        """Return the protocol's client and the buffer's header; raise one of `Lost`."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # "discontinued"; this part has no heir
            from mne_realtime.fieldtrip_client import FtClient
        client = FtClient()
        client.sock = _LiveSocket(socket.AF_INET, socket.SOCK_STREAM)
        client.isConnected = True
        try:
            client.sock.settimeout(ANSWER_S)
            client.sock.connect((self._host, self._port))
            client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            header = client.getHeader()
            if header is None:
                msg = "the buffer has no header yet"
                raise ConnectionError(msg)
        except BaseException:
            client.disconnect()
            raise
        return client, header

    def _describe(self, header: Any) -> StreamInfo:
        offered = OfferedBuffer(
            name=f"{self._host}:{self._port}",
            n_channels=header.nChannels,
            sfreq=float(header.fSample),
            ch_names=tuple(header.labels),
        )
        info = describe(offered, self._choice)
        if not (math.isfinite(info.sfreq) and info.sfreq > 0):
            msg = (
                f"{offered} must state its rate. Give sfreq under streams: {self._modality}: in "
                "the session file."
            )
            raise StreamError(msg)
        return info

    def _receive(self, client: Any, header: Any) -> None:
        """Receive until the queue is closed (work for a thread)."""
        while client is not None:
            try:
                self._deliver(client, header)
                return
            except Lost as error:
                self._tell(StreamState.LOST, f"{self._host}:{self._port}: {error}")
            finally:
                with suppress(OSError):
                    client.disconnect()
            client, header = self._connect_again()

    def _deliver(self, client: Any, header: Any) -> None:
        """Hand on samples as the buffer counts them; the first offset goes before the first."""
        sfreq, clock = self._infos[self._modality].sfreq, self._queue.clock
        scale = _scale(header)
        n_seen, t_offset, least_s = header.nSamples, -math.inf, math.inf
        while not self._queue.closed.is_set():
            n_now, _ = client.wait(n_seen, NEVER, WAIT_MS)
            if n_now < n_seen:
                msg = f"the sample count started anew ({n_seen} -> {n_now})"
                raise ConnectionError(msg)
            if n_now == n_seen:
                continue
            samples = client.getData([n_seen, n_now - 1])
            stamps_s, n_seen = np.arange(n_seen, n_now) / sfreq, n_now
            if samples is None:  # overwritten before we came; the stamps will show the gap
                logger.info("%s: %d samples came too late", self._modality, len(stamps_s))
                continue
            data = samples.T.copy(order="C") if scale is None else samples.T * scale
            now = clock()
            least_s = min(least_s, now - float(stamps_s[-1]))
            if now - t_offset > self._offset_interval_s:
                self._queue.put(partial(ClockOffset, self._modality, least_s))
                t_offset, least_s = now, math.inf
            self._queue.put(partial(Chunk, self._modality, data, stamps_s))

    def _connect_again(self) -> tuple[Any, Any]:
        """Return client and header of the buffer that came back; None twice once closed."""
        first, told = self._infos[self._modality], ""
        while not self._queue.closed.wait(RETRY_S):
            try:
                client, header = self._connect()
            except Lost:
                continue
            try:
                changed = differences(first, self._describe(header))
            except (StreamError, UnitError) as error:
                changed = [str(error)]
            if not changed:
                self._tell(StreamState.RECOVERED, f"{self._host}:{self._port} is back.")
                return client, header
            client.disconnect()
            if told != (told := "; ".join(changed)):
                self._tell(StreamState.REFUSED, f"{self._host}:{self._port} came back as {told}")
        return None, None

    def _tell(self, state: StreamState, detail: str) -> None:
        logger.info("%s %s: %s", self._modality, state.value, detail)
        self._queue.put(partial(StreamEvent, self._modality, state, detail=detail))


def _scale(header: Any) -> Any:
    """Return physical units a step, shape (n_channels, 1), or None where nothing needs scaling."""
    raw = header.chunks.get(RESOLUTIONS, b"")
    if header.dataType >= 9 or len(raw) != 8 * header.nChannels:  # 9 and 10 are float samples
        return None
    return np.frombuffer(raw, dtype=np.float64)[:, np.newaxis]
