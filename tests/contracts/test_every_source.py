"""What every source promises, held to each of them."""

import math
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from alike import classes_like
from kept import Kept
from tiny_bundle import write_tiny_bundle

from rtaffect.core.face_features import FACE_FEATURES
from rtaffect.core.streams import (
    Chunk,
    ClockOffset,
    Event,
    Source,
    StreamChoice,
    StreamInfo,
    Tick,
    VolumeChunk,
)
from rtaffect.core.volume_message import VolumeMessage
from rtaffect.decode.decoder import Decoder
from rtaffect.engine import Engine
from rtaffect.publish.lsl import LslSender
from rtaffect.publish.recorder import Recorder
from rtaffect.publish.volumes import VolumePublisher
from rtaffect.publish.xdf_writer import XdfWriter
from rtaffect.simulate.faults import parse_fault
from rtaffect.simulate.participant import Participant
from rtaffect.simulate.source import SimulatedSource
from rtaffect.simulate.volumes import volume_stream_info
from rtaffect.sources.fieldtrip import FieldTripSource
from rtaffect.sources.lsl import LslSource
from rtaffect.sources.lsl_inlet import local_clock
from rtaffect.sources.recording import RecordingSource, open_recording
from rtaffect.sources.volumes import VolumeSource

SOURCES = Path(__file__).parents[2] / "rtaffect" / "sources"
HELPERS = {
    "__init__": "no source",
    "event_queue": "the queue of the live sources",
    "live": "what live sources share",
    "lsl_inlet": "pylsl's edge, of lsl.py",
    "stream_choice": "which stream is meant",
    "offered": "what can be chosen",
    "recorded": "what recorded files share",
    "recorded_choice": "which recorded stream is meant",
    "xdf_file": "pyxdf's edge, of recording.py",
    "xdf_clock": "offsets of XDF files",
    "volume_files": "volumes beside our own recordings",
}
TICK_S = 0.25


def simulated(*faults: str) -> SimulatedSource:
    return SimulatedSource(
        Participant(91_000), 8.0, sfreq=128.0, faults=[parse_fault(f) for f in faults]
    )


@contextmanager
def own_recording(folder: Path) -> Iterator[Source]:
    source = simulated("death@3+1")
    bundle = write_tiny_bundle(folder)
    recorder = Recorder(folder / "own.xdf", source.infos, session={})
    Engine(source, [Decoder(bundle, infos=source.infos)], [recorder, Kept()]).run()
    with open_recording([folder / "own.xdf"]) as recording:
        yield recording


def foreign_file(folder: Path) -> Path:
    path = folder / "foreign.xdf"
    with path.open("wb") as file:
        xdf = XdfWriter(file)
        xdf.add_stream(
            1, name="amp", stype="EEG", dtype=np.float32, ch_names=("Cz", "Pz"), units=("uV",) * 2,
            sfreq=100.0, source_id="a", simulated=False,
        )  # fmt: skip
        stamps = 5.0 + np.arange(600) / 100.0
        xdf.clock_offset(1, t_collected=5.0, offset_s=-2.0)
        xdf.samples(1, stamps, np.zeros((2, 600), dtype=np.float32))
        xdf.footers()
    return path


@contextmanager
def foreign_xdf(folder: Path) -> Iterator[Source]:
    with open_recording([foreign_file(folder)]) as recording:
        yield recording


@contextmanager
def paced_xdf(folder: Path) -> Iterator[Source]:
    with open_recording([foreign_file(folder)], speed=1e-6) as recording:
        yield recording


@contextmanager
def fif_and_openface(folder: Path) -> Iterator[Source]:
    import mne

    info = mne.create_info(["Cz", "Pz"], 128.0, "eeg", verbose="error")
    raw = mne.io.RawArray(np.zeros((2, 800)), info, verbose="error")
    raw.set_annotations(mne.Annotations([1.0, 2.0], [0.0, 0.0], ["a", "b"]))
    raw.save(folder / "eeg_raw.fif", verbose="error")
    header = ("frame", "timestamp", "confidence", "success", *FACE_FEATURES)
    rows = [(i + 1, i / 25, 0.98, int(i % 7 > 0), *([0.5] * 29)) for i in range(120)]
    lines = [", ".join(header), *(", ".join(map(str, row)) for row in rows)]
    (folder / "face.csv").write_text("\n".join(lines))
    with open_recording([folder / "eeg_raw.fif", folder / "face.csv"]) as recording:
        yield recording


@contextmanager
def roi_table(folder: Path) -> Iterator[Source]:
    rows = [f"{i},{i / 7},n/a" for i in range(60)]
    (folder / "frames.tsv").write_text("\n".join(["b,a,c", *rows]).replace(",", "\t"))
    (folder / "frames.json").write_text('{"RepetitionTime": 0.5, "StartTime": 3.0}')
    with open_recording([folder / "frames.tsv"]) as recording:
        yield recording


@contextmanager
def lsl(_folder: Path) -> Iterator[Source]:
    infos = [
        StreamInfo(
            modality=modality, name=f"contract {modality}", stype=stype, ch_names=names,
            source_id=f"contract-{modality}-{uuid4().hex[:8]}", sfreq=sfreq, units=units,
            is_text=modality == "markers",
        )
        for modality, stype, names, sfreq, units in (
            ("eeg", "EEG", ("Cz", "Pz"), 100.0, ("uV", "uV")),
            ("markers", "Markers", ("text",), 0.0, ("",)),
        )
    ]  # fmt: skip
    sender = LslSender(infos)
    stop = threading.Event()

    def send() -> None:
        while not stop.wait(0.05):
            now = local_clock()
            sender.push(Chunk("eeg", np.zeros((2, 5)), now + np.arange(-4, 1) / 100.0, now))
            text = np.array([["x"]], dtype=object)
            sender.push(Chunk("markers", text, np.array([now]), now))

    thread = threading.Thread(target=send)
    thread.start()
    choices = [StreamChoice(modality=i.modality, source_id=i.source_id) for i in infos]
    try:
        with LslSource(choices, tick_s=TICK_S, offset_interval_s=0.5).open() as source:
            timer = threading.Timer(2.5, source.close)
            timer.start()
            yield source
            timer.cancel()
    finally:
        stop.set()
        thread.join()
        sender.close()


@contextmanager
def fieldtrip(_folder: Path) -> Iterator[Source]:
    from fieldtrip_server import FieldTripServer

    choice = StreamChoice(modality="eeg", unit="uV")
    with FieldTripServer() as server:
        server.put(np.zeros((10, 2)))
        stop = threading.Event()

        def put() -> None:
            while not stop.wait(0.05):
                server.put(np.zeros((5, 2)))

        thread = threading.Thread(target=put)
        thread.start()
        with FieldTripSource(choice, host="127.0.0.1", port=server.port, tick_s=TICK_S) as source:
            timer = threading.Timer(1.5, source.close)
            timer.start()
            yield source
            timer.cancel()
        stop.set()
        thread.join()


@contextmanager
def volumes(_folder: Path) -> Iterator[Source]:
    info = volume_stream_info(Participant(91_000), tr_s=2.0)
    publisher = VolumePublisher("tcp://127.0.0.1:*", info=info, clock=local_clock)
    stop = threading.Event()

    def publish() -> None:
        index = 0
        while not stop.wait(0.05):
            data = np.full((2, 3, 4), index, np.int16)
            publisher.publish(
                VolumeMessage(
                    data=data, affine=np.eye(4), index=index, run="1", stamp_s=local_clock()
                )
            )
            index += 1
        publisher.close()

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        with VolumeSource(publisher.address, tick_s=TICK_S, clock=local_clock) as source:
            timer = threading.Timer(1.5, source.close)
            timer.start()
            yield source
            timer.cancel()
    finally:
        stop.set()
        thread.join()


@contextmanager
def in_process(_folder: Path) -> Iterator[Source]:
    with simulated("drop@2+0.5", "face:death@3+1", "burst@5+1") as source:
        yield source


Opens = Callable[[Path], AbstractContextManager[Source]]
EVERY: dict[str, tuple[type[Source], str, Opens]] = {
    "simulated": (SimulatedSource, "", in_process),  # lives in simulate/
    "own recording": (RecordingSource, "recording session_recording", own_recording),
    "foreign XDF": (RecordingSource, "recording xdf_recording", foreign_xdf),
    "FIF and OpenFace": (RecordingSource, "recording mne_recording openface", fif_and_openface),
    "ROI table": (RecordingSource, "recording roi_table roi_declared", roi_table),
    "LSL": (LslSource, "lsl", lsl),
    "FieldTrip": (FieldTripSource, "fieldtrip", fieldtrip),
    "volumes": (VolumeSource, "volumes", volumes),
}
"""By name: the class, the modules of sources/ that it stands for, and how one is opened."""

ENDLESS: dict[str, Opens] = {"a recording at a millionth of its speed": paced_xdf}
LIVE = {"LSL", "FieldTrip", "volumes"}  # their ticks are as punctual as the machine


def test_every_file_of_sources_is_held_to_the_contract() -> None:
    modules = {path.stem for path in SOURCES.glob("*.py")}
    registered = {module for _, of, _ in EVERY.values() for module in of.split()}
    assert modules == registered | set(HELPERS)
    assert not registered & set(HELPERS)


def test_every_source_is_held_to_the_contract() -> None:
    assert classes_like(Source) == {kind for kind, _, _ in EVERY.values()}


@pytest.mark.integration
@pytest.mark.parametrize("name", EVERY)
def test_source_keeps_its_promises(name: str, tmp_path: Path) -> None:
    kind, _, opens = EVERY[name]
    with opens(tmp_path) as opened, opened as source:
        assert source is opened
        assert type(source) is kind
        infos = dict(source.infos)
        assert infos
        assert all(modality == info.modality for modality, info in infos.items())
        assert source.n_waiting >= 0
        events, kept = [], []
        for event in source.events():
            events.append(event)
            kept.append(content(event))
        assert dict(source.infos) == infos
        source.close()
        source.close()
    assert {event.modality for event in events if isinstance(event, Chunk)} == set(infos)
    check_samples(events, infos)
    check_order(events, tick_s=2 * TICK_S if name in LIVE else TICK_S)
    # What was handed over is the receiver's: no buffer of the source is used again.
    assert [content(event) for event in events] == kept


def content(event: Event) -> object:
    """Return a copy of all that an event says, comparable with ==."""
    if not isinstance(event, Chunk):
        return event
    samples = event.data.tolist() if event.data.dtype == object else event.data.tobytes()
    return (event.modality, event.t_received, samples, event.stamps_s.tobytes())


def check_order(events: list[Event], *, tick_s: float) -> None:
    """Time never goes back, ticks tell it from the first event to the last, offsets come first."""
    received = [event.t_received for event in events]
    assert np.isfinite(received).all()
    assert (np.diff(received) >= 0).all()
    ticks = [event.t_received for event in events if isinstance(event, Tick)]
    assert np.diff([received[0], *ticks, received[-1]]).max() <= tick_s + 1e-6
    with_offset = {event.modality for event in events if isinstance(event, ClockOffset)}
    known: set[str] = set()
    for event in events:
        if isinstance(event, ClockOffset):
            assert np.isfinite(event.offset_s)
            known.add(event.modality)
        elif isinstance(event, Chunk) and event.modality in with_offset:
            assert event.modality in known


def check_samples(events: list[Event], infos: Mapping[str, StreamInfo]) -> None:
    """What arrives fits what the stream says of itself."""
    dtypes: dict[str, np.dtype] = {}
    for event in events:
        if isinstance(event, Tick):
            continue
        info = infos[event.modality]
        if isinstance(event, Chunk):
            is_volume = isinstance(event, VolumeChunk)
            n_rows = math.prod(event.shape) if is_volume else info.n_channels
            assert event.data.shape == (n_rows, len(event.stamps_s))
            assert event.stamps_s.dtype == np.float64
            assert dtypes.setdefault(event.modality, event.data.dtype) == event.data.dtype
            assert (event.data.dtype == object) == info.is_text
            if info.is_text:
                assert all(isinstance(text, str) for text in event.data.flat)


@pytest.mark.integration
@pytest.mark.parametrize("name", [*EVERY, *ENDLESS])
def test_a_source_that_another_thread_closes_ends_its_events(name: str, tmp_path: Path) -> None:
    opens = ENDLESS[name] if name in ENDLESS else EVERY[name][2]
    with opens(tmp_path) as source:
        events = source.events()
        next(events)
        closer = threading.Thread(target=source.close)
        closer.start()
        closer.join()
        n_left = sum(1 for _ in events)
    assert n_left < 1000  # what had arrived by then, not the rest of the session


@pytest.mark.integration
def test_a_source_that_waits_for_its_next_event_ends_when_it_is_closed(tmp_path: Path) -> None:
    with paced_xdf(tmp_path) as source:
        events = source.events()
        next(events)
        closer = threading.Timer(0.2, source.close)  # the reader is in `events` by then
        closer.start()
        assert not any(isinstance(event, Chunk) for event in events)  # the first is hours away
        closer.join()
