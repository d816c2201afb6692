"""The corrector of events: EEG without artifacts, everything else as it came."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from rtaffect.core.errors import ConfigError
from rtaffect.core.mr import GradientSpec, MrSpec, PulseSpec
from rtaffect.core.streams import (
    Chunk,
    ClockOffset,
    Event,
    StreamEvent,
    StreamInfo,
    StreamState,
    Tick,
)
from rtaffect.signal.mr import MrCorrector
from rtaffect.simulate.mr import ECG, MagnetSettings, ScannedEeg
from rtaffect.simulate.participant import Participant
from rtaffect.simulate.source import SimulatedSource

SFREQ = 5000
MAGNET = MagnetSettings(
    tr_s=0.6, n_slices=9, pause_s=0.03, start_s=4.0, stop_s=22.0, clock_ppm=11.0
)
SPEC = MrSpec(
    gradient=GradientSpec(longest_tr_s=1.0, min_volumes=4, n_volumes=20),
    pulse=PulseSpec(min_beats=4),
)
DURATION = 24.0


def source(offset_s: float = 0.0) -> SimulatedSource:
    return SimulatedSource(
        Participant(5), DURATION, sfreq=SFREQ, chunk_s=0.02, magnet=MAGNET, clock_offset_s=offset_s
    )


def infos(**changes: object) -> dict[str, StreamInfo]:
    found = dict(source().infos)
    found["eeg"] = replace(found["eeg"], **changes)
    return found


EVENTS = list(source().events())
EEG = ScannedEeg(Participant(5), SFREQ, MAGNET)


def run(events: list[Event], spec: MrSpec = SPEC, **changes: object) -> np.ndarray:
    corrector = MrCorrector(spec, infos(**changes))
    pushed = [corrector.push(event) for event in events]
    return np.concatenate([e.data for e in pushed if is_eeg(e)], axis=1)


def is_eeg(event: Event) -> bool:
    return isinstance(event, Chunk) and event.modality == "eeg"


OUT = run(EVENTS)


def recut(events: list[Event], cuts: list[int]) -> Iterator[Event]:
    """Cut EEG chunks further; each sample keeps its arrival and its place among other events."""
    n = 0
    for event in events:
        if not is_eeg(event):
            yield event
            continue
        length = event.data.shape[1]
        at = [cut - n for cut in sorted(set(cuts)) if 0 < cut - n < length]
        n += length
        for data, stamps in zip(
            np.split(event.data, at, axis=1), np.split(event.stamps_s, at), strict=True
        ):
            yield replace(event, data=data, stamps_s=stamps)


def test_only_eeg_changes_and_keeps_stamps_and_arrival() -> None:
    corrector = MrCorrector(SPEC, infos())
    for event in EVENTS[:400]:
        pushed = corrector.push(event)
        if not is_eeg(event):
            assert pushed is event
            continue
        assert isinstance(event, Chunk)
        assert isinstance(pushed, Chunk)
        assert pushed.stamps_s is event.stamps_s
        assert pushed.t_received == event.t_received
        assert pushed.data.dtype == np.float64
        assert pushed.data.shape == event.data.shape
    for other in (Tick(2.0), StreamEvent("eeg", StreamState.LOST, 3.0)):
        assert corrector.push(other) is other


def test_the_rhythm_that_a_model_lives_on_comes_back() -> None:
    """Alpha power from second to second, of which the gradients leave no trace."""
    out = run(EVENTS, replace(SPEC, pulse=None))
    seconds = [slice(s * SFREQ, (s + 1) * SFREQ) for s in range(13, 21)]
    raw = [EEG.samples(s.start, s.stop) for s in seconds]
    pulse = [EEG.pulse(np.arange(s.start, s.stop) / SFREQ) for s in seconds]
    wanted = [EEG.clean(s.start, s.stop) + beats for s, beats in zip(seconds, pulse, strict=True)]
    got = [out[:, s] for s in seconds]
    assert np.isfinite(np.concatenate(got, axis=1)).all()

    def course(parts: list[np.ndarray]) -> np.ndarray:
        hz, power = signal.welch(np.stack(parts)[:, :32], SFREQ, nperseg=SFREQ)
        return np.log(power[:, :, (hz >= 8) & (hz < 13)].sum(axis=2))

    def r(a: np.ndarray, b: np.ndarray) -> float:
        centred = [x - x.mean(axis=0) for x in (a, b)]
        return float(np.corrcoef(centred[0].ravel(), centred[1].ravel())[0, 1])

    assert r(course(got), course(wanted)) > 0.93
    assert r(course(raw), course(wanted)) < 0.75
    assert np.abs(course(got) - course(wanted)).mean() < 0.3  # of natural logarithms
    assert np.abs(course(raw) - course(wanted)).mean() > 0.9


def test_before_a_scan_only_the_pulse_is_taken_and_without_it_nothing() -> None:
    out = run(EVENTS, replace(SPEC, pulse=None))
    before = slice(0, round(MAGNET.start_s * SFREQ))
    raw = np.concatenate([e.data for e in EVENTS if is_eeg(e)], axis=1)
    np.testing.assert_array_equal(out[:, before], raw[:, before])
    after = slice(round((MAGNET.stop_s + 0.5) * SFREQ), None)
    np.testing.assert_array_equal(out[:, after], raw[:, after])


def test_clocks_of_two_senders_may_differ() -> None:
    """The markers' clock is wrong by ten seconds, and measured so."""
    moved: list[Event] = []
    for event in EVENTS:
        if isinstance(event, Chunk) and event.modality == "markers":
            moved.append(replace(event, stamps_s=event.stamps_s - 10.0))
        elif isinstance(event, ClockOffset) and event.modality == "markers":
            moved.append(replace(event, offset_s=event.offset_s + 10.0))
        else:
            moved.append(event)
    np.testing.assert_array_equal(run(moved), OUT)


def test_lost_samples_do_not_end_the_correction() -> None:
    kept = [e for e in EVENTS if not (is_eeg(e) and 1015.0 <= e.t_received < 1015.4)]
    stamps = np.concatenate([e.stamps_s for e in kept if is_eeg(e)]) - 1000.0
    out = run(kept)[:32, stamps > 17.0]
    there = np.isfinite(out).all(axis=0)
    assert there[(stamps[stamps > 17.0] < MAGNET.stop_s - 0.1)].mean() > 0.9


N = round(12.0 * SFREQ)
SHORT = [e for e in EVENTS if e.t_received < 1012.0]
LENGTH = sum(e.data.shape[1] for e in SHORT if is_eeg(e))


@given(st.lists(st.integers(0, N), max_size=60))
@settings(max_examples=5, deadline=None)
def test_how_chunks_are_cut_changes_no_bit(cuts: list[int]) -> None:
    np.testing.assert_array_equal(run(list(recut(SHORT, cuts))), OUT[:, :LENGTH])


@given(st.floats(1001.0, 1011.9), st.integers(0, 1000))
@settings(max_examples=5, deadline=None)
def test_neither_samples_nor_markers_to_come_change_what_was_said(now: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    other: list[Event] = []
    for event in SHORT:
        if event.t_received >= now and isinstance(event, Chunk):
            if event.modality == "markers":
                continue
            if event.modality == "eeg":
                data = rng.normal(scale=500.0, size=event.data.shape).astype(np.float32)
                event = replace(event, data=data)
        other.append(event)
    said = sum(e.data.shape[1] for e in SHORT if is_eeg(e) and e.t_received < now)
    np.testing.assert_array_equal(run(other)[:, :said], OUT[:, :said])


def test_a_unit_scales_and_what_is_no_potential_is_let_be() -> None:
    names = [*infos()["eeg"].ch_names[:32], "TRIG"]
    short = [e for e in SHORT if e.t_received < 1009.0]
    in_volts = [replace(e, data=e.data * 1e-6) if is_eeg(e) else e for e in short]
    spec = replace(SPEC, pulse=None)
    out = run(in_volts, spec, units=("V",) * 32 + ("",), ch_names=tuple(names))
    expected = run(short, spec)
    np.testing.assert_array_equal(np.isnan(out), np.isnan(expected))
    np.testing.assert_allclose(1e6 * out, expected, atol=0.01)


@pytest.mark.parametrize(
    ("changes", "spec", "words"),
    [
        ({"sfreq": 1000.0}, SPEC, "at least 5000 Hz.*got 1000 Hz.*mr: corrected"),
        ({"sfreq": 0.0}, SPEC, "at least 5000 Hz"),
        ({}, replace(SPEC, pulse=PulseSpec(ecg="EKG1")), "mr.ecg.*'EKG1'; there are Fp1"),
    ],
)
def test_streams_that_do_not_do_are_refused(
    changes: dict[str, object], spec: MrSpec, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        MrCorrector(spec, infos(**changes))


def test_markers_must_be_there() -> None:
    found = infos()
    del found["markers"]
    with pytest.raises(ConfigError, match="a stream of text markers"):
        MrCorrector(SPEC, found)


def test_the_ecg_is_found_by_its_name_or_done_without() -> None:
    assert MrCorrector(SPEC, infos()).words == f"heartbeats from {ECG}"
    renamed = tuple("ExG 1" if name == ECG else name for name in infos()["eeg"].ch_names)
    assert "the electrodes" in MrCorrector(SPEC, infos(ch_names=renamed)).words
    named = replace(SPEC, pulse=PulseSpec(ecg="ExG 1"))
    assert MrCorrector(named, infos(ch_names=renamed)).words == "heartbeats from ExG 1"
    assert MrCorrector(replace(SPEC, pulse=None), infos()).words == "gradients only"


def test_notes_say_why_nothing_comes() -> None:
    corrector = MrCorrector(SPEC, infos())
    said = set()
    for event in EVENTS:
        corrector.push(event)
        said.update(corrector.notes())
    assert any("no heartbeat" in note for note in said)
    assert any("the gradient template has 2 volumes, 4 are needed" in note for note in said)
    assert all(note.startswith("mr: ") for note in said)
