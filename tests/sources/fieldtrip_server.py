"""A small FieldTrip buffer: the server side of version 1 of the protocol.

Each message is ``version u16, command u16, size u32`` and so many bytes; see the protocol at
https://www.fieldtriptoolbox.org/development/realtime/buffer_protocol/
"""

import socket
import struct
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Self

import numpy as np

GET_HDR, GET_DAT, GET_OK, GET_ERR, WAIT_DAT, WAIT_OK, WAIT_ERR = (
    *(0x201, 0x202, 0x204, 0x205),
    *(0x402, 0x404, 0x405),
)
DTYPES = {"int16": 6, "float32": 9, "float64": 10}


class FieldTripServer:
    """Serves samples that a test puts, on loopback.

    Parameters
    ----------
    labels : sequence of str
        Channel labels; empty ones are not sent.
    sfreq : float
        Rate that the header states.
    dtype : str
        Type of the samples.
    resolutions : sequence of float
        Physical units a step, one a channel.
    n_kept : int
        Older samples are overwritten.
    port : int
        0 for any free port.
    """

    def __init__(
        self,
        labels: Sequence[str] = ("Fz", "Cz"),
        *,
        n_channels: int | None = None,
        sfreq: float = 100.0,
        dtype: str = "float32",
        resolutions: Sequence[float] = (),
        n_kept: int = 1000,
        port: int = 0,
    ) -> None:
        self.labels = labels
        self.n_channels = len(labels) if n_channels is None else n_channels
        self.sfreq = sfreq
        self.dtype = dtype
        self.resolutions = resolutions
        self.n_kept = n_kept
        self.has_header = True
        self.mute = False
        self._samples = np.empty((0, self.n_channels), dtype=dtype)
        self._grown = threading.Condition()
        self._peers: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def put(self, samples: np.ndarray) -> None:
        """Add samples of shape (n_times, n_channels)."""
        with self._grown:
            self._samples = np.concatenate([self._samples, samples.astype(self.dtype)])
            self._grown.notify_all()

    def flush(self) -> None:
        """Start counting anew."""
        with self._grown:
            self._samples = self._samples[:0]
            self._grown.notify_all()

    def stop(self) -> None:
        """Hang up on everybody."""
        for end in (self._listener, *self._peers):
            with suppress(OSError):  # it hung up before us
                end.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._peers.append(peer)
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer: socket.socket) -> None:
        with suppress(OSError), peer, peer.makefile("rb") as incoming:  # until either hangs up
            while len(head := incoming.read(8)) == 8:
                _, command, size = struct.unpack("HHI", head)
                status, answer = self._answer(command, incoming.read(size))
                while self.mute:
                    time.sleep(0.01)
                peer.sendall(struct.pack("HHI", 1, status, len(answer)) + answer)

    def _answer(self, command: int, request: bytes) -> tuple[int, bytes]:
        with self._grown:
            if command == WAIT_DAT:
                if not self.has_header:
                    return WAIT_ERR, b""
                n_times, _, timeout_ms = struct.unpack("III", request)
                n_before = len(self._samples)
                self._grown.wait_for(
                    lambda: len(self._samples) > n_times or len(self._samples) < n_before,
                    timeout_ms / 1e3,
                )
                return WAIT_OK, struct.pack("II", len(self._samples), 0)
            if command == GET_HDR and self.has_header:
                return GET_OK, self._header()
            if command == GET_DAT:
                first, last = struct.unpack("II", request)
                if len(self._samples) - self.n_kept <= first <= last < len(self._samples):
                    wanted = self._samples[first : last + 1]
                    definition = (self.n_channels, len(wanted), DTYPES[self.dtype], wanted.nbytes)
                    return GET_OK, struct.pack("IIII", *definition) + wanted.tobytes()
            return GET_ERR, b""

    def _header(self) -> bytes:
        chunks = b""
        if self.labels:
            names = b"".join(label.encode() + b"\0" for label in self.labels)
            chunks += struct.pack("II", 1, len(names)) + names
        if self.resolutions:
            steps = struct.pack(f"{len(self.resolutions)}d", *self.resolutions)
            chunks += struct.pack("II", 3, len(steps)) + steps
        definition = (self.n_channels, len(self._samples), 0, self.sfreq, DTYPES[self.dtype])
        return struct.pack("IIIfII", *definition, len(chunks)) + chunks
