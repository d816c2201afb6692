"""A scanner that speaks as AFNI's realtime plugin does to realtime_receiver, versions 0 to 4."""

import socket
import struct
from threading import Event as StopEvent
from typing import Literal

import numpy as np

from rtaffect.core.errors import ScannerError
from rtaffect.simulate.delivery import Delivery
from rtaffect.simulate.processes import FloatArray
from rtaffect.simulate.scan import Scan
from rtaffect.simulate.scanner_link import LOOK_S, NAN

WITH_MEANS, WITH_VOXELS = (1, 4), (2, 3, 4)
BYE = 0xDEADDEAD
CONNECT_S = 30.0
SEND_S = 10.0


class AfniLink:
    """Connects to a receiver, once a run.

    Parameters
    ----------
    host, port : str, int
        Of the receiver.
    stop : threading.Event
        Ends a wait for it.
    version : int
        What is sent: 0 motion; 1 and means of regions; 2 and eight numbers a voxel; 3 and values of
        voxels; 4 and both means and values.
    byte_order : {"<", ">"}
        Of AFNI's machine.
    """

    carries = frozenset({NAN})

    def __init__(
        self,
        host: str,
        port: int,
        stop: StopEvent,
        *,
        version: int = 1,
        byte_order: Literal["<", ">"] = "<",
    ) -> None:
        self._to = (host, port)
        self._stop = stop
        self._version = version
        self._order = byte_order
        self._socket: socket.socket | None = None
        self._scan: Scan | None = None
        self._mask = np.empty(0, np.intp)
        self._places = np.empty((0, 7))

    def begin(self, scan: Scan, t_start: float) -> None:  # noqa: ARG002 - the protocol has no time
        """Connect and say which version follows."""
        self._scan = scan
        counts: list[int] = []
        if self._version in WITH_MEANS:
            counts.append(len(scan.means(0)))
        if self._version in WITH_VOXELS:
            self._mask = _mask(scan)
            counts.append(len(self._mask))
        if self._version == 2:
            self._places = _places(scan, self._mask)
        self._socket = self._connected()
        hello = bytes([0xAB, 0xCD, 0xEF, 0xAB + self._version])
        self._say(hello + struct.pack(f"{self._order}{len(counts)}i", *counts))

    def send(self, delivery: Delivery) -> bool:
        """Send one TR."""
        scan = self._scan
        assert scan is not None, "a run has begun"
        parts = [scan.motion(delivery.number)]
        if self._version in WITH_MEANS:
            parts.append(delivery.means(scan))
        if self._version in WITH_VOXELS:
            values = delivery.volume(scan).ravel(order="F")[self._mask].astype(np.float64)
            if self._version == 2:
                values = np.column_stack([self._places, values]).ravel()
            parts.append(values)
        self._say(np.concatenate(parts).astype(f"{self._order}f4").tobytes())
        return not self._stop.is_set()

    def end(self) -> None:
        """Say goodbye and hang up."""
        if self._socket is not None:
            try:
                self._say(struct.pack(f"{self._order}I", BYE))
            finally:
                self.close()

    def close(self) -> None:
        """Hang up."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _connected(self) -> socket.socket:
        waited_s = 0.0
        while True:
            try:
                connection = socket.create_connection(self._to, timeout=SEND_S)
            except OSError as error:
                if waited_s > CONNECT_S or self._stop.is_set():
                    msg = (
                        f"A receiver must listen on {self._to[0]}:{self._to[1]}: {error}. Does "
                        "`rtaffect scanner` run, with an input of kind afni there?"
                    )
                    raise ScannerError(msg) from error
                self._stop.wait(LOOK_S)
                waited_s += LOOK_S
            else:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return connection

    def _say(self, data: bytes) -> None:
        assert self._socket is not None, "a run has begun"
        try:
            self._socket.sendall(data)
        except OSError as error:
            msg = f"The receiver on {self._to[0]}:{self._to[1]} must go on listening: {error}."
            raise ScannerError(msg) from error


def _mask(scan: Scan) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Return the 1D indices (x fastest, as AFNI counts) of the voxels that are sent."""
    if scan.labels is not None:
        return np.flatnonzero(scan.labels.ravel(order="F"))
    return np.arange(scan.volume(0).size)


def _places(scan: Scan, mask: np.ndarray[tuple[int], np.dtype[np.intp]]) -> FloatArray:
    """Return what stands before a voxel's value: 1D index, i, j, k, x, y, z (LPS+, as AFNI's)."""
    index = np.array(np.unravel_index(mask, scan.volume(0).shape, order="F"), dtype=np.float64)
    ras = scan.affine[:3, :3] @ index + scan.affine[:3, 3:]
    places: FloatArray = np.vstack([mask, index, np.diag([-1.0, -1.0, 1.0]) @ ras]).T
    return places
