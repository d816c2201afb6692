"""Real sockets: who gets what, and who is not bothered."""

import contextlib
import itertools
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zmq

from rtaffect import wire
from rtaffect.client import CurveKeys, Subscriber, to_array
from rtaffect.core.clock import Clock, ManualClock
from rtaffect.core.errors import PublishError
from rtaffect.core.health import Health, LatencyMeter, StreamHealth
from rtaffect.core.sinks import Matrix, Timing
from rtaffect.core.streams import Chunk, ClockOffset, StreamEvent, StreamState, Tick
from rtaffect.publish import zmq as publish_zmq
from rtaffect.publish.keys import make_keys, read_server_keys
from rtaffect.publish.zmq import ZmqPublisher
from tests.wire_cases import estimate, session

pytestmark = pytest.mark.integration
ANY_PORT = "tcp://127.0.0.1:*"
WAIT_S = 10.0


Start = Callable[..., ZmqPublisher]


@pytest.fixture
def start() -> Iterator[Start]:
    """Return what opens a publisher on a free port; all are closed at the end."""
    with contextlib.ExitStack() as opened:

        def open_publisher(
            address: str = ANY_PORT, *, clock: Clock | None = None, **settings: Any
        ) -> ZmqPublisher:
            made = ZmqPublisher(address, session=session("a", "b"), clock=clock, **settings)
            opened.callback(made.close)
            return made

        yield open_publisher


@pytest.fixture
def publisher(start: Start) -> ZmqPublisher:
    return start(session_id="one", clock=ManualClock(100.0))


def until(condition: Callable[[], bool], publisher: ZmqPublisher) -> None:
    """Let the publisher hear subscriptions until something holds."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline
        publisher.serve()
        time.sleep(0.005)


def send(publisher: ZmqPublisher, decoder: str, t_end: float) -> None:
    publisher.on_estimate(
        estimate(decoder, t_end), Timing(t_closed=t_end + 0.5, t_decoded=t_end + 0.6)
    )


class Listener:
    """A plain SUB socket that keeps what it got."""

    def __init__(self, publisher: ZmqPublisher, *topics: str, kind: int = zmq.SUB) -> None:
        self._context = zmq.Context()
        self.socket = self._context.socket(kind)
        self.socket.linger = 0
        self.socket.connect(publisher.address)
        self.got: list[tuple[str, int]] = []
        for topic in topics:
            self.socket.subscribe(topic)

    def drain(self) -> list[tuple[str, int]]:
        while self.socket.poll(0):
            topic, header, *_ = self.socket.recv_multipart()
            self.got.append((topic.decode(), json.loads(header)["seq"]))
        return self.got

    def close(self) -> None:
        self.socket.close()
        self._context.term()


@pytest.fixture
def listen(publisher: ZmqPublisher) -> Iterator[Callable[..., Listener]]:
    made: list[Listener] = []

    def start(*topics: str, kind: int = zmq.SUB) -> Listener:
        made.append(Listener(publisher, *topics, kind=kind))
        return made[-1]

    yield start
    for each in made:
        each.close()


def test_a_late_subscriber_gets_the_last_value_of_each_topic_and_nobody_else_is_bothered(
    publisher: ZmqPublisher, listen: Callable[..., Listener]
) -> None:
    early = listen("")
    until(lambda: ("session/", 0) in early.drain(), publisher)
    for t in range(3):
        send(publisher, "a", float(t))
        send(publisher, "b", float(t))
    until(lambda: len(early.drain()) == 7, publisher)
    late = listen("session/", "estimate/a/", "estimate/b/", "health/")
    until(lambda: len(late.drain()) == 3, publisher)
    assert set(late.got) == {("session/", 0), ("estimate/a/", 2), ("estimate/b/", 2)}
    send(publisher, "a", 3.0)
    until(lambda: ("estimate/a/", 3) in early.drain(), publisher)
    until(lambda: ("estimate/a/", 3) in late.drain(), publisher)
    assert len(early.got) == len(set(early.got)) == 8


@pytest.mark.parametrize(
    ("prefix", "answer"),
    [("", ("session/", 0)), ("estimate/", ("estimate/b/", 0)), ("e", ("estimate/b/", 0))],
)
def test_a_prefix_is_answered_with_the_session_or_else_the_newest_value(
    publisher: ZmqPublisher,
    listen: Callable[..., Listener],
    prefix: str,
    answer: tuple[str, int],
) -> None:
    send(publisher, "a", 0.0)
    send(publisher, "b", 0.0)
    late = listen(prefix)
    until(lambda: bool(late.drain()), publisher)
    assert late.got == [answer]


def test_the_client_gets_every_last_value_once_though_it_asked_by_a_prefix(
    publisher: ZmqPublisher,
) -> None:
    for t in range(3):
        send(publisher, "a", float(t))
        send(publisher, "b", float(t))
    got: list[wire.Message] = []

    def receive() -> bool:
        try:
            got.append(subscriber.receive(timeout_s=0.0))
        except TimeoutError:
            return False
        return len(got) >= 3

    with Subscriber(publisher.address, topics=["session/", "estimate/"]) as subscriber:
        until(receive, publisher)
        send(publisher, "a", 3.0)
        got.append(subscriber.receive(timeout_s=WAIT_S))
        assert subscriber.session == session("a", "b")
        assert subscriber.n_dropped == {}
    assert sorted((message.topic, message.seq) for message in got) == [
        ("estimate/a/", 2),
        ("estimate/a/", 3),
        ("estimate/b/", 2),
        ("session/", 0),
    ]


def test_an_unsubscription_costs_nobody_else_a_message(
    publisher: ZmqPublisher, listen: Callable[..., Listener]
) -> None:
    stays, leaves = listen("estimate/a/"), listen("estimate/a/", "dfcn/a/")
    until(lambda: publisher.wants_matrices("a"), publisher)
    send(publisher, "a", 0.0)
    until(lambda: bool(stays.drain() and leaves.drain()), publisher)
    leaves.socket.unsubscribe("dfcn/a/")
    until(lambda: not publisher.wants_matrices("a"), publisher)
    send(publisher, "a", 1.0)
    until(lambda: ("estimate/a/", 1) in stays.drain(), publisher)
    until(lambda: ("estimate/a/", 1) in leaves.drain(), publisher)
    assert ("estimate/a/", 0) in stays.got


def test_matrices_are_wanted_only_while_somebody_subscribes_them(
    publisher: ZmqPublisher, listen: Callable[..., Listener]
) -> None:
    assert not publisher.wants_matrices("a")
    first, second = listen("dfcn/a/"), listen("dfcn/")
    until(lambda: publisher.wants_matrices("b"), publisher)
    until(lambda: sum(publisher._n_subscribers.values()) == 2, publisher)
    second.socket.close()
    until(lambda: not publisher.wants_matrices("b"), publisher)
    assert publisher.wants_matrices("a")
    first.socket.close()
    until(lambda: not publisher.wants_matrices("a"), publisher)


def test_matrices_are_not_wanted_by_a_subscriber_that_was_killed(publisher: ZmqPublisher) -> None:
    listener = Path(__file__).with_name("listener.py")
    with subprocess.Popen([sys.executable, str(listener), publisher.address, "dfcn/a/"]) as process:
        until(lambda: publisher.wants_matrices("a"), publisher)
        process.kill()
        until(lambda: not publisher.wants_matrices("a"), publisher)


def test_a_matrix_arrives_with_its_shape_and_labels(publisher: ZmqPublisher) -> None:
    data = np.arange(6, dtype=np.float32).reshape(2, 3)
    data[0, 0] = np.nan
    with Subscriber(publisher.address, topics=["dfcn/a/"]) as subscriber:
        until(lambda: publisher.wants_matrices("a"), publisher)
        publisher.on_matrix(
            Matrix(decoder="a", name="band_power", t_end=3.0, data=data, ch_names=("Fz", "Cz"))
        )
        message = subscriber.receive(timeout_s=WAIT_S)
    assert isinstance(message, wire.MatrixMessage)
    assert message.matrix.ch_names == ("Fz", "Cz")
    np.testing.assert_array_equal(to_array(message), data)


def test_an_estimate_arrives_with_its_times_and_its_canonical_form(
    publisher: ZmqPublisher,
) -> None:
    send(publisher, "a", 90.0)
    with Subscriber(publisher.address, topics=["estimate/a/"]) as subscriber:
        until(lambda: publisher._n_subscribers[b"estimate/a/"] > 0, publisher)
        message = subscriber.receive(timeout_s=WAIT_S)
    assert isinstance(message, wire.EstimateMessage)
    assert (message.t_published, message.t_closed, message.t_decoded) == (100.0, 90.5, 90.6)
    assert (message.age_s, message.compute_s) == (10.0, 9.5)
    canonical = json.dumps(wire.plain(message.estimate), sort_keys=True, separators=(",", ":"))
    assert canonical.encode() == estimate("a", 90.0).canonical()


def test_events_and_health_arrive(publisher: ZmqPublisher) -> None:
    with Subscriber(publisher.address, topics=["event/", "health/"]) as subscriber:
        until(lambda: publisher._n_subscribers[b"health/"] > 0, publisher)
        until(lambda: publisher._n_subscribers[b"event/"] > 0, publisher)
        publisher.on_event(ClockOffset("markers", 10.0, 4.0))
        publisher.on_event(
            Chunk("markers", np.array([["go", "stop"]], dtype=object), np.array([1.0, 2.0]), 12.5)
        )
        publisher.on_event(Chunk("eeg", np.zeros((2, 2)), np.array([1.0, 2.0]), 12.5))
        publisher.on_event(StreamEvent("eeg", StreamState.LOST, 13.0, "silent"))
        publisher.note("the baseline ended")
        nan = float("nan")
        stream = StreamHealth(
            state="waiting",
            sfreq_hz=nan,
            drift_ppm=nan,
            offset_s=nan,
            age_s=nan,
            n_samples=0,
            n_gaps=0,
            n_missing=0,
            n_backward=0,
            n_nonfinite=0,
        )
        stages = {"decode": LatencyMeter().summary()}
        publisher.on_health(
            Health(t=14.0, streams={"eeg": stream}, stages=stages, queues={}, provider="CPU")
        )
        got = [subscriber.receive(timeout_s=WAIT_S) for _ in range(5)]
    events = [message.event for message in got if isinstance(message, wire.EventMessage)]
    assert [(e.kind, e.modality, e.state, e.text, e.t, e.t_received) for e in events] == [
        ("marker", "markers", "", "go", 11.0, 12.5),
        ("marker", "markers", "", "stop", 12.0, 12.5),
        ("stream", "eeg", "lost", "silent", 13.0, 13.0),
        ("note", "", "", "the baseline ended", 100.0, 100.0),
    ]
    health = got[-1]
    assert isinstance(health, wire.HealthMessage)
    assert health.health.streams["eeg"].sfreq_hz is None
    assert health.health.stages["decode"].p50_ms is None


def test_in_replay_times_are_those_of_the_recording(start: Start) -> None:
    publisher = start(session_id="one", clock=None)
    send(publisher, "a", 1.0)
    with Subscriber(publisher.address, topics=["estimate/"]) as subscriber:
        until(lambda: publisher._n_subscribers[b"estimate/"] > 0, publisher)
        message = subscriber.receive(timeout_s=WAIT_S)
    assert message.t_published == 1.6


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="a process can be frozen on POSIX only")
def test_a_frozen_subscriber_neither_stalls_the_publisher_nor_starves_others(start: Start) -> None:
    publisher = start(session_id="one", sndhwm=10)
    listener = [sys.executable, str(Path(__file__).with_name("listener.py")), publisher.address]
    data = np.zeros((512, 512), dtype=np.float32)  # 1 MiB fills the buffers between processes
    with (
        subprocess.Popen([*listener, "dfcn/a/"], stdout=subprocess.PIPE) as frozen,
        Subscriber(publisher.address, topics=["dfcn/a/"]) as subscriber,
    ):
        until(lambda: publisher._n_subscribers[b"dfcn/a/"] == 2, publisher)
        frozen.send_signal(signal.SIGSTOP)
        for seq in range(100):
            publisher.on_matrix(
                Matrix(decoder="a", name="prior", t_end=float(seq), data=data, ch_names=())
            )
            assert subscriber.receive(timeout_s=WAIT_S).seq == seq
        publisher.close()
        frozen.send_signal(signal.SIGCONT)
        frozen.kill()


def test_a_slow_subscriber_counts_what_it_lost(start: Start) -> None:
    publisher = start(session_id="s", sndhwm=2)
    n_large = 60

    def publish(length: int) -> None:
        data = np.zeros((length, length), dtype=np.float32)
        publisher.on_matrix(Matrix(decoder="a", name="x", t_end=0.0, data=data, ch_names=()))

    with Subscriber(publisher.address, topics=["dfcn/a/"]) as subscriber:
        until(lambda: publisher.wants_matrices("a"), publisher)
        subscriber._socket.disconnect(publisher.address)
        until(
            lambda: subscriber._socket.poll(0) == 0 and not publisher.wants_matrices("a"), publisher
        )
        subscriber._socket.rcvhwm = 2  # counts from the next connection on
        subscriber._socket.connect(publisher.address)
        until(lambda: publisher.wants_matrices("a"), publisher)
        for _ in range(n_large):
            publish(1024)  # 4 MiB: more than the buffers between the two hold
        got: list[int] = []
        while not got or got[-1] < n_large:
            publish(1)
            while subscriber._socket.poll(20):
                got.append(subscriber.receive(timeout_s=WAIT_S).seq)
        n_lost = got[-1] - got[0] + 1 - len(got)
        assert n_lost > 0
        assert subscriber.n_dropped == {"dfcn/a/": n_lost}


def test_what_should_not_have_been_sent_deafens_nobody(
    publisher: ZmqPublisher, listen: Callable[..., Listener]
) -> None:
    hostile = listen(kind=zmq.XSUB)
    for junk in (b"junk", b"", b"\2", b"\1" + b"t" * 900, b"\0never"):
        hostile.socket.send(junk)
    time.sleep(0.2)  # so that all of it waits in the same queue
    first, second = listen("estimate/a/"), listen("estimate/b/")
    time.sleep(0.2)
    publisher.serve()
    send(publisher, "a", 0.0)
    send(publisher, "b", 0.0)
    until(lambda: bool(first.drain() and second.drain()), publisher)
    assert set(first.got) == {("estimate/a/", 0)}
    assert set(second.got) == {("estimate/b/", 0)}


def test_an_endless_subscription_is_cut_off(
    publisher: ZmqPublisher, listen: Callable[..., Listener]
) -> None:
    listen("x" * 100_000)
    good = listen("health/")
    until(lambda: publisher._n_subscribers[b"health/"] == 1, publisher)
    assert list(publisher._n_subscribers) == [b"health/"]
    assert good.drain() == []


def test_a_restarted_publisher_is_noticed(start: Start) -> None:
    first = start(session_id="one")
    address = first.address
    with Subscriber(address, topics=["session/"]) as subscriber:
        until(lambda: first._n_subscribers[b"session/"] > 0, first)
        assert subscriber.receive(timeout_s=WAIT_S).session_id == "one"
        first.close()
        second = start(address, session_id="two")
        until(lambda: bool(subscriber._socket.poll(0)), second)  # reconnects while it listens
        assert subscriber.receive(timeout_s=WAIT_S).seq == 0
        assert (subscriber.session_id, subscriber.n_restarts) == ("two", 1)
        assert subscriber.n_dropped == {}


def test_a_port_in_use_is_named_with_what_to_do(publisher: ZmqPublisher) -> None:
    with pytest.raises(PublishError) as caught:
        ZmqPublisher(publisher.address, session=session(), session_id="two", clock=None)
    port = publisher.address.rpartition(":")[2]
    assert f"Port {port} must be free" in str(caught.value)
    assert "publish: address: tcp://127.0.0.1:5578" in str(caught.value)


@pytest.mark.parametrize("address", ["nonsense", "tcp://127.0.0.1:notaport", "tcp://localhost:x"])
def test_an_impossible_address_says_what_one_looks_like(address: str) -> None:
    with pytest.raises(PublishError, match=r"127\.0\.0\.1:5577"):
        ZmqPublisher(address, session=session(), session_id="s", clock=None, insecure=True)


@pytest.mark.parametrize(
    "address", ["tcp://0.0.0.0:0", "tcp://*:0", "tcp://[::]:0", "tcp://eth0:0", "tcp://10.0.0.1:1"]
)
def test_an_address_that_others_reach_needs_keys_or_a_word(address: str) -> None:
    with pytest.raises(PublishError, match="rtaffect keys") as caught:
        ZmqPublisher(address, session=session(), session_id="s", clock=None)
    assert "publish: insecure: true" in str(caught.value)


@pytest.mark.parametrize(
    "address", ["tcp://127.0.0.1:1", "tcp://127.9.9.9:1", "tcp://[::1]:1", "ipc:///tmp/x"]
)
def test_this_machine_needs_no_keys(address: str) -> None:
    publish_zmq._require_local(address)


def test_an_insecure_publisher_on_every_interface_is_possible(start: Start) -> None:
    assert start("tcp://0.0.0.0:*", session_id="s", insecure=True).address.startswith("tcp://0")


def test_an_ipc_address_works(start: Start, tmp_path: Path) -> None:
    publisher = start(f"ipc://{tmp_path / 's'}", session_id="s")
    with Subscriber(publisher.address, topics=["session/"]) as subscriber:
        until(lambda: publisher._n_subscribers[b"session/"] > 0, publisher)
        assert subscriber.receive(timeout_s=WAIT_S).session_id == "s"


def test_curve_admits_who_knows_the_key_and_nobody_else(start: Start, tmp_path: Path) -> None:
    public_file, secret_file = make_keys(tmp_path, "lab")
    keys = read_server_keys(secret_file)
    publisher = start(session_id="s", curve=keys)
    wrong = CurveKeys(zmq.curve_keypair()[0], *zmq.curve_keypair())
    with (
        Subscriber(publisher.address, topics=["session/"]) as plain,
        Subscriber(publisher.address, topics=["session/"], curve=wrong) as mistaken,
        Subscriber(
            publisher.address, topics=["session/"], curve=CurveKeys.read(public_file)
        ) as right,
    ):
        until(lambda: publisher._n_subscribers[b"session/"] > 0, publisher)
        assert right.receive(timeout_s=WAIT_S).session_id == "s"
        for refused in (plain, mistaken):
            with pytest.raises(TimeoutError, match="CURVE keys"):
                refused.receive(timeout_s=0.1)
        assert publisher._n_subscribers[b"session/"] == 1


def test_curve_with_a_list_admits_only_those_on_it(start: Start, tmp_path: Path) -> None:
    server_public, server_secret = make_keys(tmp_path, "lab")
    _, known = make_keys(tmp_path / "admitted", "known")
    _, unknown = make_keys(tmp_path / "others", "unknown")
    keys = read_server_keys(server_secret, tmp_path / "admitted")
    publisher = start(session_id="s", curve=keys)
    with (
        Subscriber(
            publisher.address, topics=["session/"], curve=CurveKeys.read(server_public, unknown)
        ) as refused,
        Subscriber(
            publisher.address, topics=["session/"], curve=CurveKeys.read(server_public, known)
        ) as admitted,
    ):
        until(lambda: publisher._n_subscribers[b"session/"] > 0, publisher)
        assert admitted.receive(timeout_s=WAIT_S).session_id == "s"
        with pytest.raises(TimeoutError):
            refused.receive(timeout_s=0.1)


def test_ticks_alone_let_late_subscribers_in(
    publisher: ZmqPublisher, listen: Callable[..., Listener]
) -> None:
    late = listen("session/")
    for k in itertools.count():
        publisher.on_event(Tick(float(k)))
        time.sleep(0.01)
        if late.drain():
            break
        assert k < 1000
    assert late.got == [("session/", 0)]
