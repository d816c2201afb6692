"""Volumes from a publisher to a source, over real sockets on loopback."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zmq

from rtaffect.core.clock import monotonic
from rtaffect.core.errors import PublishError, StreamError
from rtaffect.core.streams import (
    Chunk,
    ClockOffset,
    Event,
    StreamEvent,
    StreamInfo,
    StreamState,
    Tick,
    VolumeChunk,
)
from rtaffect.core.volume_message import VolumeMessage, encode_info
from rtaffect.publish.volumes import VolumePublisher
from rtaffect.simulate.participant import Participant
from rtaffect.simulate.volumes import volume_stream_info
from rtaffect.sources import volumes as sources_volumes
from rtaffect.sources.event_queue import EventQueue
from rtaffect.sources.live import LiveSource
from rtaffect.sources.volumes import VolumeSource

pytestmark = pytest.mark.integration
INFO = volume_stream_info(Participant(1), tr_s=2.0)
ANYWHERE = "tcp://127.0.0.1:*"


def volume(index: int, run: str = "1") -> VolumeMessage:
    data = np.random.default_rng(index).integers(-9, 9, (4, 3, 2)).astype(np.int16)
    return VolumeMessage(
        data=data, affine=np.eye(4) * 3.5, index=index, run=run, stamp_s=100.0 + 2 * index
    )


class Sender:
    """A publisher with a thread that serves it, as the scanner process does."""

    def __init__(self, address: str = ANYWHERE, info: StreamInfo = INFO) -> None:
        self.publisher = VolumePublisher(address, info=info, clock=monotonic)
        self.address = self.publisher.address
        self._to_send: list[VolumeMessage] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def send(self, *messages: VolumeMessage) -> None:
        with self._lock:
            self._to_send.extend(messages)

    def _run(self) -> None:
        while not self._stop.wait(0.01):
            with self._lock:
                now, self._to_send = self._to_send, []
            for message in now:
                self.publisher.publish(message)
            self.publisher.serve()
        self.publisher.close()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()


@contextmanager
def sender(address: str = ANYWHERE, info: StreamInfo = INFO) -> Iterator[Sender]:
    one = Sender(address, info)
    try:
        yield one
    finally:
        one.close()


def chunk_of(events: Iterator[Event]) -> VolumeChunk:
    return next(event for event in events if isinstance(event, VolumeChunk))


def state_of(events: Iterator[Event]) -> StreamEvent:
    return next(event for event in events if isinstance(event, StreamEvent))


def test_every_volume_arrives_once_with_its_voxels_and_its_stamp() -> None:
    with sender() as one, VolumeSource(one.address) as source:
        assert source.infos == {"volume": INFO}
        events = source.events()
        first = next(event for event in events if not isinstance(event, Tick))
        assert isinstance(first, ClockOffset)
        assert first.offset_s == 0.0
        sent = [volume(index) for index in range(5)]
        one.send(*sent)
        for message in sent:
            got = chunk_of(events)
            assert np.array_equal(got.data.reshape(got.shape), message.data)
            assert got.data.dtype == np.int16
            assert np.array_equal(got.affine, message.affine)
            assert got.stamps_s.tolist() == [message.stamp_s]
            assert got.index == message.index


def test_who_comes_late_gets_the_newest_volume_and_the_others_get_nothing_twice() -> None:
    with sender() as one, VolumeSource(one.address) as early:
        seen = early.events()
        one.send(volume(0), volume(1))
        assert [chunk_of(seen).index for _ in range(2)] == [0, 1]
        with VolumeSource(one.address) as late:
            events = late.events()
            assert chunk_of(events).index == 1
            one.send(volume(2))
            assert chunk_of(events).index == 2
        assert chunk_of(seen).index == 2


def test_what_is_no_volume_is_left_out_and_those_after_it_arrive() -> None:
    context = zmq.Context()
    publisher = context.socket(zmq.PUB)
    port = publisher.bind_to_random_port("tcp://127.0.0.1")
    stop = threading.Event()

    def send() -> None:
        from rtaffect.core.volume_message import encode_volume

        good = encode_volume(volume(7))
        while not stop.wait(0.02):
            publisher.send_multipart([b"info/", b"{}"])
            publisher.send_multipart(encode_info(INFO))
            publisher.send_multipart([b"volume/", b"[" * 1000, b"x"])
            publisher.send_multipart([b"volume/", *[b""] * 20])
            publisher.send_multipart([good[0], good[1].replace(b"<i2", b"|O"), good[2]])
            publisher.send_multipart(good)
        publisher.close(0)

    thread = threading.Thread(target=send)
    thread.start()
    with VolumeSource(f"tcp://127.0.0.1:{port}") as source:
        assert chunk_of(source.events()).index == 7
    stop.set()
    thread.join()
    context.term()


def test_a_sender_that_falls_silent_is_lost_and_its_return_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sources_volumes, "SILENT_S", 0.3)
    address = f"ipc://{tmp_path}/volumes"
    with sender(address) as one:
        source = VolumeSource(one.address).open()
        events = source.events()
        one.send(volume(0))
        assert chunk_of(events).index == 0
    assert state_of(events).state is StreamState.LOST
    with sender(address) as two:
        assert state_of(events).state is StreamState.RECOVERED
        two.send(volume(0, run="2"))
        assert chunk_of(events).stamps_s.tolist() == [100.0]
    source.close()


def test_a_sender_that_comes_back_with_another_tr_is_refused(tmp_path: Path) -> None:
    address = f"ipc://{tmp_path}/volumes"
    other = replace(INFO, about={**INFO.about, "acquisition.tr_s": "1"})
    with sender(address):
        source = VolumeSource(address).open()
        events = source.events()
    with sender(address, other) as two:
        told = state_of(events)
        assert told.state is StreamState.REFUSED
        assert "TR in s: 2 -> 1" in told.detail
        two.send(volume(3))
    with sender(address) as three:
        assert state_of(events).state is StreamState.RECOVERED
        three.send(volume(5))
        assert chunk_of(events).index == 5
    source.close()


class Eeg(LiveSource):
    """Another live source."""

    def __init__(self) -> None:
        super().__init__(EventQueue(monotonic, tick_s=0.25))
        self._note("eeg: hangs on a thread.")

    def _begin(self) -> None:
        self._infos["eeg"] = StreamInfo(
            modality="eeg", name="e", stype="EEG", ch_names=("Cz",), sfreq=100.0
        )


def test_volumes_and_other_streams_are_one_sequence() -> None:
    eeg = Eeg().open()
    with sender() as one, VolumeSource(one.address, beside=eeg, wait_s=3.0) as source:
        assert set(source.infos) == {"eeg", "volume"}
        assert source.notes == eeg.notes
        events = source.events()
        eeg.queue.put(lambda t: Chunk("eeg", np.zeros((1, 1)), np.zeros(1), t))
        one.send(volume(0))
        got = [next(e for e in events if isinstance(e, Chunk)) for _ in range(2)]
        assert {chunk.modality for chunk in got} == {"eeg", "volume"}
        assert got[0].t_received <= got[1].t_received
    assert eeg.queue.closed.is_set()


def test_without_a_scanner_process_it_says_what_to_start() -> None:
    with pytest.raises(StreamError, match="rtaffect scanner"):
        VolumeSource("tcp://127.0.0.1:9", wait_s=0.2).open()
    with VolumeSource("tcp://127.0.0.1:9", wait_s=0.2, required=False).open() as source:
        assert source.infos == {}
        assert [note.split(",")[0] for note in source.notes] == ["volume: absent"]
        assert isinstance(next(source.events()), Tick)


@pytest.mark.parametrize("address", ["tcp://192.168.1.5:5578", "tcp://*:5578", "tcp://0.0.0.0:1"])
def test_volumes_stay_on_this_machine(address: str) -> None:
    with pytest.raises(StreamError, match="this machine"):
        VolumeSource(address)
    with pytest.raises(PublishError, match="this machine"):
        VolumePublisher(address, info=INFO, clock=monotonic)


def test_an_address_that_is_taken_is_an_error_of_ours() -> None:
    with sender() as one, pytest.raises(PublishError, match="rtaffect scanner"):
        VolumePublisher(one.address, info=INFO, clock=monotonic)


def test_a_subscriber_that_does_not_read_stops_nobody() -> None:
    publisher = VolumePublisher(ANYWHERE, info=INFO, clock=monotonic)
    context = zmq.Context()
    lazy = context.socket(zmq.SUB)
    lazy.rcvhwm = 1
    lazy.subscribe(b"")
    lazy.connect(publisher.address)
    big = np.zeros((64, 64, 30), np.float32)
    for index in range(200):
        publisher.publish(
            VolumeMessage(data=big, affine=np.eye(4), index=index, run="1", stamp_s=0.0)
        )
    lazy.close(0)
    context.term()
    publisher.close()
