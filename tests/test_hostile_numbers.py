"""Numbers that no brain sends: estimates are never NaN, and nothing breaks."""

import json
import warnings
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kept import Kept
from tiny_bundle import write_tiny_bundle
from window_cases import ListSource

from rtaffect.bundle import Bundle, load_bundle, shipped_bundles
from rtaffect.core.montages import EEG_32
from rtaffect.core.streams import Chunk, Event, StreamInfo
from rtaffect.core.window import Flag
from rtaffect.decode.decoder import Decoder
from rtaffect.engine import Engine, Summary
from rtaffect.simulate.participant import Participant
from rtaffect.simulate.source import SimulatedSource

DURATION_S = 14.0
CZ = EEG_32.index("Cz")
Spoil = Callable[[Chunk], np.ndarray]


@pytest.fixture(scope="module", params=["tiny", "prior-dfcn-eeg", "prior-dfcn-eeg-face"])
def decoder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Decoder:
    bundle: Bundle = (
        write_tiny_bundle(tmp_path_factory.mktemp("bundle"))
        if request.param == "tiny"
        else load_bundle(shipped_bundles()[request.param])
    )
    return Decoder(bundle, provider="cpu")


@cache
def session() -> tuple[Mapping[str, StreamInfo], list[Event]]:
    source = SimulatedSource(Participant(3), DURATION_S, sfreq=256, t_start=100.0)
    return source.infos, list(source.events())


def run(decoder: Decoder, spoil: Spoil, *, modality: str = "eeg") -> tuple[Kept, Summary]:
    """Decode a session whose chunks of a stream are spoiled from its fifth second on."""
    infos, good = session()
    events: list[Event] = []
    for event in good:
        if isinstance(event, Chunk) and event.modality == modality and event.stamps_s[0] >= 105.0:
            event = Chunk(modality, spoil(event), event.stamps_s, event.t_received)
        events.append(event)
    kept = Kept(decoder.name)
    decoder.reset()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        summary = Engine(ListSource(events, infos), [decoder], [kept]).run()
    for estimate in kept.estimates:  # canonical() refuses NaN and infinities
        assert json.loads(estimate.canonical())["decoder"] == decoder.name
        for target in estimate.targets.values():
            assert sum(target.probabilities) == pytest.approx(1.0, abs=1e-5)
    for matrix in kept.matrices:
        assert np.isfinite(matrix.data).all()
    return kept, summary


def channels(value: float, *rows: int) -> Spoil:
    """Return what sets some channels (all by default) to a value."""

    def spoil(chunk: Chunk) -> np.ndarray:
        data = chunk.data.astype(np.float64)
        data[list(rows) or slice(None)] = value
        return data

    return spoil


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("rows", [(CZ,), ()])
def test_a_channel_without_numbers_for_good_leaves_no_values(
    decoder: Decoder, value: float, rows: tuple[int, ...]
) -> None:
    kept, summary = run(decoder, channels(value, *rows))
    after = [estimate for estimate in kept.estimates if estimate.t_end > 105.0]
    assert len(after) > 12
    for estimate in after:
        assert not estimate.targets
        assert ("eeg", Flag.MISSING) in estimate.flags
        assert estimate.confidence == 0.0
    assert summary.streams["eeg"].n_nonfinite == 9 * 256


@pytest.mark.parametrize("value", [0.0, 1000.0, -187_500.0])
def test_constant_channels_are_answered_or_flagged_but_never_nan(
    decoder: Decoder, value: float
) -> None:
    alone, _ = run(decoder, channels(value, CZ))
    assert sum(bool(estimate.targets) for estimate in alone.estimates) > 12
    everything, _ = run(decoder, channels(value))
    late = [estimate for estimate in everything.estimates if 108.0 < estimate.t_end <= 113.5]
    assert len(late) > 10
    for estimate in late:
        assert ("eeg", Flag.ARTIFACT) in estimate.flags
        assert estimate.coverage["eeg"] < 0.5


@pytest.mark.parametrize("value", [1e30, -1e300, 1e38, 1e-300, 4e8])
def test_numbers_beyond_any_amplifier_break_nothing(decoder: Decoder, value: float) -> None:
    def alternating(chunk: Chunk) -> np.ndarray:
        signs = np.where(np.arange(chunk.data.shape[1]) % 2, 1.0, -1.0)
        return np.broadcast_to(value * signs, chunk.data.shape).copy()

    for spoil in (channels(value, CZ), channels(value), alternating):
        run(decoder, spoil)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30, 9e8, 0.0])
def test_a_face_of_any_numbers_breaks_nothing(decoder: Decoder, value: float) -> None:
    _, summary = run(decoder, channels(value, *range(29)), modality="face")
    assert summary.n_answers > 12


@given(data=st.data())
@settings(max_examples=10, deadline=None)
def test_whatever_the_numbers_estimates_are_numbers(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    tiny = write_tiny_bundle(Path(tmp_path_factory.mktemp("bundle")))
    values = data.draw(st.lists(st.floats(width=32), min_size=1, max_size=8))
    share = data.draw(st.sampled_from([0.001, 0.05, 1.0]))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**16)))

    def spoil(chunk: Chunk) -> np.ndarray:
        hit = rng.random(chunk.data.shape) < share
        return np.where(hit, rng.choice(values, chunk.data.shape), chunk.data)

    run(Decoder(tiny, provider="cpu"), spoil, modality=data.draw(st.sampled_from(["eeg", "face"])))
