"""A scanner whose software streams means of regions over LSL."""

import os
from dataclasses import replace
from threading import Event as StopEvent

import numpy as np

from rtaffect.core.clock import monotonic
from rtaffect.core.errors import ScannerError
from rtaffect.core.streams import Chunk, StreamInfo
from rtaffect.publish.lsl import LslSender
from rtaffect.simulate.delivery import Delivery
from rtaffect.simulate.scan import Scan
from rtaffect.simulate.scanner_link import LOOK_S, NAN, TIME

ROI = "roi"
WAIT_S = 30.0
"""The longest wait for somebody who receives, where frames leave as fast as they can."""

LINGER_S = 0.5
"""So long the stream stays after its last frame: what LSL still has to send is lost with it."""


class LslLink:
    """Sends a frame a volume, stamped with the middle of its acquisition.

    Parameters
    ----------
    name : str
        Of the stream.
    source_id : str
        Its sender's identity; by default it holds this process's number.
    simulated : bool
        Nobody was measured.
    stop : threading.Event or None
        Ends the wait for a receiver.
    wait_s : float
        So long a run waits for one; 0 begins without.
    """

    carries = frozenset({NAN, TIME})

    def __init__(
        self,
        *,
        name: str = "Simulated fMRI",
        source_id: str = "",
        simulated: bool = True,
        stop: StopEvent | None = None,
        wait_s: float = 0.0,
    ) -> None:
        self._name = name
        self._source_id = source_id or f"rtaffect-simulated-scanner-{os.getpid()}"
        self._simulated = simulated
        self._stop = stop or StopEvent()
        self._wait_s = wait_s
        self._sender: LslSender | None = None
        self._scan: Scan | None = None
        self._t_start = 0.0

    def begin(self, scan: Scan, t_start: float) -> None:
        """Open the stream, if it is not open, describe it, and wait for a receiver if need be."""
        scan.means(0)  # refuses a scan that has none
        self._scan, self._t_start = scan, t_start
        if self._sender is None:
            self._sender = LslSender([self._info(scan)])
        if self._wait_s:
            self._wait(self._sender)

    def send(self, delivery: Delivery) -> bool:
        """Send a frame."""
        assert self._scan is not None, "a run has begun"
        assert self._sender is not None, "a run has begun"
        stamp = self._t_start + delivery.middle_s + delivery.clock_off_s
        frame = delivery.means(self._scan).astype(np.float32)[:, np.newaxis]
        self._sender.push(Chunk(ROI, frame, np.array([stamp]), stamp))
        return True

    def end(self) -> None:
        """Do nothing: the stream stays for the next run."""

    def close(self) -> None:
        """End the stream."""
        if self._sender is not None:
            if self._wait_s and self._sender.has_consumers(ROI):
                self._stop.wait(LINGER_S)
            self._sender.close()

    def _wait(self, sender: LslSender) -> None:
        deadline = monotonic() + self._wait_s
        while not sender.has_consumers(ROI):
            if self._stop.wait(LOOK_S):
                return
            if monotonic() > deadline:
                msg = (
                    f"Nobody received the stream {self._name!r} (type fMRI, source_id "
                    f"{self._source_id!r}) within {self._wait_s:g} s: start the receiver, or leave "
                    "--unpaced out."
                )
                raise ScannerError(msg)

    def _info(self, scan: Scan) -> StreamInfo:
        info = StreamInfo(
            modality=ROI,
            name=self._name,
            stype="fMRI",
            source_id=self._source_id,
            ch_names=scan.ch_names,
            sfreq=0.0,
            about={
                "acquisition.tr_s": f"{scan.tr_s:g}",
                "acquisition.time_reference": "mid",
                "processing.motion_correction": "none",
                "processing.detrend": "none",
            },
        )
        return replace(info, simulated=self._simulated)
