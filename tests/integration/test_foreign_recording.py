"""A session that LabRecorder recorded gives the windows that were live, within its tolerance.

Such a file does not say when a sample arrived, hence which of two clock offsets was the newest: a
stamp may differ by as much as two measurements of the offset do, here 50 us.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rtaffect.core.face_features import FACE_FEATURES
from rtaffect.core.montages import EEG_32
from rtaffect.core.spec import FrameSpec, SignalSpec, WindowSpec
from rtaffect.core.streams import Chunk, ClockOffset, Event
from rtaffect.core.window import Flag, Window
from rtaffect.publish.xdf_writer import XdfWriter
from rtaffect.simulate.faults import parse_fault
from rtaffect.simulate.participant import Participant
from rtaffect.simulate.source import SimulatedSource, stream_infos
from rtaffect.sources.recording import open_recording
from rtaffect.windows import WindowChain, open_windows

SPEC = WindowSpec(
    modalities={
        "eeg": SignalSpec(ch_names=EEG_32),
        "face": FrameSpec(ch_names=FACE_FEATURES),
    }
)
INFOS = stream_infos(Participant(3), sfreq=256.0)
NUMBERS = {modality: number for number, modality in enumerate(INFOS, start=1)}
STAMPS_S = 50e-6  # what the stamps may differ by
HIGHEST_HZ = 64.0  # half the rate of the grid: nothing faster is in a window


def live_events() -> Iterator[Event]:
    """Events of a session whose offsets are measured every second, each a bit off."""
    rng = np.random.default_rng(0)
    source = SimulatedSource(
        Participant(3),
        24.0,
        sfreq=256,
        chunk_s=1 / 20,
        faults=[parse_fault("drop@12+0.4"), parse_fault("face:drop@16+0.5")],
        clock_offset_s=-7000.0,
        offset_interval_s=1.0,
    )
    for event in source.events():
        if isinstance(event, ClockOffset):
            off_s = rng.uniform(-STAMPS_S / 2, STAMPS_S / 2)
            yield replace(event, offset_s=event.offset_s + off_s)
        else:
            yield event


def write(path: Path, events: Sequence[Event]) -> None:
    """Write what LabRecorder would: stamps, samples and offsets, no arrivals."""
    with path.open("wb") as file:
        writer = XdfWriter(file)
        for modality, info in INFOS.items():
            dtype = object if info.is_text else np.float32
            writer.add_stream(
                NUMBERS[modality],
                name=info.name,
                stype=info.stype,
                dtype=dtype,
                ch_names=info.ch_names,
                units=info.units,
                sfreq=info.sfreq,
                source_id=info.source_id,
                simulated=True,
            )
        for event in events:
            if isinstance(event, Chunk):
                writer.samples(NUMBERS[event.modality], event.stamps_s, event.data)
            elif isinstance(event, ClockOffset):
                writer.clock_offset(
                    NUMBERS[event.modality],
                    t_collected=event.t_received - event.offset_s,
                    offset_s=event.offset_s,
                )
        writer.footers()


def corrected(events: Sequence[Event], modality: str) -> np.ndarray:
    offset_s, stamps = np.nan, []
    for event in events:
        if isinstance(event, ClockOffset) and event.modality == modality:
            offset_s = event.offset_s
        elif isinstance(event, Chunk) and event.modality == modality:
            stamps.append(event.stamps_s + offset_s)
    return np.concatenate(stamps)


@pytest.fixture(scope="module")
def live() -> list[Event]:
    return list(live_events())


@pytest.fixture(scope="module")
def path(live: list[Event], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("labrecorder") / "session.xdf"
    write(path, live)
    return path


def pairs(live: list[Event], path: Path) -> list[tuple[Window, Window]]:
    """Windows of the session and of its recording that end at the same time."""
    chain = WindowChain(SPEC, INFOS)
    lived = {window.index: window for event in live for window in chain.push(event)}
    with open_recording([path]) as source:
        replayed = {window.index: window for window in open_windows(source, SPEC)}
    common = sorted(lived.keys() & replayed.keys())
    assert len(common) >= len(lived) - 2
    return [(lived[index], replayed[index]) for index in common]


def test_stamps_agree_within_the_tolerance_and_differ(live: list[Event], path: Path) -> None:
    with open_recording([path]) as source:
        events = list(source.events())
    for modality in ("eeg", "face"):
        off_s = corrected(events, modality) - corrected(live, modality)
        assert np.abs(off_s).max() <= STAMPS_S
    assert np.abs(corrected(events, "eeg") - corrected(live, "eeg")).max() > 1e-6


def test_windows_agree_within_what_the_stamps_allow(live: list[Event], path: Path) -> None:
    # A signal without anything above f has no slope above 2 pi f max|x| (Bernstein's inequality):
    # moved by dt it changes by no more than 2 pi f dt max|x|, here 2 % of the largest value.
    n_compared = 0
    for one, other in pairs(live, path):
        lived, replayed = one.modalities["eeg"], other.modalities["eeg"]
        if not (lived.usable and replayed.usable):
            continue
        largest = np.abs(lived.data).max()
        tolerance = 2 * np.pi * HIGHEST_HZ * STAMPS_S * largest
        assert np.abs(lived.data - replayed.data).max() <= tolerance
        n_compared += 1
    assert n_compared > 40


def test_flags_and_coverage_agree_once_the_rate_is_known(live: list[Event], path: Path) -> None:
    said = set()
    for one, other in pairs(live, path):
        if one.t_end < 1000.0 + 3.5:
            continue  # how many samples the measurement of the rate took depends on arrivals
        for modality, lived in one.modalities.items():
            replayed = other.modalities[modality]
            # Live, the samples behind the gap came while the window waited: a matter of arrival.
            arrival = {Flag.LATE, Flag.GAP} if Flag.LATE in lived.flags | replayed.flags else set()
            assert lived.flags - arrival == replayed.flags - arrival
            assert lived.usable == replayed.usable
            assert lived.coverage == pytest.approx(replayed.coverage, abs=0.011)  # a grid sample
            said |= lived.flags
    assert {Flag.GAP, Flag.WARMUP} <= said


def test_a_face_frame_moves_by_a_grid_sample_only_where_the_stamp_is_on_its_edge(
    live: list[Event], path: Path
) -> None:
    stamps = corrected(live, "face")
    sfreq = SPEC.modalities["face"].sfreq
    n_equal = n_edge = 0
    for one, other in pairs(live, path):
        lived, replayed = one.modalities["face"], other.modalities["face"]
        t = one.t_start + np.arange(lived.data.shape[1]) / sfreq
        differs = ~np.all((lived.data == replayed.data) | np.isnan(lived.data), axis=0)
        hold_s = SPEC.modalities["face"].hold_s
        edges = np.concatenate([stamps, stamps + hold_s])
        nearest = np.abs(t[:, None] - edges[None]).min(axis=1)
        assert not (differs & (nearest > STAMPS_S)).any()
        n_equal += int((~differs).sum())
        n_edge += int(differs.sum())
    assert n_equal > 100 * n_edge
