"""Whatever stands before the chains: windows see what it makes, sinks see what came."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from kept import Kept
from tiny_bundle import write_tiny_bundle
from window_cases import SPEC, ListSource, session

from rtaffect.core.streams import Chunk, Event
from rtaffect.decode.decoder import Decoder
from rtaffect.engine import Engine
from rtaffect.windows import open_windows


class Doubler:
    """Doubles EEG, and says so."""

    def push(self, event: Event) -> Event:
        if isinstance(event, Chunk) and event.modality == "eeg":
            return replace(event, data=2.0 * event.data)
        return event

    def notes(self) -> tuple[str, ...]:
        return ("eeg is doubled",)


def test_windows_are_of_what_it_makes() -> None:
    plain = list(open_windows(ListSource(session(12.0)), SPEC))
    doubled = list(open_windows(ListSource(session(12.0)), SPEC, conditioner=Doubler()))
    assert len(plain) == len(doubled)
    usable = 0
    for one, two in zip(plain, doubled, strict=True):
        a, b = one.modalities["eeg"], two.modalities["eeg"]
        np.testing.assert_array_equal(2.0 * a.data, b.data)  # a power of two loses no bit
        np.testing.assert_array_equal(one.modalities["face"].data, two.modalities["face"].data)
        usable += a.usable and b.usable
    assert usable > 10


def test_sinks_get_what_came_and_health_says_what_is_wrong(tmp_path: Path) -> None:
    bundle = write_tiny_bundle(tmp_path)
    events = session(12.0)
    kept, plain = Kept(), Kept()
    Engine(
        ListSource(events), [Decoder(bundle, provider="cpu")], [kept], conditioner=Doubler()
    ).run()
    Engine(ListSource(events), [Decoder(bundle, provider="cpu")], [plain]).run()
    assert all(a is b for a, b in zip(kept.events, events, strict=True))
    assert all("eeg is doubled" in health.notes for health in kept.healths)
    assert kept.healths[-1].stages["condition"].n > 0
    assert "condition" not in plain.healths[-1].stages
    assert [e.canonical() for e in kept.estimates] != [e.canonical() for e in plain.estimates]
