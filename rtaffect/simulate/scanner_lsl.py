"""A scanner whose software streams means of regions over LSL."""

import os
from dataclasses import replace

import numpy as np

from rtaffect.core.streams import Chunk, StreamInfo
from rtaffect.publish.lsl import LslSender
from rtaffect.simulate.delivery import Delivery
from rtaffect.simulate.scan import Scan
from rtaffect.simulate.scanner_link import NAN, TIME

ROI = "roi"


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
    """

    carries = frozenset({NAN, TIME})

    def __init__(
        self, *, name: str = "Simulated fMRI", source_id: str = "", simulated: bool = True
    ) -> None:
        self._name = name
        self._source_id = source_id or f"rtaffect-simulated-scanner-{os.getpid()}"
        self._simulated = simulated
        self._sender: LslSender | None = None
        self._scan: Scan | None = None
        self._t_start = 0.0

    def begin(self, scan: Scan, t_start: float) -> None:
        """Open the stream, if it is not open, and describe it."""
        scan.means(0)  # refuses a scan that has none
        self._scan, self._t_start = scan, t_start
        if self._sender is None:
            self._sender = LslSender([self._info(scan)])

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
            self._sender.close()

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
