"""Frames (facial features) held on a grid, so that a camera's own rate does not matter."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rtaffect.core.errors import MontageError
from rtaffect.core.face_features import EXTRACTOR, FRAME_QUALITY, MIN_CONFIDENCE
from rtaffect.core.spec import FrameSpec
from rtaffect.core.streams import Chunk, StreamInfo
from rtaffect.signal.face_units import face_factors
from rtaffect.signal.frame_stamps import FrameStamps, StampedTrack
from rtaffect.signal.roi_cleaning import RunningNormaliser
from rtaffect.signal.timeline import LARGEST, Break, Floats
from rtaffect.signal.track import ARTIFACT, PRESENT, UNSETTLED, GridTrack, States

LONGEST_STEP_S = 1.0
"""Of a longer time between two valid frames no more counts towards the warm-up."""


@dataclass(slots=True)
class _Frame:
    """The frame that speaks for the time after it."""

    stamp_s: float
    data: Floats
    valid: bool
    state: np.uint8


class FrameTrack(StampedTrack, GridTrack):
    """Follows one stream of frames.

    Parameters
    ----------
    spec : FrameSpec
        The grid.
    info : StreamInfo
        The stream.
    keep_s : float
        How much of the past is kept, in seconds.

    Raises
    ------
    MontageError
        The stream lacks features that the model was trained on, or another extractor made them.
    UnitError
        It declares units that are neither lengths nor angles where those are needed.
    """

    def __init__(self, spec: FrameSpec, info: StreamInfo, *, keep_s: float) -> None:
        super().__init__(info, sfreq=spec.sfreq, n_rows=spec.n_rows, keep_s=keep_s)
        missing = [name for name in spec.ch_names if name not in info.ch_names]
        if missing:
            msg = (
                f"The {info.modality} stream {info.name!r} must carry {len(spec.ch_names)} "
                f"features; it lacks {', '.join(missing)}. It has {', '.join(info.ch_names)}. "
                "Rename them in the session file (`rename:`) or choose another stream."
            )
            raise MontageError(msg)
        _check_extractor(spec, info)
        self.spec = spec
        self._normaliser = RunningNormaliser(
            spec.n_rows, variance_floor=spec.variance_floor, clip=spec.clip
        )
        self._t_valid = math.nan
        self._watched_s = 0.0
        self._picks = [info.ch_names.index(name) for name in spec.ch_names]
        self._factors = face_factors(info, spec.ch_names)
        self._quality = {
            name: info.ch_names.index(name) for name in FRAME_QUALITY if name in info.ch_names
        }
        self._stamps = FrameStamps()
        self._frames: list[_Frame] = []

    def interrupt(self, reason: Break) -> None:
        """Forget the frame that spoke for the time after it."""
        self._frames = []
        if reason is Break.CLOCK:
            self.note_clock_break(self.t_newest)

    def push(self, chunk: Chunk) -> Iterator[None]:
        """Take frames one by one; yield after each, when windows may have become complete."""
        data = chunk.data.astype(np.float64)
        for column, stamp_s in self._stamps.place(chunk):
            if math.isnan(stamp_s):
                self.interrupt(Break.CLOCK)
            else:
                self._place(stamp_s, data[:, column])
                yield

    def _place(self, stamp_s: float, column: Floats) -> None:
        frame = column[self._picks] * self._factors
        finite = bool((np.abs(frame) <= LARGEST).all())  # NaN and infinities are not
        self.counts.n_nonfinite += not finite
        trusted = all(
            column[at] >= (MIN_CONFIDENCE if name == "confidence" else 0.5)
            for name, at in self._quality.items()
        )
        # Grid times up to this frame's stamp, this one excluded, are spoken for by those before it.
        m_stop = int(np.ceil(stamp_s * self.sfreq))
        self._resolve(m_stop)
        valid = finite and trusted
        state = self._normalise(frame, stamp_s) if valid else PRESENT | ARTIFACT
        self._frames.append(_Frame(stamp_s, frame, valid, state))
        if m_stop / self.sfreq == stamp_s:
            self._resolve(m_stop + 1)
        self.t_newest = stamp_s

    def _normalise(self, frame: Floats, stamp_s: float) -> np.uint8:
        """Replace a valid frame's values by those that the model sees; return their state."""
        if self.spec.normalise == "none":
            return PRESENT
        if not math.isnan(self._t_valid):
            self._watched_s += min(stamp_s - self._t_valid, LONGEST_STEP_S)
        self._t_valid = stamp_s
        frame[:] = self._normaliser.push(frame)
        return PRESENT if self._watched_s >= self.spec.settle_s else PRESENT | UNSETTLED

    def _resolve(self, m_stop: int) -> None:
        """Write the grid up to (not including) ``m_stop`` from the frames known so far."""
        if not self._frames:
            self.reach(m_stop)
            return
        reach_m = int(np.floor((self._frames[-1].stamp_s + self.spec.hold_s) * self.sfreq)) + 1
        first_m = int(np.ceil(self._frames[0].stamp_s * self.sfreq))
        for m in range(max(first_m, self.m_reached), min(m_stop, reach_m)):
            oldest_s = m / self.sfreq - self.spec.hold_s
            held = [frame for frame in self._frames if frame.stamp_s >= oldest_s]
            valid = [frame for frame in held if frame.valid]
            if valid:
                self.write(m, valid[-1].data[:, None], valid[-1].state)
            elif held:
                self.write(m, np.full((len(self._picks), 1), np.nan), held[-1].state)
        self.reach(m_stop)
        newest_s = self._frames[-1].stamp_s
        self._frames = [f for f in self._frames if f.stamp_s >= newest_s - self.spec.hold_s]

    def usable(self, coverage: float, states: States) -> bool:  # noqa: ARG002
        """Enough of the window is covered by valid frames."""
        return coverage >= self.spec.min_coverage


def _check_extractor(spec: FrameSpec, info: StreamInfo) -> None:
    """Refuse features of another extractor than the model knows."""
    made_by = info.about.get(EXTRACTOR, "")
    if not spec.extractor or made_by == spec.extractor or spec.normalise == "running":
        return
    msg = (
        f"The {info.modality} stream {info.name!r} must hold features made by {spec.extractor!r}, "
        f"as the model was trained on; its description says {made_by or 'nothing'!r}. Levels of "
        "features differ between extractors. Use that extractor, or train with "
        "windows.face_normalise: running, which looks at each person's changes alone."
    )
    raise MontageError(msg)
