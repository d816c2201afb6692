"""A recording becomes the windows that the runtime would make of it, with what was felt in them."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from offline.datasets.contract import Course, Floats, Ints, Recording
from offline.datasets.scaling import ScaledSource, Scaling
from offline.errors import DataError
from rtaffect.core.spec import GRID, FrameSpec, WindowSpec
from rtaffect.core.streams import Source
from rtaffect.core.window import Window
from rtaffect.decode.inputs import encoder_inputs
from rtaffect.windows import open_windows

_COURSE_SFREQ = 8.0
"""Rate at which a course is averaged over a window; courses change over seconds."""

_HAIR_S = 1e-6
"""By which a window may stick out of its trial: times are floating-point numbers."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RecordedWindows:
    """Usable windows of one recording that lie in a trial or in the rest before one, in order.

    Parameters
    ----------
    inputs : mapping of str to ndarray of float32, shape (n_windows, ...)
        What the encoder is given, by input name.
    index : ndarray of int, shape (n_windows,)
        Window numbers on the absolute grid of the hop; a gap in them is a gap in time. Those of
        fMRI count the frames of the recording.
    trial : ndarray of int, shape (n_windows,)
        Number of the trial in the recording.
    at_rest : ndarray of bool, shape (n_windows,)
        In the rest before that trial, not in it.
    is_clean : ndarray of bool, shape (n_windows,)
        Every modality that the model needs is settled, whole and free of artifacts.
    values : mapping of str to ndarray, shape (n_windows,)
        By target, on the data set's scale; the trial's own value at rest. NaN where there is none.
    train_values : mapping of str to ndarray, shape (n_windows,)
        What is trained on instead, of targets that have weaker labels for it.
    offset_s : ndarray, shape (n_windows,)
        From the beginning of the trial to the end of what the window speaks of.
    has_face : bool
        There is a face in some window.
    """

    inputs: Mapping[str, npt.NDArray[np.float32]]
    index: Ints
    trial: Ints
    at_rest: npt.NDArray[np.bool_]
    is_clean: npt.NDArray[np.bool_]
    values: Mapping[str, Floats]
    train_values: Mapping[str, Floats]
    offset_s: Floats
    has_face: bool


def input_names(spec: WindowSpec) -> tuple[str, ...]:
    """Return the encoder's inputs: every modality, and a mask of what may be missing from it.

    That is of modalities that a model can do without, and of faces, which trackers lose for a
    moment.
    """
    masks = [
        f"{modality}_mask"
        for modality, wanted in spec.modalities.items()
        if wanted.optional or isinstance(wanted, FrameSpec)
    ]
    return (*spec.modalities, *masks)


def read_windows(
    recording: Recording, spec: WindowSpec, *, hop_s: float, scaling: Scaling = "none"
) -> RecordedWindows:
    """Run a recording through the runtime's own chain and keep the usable windows.

    A frame of fMRI is stamped in the middle of its acquisition, and speaks of what was felt
    ``spec.lag_s`` before. So a window of frames speaks of itself, half a frame later and the lag
    earlier: that must lie in the trial whole, which drops the frames at the edges. Its value is
    the course's at ``t_end - lag_s``, that of its newest frame.

    Parameters
    ----------
    recording : Recording
        Opened and closed here.
    spec : WindowSpec
        The bundle's windows.
    hop_s : float
        Distance of the windows to keep. A grid is absolute, so those kept are the very windows
        that the runtime sees at these times, on whatever hop. Of windows that frames close, one of
        ``hop_s / spec.hop_s`` is kept, counted from the trial's beginning: the same of everybody.
    scaling : Scaling
        What a paper does to the frames of the whole recording.

    Raises
    ------
    DataError
        No trial has a usable window.
    """
    by_frame = spec.closes != GRID
    every = round(hop_s / spec.hop_s) if by_frame else 1
    shift_s = spec.hop_s / 2 - spec.lag_s if by_frame else 0.0
    kept: list[Window] = []
    trials: list[int] = []
    rests: list[bool] = []
    with _opened(recording, spec, scaling) as source:
        for window in open_windows(source, spec if by_frame else replace(spec, hop_s=hop_s)):
            place = _place(recording, window.t_start + shift_s, window.t_end + shift_s)
            if place is None or not _usable(window, spec):
                continue
            offset_s = window.t_end + shift_s - recording.trials[place[0]].t_start
            if round(offset_s / spec.hop_s) % every == 0:
                kept.append(window)
                trials.append(place[0])
                rests.append(place[1])
    if not kept or all(rests):
        msg = (
            f"Subject {recording.subject}, session {recording.session} must give a usable window "
            f"of {spec.window_s:g} s in a trial, got none. {_why(recording, spec)}"
        )
        raise DataError(msg)
    rows = [encoder_inputs(window, input_names(spec)) for window in kept]
    t_end = np.array([window.t_end for window in kept])
    times = (t_end - spec.lag_s)[:, None] if by_frame else _times_in(t_end, spec.window_s)
    return RecordedWindows(
        inputs={key: np.concatenate([row[key] for row in rows]) for key in rows[0]},
        index=np.array([window.index for window in kept], dtype=np.int64),
        trial=np.array(trials, dtype=np.int64),
        at_rest=np.array(rests, dtype=np.bool_),
        is_clean=np.array([_is_clean(window, spec) for window in kept], dtype=np.bool_),
        values=_trial_values(recording, trials) | _course_values(recording.course, times),
        train_values=_course_values(recording.train_course, times),
        offset_s=t_end + shift_s - np.array([recording.trials[n].t_start for n in trials]),
        has_face=any(w.modalities["face"].usable for w in kept if "face" in w.modalities),
    )


def _opened(
    recording: Recording, spec: WindowSpec, scaling: Scaling
) -> AbstractContextManager[Source]:
    source = recording.open()
    if scaling == "none":
        return source
    return ScaledSource(source, spec.closes, scaling, recording.trials)


def _why(recording: Recording, spec: WindowSpec) -> str:
    longest_s = max(trial.t_end - trial.t_start for trial in recording.trials)
    if longest_s < spec.window_s:
        return (
            f"Its longest trial lasts {longest_s:g} s, less than a window: choose a shorter one "
            "(windows.window_s), or correct the trials' times."
        )
    return "Check channels, units and trial times."


def _place(recording: Recording, t_start: float, t_end: float) -> tuple[int, bool] | None:
    """Return the number of the trial that a time lies in, and whether in the rest before it."""
    for number, trial in enumerate(recording.trials):
        if trial.t_start - _HAIR_S <= t_start and t_end <= trial.t_end + _HAIR_S:
            return number, False
        if trial.rest is not None:
            start, end = trial.rest
            if start - _HAIR_S <= t_start and t_end <= end + _HAIR_S:
                return number, True
    return None


def _usable(window: Window, spec: WindowSpec) -> bool:
    return all(
        window.modalities[modality].usable or wanted.optional
        for modality, wanted in spec.modalities.items()
    )


def _is_clean(window: Window, spec: WindowSpec) -> bool:
    return all(
        window.modalities[modality].coverage == 1.0 or wanted.optional
        for modality, wanted in spec.modalities.items()
    )


def _trial_values(recording: Recording, trials: Sequence[int]) -> dict[str, Floats]:
    return {
        name: np.array([recording.trials[n].values[name] for n in trials], dtype=np.float64)
        for name in recording.trials[0].values
    }


def _times_in(t_end: Floats, length_s: float) -> Floats:
    """Return times all over each window, shape (n_windows, n_times)."""
    steps = (np.arange(round(length_s * _COURSE_SFREQ)) + 0.5) / _COURSE_SFREQ
    times: Floats = (t_end - length_s)[:, None] + steps
    return times


def _course_values(course: Course | None, times: Floats) -> dict[str, Floats]:
    """Return the course's mean about each window, by target; none without a course."""
    if course is None:
        return {}
    found = course(times.ravel())
    return {name: values.reshape(times.shape).mean(axis=1) for name, values in found.items()}
