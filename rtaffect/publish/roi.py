"""ROI frames as an LSL stream, and beside it a stream that says what is known of each frame.

docs/roi-stream.md writes the convention down, for others to send or receive the same.
"""

import json
import time
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from rtaffect import wire
from rtaffect.core.scanner_report import REPORT_MODALITY, REPORT_STYPE
from rtaffect.core.streams import Chunk, StreamInfo
from rtaffect.publish.lsl import LslSender

ROI_TYPE = "fMRI"
ROI = "roi"
LINGER_S = 0.2
"""LSL throws away what it has not sent when a stream ends."""


class RoiPublisher:
    """Sends frames of regions, and what is said of them.

    Parameters
    ----------
    ch_names : sequence of str
        The regions; empty opens no stream of frames, only what is said beside it.
    name, source_id : str
        Of the stream; the one beside it has ``-meta`` appended to both.
    unit : str
        Of the values: ``"au"`` as the scanner has them.
    about : mapping of str to str
        What the description says, by dotted key.
    n_voxels : sequence of int
        Voxels of each region; empty where nobody knows.
    simulated : bool
        Nobody was measured.

    Raises
    ------
    PublishError
        LSL refuses to open a stream.
    """

    def __init__(
        self,
        ch_names: Sequence[str],
        *,
        name: str,
        source_id: str,
        unit: str = "au",
        about: Mapping[str, str],
        n_voxels: Sequence[int] = (),
        simulated: bool = False,
    ) -> None:
        frames = StreamInfo(
            modality=ROI,
            name=name,
            stype=ROI_TYPE,
            source_id=source_id,
            ch_names=tuple(ch_names),
            sfreq=0.0,
            units=(unit,) * len(ch_names),
            simulated=simulated,
            about=about,
        )
        said = StreamInfo(
            modality=REPORT_MODALITY,
            name=f"{name}-meta",
            stype=REPORT_STYPE,
            source_id=f"{source_id}-meta",
            ch_names=("json",),
            sfreq=0.0,
            is_text=True,
            simulated=simulated,
        )
        counts = [str(n) for n in n_voxels] or [""] * len(ch_names)
        self._sender = LslSender(
            [frames, said] if ch_names else [said],
            channel_notes={
                ROI: [
                    {"index": str(index), "type": "BOLD", "n_voxels": count}
                    for index, count in enumerate(counts)
                ]
            },
        )

    def send(self, values: npt.NDArray[np.float64], *, t_acq: float) -> None:
        """Send a frame.

        Parameters
        ----------
        values : ndarray of float64, shape (n_regions,)
            One value a region, NaN where it is missing.
        t_acq : float
            Middle of the acquisition on LSL's clock, in seconds.
        """
        self._sender.push(Chunk(ROI, values[:, None], np.array([t_acq]), t_acq))

    def say(self, kind: str, stamp_s: float, **fields: object) -> None:
        """Send one JSON object on the stream beside the frames.

        Parameters
        ----------
        kind : str
            What it tells: ``"frame"``, ``"run_start"``, ``"run_end"``, ``"dropped"``, ``"note"``
            or ``"health"``.
        stamp_s : float
            The object's stamp on LSL's clock; of a frame, that of the frame.
        **fields : object
            The rest; NaN becomes null.
        """
        text = json.dumps(wire.plain({"kind": kind, **fields}), allow_nan=False)
        data = np.array([[text]], dtype=object)
        self._sender.push(Chunk(REPORT_MODALITY, data, np.array([stamp_s]), stamp_s))

    def close(self) -> None:
        """Give receivers a moment to take what was sent last, and end both streams."""
        if self._sender.has_consumers(REPORT_MODALITY):
            time.sleep(LINGER_S)
        self._sender.close()
