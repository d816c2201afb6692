"""The simulated participant as a source of events."""

from itertools import pairwise

import numpy as np
import pytest

from rtaffect.core.face_features import FACE_FEATURES, FRAME_QUALITY
from rtaffect.core.montages import EEG_32
from rtaffect.core.streams import Chunk, ClockOffset, Event, Tick
from rtaffect.simulate.eeg import SimulatedEeg
from rtaffect.simulate.participant import Participant
from rtaffect.simulate.source import SimulatedSource

DURATION_S = 6.0


def events(duration_s: float = DURATION_S, **kwargs: object) -> list[Event]:
    with SimulatedSource(Participant(1), duration_s, sfreq=128, **kwargs) as source:  # type: ignore[arg-type]
        return list(source.events())


def chunks(of: list[Event], modality: str) -> list[Chunk]:
    return [event for event in of if isinstance(event, Chunk) and event.modality == modality]


def joined(of: list[Event], modality: str) -> tuple[np.ndarray, np.ndarray]:
    parts = chunks(of, modality)
    return (
        np.concatenate([part.data for part in parts], axis=1),
        np.concatenate([part.stamps_s for part in parts]),
    )


def test_every_stream_says_that_nobody_was_measured() -> None:
    infos = SimulatedSource(Participant(1), 1.0).infos
    assert set(infos) == {"eeg", "face", "markers"}
    assert all(info.simulated and "Simulated" in info.name for info in infos.values())
    assert all("simulated" in info.source_id for info in infos.values())
    assert infos["eeg"].ch_names == EEG_32
    assert set(infos["eeg"].units) == {"uV"}
    assert infos["face"].ch_names == (*FACE_FEATURES, *FRAME_QUALITY)
    assert all(len(info.units) == info.n_channels for info in infos.values())
    assert infos["markers"].is_text


def test_events_come_in_the_order_of_their_arrival_and_never_before_their_stamps() -> None:
    seen = events()
    assert all(a.t_received <= b.t_received for a, b in pairwise(seen))
    for event in seen:
        if isinstance(event, Chunk):
            assert event.t_received >= event.stamps_s.max()
            assert event.data.shape == (event.data.shape[0], len(event.stamps_s))


@pytest.mark.parametrize("chunk_s", [1 / 128, 0.05, 1 / 32, 0.4, 20.0])
def test_the_samples_do_not_depend_on_the_chunks(chunk_s: float) -> None:
    data, stamps = joined(events(chunk_s=chunk_s), "eeg")
    n_times = int(DURATION_S * 128)
    assert np.array_equal(data, SimulatedEeg(Participant(1), 128).samples(0, n_times))
    assert np.array_equal(stamps, 1000.0 + np.arange(n_times) / 128)


def test_the_same_participant_sends_the_same_events() -> None:
    for a, b in zip(events(), events(), strict=True):
        assert type(a) is type(b)
        assert a.t_received == b.t_received
        if isinstance(a, Chunk) and isinstance(b, Chunk):
            assert np.array_equal(a.data, b.data)
            assert np.array_equal(a.stamps_s, b.stamps_s)


def test_a_longer_session_begins_like_a_shorter_one() -> None:
    short, _ = joined(events(3.0), "eeg")
    long, _ = joined(events(6.0), "eeg")
    assert np.array_equal(short, long[:, : short.shape[1]])


def test_ticks_go_on_to_the_end_of_the_session() -> None:
    ticks = [event.t_received for event in events(tick_s=0.5) if isinstance(event, Tick)]
    assert ticks == [1000.0 + 0.5 * (number + 1) for number in range(12)]


def test_a_senders_clock_may_be_another() -> None:
    seen = events(clock_offset_s=250.0, t_start=50.0)
    offsets = [event for event in seen if isinstance(event, ClockOffset)]
    assert {event.offset_s for event in offsets} == {250.0}
    assert {event.modality for event in offsets} == {"eeg", "face", "markers"}
    _, stamps = joined(seen, "eeg")
    assert stamps[0] == -200.0
    first = {
        modality: next(type(event) for event in seen if getattr(event, "modality", "") == modality)
        for modality in ("eeg", "face", "markers")
    }
    assert set(first.values()) == {ClockOffset}


def test_markers_say_that_they_are_simulated() -> None:
    data, stamps = joined(events(), "markers")
    assert data.tolist() == [["simulated/0", "simulated/1"]]
    assert stamps.tolist() == [1000.0, 1005.0]


def test_close_ends_an_endless_session() -> None:
    source = SimulatedSource(Participant(1), float("inf"), sfreq=128)
    stream = source.events()
    for _ in range(50):
        next(stream)
    source.close()
    source.close()
    assert list(stream) == []


@pytest.mark.parametrize("wrong", [{"duration_s": 0.0}, {"chunk_s": 0.0}, {"tick_s": -1.0}])
def test_lengths_that_are_none_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be > 0"):
        SimulatedSource(Participant(1), **{"duration_s": 1.0, **wrong})
