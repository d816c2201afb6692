"""What a fault is: something that goes wrong with one stream for a while."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from rtaffect.core.errors import ConfigError
from rtaffect.core.montages import EEG_32
from rtaffect.core.streams import Event
from rtaffect.simulate.bold import BoldSettings, region_names
from rtaffect.simulate.face import FACE_CHANNELS
from rtaffect.simulate.processes import FloatArray

SAMPLES, STAMPS, DELIVERY = range(3)
"""Stages in which faults are applied, in this order."""

CH_NAMES: Mapping[str, tuple[str, ...]] = {
    "eeg": EEG_32,
    "face": FACE_CHANNELS,
    "markers": ("marker",),
    "roi": region_names(BoldSettings().n_regions),
    "volume": (),
}
"""The streams that a simulated participant sends, and their channels; voxels have no names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that goes wrong with one stream for a while.

    Parameters
    ----------
    modality : str
        Key of the stream.
    start_s : float
        When, in seconds since the start of the session.
    duration_s : float
        For how long, in seconds.
    """

    stage: ClassVar[int]

    modality: str = "eeg"
    start_s: float
    duration_s: float = 1.0

    def __post_init__(self) -> None:
        if self.modality not in CH_NAMES:
            msg = f"A fault befalls one of {', '.join(CH_NAMES)}, got {self.modality!r}."
            raise ConfigError(msg)
        if not (self.start_s >= 0 and self.duration_s >= 0):
            msg = (
                "Start and duration of a fault must be >= 0 seconds, got "
                f"{self.start_s} and {self.duration_s}."
            )
            raise ConfigError(msg)

    def apply(self, events: Iterator[Event], *, t_start: float) -> Iterator[Event]:
        """Yield the stream's events as this fault leaves them, in the order of their arrival."""
        raise NotImplementedError

    def during(self, t: FloatArray, t_start: float) -> npt.NDArray[np.bool_]:
        """Return which of the times `t` (runtime clock) the fault covers."""
        since = t - t_start
        covered: npt.NDArray[np.bool_] = (since >= self.start_s) & (
            since < self.start_s + self.duration_s
        )
        return covered


def apply_faults(
    events: Iterator[Event], faults: Sequence[Fault], modality: str, *, t_start: float
) -> Iterator[Event]:
    """Send the events of one stream through the faults that befall it.

    First those of the samples, then those of the stamps, last those of the delivery, whatever the
    order in which they were asked for.

    Parameters
    ----------
    events : iterator of Event
        Of one stream, in order of arrival.
    faults : sequence of Fault
        Those of other streams are passed over.
    modality : str
        Key of the stream.
    t_start : float
        Start of the session on the runtime's clock.

    Returns
    -------
    iterator of Event
        In order of arrival.
    """
    for fault in sorted(faults, key=lambda fault: fault.stage):
        if fault.modality == modality:
            events = fault.apply(events, t_start=t_start)
    return events
