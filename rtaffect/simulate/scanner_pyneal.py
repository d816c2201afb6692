"""A scanner that speaks as Pyneal's scanner side: a ZeroMQ PAIR, one reply a volume."""

import json
from threading import Event as StopEvent

import numpy as np
import zmq

from rtaffect.core.errors import ScannerError
from rtaffect.simulate.delivery import Delivery
from rtaffect.simulate.scan import Scan
from rtaffect.simulate.scanner_link import AFFINE, LOOK_S, NAN, SHAPE, TR

HELLO = "hello from rtaffect simulate"
ANSWER_S = 30.0


class PynealLink:
    """Sends volumes to whoever binds an address.

    Parameters
    ----------
    address : str
        Of the receiver, as ``tcp://127.0.0.1:5555``.
    stop : threading.Event
        Ends a wait for an answer.
    """

    carries = frozenset({NAN, AFFINE, TR, SHAPE})

    def __init__(self, address: str, stop: StopEvent) -> None:
        self._address = address
        self._stop = stop
        self._scan: Scan | None = None
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.PAIR)
        self._socket.linger = 0
        try:
            self._socket.connect(address)
        except zmq.ZMQError as error:
            self.close()
            msg = f"The receiver's address must be like tcp://127.0.0.1:5555, got {address!r}: "
            raise ScannerError(f"{msg}{error}.") from error

    def begin(self, scan: Scan, t_start: float) -> None:  # noqa: ARG002 - the protocol has no time
        """Say hello and wait for the same words."""
        self._scan = scan
        self._socket.send_string(HELLO)
        answer = self._answer()
        if answer not in (None, HELLO.encode()):
            msg = f"The receiver on {self._address} must return our hello, got {answer!r:.60}."
            raise ScannerError(msg)

    def send(self, delivery: Delivery) -> bool:
        """Send a volume and wait for the reply."""
        assert self._scan is not None, "a run has begun"
        voxels = np.ascontiguousarray(delivery.volume(self._scan))
        header = {
            "volIdx": delivery.number,
            "dtype": voxels.dtype.name,
            "shape": voxels.shape,
            "affine": json.dumps(delivery.affine(self._scan).tolist()),
            "TR": f"{delivery.tr(self._scan):g}",
        }
        self._socket.send_multipart([json.dumps(header).encode(), voxels.tobytes()])
        answer = self._answer()
        return answer is not None and b"STOP" not in answer

    def end(self) -> None:
        """Do nothing: the protocol knows no end of a run."""

    def close(self) -> None:
        """Disconnect."""
        self._socket.close()
        self._context.term()

    def _answer(self) -> bytes | None:
        """Return what the receiver says; None when we are to end."""
        waited_s = 0.0
        while not self._stop.is_set():
            if self._socket.poll(int(1000 * LOOK_S)):
                return self._socket.recv()
            waited_s += LOOK_S
            if waited_s > ANSWER_S:
                msg = (
                    f"A receiver must answer on {self._address}, and for {ANSWER_S:g} s none did. "
                    "Does `rtaffect scanner` run, with an input of kind pyneal there?"
                )
                raise ScannerError(msg)
        return None
