"""Puts the frames of an irregular stream in order, on the runtime's clock; its part of a track."""

import math
from collections.abc import Iterator

from rtaffect.core.streams import Chunk, ClockOffset
from rtaffect.signal.timeline import MAX_AHEAD_S, OFFSET_STEP_S, Break, ClockMap, TimelineCounts
from rtaffect.signal.track import Track

N_MEASURED = 64


class FrameStamps:
    """Follows the stamps of one stream of frames.

    Parameters
    ----------
    shift_s : float
        How long after its stamp the time lies that a frame speaks of, in seconds.
    """

    def __init__(self, *, shift_s: float = 0.0) -> None:
        self._shift_s = shift_s
        self.counts = TimelineCounts()
        self.t_newest = float("nan")
        self._clock = ClockMap()
        self._last_s: list[float] = []

    @property
    def offset_s(self) -> float:
        """Newest clock offset in seconds; NaN before the first."""
        return self._clock.offset_s if self._clock.known else float("nan")

    @property
    def measured_sfreq(self) -> float:
        """Frames per second over the last frames; NaN before two."""
        if len(self._last_s) < 2:
            return float("nan")
        return (len(self._last_s) - 1) / (self._last_s[-1] - self._last_s[0])

    def offset(self, event: ClockOffset) -> bool:
        """Take a clock offset; return whether it stepped, which means that a clock was set."""
        return abs(self._clock.update(event)) > OFFSET_STEP_S

    def place(self, chunk: Chunk) -> Iterator[tuple[int, float]]:
        """Yield column and stamp of each frame that is newer than all before it.

        Frames that are not are counted and passed over. One from the future has the stamp NaN: the
        sender's clock was set, and the offset that explains it is not known yet.
        """
        stamps_s = self._clock.apply(chunk) + self._shift_s
        self.counts.n_samples += len(stamps_s)
        for column, stamp_s in enumerate(stamps_s.tolist()):
            from_the_future = stamp_s > chunk.t_received + MAX_AHEAD_S
            if from_the_future or not stamp_s > self._newest():
                self.counts.n_backward += 1
                if from_the_future:
                    yield column, math.nan
                continue
            self.t_newest = stamp_s
            self._last_s = [*self._last_s[-(N_MEASURED - 1) :], stamp_s]
            yield column, stamp_s

    def _newest(self) -> float:
        return -math.inf if math.isnan(self.t_newest) else self.t_newest


class StampedTrack(Track):
    """What tracks of frames share: the stamps decide about everything but the values."""

    _stamps: FrameStamps

    @property
    def counts(self) -> TimelineCounts:
        """What the stream delivered so far."""
        return self._stamps.counts

    @property
    def measured_sfreq(self) -> float:
        """Frames per second over the last frames; NaN before two."""
        return self._stamps.measured_sfreq

    @property
    def offset_s(self) -> float:
        """Newest clock offset in seconds; NaN before the first."""
        return self._stamps.offset_s

    def offset(self, event: ClockOffset) -> None:
        """Take a clock offset; a step means that the sender's clock was set."""
        if self._stamps.offset(event):
            self.interrupt(Break.CLOCK)
