"""One participant's windows and truth: the contract between data sets and training."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from rtaffect.core.errors import RecordingError
from rtaffect.core.spec import WindowSpec
from rtaffect.core.streams import Source
from rtaffect.core.window import Window
from rtaffect.decode.inputs import encoder_inputs
from rtaffect.windows import open_windows

Truth = Callable[[npt.NDArray[np.float64]], Mapping[str, npt.NDArray[np.float64]]]
"""Times in seconds on the source's clock -> the course of each target at them, in [-1, 1]."""

_TRUTH_SFREQ = 8.0
"""Rate at which a course is averaged over a window; courses change over seconds."""


@dataclass(frozen=True, slots=True, eq=False)
class Participant:
    """Windows of one participant, in order.

    Parameters
    ----------
    name : str
        Who; splits are by name, never by window.
    index : ndarray of int, shape (n_windows,)
        Window numbers on the grid of `hop_s`; a gap in them is a gap in time.
    hop_s : float
        Distance of neighbours on that grid, in seconds.
    inputs : mapping of str to ndarray of float32, shape (n_windows, ...)
        What the encoder is given, by input name.
    truth : mapping of str to ndarray, shape (n_windows,)
        Mean of each target's course over the window, in [-1, 1].
    """

    name: str
    index: npt.NDArray[np.int64]
    hop_s: float
    inputs: Mapping[str, npt.NDArray[np.float32]]
    truth: Mapping[str, npt.NDArray[np.float64]]


def input_names(spec: WindowSpec) -> tuple[str, ...]:
    """Return the encoder's inputs: every modality, and a mask for each that may be missing."""
    masks = [f"{modality}_mask" for modality, wanted in spec.modalities.items() if wanted.optional]
    return (*spec.modalities, *masks)


def read_participant(
    source: Source, spec: WindowSpec, truth: Truth, *, name: str, hop_s: float
) -> Participant:
    """Run a source through the runtime's own chain and keep its usable windows.

    Parameters
    ----------
    source : Source
        An open source; consumed.
    spec : WindowSpec
        The bundle's windows.
    truth : callable
        The course of each target.
    name : str
        Who it is.
    hop_s : float
        Distance of the windows to keep. The grid is absolute, so those kept are the very windows
        that the runtime sees at these times, on whatever hop.

    Returns
    -------
    Participant
        Windows in which every required modality is usable.

    Raises
    ------
    RecordingError
        There is no such window.
    """
    kept = [
        window
        for window in open_windows(source, replace(spec, hop_s=hop_s))
        if all(
            window.modalities[modality].usable or wanted.optional
            for modality, wanted in spec.modalities.items()
        )
    ]
    if not kept:
        msg = f"Participant {name} must give a usable window of {spec.window_s} s, got none."
        raise RecordingError(msg)
    rows = [encoder_inputs(window, input_names(spec)) for window in kept]
    return Participant(
        name=name,
        index=np.array([window.index for window in kept], dtype=np.int64),
        hop_s=hop_s,
        inputs={key: np.concatenate([row[key] for row in rows]) for key in rows[0]},
        truth=_mean_course(truth, kept, spec.window_s),
    )


def _mean_course(
    truth: Truth, windows: list[Window], window_s: float
) -> Mapping[str, npt.NDArray[np.float64]]:
    steps = (np.arange(round(window_s * _TRUTH_SFREQ)) + 0.5) / _TRUTH_SFREQ
    times = np.array([window.t_start for window in windows])[:, None] + steps
    return {
        name: course.reshape(times.shape).mean(axis=1)
        for name, course in truth(times.ravel()).items()
    }
