"""Faults of the stamps: a clock that shakes, runs fast, or is set."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from rtaffect.core.streams import Chunk, ClockOffset, Event
from rtaffect.simulate.fault import STAMPS, Fault
from rtaffect.simulate.processes import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Jitter(Fault):
    """Stamps are off by up to `amount_s` to either side.

    Beyond half a period they can go backwards.
    """

    stage: ClassVar[int] = STAMPS

    duration_s: float = 5.0
    amount_s: float = 0.005

    def apply(self, events: Iterator[Event], *, t_start: float) -> Iterator[Event]:
        """Yield the events; stamps taken while the fault lasts are shaken."""
        # One draw a sample, so that the shaking does not depend on how samples are cut into chunks.
        rng = np.random.default_rng(0)
        offset_s = 0.0
        for event in events:
            if isinstance(event, ClockOffset):
                offset_s = event.offset_s
            if isinstance(event, Chunk):
                shaken = self.during(event.stamps_s + offset_s, t_start)
                off = rng.uniform(-self.amount_s, self.amount_s, size=int(shaken.sum()))
                stamps = event.stamps_s.copy()
                stamps[shaken] += off
                yield replace(event, stamps_s=stamps)
            else:
                yield event


@dataclass(frozen=True, slots=True, kw_only=True)
class Skew(Fault):
    """The sender's clock runs fast for a while and keeps what it gained.

    Offsets that are measured meanwhile tell of it.
    """

    stage: ClassVar[int] = STAMPS

    duration_s: float = 30.0
    amount_ppm: float = 100.0

    def _gained(self, since_s: FloatArray) -> FloatArray:
        elapsed: FloatArray = np.clip(since_s - self.start_s, 0.0, self.duration_s)
        return elapsed * self.amount_ppm * 1e-6

    def apply(self, events: Iterator[Event], *, t_start: float) -> Iterator[Event]:
        """Yield the events with stamps of the faster clock, and offsets that undo it."""
        offset_s = 0.0
        for event in events:
            if isinstance(event, ClockOffset):
                offset_s = event.offset_s
                gained = self._gained(np.array([event.t_received - t_start]))
                yield replace(event, offset_s=offset_s - float(gained[0]))
            elif isinstance(event, Chunk):
                gained = self._gained(event.stamps_s + offset_s - t_start)
                yield replace(event, stamps_s=event.stamps_s + gained)
            else:
                yield event


@dataclass(frozen=True, slots=True, kw_only=True)
class Reset(Fault):
    """The sender's clock is set: stamps jump for good.

    The offset is measured anew right then: it arrives between the last sample of the old clock and
    the first of the new one. Over real LSL only the stamps can jump, as LSL measures the machine's
    clock.
    """

    stage: ClassVar[int] = STAMPS

    duration_s: float = 0.0
    amount_s: float = 10.0

    def apply(self, events: Iterator[Event], *, t_start: float) -> Iterator[Event]:
        """Yield the events; a chunk across the jump is cut in two."""
        offset_s, is_set = 0.0, False
        for event in events:
            if isinstance(event, ClockOffset):
                offset_s = event.offset_s
                yield replace(event, offset_s=offset_s - self.amount_s) if is_set else event
            elif isinstance(event, Chunk):
                after = event.stamps_s + offset_s - t_start >= self.start_s
                if not after.all():
                    data, stamps = event.data[:, ~after], event.stamps_s[~after]
                    yield replace(event, data=data, stamps_s=stamps)
                if after.any():
                    if not is_set:
                        is_set = True
                        fresh = offset_s - self.amount_s
                        yield ClockOffset(event.modality, fresh, event.t_received)
                    data, stamps = event.data[:, after], event.stamps_s[after] + self.amount_s
                    yield replace(event, data=data, stamps_s=stamps)
            else:
                yield event
