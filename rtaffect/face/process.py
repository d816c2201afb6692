"""The face process: pictures in, features out over LSL, until somebody ends it."""

import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Event as StopEvent
from typing import Protocol

import numpy as np

from rtaffect.core.clock import Clock
from rtaffect.core.face_features import EXTRACTOR, FACE_FEATURES, FRAME_QUALITY
from rtaffect.core.health import LatencyMeter
from rtaffect.core.streams import Chunk, StreamInfo
from rtaffect.face.action_units import AU_METHOD, RELIABILITY
from rtaffect.face.extractor import Extractor, FaceFrame
from rtaffect.face.pictures import Grabber, Picture
from rtaffect.publish.lsl import LslSender

FACE, FACE_TYPE = "face", "Face"
LOOK_S = 0.2
"""How long a picture is waited for before the process looks whether to end."""

UNITS = (*("",) * 6, *("mm",) * 3, *("rad",) * 3, *("0-5",) * 17, "0-1", "0/1")
"""Of each channel; gaze vectors have none."""


class FrameSink(Protocol):
    """Somebody who looks at frames beside LSL: a preview."""

    def show(self, picture: Picture, frame: FaceFrame) -> None:
        """Take a frame, with the picture that it comes from."""


@dataclass(slots=True, kw_only=True)
class Progress:
    """Where the process is, for a line on a terminal.

    Parameters
    ----------
    sfreq : float
        Features a second over the last seconds; NaN before two.
    n_frames, n_faces, n_dropped, n_losses : int
        Frames sent, faces in the newest, pictures that nobody had time for, and how often the
        camera went away.
    success : bool
        The newest frame has a face.
    is_calibrated : bool
        The neutral face is fixed.
    camera_lost : bool
        There is no camera at this moment.
    """

    sfreq: float = math.nan
    n_frames: int = 0
    n_faces: int = 0
    n_dropped: int = 0
    n_losses: int = 0
    success: bool = False
    is_calibrated: bool = False
    camera_lost: bool = False

    def __str__(self) -> str:
        if self.camera_lost:
            return "the camera is gone; looking for it"
        face = "a face" if self.success else "no face"
        others = f" and {self.n_faces - 1} more" if self.n_faces > 1 else ""
        calibrated = "  calibrated" if self.is_calibrated else ""
        return f"{self.sfreq:.1f} Hz  {face}{others}{calibrated}  {self.n_dropped} dropped"


def describe(
    *,
    name: str,
    source_id: str,
    sfreq: float,
    backend: str,
    simulated: bool = False,
    more: Mapping[str, str] | None = None,
) -> StreamInfo:
    """Return the description of the stream of features.

    Parameters
    ----------
    name, source_id : str
        Of the stream.
    sfreq : float
        What the camera says of its rate, kept in the description alone: the stream is irregular,
        for a camera's pictures are.
    backend : str
        What finds the face.
    simulated : bool
        Nobody was measured.
    more : mapping of str to str
        What else is to be said, by dotted key.
    """
    return StreamInfo(
        modality=FACE,
        name=name,
        stype=FACE_TYPE,
        source_id=source_id,
        ch_names=FACE_FEATURES + FRAME_QUALITY,
        sfreq=0.0,
        units=UNITS,
        simulated=simulated,
        about={
            "acquisition.camera_sfreq": f"{sfreq:g}",
            EXTRACTOR: "rtaffect",
            "processing.landmarks": backend,
            "processing.au_method": AU_METHOD,
            **{f"processing.au_reliability_{c.lower()}": names for c, names in RELIABILITY.items()},
            **(more or {}),
        },
    )


class FaceProcess:
    """Puts everything together.

    Parameters
    ----------
    grabber : Grabber
        The camera; it stays its caller's.
    extractor : Extractor
        What makes features.
    info : StreamInfo
        As `describe` makes it.
    clock : callable
        LSL's clock.
    preview : FrameSink or None
        Who else looks.

    Raises
    ------
    PublishError
        LSL refuses to send.
    """

    def __init__(
        self,
        grabber: Grabber,
        extractor: Extractor,
        info: StreamInfo,
        *,
        clock: Clock,
        preview: FrameSink | None = None,
    ) -> None:
        self._grabber = grabber
        self._extractor = extractor
        self._clock = clock
        self._preview = preview
        self._sender = LslSender([info])
        self._stamps: deque[float] = deque(maxlen=90)
        self.progress = Progress()
        self.stages = {name: LatencyMeter() for name in ("compute", "grab to features")}

    def run(self, stop: StopEvent, on_progress: Callable[[Progress], None] | None = None) -> None:
        """Work until somebody sets `stop`, or the file is over.

        Raises
        ------
        FaceError
            The camera's thread died.
        PublishError
            LSL refuses to send.
        """
        while not stop.is_set():
            picture = self._grabber.take(LOOK_S)
            if picture is not None:
                self._take(picture)
            elif self._grabber.is_over:
                return
            self._count()
            if on_progress is not None:
                on_progress(self.progress)

    def close(self) -> None:
        """End the stream."""
        self._sender.close()

    def _take(self, picture: Picture) -> None:
        t_begin = self._clock()
        frame = self._extractor.extract(picture.image, picture.t_s)
        t_made = self._clock()
        values = np.array([*frame.features, frame.confidence, float(frame.success)])
        stamps = np.array([frame.t_s])
        self._sender.push(Chunk(FACE, values[:, np.newaxis], stamps, t_made))
        self.stages["compute"].add(t_made - t_begin)
        self.stages["grab to features"].add(t_made - picture.t_s - self._grabber.delay_s)
        self._stamps.append(frame.t_s)
        self.progress.n_frames += 1
        self.progress.n_faces = frame.n_faces
        self.progress.success = frame.success
        if self._preview is not None:
            self._preview.show(picture, frame)

    def _count(self) -> None:
        counts, progress = self._grabber.counts, self.progress
        progress.n_dropped, progress.n_losses = counts.n_dropped, counts.n_losses
        progress.camera_lost = self._grabber.is_lost
        progress.is_calibrated = self._extractor.neutral.is_calibrated
        if len(self._stamps) > 1:
            progress.sfreq = (len(self._stamps) - 1) / (self._stamps[-1] - self._stamps[0])
