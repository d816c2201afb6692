"""Pulses on a stream that breaks; that they stamp volumes is tested with the process."""

import math
from collections.abc import Iterator
from typing import Self

import numpy as np
import pytest

from rtaffect.config.scanner import TRIGGERS, TriggerTime
from rtaffect.core.errors import ScannerError, StreamError
from rtaffect.core.streams import Chunk, Event, StreamInfo
from rtaffect.scanner import pulses
from rtaffect.scanner.acquired import RoiMeans
from rtaffect.scanner.decisions import Frame

MARKERS = StreamInfo(
    modality=TRIGGERS, name="m", stype="Markers", ch_names=("text",), sfreq=0.0, is_text=True
)


class Breaking:
    """A source of one pulse that then breaks."""

    def __init__(self, *given: object, **named: object) -> None:
        self.infos = {TRIGGERS: MARKERS}

    def open(self) -> Self:
        return self

    def events(self) -> Iterator[Event]:
        yield Chunk(TRIGGERS, np.array([["R128"]], dtype=object), np.array([10.0]), 10.1)
        msg = "the network is gone"
        raise StreamError(msg)

    def close(self) -> None:
        pass


def test_a_stream_that_breaks_is_told_at_the_next_volume(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulses, "LslSource", Breaking)
    item = RoiMeans(
        values=np.zeros(1), motion=None, index=0, run="1", tr_s=2.0, t_acq=math.nan, t_arrival=13.0
    )
    source = pulses.PulseStream(TriggerTime(), lambda: 0.0)
    source.close()  # the thread has ended by then
    with pytest.raises(ScannerError, match="the network is gone"):
        source.at(Frame(acquired=item, run=1, n_missing=0, reordered=False), 2.0)
