"""Faults of the delivery: data held back, silence, and the sender's death."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from rtaffect.core.streams import Chunk, ClockOffset, Event, StreamEvent, StreamState
from rtaffect.simulate.fault import DELIVERY, Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst(Fault):
    """Everything is held back and then delivered at once; nothing is lost."""

    stage: ClassVar[int] = DELIVERY

    def apply(self, events: Iterator[Event], *, t_start: float) -> Iterator[Event]:
        """Yield the events; those that arrive while the fault lasts arrive at its end."""
        for event in events:
            held = self.during(np.array([event.t_received]), t_start)[0]
            until = t_start + self.start_s + self.duration_s
            yield replace(event, t_received=until) if held else event


@dataclass(frozen=True, slots=True, kw_only=True)
class Stall(Fault):
    """Silence on a living connection: what would arrive never does."""

    stage: ClassVar[int] = DELIVERY

    duration_s: float = 5.0

    def apply(self, events: Iterator[Event], *, t_start: float) -> Iterator[Event]:
        """Yield the events but for the chunks that would arrive while the fault lasts."""
        for event in events:
            silent = self.during(np.array([event.t_received]), t_start)[0]
            if not (silent and isinstance(event, Chunk)):
                yield event


@dataclass(frozen=True, slots=True, kw_only=True)
class Death(Fault):
    """The sender dies and comes back: the stream is lost, then recovered."""

    stage: ClassVar[int] = DELIVERY

    duration_s: float = 5.0

    def apply(self, events: Iterator[Event], *, t_start: float) -> Iterator[Event]:
        """Yield the events, with a loss and a recovery in place of all that would come between."""
        t_lost = t_start + self.start_s
        to_come = [
            StreamEvent(self.modality, StreamState.LOST, t_lost, "simulated death"),
            StreamEvent(self.modality, StreamState.RECOVERED, t_lost + self.duration_s),
        ]
        offset_s = 0.0
        for event in events:
            if isinstance(event, ClockOffset):
                offset_s = event.offset_s
            while to_come and event.t_received >= to_come[0].t_received:
                happened = to_come.pop(0)
                yield happened
                if happened.state is StreamState.RECOVERED:
                    yield ClockOffset(self.modality, offset_s, happened.t_received)
            if not self.during(np.array([event.t_received]), t_start)[0]:
                yield event
