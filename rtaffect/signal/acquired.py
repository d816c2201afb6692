"""What a scanner acquires frame by frame (ROI means, whole volumes), as part of a window.

A window ends at a frame, and its samples lie ``1 / sfreq`` apart up to and including that frame.
Everything that is done to a frame (cleaning, normalising) is done once, when it comes, and rests on
the frames before it alone.
"""

import itertools
import math
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from statistics import median

import numpy as np
import numpy.typing as npt

from rtaffect.core.errors import MontageError, StreamError
from rtaffect.core.spec import AcquiredSpec, CleaningSpec, RoiSpec
from rtaffect.core.streams import Chunk, StreamInfo
from rtaffect.core.window import Flag, ModalityWindow
from rtaffect.signal.frame_readers import RoiReader, VolumeReader, missing_regions
from rtaffect.signal.frame_stamps import FrameStamps, StampedTrack
from rtaffect.signal.roi_cleaning import RoiCleaner, RunningNormaliser
from rtaffect.signal.timeline import Break, Floats

TR_KEY, REFERENCE_KEY = "acquisition.tr_s", "acquisition.time_reference"
DETREND_KEY, DESPIKE_KEY = "processing.detrend", "processing.despike"
"""Where a stream's description tells of TR and stamps, and of what its sender has done already."""

NOT_DONE = frozenset({"", "none", "no", "false"})

SLACK_S = 0.005
"""A sample so close to a frame is that frame: offsets of clocks wander by as much."""

TR_TOLERANCE = 0.1
"""By what share a TR may differ from the model's where frames are taken as they are."""

SHORTEST_TR_S = 0.1
"""No scanner acquires faster: frames beyond this rate are not kept."""

LOST_STEPS = 1.5
"""Frames further apart than so many expected distances have lost some between them."""

Data = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Frame:
    """One frame as the model will see it; without data where it could not be read."""

    stamp_s: float
    data: Data | None
    settled: bool


class AcquiredTrack(StampedTrack):
    """Follows one stream of ROI frames or of volumes.

    Parameters
    ----------
    spec : RoiSpec or VolumeSpec
        What the model wants.
    info : StreamInfo
        The stream.
    window_s : float
        How much of the past a window shows, in seconds.
    hop_s : float
        Distance at which frames are expected where the stream does not declare its TR, in seconds.

    Raises
    ------
    MontageError
        The stream lacks regions that the model was trained on.
    StreamError
        The model takes frames as they are, and the stream declares another TR.
    """

    def __init__(
        self, spec: AcquiredSpec, info: StreamInfo, *, window_s: float, hop_s: float
    ) -> None:
        super().__init__(info)
        if isinstance(spec, RoiSpec) and (lack := missing_regions(spec, info)):
            raise MontageError(lack)
        if mismatch := tr_mismatch(spec, info):
            raise StreamError(mismatch)
        self.spec = spec
        self._window_s = window_s
        self._n_times = round(window_s * spec.sfreq)
        declared_s = declared_tr(info.about)
        self._distance_s = hop_s if math.isnan(declared_s) else declared_s
        self._reader = RoiReader(spec, info) if isinstance(spec, RoiSpec) else VolumeReader(spec)
        wanted = spec.cleaning if isinstance(spec, RoiSpec) else None
        left = left_to_clean(wanted, info.about)
        self._cleaner = None if left is None else RoiCleaner(spec.n_rows, left)
        self._normaliser = (
            RunningNormaliser(spec.n_rows, variance_floor=spec.variance_floor, clip=spec.clip)
            if spec.normalise == "running"
            else None
        )
        at_start = info.about.get(REFERENCE_KEY, "").strip().lower() == "start"
        self._stamps = FrameStamps(shift_s=self._distance_s / 2 if at_start else 0.0)
        self._frames: deque[_Frame] = deque(maxlen=math.ceil(window_s / SHORTEST_TR_S) + 2)
        self._steps_s: deque[float] = deque(maxlen=16)
        self._n_in_run = 0
        self._is_ahead = False
        self._is_run_expected = False

    @property
    def faults(self) -> tuple[str, ...]:
        """What is wrong right now, in words: ``"2 regions missing (A8m_L, A8m_R)"``."""
        faults = self._reader.faults
        if self._is_ahead:
            faults += ("frames are stamped in the future: has the sender's clock been set?",)
        if not self._has_right_tr():
            got_s, wanted_s = median(self._steps_s), 1.0 / self.spec.sfreq
            faults += (f"frames come every {got_s:.3g} s, the model wants {wanted_s:.3g} s",)
        return faults

    def interrupt(self, reason: Break) -> None:
        """Note that the clock was set; frames go on by their stamps, however they are carried."""
        if reason is Break.CLOCK:
            self.note_clock_break(self.t_newest)

    def expect_run(self) -> None:
        """Note that the next frame is of a new run."""
        self._is_run_expected = True

    def push(self, chunk: Chunk) -> Iterator[None]:
        """Take frames one by one; yield after each that is newer than all before it."""
        for column, stamp_s in self._stamps.place(chunk):
            self._is_ahead = math.isnan(stamp_s)
            if self._is_ahead:
                self.interrupt(Break.CLOCK)
                continue
            self._place(stamp_s, chunk, column)
            yield

    def _place(self, stamp_s: float, chunk: Chunk, column: int) -> None:
        step_s = stamp_s - self.t_newest
        self.t_newest = stamp_s
        if (
            self._is_run_expected
            or not step_s <= self.spec.new_run_s
            or self._reader.begins_a_run(chunk)
        ):
            self._begin_run()
        else:
            self._steps_s.append(step_s)
            if step_s > LOST_STEPS * self._distance_s:
                self.counts.n_gaps += 1
                self.counts.n_missing += round(step_s / self._distance_s) - 1
        rows = self._reader.read(chunk, column)
        if rows is None:
            self.counts.n_nonfinite += 1
            self._frames.append(_Frame(stamp_s, None, settled=False))
        else:
            self._frames.append(self._seen(stamp_s, rows))
        self._forget(stamp_s - self._window_s)

    def _forget(self, t: float) -> None:
        """Drop frames before the last one that could be read at or before `t`."""
        read = [
            i for i, one in enumerate(self._frames) if one.data is not None and one.stamp_s <= t
        ]
        n_over = len(self._frames) - self._n_times
        for _ in range(min(n_over, read[-1] if read else 0)):
            self._frames.popleft()

    def _begin_run(self) -> None:
        """Forget what came before: nothing of one run speaks for the next."""
        self._frames.clear()
        self._steps_s.clear()
        self._n_in_run = 0
        self._is_run_expected = False
        if self._cleaner is not None:
            self._cleaner.reset()
        if self._normaliser is not None:
            self._normaliser.reset()

    def _seen(self, stamp_s: float, rows: Floats) -> _Frame:
        """Return a frame as the model will see it."""
        if self._cleaner is not None:
            rows = self._cleaner.push(rows, stamp_s=stamp_s)
        if self._normaliser is not None:
            rows = self._normaliser.push(rows)
        self._n_in_run += 1
        settled = self._n_in_run > self.spec.n_settle
        if not settled:
            rows = np.where(np.isfinite(rows), 0.0, np.nan)
        return _Frame(stamp_s, rows.astype(np.float32), settled)

    def window(self, t_end: float, *, silent: bool) -> ModalityWindow:
        """Return the modality's part of the window that ends at a frame, as it is known now.

        Parameters
        ----------
        t_end : float
            Time of the window's last sample, in seconds.
        silent : bool
            The stream is lost or stale: what is absent at the end will not come soon.
        """
        times = [t_end - k / self.spec.sfreq for k in range(self._n_times - 1, -1, -1)]
        data = np.full((self.spec.n_rows, self._n_times), np.nan, dtype=np.float32)
        settled = np.zeros(self._n_times, dtype=np.bool_)
        flags = self.standing_flags(times[0], t_end)
        samples = (
            self._interpolated(times) if self.spec.take == "seconds" else self._taken(t_end, times)
        )
        for column, sample in enumerate(samples):
            if isinstance(sample, _Frame):
                data[:, column] = sample.data
                settled[column] = sample.settled
                if not sample.settled:
                    flags.add(Flag.WARMUP)
            elif sample is Flag.LATE and silent:
                flags.add(Flag.STALE)
            else:
                flags.add(sample)
        if self._lost_since(times[0]):
            flags.add(Flag.GAP)
        coverage = int(np.count_nonzero(np.isfinite(data) & settled)) / data.size
        usable = coverage >= self.spec.min_coverage and self._has_right_tr()
        if not usable:
            flags.add(Flag.MISSING)
        return ModalityWindow(data, usable, coverage, frozenset(flags), self.t_newest)

    def _lost_since(self, t: float) -> bool:
        """Return whether frames are lacking between those that came after `t`."""
        read_s = [frame.stamp_s for frame in self._frames if frame.data is not None]
        return any(
            stamp_s > t and stamp_s - before_s > LOST_STEPS * self._distance_s
            for before_s, stamp_s in itertools.pairwise(read_s)
        )

    def _interpolated(self, times: list[float]) -> Iterator[_Frame | Flag]:
        """Yield what there is at each time, or why there is nothing."""
        frames = [frame for frame in self._frames if frame.data is not None]
        after = 0
        for t in times:
            while after < len(frames) and frames[after].stamp_s < t - SLACK_S:
                after += 1
            while after + 1 < len(frames) and frames[after + 1].stamp_s <= t:
                after += 1  # of a burst that is stamped by its arrival, the newest
            if after == len(frames):
                # A frame that came but could not be read is no lateness.
                yield Flag.ARTIFACT if self.t_newest >= t - SLACK_S else Flag.LATE
            elif frames[after].stamp_s <= t + SLACK_S:
                yield frames[after]
            elif after == 0:
                yield Flag.WARMUP
            elif frames[after].stamp_s - frames[after - 1].stamp_s > self.spec.max_gap_s:
                yield Flag.GAP
            else:
                yield _between(frames[after - 1], frames[after], t)

    def _taken(self, t_end: float, times: list[float]) -> list[_Frame | Flag]:
        """Return the last frames as they are, or why one is not there."""
        late = [] if self.t_newest >= t_end - SLACK_S else [Flag.LATE]
        taken: list[_Frame | Flag] = []
        after_s = self.t_newest
        for frame in reversed(self._frames):
            if after_s - frame.stamp_s > self.spec.max_gap_s:
                break
            after_s = frame.stamp_s
            taken.append(Flag.ARTIFACT if frame.data is None else frame)
        beyond = Flag.WARMUP if len(taken) == len(self._frames) else Flag.GAP
        backwards = [*late, *taken, *[beyond] * len(times)]
        return backwards[: len(times)][::-1]

    def _has_right_tr(self) -> bool:
        """Return whether frames that are taken as they are come as often as in training."""
        if self.spec.take != "frames" or len(self._steps_s) < 3:
            return True
        return abs(median(self._steps_s) * self.spec.sfreq - 1.0) <= TR_TOLERANCE


def tr_mismatch(spec: AcquiredSpec, info: StreamInfo) -> str:
    """Return in words that a stream's declared TR does not serve a model; "" where it does."""
    tr_s = declared_tr(info.about)
    if spec.take != "frames" or math.isnan(tr_s) or abs(tr_s * spec.sfreq - 1) <= TR_TOLERANCE:
        return ""
    return (
        f"The {info.modality} stream {info.name!r} must have a TR of {1 / spec.sfreq:g} s, as the "
        f"model takes its frames as they are; it declares {tr_s:g} s. Choose a model of that TR, "
        "or one that takes seconds."
    )


def declared_tr(about: Mapping[str, str]) -> float:
    """Return the TR that a stream declares, in seconds; NaN where it does not."""
    try:
        tr_s = float(about.get(TR_KEY, "nan"))
    except ValueError:
        return math.nan
    return tr_s if 0.0 < tr_s < math.inf else math.nan


def already_cleaned(about: Mapping[str, str]) -> dict[str, str]:
    """Return what a sender says that it cleaned, by key of its description."""
    return {
        key: about[key]
        for key in (DETREND_KEY, DESPIKE_KEY)
        if about.get(key, "").strip().lower() not in NOT_DONE
    }


def left_to_clean(wanted: CleaningSpec | None, about: Mapping[str, str]) -> CleaningSpec | None:
    """Return what of the cleaning the sender has not done: nothing is cleaned twice."""
    if wanted is None:
        return None
    done = already_cleaned(about)
    left = replace(
        wanted,
        detrend="none" if DETREND_KEY in done else wanted.detrend,
        despike=wanted.despike and DESPIKE_KEY not in done,
    )
    return None if left.detrend == "none" and not left.despike else left


def _between(before: _Frame, after: _Frame, t: float) -> _Frame:
    """Return what lies on the line between two frames."""
    assert before.data is not None
    assert after.data is not None
    share = np.float32((t - before.stamp_s) / (after.stamp_s - before.stamp_s))
    data = before.data + share * (after.data - before.data)
    return _Frame(t, data, before.settled and after.settled)
