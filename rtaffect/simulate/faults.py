"""What can go wrong with a stream, on demand, and how to say so on a command line.

A fault is written ``[modality:]name@start[+duration][=amount]`` with times in seconds since the start
of the session, for example ``drop@20+0.5``, ``face:death@30+5``, ``skew@10+60=200``, ``flat@15+10=Cz,Pz``.

Faults rewrite a stream's events one after the other: first those of the samples, then those of the
stamps, last those of the delivery, whatever the order in which they were asked for.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from rtaffect.core.errors import ConfigError
from rtaffect.core.streams import Chunk, ClockOffset, Event, StreamEvent, StreamInfo, StreamState

SAMPLES, STAMPS, DELIVERY = range(3)


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

    name: ClassVar[str]
    help: ClassVar[str]
    stage: ClassVar[int]
    takes: ClassVar[str] = ""

    modality: str = "eeg"
    start_s: float
    duration_s: float = 1.0

    @classmethod
    def with_amount(cls, amount: str, *, modality: str, start_s: float, duration_s: float) -> Self:
        """Build one from the text after ``=``; plain faults take none."""
        if amount:
            msg = f"the fault {cls.name!r} takes no amount, got {amount!r}"
            raise ValueError(msg)
        return cls(modality=modality, start_s=start_s, duration_s=duration_s)

    def check(self, infos: Mapping[str, StreamInfo]) -> None:
        """Raise `ConfigError` if the streams at hand cannot have this fault."""
        if self.modality not in infos:
            msg = f"The fault {self.name!r} needs a stream among {', '.join(infos)}; got {self.modality!r}."
            raise ConfigError(msg)

    def apply(
        self, events: Iterator[Event], info: StreamInfo, *, t_start: float
    ) -> Iterator[Event]:
        """Rewrite the events of the one stream that it concerns."""
        raise NotImplementedError

    def within(self, t: npt.NDArray[np.float64] | float, t_start: float) -> npt.NDArray[np.bool_]:
        """Return which of the times `t` (runtime clock) lie in ``[start, start + duration)``."""
        since = np.asarray(t) - t_start
        inside: npt.NDArray[np.bool_] = (since >= self.start_s) & (
            since < self.start_s + self.duration_s
        )
        return inside


def apply_faults(
    events: Iterator[Event], faults: Sequence[Fault], info: StreamInfo, *, t_start: float
) -> Iterator[Event]:
    """Send the events of one stream through the faults that concern it."""
    for fault in sorted(faults, key=lambda fault: fault.stage):
        if fault.modality == info.modality:
            events = fault.apply(events, info, t_start=t_start)
    return events
