"""Scalings of papers that look at frames which come later: for comparison, never to serve.

A model that was trained on such frames meets others live, and a window of the test set was scaled
with its own future. So whatever comes of them is stamped leaky and is not exported.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from offline.datasets.contract import Trial
from rtaffect.core.streams import Chunk, Event, Source, StreamInfo

Scaling = Literal["none", "whole_run_z", "whole_trial_minmax"]
"""What is done to the frames of a recording before anything else.

``"whole_run_z"``: less the mean of the whole run, over its standard deviation.
``"whole_trial_minmax"``: from 0 to 1 over all regions and frames of the trial together, as in the
code of ASB; frames outside of trials are left as they are.
"""

WHY_LEAKY = "its frames were scaled with frames that came later (windows.normalise: {scaling})"
"""Why nobody should believe what comes of a scaling, as part of a sentence."""


class ScaledSource:
    """A recording's source whose frames of one modality are scaled.

    Parameters
    ----------
    source : Source
        Open; closed with this one. Its frames are held in memory.
    modality : str
        Which stream.
    scaling : {"whole_run_z", "whole_trial_minmax"}
        See `Scaling`.
    trials : sequence of Trial
        Of the recording.
    """

    def __init__(
        self, source: Source, modality: str, scaling: Scaling, trials: Sequence[Trial]
    ) -> None:
        self._source = source
        self._modality = modality
        self._scaling = scaling
        self._trials = trials

    @property
    def infos(self) -> Mapping[str, StreamInfo]:
        """The streams, by modality."""
        return self._source.infos

    @property
    def n_waiting(self) -> int:
        """How many events wait."""
        return self._source.n_waiting

    def events(self) -> Iterator[Event]:
        """Yield everything, the frames scaled."""
        events = list(self._source.events())
        mine = [e for e in events if isinstance(e, Chunk) and e.modality == self._modality]
        if not mine:
            yield from events
            return
        frames = np.concatenate([np.asarray(e.data, np.float64) for e in mine], axis=1)
        stamps = np.concatenate([e.stamps_s for e in mine])
        scaled = _scaled(frames, stamps, self._scaling, self._trials)
        place = 0
        for event in events:
            if isinstance(event, Chunk) and event.modality == self._modality:
                n_frames = event.data.shape[1]
                yield replace(event, data=scaled[:, place : place + n_frames])
                place += n_frames
            else:
                yield event

    def close(self) -> None:
        """Close the source."""
        self._source.close()

    def __enter__(self) -> Self:
        """Return the source, which is always open."""
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Close."""
        self.close()


def _scaled(
    frames: npt.NDArray[np.float64],
    stamps: npt.NDArray[np.float64],
    scaling: Scaling,
    trials: Sequence[Trial],
) -> npt.NDArray[Any]:
    if scaling == "whole_run_z":
        mean = np.nanmean(frames, axis=1, keepdims=True)
        return _divided(frames - mean, np.nanstd(frames, axis=1, keepdims=True))
    scaled = frames.copy()
    for trial in trials:
        inside = (stamps >= trial.t_start) & (stamps <= trial.t_end)
        if inside.any():
            part = frames[:, inside]
            low = np.nanmin(part)
            scaled[:, inside] = _divided(part - low, np.nanmax(part) - low)
    return scaled


def _divided(values: npt.NDArray[np.float64], by: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return values over what they are divided by; 0 where that is 0, as of a constant region."""
    size = np.asarray(by)
    return values / np.where(size > 0, size, 1.0)
