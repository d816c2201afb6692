import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fieldtrip_server import FieldTripServer

from rtaffect.core.errors import StreamError
from rtaffect.core.streams import (
    Chunk,
    ClockOffset,
    Event,
    StreamChoice,
    StreamEvent,
    StreamState,
    Tick,
)
from rtaffect.sources.fieldtrip import FieldTripSource

pytestmark = pytest.mark.integration
EEG = StreamChoice(modality="eeg", unit="uV")


def counted(first: int, n_times: int) -> np.ndarray:
    """Samples of two channels, the first of which counts."""
    return np.stack([np.arange(first, first + n_times), np.full(n_times, -1)], axis=1)


def chunk_of(events: Iterator[Event]) -> Chunk:
    return next(event for event in events if isinstance(event, Chunk))


def state_of(events: Iterator[Event]) -> StreamEvent:
    return next(event for event in events if isinstance(event, StreamEvent))


def at(
    port: int, *, choice: StreamChoice = EEG, connect_timeout_s: float = 1.0, **settings: Any
) -> FieldTripSource:
    return FieldTripSource(
        choice, host="127.0.0.1", port=port, connect_timeout_s=connect_timeout_s, **settings
    )


def source_at(server: FieldTripServer, **settings: Any) -> FieldTripSource:
    return at(server.port, **settings)


def test_every_new_sample_comes_once_with_its_count_as_stamp() -> None:
    with FieldTripServer() as server:
        server.put(counted(0, 70))  # before we came
        with source_at(server) as source:
            info = source.infos["eeg"]
            assert (info.ch_names, info.sfreq, info.units) == (("Fz", "Cz"), 100.0, ("uV", "uV"))
            events = source.events()
            for first in range(70, 170, 10):
                server.put(counted(first, 10))
                if first == 70:
                    kinds = [next(event for event in events if not isinstance(event, Tick))]
                    chunks = [chunk_of(events)]
            while chunks[-1].data[0, -1] < 169:
                chunks.append(chunk_of(events))
    assert isinstance(kinds[0], ClockOffset)  # before any sample that needs it
    first = chunks[0]
    assert kinds[0].offset_s + first.stamps_s[-1] == pytest.approx(first.t_received, abs=0.1)
    data = np.concatenate([chunk.data for chunk in chunks], axis=1)
    np.testing.assert_array_equal(data.T, counted(70, 100))
    stamps_s = np.concatenate([chunk.stamps_s for chunk in chunks])
    np.testing.assert_allclose(stamps_s, np.arange(70, 170) / 100.0)
    assert all(c.data.flags.c_contiguous and c.data.dtype == np.float32 for c in chunks)


def test_the_offset_is_the_least_delayed_arrival() -> None:
    now = [0.0]
    with (
        FieldTripServer() as server,
        source_at(server, clock=lambda: now[0], offset_interval_s=1.0) as source,
    ):
        events = source.events()
        offsets: list[float] = []

        def arrive(n: int, at_s: float) -> None:
            now[0] = at_s
            server.put(counted(n, 1))
            for event in events:
                if isinstance(event, ClockOffset):
                    offsets.append(event.offset_s)
                if isinstance(event, Chunk):
                    return

        arrive(0, 5.0)
        arrive(1, 5.03)  # 20 ms later than its turn
        arrive(2, 5.005)  # 15 ms before its turn
        arrive(200, 7.1)
    assert offsets == pytest.approx([5.0, 4.985])


def test_integers_are_scaled_by_the_headers_resolution() -> None:
    with (
        FieldTripServer(dtype="int16", resolutions=(0.5, 2.0)) as server,
        source_at(server) as source,
    ):
        server.put(counted(0, 4))
        np.testing.assert_allclose(chunk_of(source.events()).data[:, 3], [1.5, -2.0])


def test_overwritten_samples_show_as_a_jump_of_stamps() -> None:
    with FieldTripServer(n_kept=50) as server, source_at(server) as source:
        events = source.events()
        server.put(counted(0, 10))
        assert chunk_of(events).stamps_s[-1] == pytest.approx(0.09)
        server.put(counted(10, 200))  # more than the buffer keeps
        time.sleep(0.1)
        server.put(counted(210, 10))
        late = chunk_of(events)
    assert late.stamps_s[0] == pytest.approx(2.10)
    assert late.data[0, 0] == 210


def test_a_buffer_that_hangs_up_is_lost_and_comes_back() -> None:
    with FieldTripServer() as server, source_at(server) as source:
        events = source.events()
        server.put(counted(0, 10))
        chunk_of(events)
        server.stop()
        assert state_of(events).state is StreamState.LOST
        with FieldTripServer(port=server.port) as again:
            assert state_of(events).state is StreamState.RECOVERED
            again.put(counted(0, 10))
            assert isinstance(next(e for e in events if not isinstance(e, Tick)), ClockOffset)
            assert chunk_of(events).data[0, 0] == 0


def test_a_buffer_that_counts_anew_is_lost_and_recovered() -> None:
    with FieldTripServer() as server, source_at(server) as source:
        events = source.events()
        server.put(counted(0, 10))
        chunk_of(events)
        server.flush()
        lost = state_of(events)
        assert lost.state is StreamState.LOST
        assert "started anew" in lost.detail
        assert state_of(events).state is StreamState.RECOVERED


def test_a_buffer_that_does_not_answer_is_lost() -> None:
    with FieldTripServer() as server, source_at(server) as source:
        events = source.events()
        server.mute = True
        assert state_of(events).state is StreamState.LOST
        server.mute = False
        assert state_of(events).state is StreamState.RECOVERED


def test_a_buffer_that_comes_back_changed_is_refused_once() -> None:
    with FieldTripServer() as server, source_at(server) as source:
        events = source.events()
        server.stop()
        assert state_of(events).state is StreamState.LOST
        with FieldTripServer(sfreq=200.0, port=server.port) as changed:
            refused = state_of(events)
            assert refused.state is StreamState.REFUSED
            assert "rate in Hz: 100.0 -> 200.0" in refused.detail
            time.sleep(0.5)
            changed.sfreq = 100.0
            assert state_of(events).state is StreamState.RECOVERED


def refuses(words: str, server: FieldTripServer, **settings: Any) -> None:
    with pytest.raises(StreamError, match=words):
        source_at(server, connect_timeout_s=0.3, **settings).open()


def test_a_header_that_cannot_be_used_is_an_error() -> None:
    with FieldTripServer((), n_channels=2) as server:
        refuses(r"has no channel labels.*ch_names: \[...\]", server)
        named = replace(EEG, ch_names=("A", "B"), rename={"B": "C"})
        with source_at(server, choice=named) as source:
            assert source.infos["eeg"].ch_names == ("A", "C")
    with FieldTripServer(("Cz", "Cz")) as server:
        refuses("labels must differ", server)
    with FieldTripServer(sfreq=0.0) as server:
        refuses("must state its rate", server)
    with FieldTripServer() as server:
        server.has_header = False
        refuses("no header yet", server)


def test_no_buffer_is_an_error_that_helps() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(StreamError, match="Is the acquisition running"):
        at(port, connect_timeout_s=0.3).open()


def answering(reply: Callable[[socket.socket], None]) -> tuple[socket.socket, int]:
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with peer:
                reply(peer)

    threading.Thread(target=serve, daemon=True).start()
    return listener, listener.getsockname()[1]


@pytest.mark.parametrize("reply", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x01\x00\x04\x02"])
def test_a_port_of_something_else_is_an_error_and_no_endless_loop(reply: bytes) -> None:
    listener, port = answering(lambda peer: peer.sendall(reply))
    with listener, pytest.raises(StreamError, match="A FieldTrip buffer must listen"):
        at(port, connect_timeout_s=0.3).open()


def test_close_is_prompt_and_ends_the_events() -> None:
    with FieldTripServer() as server:
        source = source_at(server).open()
        start = time.monotonic()
        source.close()
        assert time.monotonic() - start < 1.0
        source.close()
        assert all(isinstance(event, Tick) for event in source.events())
