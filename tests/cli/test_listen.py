"""What a subscriber sees in the terminal."""

import io
import itertools
import json
import threading
import time
from collections.abc import Iterator, Sequence

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from rtaffect import wire
from rtaffect.cli.main import app
from rtaffect.cli.view import View, one_line
from rtaffect.client import Subscriber
from rtaffect.core.estimate import Distribution, Estimate
from rtaffect.core.sinks import Timing
from rtaffect.core.streams import Tick
from rtaffect.core.window import Flag
from rtaffect.publish.zmq import ZmqPublisher

run = CliRunner().invoke
TARGET = Distribution(
    classes=("low", "high"), probabilities=(0.25, 0.75), edges=(-1.0, 0.0, 1.0)
)  # fmt: skip


def estimate(**other: object) -> Estimate:
    given: dict[str, object] = {
        "decoder": "main",
        "t_start": 7.0,
        "t_end": 10.0,
        "targets": {"valence": TARGET},
        "confidence": 0.5,
        "coverage": {"eeg": 1.0, "face": 0.5},
        "flags": (("face", Flag.GAP),),
        "contributions": {"main": 1.0},
        "n_slices": 4,
        "bundle_digest": "a" * 64,
    }
    return Estimate(**(given | other))  # type: ignore[arg-type]


def session(*, simulated: bool, leaky: bool = False) -> wire.Session:
    main = wire.DecoderInfo(
        bundle_digest="a" * 64,
        simulated=simulated,
        modalities=("eeg", "face"),
        window_s=3.0,
        hop_s=0.25,
        targets={},
        leaky=leaky,
    )
    return wire.Session(
        rtaffect_version="0",
        simulated=simulated,
        topics=("session/", "estimate/main/"),
        decoders={"main": main},
        streams={},
    )


@pytest.fixture
def address() -> Iterator[str]:
    """A publisher that goes on publishing until the test ends."""
    publisher = ZmqPublisher(
        "tcp://127.0.0.1:*",
        session=session(simulated=True, leaky=True),
        session_id="s",
        clock=time.monotonic,
    )
    stop = threading.Event()

    def publish() -> None:
        for number in itertools.count():
            t = 10.0 + number / 4
            publisher.on_event(Tick(t))
            publisher.on_estimate(estimate(t_end=t), Timing(t_closed=t, t_decoded=t))
            if stop.wait(0.02):
                return

    thread = threading.Thread(target=publish)
    thread.start()
    yield publisher.address
    stop.set()
    thread.join()
    publisher.close()


def message(**other: object) -> wire.EstimateMessage:
    body = wire.build(
        wire.Estimate,
        json.loads(estimate(**other).canonical()),
    )
    return wire.EstimateMessage(
        schema=wire.SCHEMA,
        topic="estimate/main/",
        seq=3,
        session_id="s",
        t_published=10.1,
        t_closed=10.09,
        t_decoded=10.095,
        age_s=0.1,
        compute_s=0.01,
        estimate=body,
    )


def session_message(*, simulated: bool = False, leaky: bool = False) -> wire.SessionMessage:
    return wire.SessionMessage(
        schema=wire.SCHEMA,
        topic="session/",
        seq=0,
        session_id="s",
        t_published=0.0,
        session=session(simulated=simulated, leaky=leaky),
    )


def listen_to_the_end(
    monkeypatch: pytest.MonkeyPatch, *messages: wire.Message, arguments: Sequence[str] = ()
) -> Result:
    """Listen to a publisher that says so much and no more."""
    left = list(messages)

    def receive(_self: Subscriber, *, timeout_s: float | None = None) -> wire.Message:
        if not left:
            raise TimeoutError(timeout_s)
        return left.pop(0)

    monkeypatch.setattr(Subscriber, "receive", receive)
    return run(app, ["listen", "--address", "tcp://127.0.0.1:9", "--timeout", "2", *arguments])


def drawn(view: View) -> str:
    console = Console(file=io.StringIO(), width=100, force_terminal=False)
    console.print(view)
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


@pytest.mark.integration
def test_lines_end_after_so_many_estimates(address: str) -> None:
    result = run(app, ["listen", "--address", address, "--count", "3", "--timeout", "20"])
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert len(lines) == 3
    assert all("main valence +0.25 confidence 0.50" in line for line in lines)
    assert result.stderr.count("Note: main is LEAKY") == 1


@pytest.mark.integration
def test_json_lines_are_messages_of_the_schema(address: str) -> None:
    result = run(app, ["listen", "--address", address, "--once", "--json", "--timeout", "20"])
    messages = [json.loads(line) for line in result.stdout.splitlines()]
    assert messages[-1]["topic"] == "estimate/main/"
    for each in messages:
        topic = each["topic"].encode()
        assert wire.decode([topic, json.dumps(each).encode()]).topic == each["topic"]


@pytest.mark.integration
def test_silence_is_an_error_where_a_limit_is_given() -> None:
    result = run(app, ["listen", "--address", "tcp://127.0.0.1:9", "--timeout", "0.2"])
    assert result.exit_code == 1
    assert "within 0.2 s. Is `rtaffect live`" in result.stderr


def test_silence_after_estimates_is_the_end_of_a_session(monkeypatch: pytest.MonkeyPatch) -> None:
    result = listen_to_the_end(monkeypatch, message(), message())
    assert result.exit_code == 0, result.stderr
    assert len(result.stdout.splitlines()) == 2
    assert "before: messages 2, estimates 2): the session seems to have ended" in result.stderr
    assert "Is `rtaffect live`" not in result.stderr


@pytest.mark.parametrize(
    ("messages", "arguments", "words"),
    [
        ([message()], ["--count", "4"], "messages 1, estimates 1 of 4 asked for)"),
        ([session_message()], [], "messages 1, estimates 0)"),
        ([session_message()], ["--once"], "messages 1, estimates 0 of 1 asked for)"),
    ],
)
def test_a_session_that_ends_too_early_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
    messages: list[wire.Message],
    arguments: list[str],
    words: str,
) -> None:
    result = listen_to_the_end(monkeypatch, *messages, arguments=arguments)
    assert result.exit_code == 1
    assert words in result.stderr
    assert "the session seems to have ended" in result.stderr


def test_the_view_shows_what_an_estimate_says() -> None:
    view = View("tcp://here")
    assert "Waiting for tcp://here" in drawn(view)
    view.take(message())
    view.n_dropped = 7
    text = drawn(view)
    for words in ("valence", "+0.25", "eeg 100%", "face gap", "10.0 ms", "7 messages did not"):
        assert words in text
    assert "SIMULATED" not in text


@pytest.mark.parametrize("simulated", [True, False])
@pytest.mark.parametrize("leaky", [True, False])
def test_nobody_takes_a_simulation_or_a_leaky_model_for_a_measurement(
    simulated: bool, leaky: bool
) -> None:
    view = View("a")
    view.take(session_message(simulated=simulated, leaky=leaky))
    assert ("SIMULATED" in drawn(view)) == simulated
    assert ("main is LEAKY" in drawn(view)) == leaky


def test_an_estimate_without_an_answer_says_so() -> None:
    empty = message(targets={}, confidence=0.0, flags=(("eeg", Flag.MISSING),), n_slices=0)
    assert "no answer" in one_line(empty)
    assert "eeg:missing" in one_line(empty)
    view = View("a")
    view.take(empty)
    assert "no answer" in drawn(view)


def test_names_from_the_network_cannot_steer_the_terminal() -> None:
    hostile = message(targets={"\x1b[2Jvalence": TARGET}, coverage={"[bold]\x1b": 1.0})
    view = View("a")
    view.take(hostile)
    assert "\x1b" not in drawn(view) + one_line(hostile)
    assert "[bold]" in drawn(view)
