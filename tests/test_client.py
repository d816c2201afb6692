"""The subscriber's own bookkeeping, and both ways to wait; a plain PUB socket is the publisher."""

import asyncio
from collections.abc import Callable, Iterator

import pytest
import zmq

from rtaffect import wire
from rtaffect.client import AsyncSubscriber, CurveKeys, Subscriber, _Inbox
from rtaffect.core.errors import WireError
from tests.wire_cases import session

WAIT_S = 10.0


def event(seq: int, *, session_id: str = "one", text: str = "") -> list[bytes]:
    body = wire.Event(kind="note", modality="", state="", text=text, t=0.0, t_received=0.0)
    return wire.encode(
        wire.EventMessage(
            schema=wire.SCHEMA,
            topic="event/",
            seq=seq,
            session_id=session_id,
            t_published=0.0,
            event=body,
        )
    )


def opening(session_id: str = "one") -> list[bytes]:
    return wire.encode(
        wire.SessionMessage(
            schema=wire.SCHEMA,
            topic="session/",
            seq=0,
            session_id=session_id,
            t_published=0.0,
            session=session("a", "b"),
        )
    )


def test_a_jump_of_seq_is_counted_as_loss() -> None:
    inbox = _Inbox(["event/"])
    got = [inbox.take(event(seq)) for seq in (4, 5, 8, 9, 12)]
    assert all(got)
    assert inbox.n_dropped == {"event/": 4}


def test_what_came_before_the_first_message_is_no_loss() -> None:
    inbox = _Inbox(["event/"])
    inbox.take(event(1000))
    assert inbox.n_dropped == {}


def test_a_repeat_is_left_out_and_is_no_loss() -> None:
    inbox = _Inbox(["event/"])
    assert [inbox.take(event(seq)) is None for seq in (4, 4, 5, 3, 6)] == [
        *(False, True, False, True, False)
    ]
    assert inbox.n_dropped == {}


def test_another_session_starts_counting_anew() -> None:
    inbox = _Inbox(["event/"])
    inbox.take(opening("one"))
    inbox.take(event(7, session_id="one"))
    assert inbox.n_restarts == 0
    assert inbox.take(event(0, session_id="two")) is not None
    assert (inbox.n_restarts, inbox.session_id, inbox.session) == (1, "two", None)
    assert inbox.n_dropped == {}


def test_the_session_is_known_though_nobody_asked_for_it() -> None:
    inbox = _Inbox(["estimate/"])
    assert inbox.take(opening()) is None
    assert inbox.session == session("a", "b")


def test_a_prefix_becomes_the_full_topics_of_the_session_once() -> None:
    inbox = _Inbox(["estimate/", "health/", "dfcn/b/"])
    assert inbox.take_new_topics() == []
    inbox.take(opening())
    assert inbox.take_new_topics() == ["estimate/a/", "estimate/b/"]
    assert inbox.take_new_topics() == []


@pytest.fixture
def publisher() -> Iterator[tuple[str, Callable[[list[bytes]], None]]]:
    """Yield an address, and a function that publishes frames there once somebody subscribed."""
    with zmq.Context() as context, context.socket(zmq.XPUB) as socket:
        socket.linger = 0
        port = socket.bind_to_random_port("tcp://127.0.0.1")

        def publish(frames: list[bytes]) -> None:
            while socket.poll(0 if waited else 10_000):
                socket.recv()
                waited.append(True)
            socket.send_multipart(frames)

        waited: list[bool] = []
        yield f"tcp://127.0.0.1:{port}", publish


Publisher = tuple[str, Callable[[list[bytes]], None]]


@pytest.mark.integration
def test_messages_are_iterated(publisher: Publisher) -> None:
    address, publish = publisher
    with Subscriber(address, topics=[""]) as subscriber:
        for text in ("first", "second"):
            publish(event(len(text), text=text))
        texts = [message.event.text for _, message in zip(range(2), subscriber, strict=False)]
    assert texts == ["first", "second"]


@pytest.mark.integration
def test_a_bad_message_is_an_error_and_the_next_call_goes_on(publisher: Publisher) -> None:
    address, publish = publisher
    with Subscriber(address, topics=[""]) as subscriber:
        publish([b"event/", b"junk"])
        publish(event(1))
        with pytest.raises(WireError, match="JSON"):
            subscriber.receive(timeout_s=WAIT_S)
        assert subscriber.receive(timeout_s=WAIT_S).seq == 1


@pytest.mark.integration
def test_silence_is_a_timeout_that_says_what_may_be_wrong() -> None:
    with (
        Subscriber("tcp://127.0.0.1:1", topics=["estimate/"]) as subscriber,
        pytest.raises(TimeoutError, match=r"estimate/ from tcp://127\.0\.0\.1:1 .* CURVE keys"),
    ):
        subscriber.receive(timeout_s=0.01)


@pytest.mark.integration
def test_asyncio_gets_the_same(publisher: Publisher) -> None:
    address, publish = publisher

    async def receive() -> list[int]:
        async with AsyncSubscriber(address, topics=["event/"]) as subscriber:
            publish(opening())
            publish(event(3))
            publish(event(6))
            seqs = [(await subscriber.receive(timeout_s=WAIT_S)).seq]
            async for message in subscriber:
                seqs.append(message.seq)
                break
            with pytest.raises(TimeoutError, match="event/"):
                await subscriber.receive(timeout_s=0.01)
            assert subscriber.n_dropped == {"event/": 2}
            return seqs

    assert asyncio.run(receive()) == [3, 6]


@pytest.mark.parametrize("address", ["nonsense", "http://localhost:5577", "tcp://", ""])
def test_an_impossible_address_is_refused(address: str) -> None:
    with pytest.raises(WireError, match=r"tcp://127\.0\.0\.1:5577"):
        Subscriber(address)


def test_keys_of_a_wrong_length_are_refused() -> None:
    with pytest.raises(WireError, match="40 characters"):
        Subscriber(curve=CurveKeys(b"short", *zmq.curve_keypair()))
