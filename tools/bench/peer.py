"""What every peer does with samples: a 3 s window each 0.25 s, Pearson's r, bare ZeroMQ.

Imported by peers in environments of their own: numpy and pyzmq only.
"""

import json
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import zmq

N_WINDOW, N_HOP = 1536, 128


class PearsonPublisher:
    """Publishes the correlation of 32 channels whenever a hop is complete.

    Parameters
    ----------
    address : str
        Where to bind.
    clock : callable
        LSL's clock.
    """

    def __init__(self, address: str, clock: Callable[[], float]) -> None:
        self._socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.PUB)
        self._socket.bind(address)
        self._clock = clock
        self._ring = np.zeros((2 * N_WINDOW, 33), dtype=np.float32)
        self._n = 0

    def push(self, samples: npt.NDArray[np.float32], t_arrival: float) -> None:
        """Take samples, shape (n_times, 33), the last channel counting them."""
        start = 0
        for stop in [*(np.flatnonzero((samples[:, 32] + 1) % N_HOP == 0) + 1), len(samples)]:
            self._keep(samples[start:stop])
            if stop > start and (samples[stop - 1, 32] + 1) % N_HOP == 0 and self._n >= N_WINDOW:
                self._publish(t_arrival)
            start = stop

    def _keep(self, samples: npt.NDArray[np.float32]) -> None:
        samples = samples[-N_WINDOW:]
        at, n = self._n % N_WINDOW, len(samples)
        self._ring[at : at + n] = samples
        n_head = min(n, N_WINDOW - at)
        self._ring[at + N_WINDOW : at + N_WINDOW + n_head] = samples[:n_head]
        self._ring[: n - n_head] = samples[n_head:]
        self._n += n

    def _publish(self, t_arrival: float) -> None:
        at = self._n % N_WINDOW
        window = self._ring[at : at + N_WINDOW]
        connectivity = np.corrcoef(window[:, :32].T)
        header = {
            "counter": int(window[-1, 32]),
            "n_jumps": int(np.count_nonzero(np.diff(window[:, 32]) != 1)),
            "t_arrival": t_arrival,
            "t_published": self._clock(),
        }
        self._socket.send_multipart([json.dumps(header).encode(), connectivity.tobytes()])
