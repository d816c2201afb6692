"""Each fault does exactly what it says, and nothing else."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest

from rtaffect.core.errors import ConfigError
from rtaffect.core.montages import EEG_32
from rtaffect.core.streams import Chunk, ClockOffset, Event, StreamEvent, StreamState
from rtaffect.simulate.clock_faults import Skew
from rtaffect.simulate.face import FACE_CHANNELS
from rtaffect.simulate.fault import Fault
from rtaffect.simulate.faults import FAULTS, describe_faults, parse_fault
from rtaffect.simulate.participant import Participant
from rtaffect.simulate.source import SimulatedSource

T0 = 1000.0
SFREQ = 128


def events(*faults: str, chunk_s: float = 1 / 32) -> list[Event]:
    source = SimulatedSource(
        Participant(1),
        10.0,
        sfreq=SFREQ,
        chunk_s=chunk_s,
        t_start=T0,
        faults=[parse_fault(text) for text in faults],
    )
    seen = list(source.events())
    assert all(a.t_received <= b.t_received for a, b in pairwise(seen))
    return seen


def joined(of: Sequence[Event], modality: str = "eeg") -> tuple[npt.NDArray, npt.NDArray]:
    parts = [event for event in of if isinstance(event, Chunk) and event.modality == modality]
    return (
        np.concatenate([part.data for part in parts], axis=1),
        np.concatenate([part.stamps_s for part in parts]) - T0,
    )


def arrivals(of: Sequence[Event], modality: str = "eeg") -> npt.NDArray:
    return np.array(
        [e.t_received - T0 for e in of if isinstance(e, Chunk) and e.modality == modality]
    )


CLEAN, CLEAN_T = joined(events())
DURING = (CLEAN_T >= 2.01) & (CLEAN_T < 2.51)


@pytest.mark.parametrize("name", FAULTS)
def test_other_streams_and_other_times_are_untouched(name: str) -> None:
    seen = events(f"{name}@2.01+0.5")
    victim = "face" if name == "absent" else "eeg"
    for modality in {"eeg", "face", "markers"} - {victim}:
        for clean, now in zip(joined(events(), modality), joined(seen, modality), strict=True):
            assert np.array_equal(clean, now)
    clean, _ = joined(events(), victim)
    data, _ = joined(seen, victim)
    for part in (slice(0, 50), slice(-50, None)):
        assert np.array_equal(clean[:, part], data[:, part])


@pytest.mark.parametrize("chunk_s", [1 / 128, 1 / 32, 0.3])
def test_drop_loses_the_samples_taken_meanwhile_and_no_other(chunk_s: float) -> None:
    data, t = joined(events("drop@2.01+0.5", chunk_s=chunk_s))
    assert np.array_equal(t, CLEAN_T[~DURING])
    assert np.array_equal(data, CLEAN[:, ~DURING])


def test_a_burst_loses_nothing_and_comes_at_once() -> None:
    seen = events("burst@2+1")
    data, t = joined(seen)
    assert np.array_equal(data, CLEAN)
    assert np.array_equal(t, CLEAN_T)
    arrived = arrivals(seen)
    assert not ((arrived >= 2) & (arrived < 3)).any()
    assert (arrived == 3).sum() == 32


def test_jitter_shakes_stamps_by_no_more_than_it_says_whatever_the_chunks() -> None:
    data, t = joined(events("jitter@2.01+0.5=0.02"))
    assert np.array_equal(data, CLEAN)
    off = t - CLEAN_T
    assert np.array_equal(off != 0, DURING)
    assert 0.01 < np.abs(off).max() <= 0.02
    assert np.array_equal(t, joined(events("jitter@2.01+0.5=0.02", chunk_s=0.3))[1])


def test_a_fast_clock_gains_what_it_says_and_the_offsets_tell() -> None:
    seen = events("skew@2+4=500")
    data, t = joined(seen)
    assert np.array_equal(data, CLEAN)
    assert t - CLEAN_T == pytest.approx(np.clip(CLEAN_T - 2, 0, 4) * 500e-6, abs=1e-9)
    told = [e.offset_s for e in seen if isinstance(e, ClockOffset) and e.modality == "eeg"]
    assert told == pytest.approx([0.0, -3 * 500e-6], abs=1e-12)


def test_a_reset_is_told_between_the_last_old_and_the_first_new_sample() -> None:
    offset_s, runtime = 0.0, []
    for event in events("reset@2.01=-7", chunk_s=0.3):
        if isinstance(event, ClockOffset) and event.modality == "eeg":
            offset_s = event.offset_s
        if isinstance(event, Chunk) and event.modality == "eeg":
            runtime.append(event.stamps_s + offset_s - T0)
    assert np.concatenate(runtime) == pytest.approx(CLEAN_T, abs=1e-9)
    assert offset_s == 7.0
    data, t = joined(events("reset@2.01=-7"))
    assert np.array_equal(data, CLEAN)
    assert t - CLEAN_T == pytest.approx(np.where(CLEAN_T >= 2.01, -7.0, 0.0), abs=1e-9)


def test_a_dead_sender_is_lost_then_recovered_with_nothing_between() -> None:
    seen = [e for e in events("death@2+3") if getattr(e, "modality", "") == "eeg"]
    states = [(e.state, e.t_received - T0) for e in seen if isinstance(e, StreamEvent)]
    assert states == [(StreamState.LOST, 2.0), (StreamState.RECOVERED, 5.0)]
    lost, recovered = (i for i, e in enumerate(seen) if isinstance(e, StreamEvent))
    assert recovered == lost + 1
    assert isinstance(seen[recovered + 1], ClockOffset)
    data, t = joined(seen)
    assert np.array_equal(data, CLEAN[:, np.isin(CLEAN_T, t)])
    assert 2.9 < np.diff(t).max() < 3.1


def test_a_stall_is_silent_but_its_clock_is_still_measured() -> None:
    seen = events("stall@4.5+1")
    arrived = arrivals(seen)
    assert not ((arrived >= 4.5) & (arrived < 5.5)).any()
    assert not [e for e in seen if isinstance(e, StreamEvent)]
    measured = [e for e in seen if isinstance(e, ClockOffset) and e.modality == "eeg"]
    assert [e.t_received - T0 for e in measured] == [0.0, 5.0]
    _, t = joined(seen)
    assert 0.9 < np.diff(t).max() < 1.1


@pytest.mark.parametrize(
    ("name", "value"), [("flat", 0.0), ("nan", np.nan), ("rail", np.float32(187_500.0))]
)
def test_a_channel_shows_the_value_while_the_fault_lasts(name: str, value: float) -> None:
    data, t = joined(events(f"{name}@2.01+0.5=Cz,O1"))
    rows = np.isin(EEG_32, ("Cz", "O1"))
    expected = CLEAN.copy()
    expected[np.ix_(rows, DURING)] = value
    assert np.array_equal(data, expected, equal_nan=True)
    assert np.array_equal(t, CLEAN_T)


def test_hum_lies_on_top_of_every_channel() -> None:
    data, _ = joined(events("hum@2.01+0.5"))
    added = data - CLEAN
    assert np.all(added[:, ~DURING] == 0)
    wave = 200 * np.sin(2 * np.pi * 50 * (CLEAN_T[DURING] + T0))
    assert added[:, DURING] == pytest.approx(np.tile(wave, (32, 1)), abs=1e-3)


def test_an_absent_face_is_zeros_without_success() -> None:
    frames, t = joined(events("absent@2+3"), "face")
    gone = (t >= 2) & (t < 5)
    assert gone.sum() > 80
    assert np.all(frames[:29, gone] == 0)
    assert np.all(frames[FACE_CHANNELS.index("success"), gone] == 0)
    assert frames[FACE_CHANNELS.index("confidence"), gone].max() < 0.8


def test_faults_compose_whatever_their_order() -> None:
    faults = ["burst@3+1", "reset@2=5", "drop@3.2+0.3", "face:death@1+2"]
    one, other = events(*faults), events(*reversed(faults))
    for modality in ("eeg", "face"):
        for a, b in zip(joined(one, modality), joined(other, modality), strict=True):
            assert np.array_equal(a, b)
    _, t = joined(one)
    taken = np.where(t >= 6, t - 5, t)  # the reset at 2 s added 5 s
    assert not ((taken >= 3.2 + 1e-6) & (taken < 3.5 - 1e-6)).any()


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_can_be_written_and_is_described(name: str) -> None:
    fault = parse_fault(f" {name}@1.5+2 ")
    assert type(fault) is FAULTS[name]
    assert (fault.start_s, fault.duration_s) == (1.5, 2.0)
    assert f"{name}@" in describe_faults()


def test_modality_amount_and_defaults_are_read() -> None:
    assert parse_fault("face:stall@3") == FAULTS["stall"](modality="face", start_s=3.0)
    assert parse_fault("skew@10+60=-200") == Skew(start_s=10.0, duration_s=60.0, amount_ppm=-200.0)
    assert parse_fault("absent@4").modality == "face"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("dorp@20", "Did you mean 'drop'"),
        ("unheardof@20", "drop@start"),
        ("drop", "is written"),
        ("drop@", "is written"),
        ("drop@soon", "start of a fault"),
        ("drop@-3", "start of a fault"),
        ("drop@3+inf", "duration of a fault"),
        ("drop@3+1=5", "takes no amount"),
        ("skew@3=fast", "amount of a fault"),
        ("jitter@3=-1", "Jitter"),
        ("flat@3=XY", "no channel XY"),
        ("fmri:drop@3", "one of eeg, face, markers"),
        ("markers:nan@3", "Markers are text"),
        ("eeg:absent@3", "Only a face"),
    ],
)
def test_what_cannot_be_is_refused_with_help(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        parse_fault(text)


def test_a_fault_before_the_session_is_refused() -> None:
    with pytest.raises(ConfigError, match=">= 0 seconds"):
        Fault(start_s=-1.0)
