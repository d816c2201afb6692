import itertools
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from lsl_sender import Sender

from rtaffect.core.errors import StreamError
from rtaffect.core.lsl_settings import VERBOSE
from rtaffect.core.streams import (
    Chunk,
    ClockOffset,
    Event,
    StreamChoice,
    StreamEvent,
    StreamState,
    Tick,
)
from rtaffect.sources.lsl import LslSource, discover

pytestmark = pytest.mark.integration


@pytest.fixture
def stype() -> str:
    """A content type that no other stream on the network has."""
    return f"test-{uuid.uuid4().hex[:12]}"


def new_id() -> str:
    return f"id-{uuid.uuid4()}"


def choose(stype: str, **settings: object) -> StreamChoice:
    return StreamChoice(modality="eeg", stype=stype, **settings)


def read_until(
    events: Iterator[Event], done: Callable[[list[Event]], object], *, limit_s: float = 20.0
) -> list[Event]:
    """Read events until `done` is true of them; ticks see to it that this ends."""
    read: list[Event] = []
    for event in events:
        read.append(event)
        if done(read):
            return read
        if event.t_received - read[0].t_received > limit_s:
            break
    pytest.fail(f"not within {limit_s} s; the last events: {read[-3:]}")


def samples(events: Sequence[Event]) -> np.ndarray:
    chunks = [event.data[0] for event in events if isinstance(event, Chunk)]
    return np.concatenate([[], *chunks])


def states(events: Sequence[Event]) -> list[StreamState]:
    return [event.state for event in events if isinstance(event, StreamEvent)]


def test_no_sample_is_lost_or_doubled_and_arrivals_never_go_back(stype: str) -> None:
    with (
        Sender(source_id=new_id(), stype=stype, sfreq=500.0) as _,
        LslSource([choose(stype)], tick_s=0.1, offset_interval_s=0.5) as source,
    ):
        info = source.infos["eeg"]
        assert (info.ch_names, info.units, info.sfreq) == (("Fz", "Cz", "Pz"), ("uV",) * 3, 500.0)
        assert not info.is_text
        assert not info.simulated
        events = read_until(source.events(), lambda read: len(samples(read)) > 1000)
    received = [event.t_received for event in events]
    assert all(a <= b for a, b in itertools.pairwise(received))
    assert (np.diff(samples(events)) == 1).all()
    kinds = [type(event) for event in events if not isinstance(event, Tick)]
    assert kinds[0] is ClockOffset  # before any sample that needs it
    assert kinds.count(ClockOffset) >= 3
    assert sum(isinstance(event, Tick) for event in events) >= 15
    for chunk in (event for event in events if isinstance(event, Chunk)):
        assert chunk.data.flags.c_contiguous
        assert chunk.data.flags.owndata
        assert chunk.data.shape == (3, len(chunk.stamps_s))
        assert chunk.data.dtype == np.float32
        assert (chunk.data[2] == 2).all()


def test_text_comes_as_objects_with_their_accents(stype: str) -> None:
    sender = {
        "source_id": new_id(),
        "stype": stype,
        "labels": [""],
        "dtype": "string",
        "sfreq": 0.0,
    }
    with Sender(**sender) as _, LslSource([choose(stype)]) as source:
        assert source.infos["eeg"].is_text
        assert source.infos["eeg"].sfreq == 0.0
        events = read_until(source.events(), lambda read: len(samples(read)) >= 3)
    texts = samples(events)
    first = int(texts[0].split()[1])
    assert list(texts) == [f"événement {first + i}" for i in range(len(texts))]


def test_integers_keep_their_type(stype: str) -> None:
    with (
        Sender(source_id=new_id(), stype=stype, dtype="int16") as _,
        LslSource([choose(stype)]) as source,
    ):
        events = read_until(source.events(), lambda read: len(samples(read)) > 10)
    assert {event.data.dtype for event in events if isinstance(event, Chunk)} == {np.dtype("int16")}


def test_a_missing_stream_is_an_error_that_lists_what_is_there(stype: str) -> None:
    with (
        Sender(source_id=new_id(), stype=stype) as _,
        pytest.raises(StreamError, match=f"Was type '{stype}' meant") as caught,
    ):
        LslSource([choose(stype.upper())], resolve_timeout_s=1.0).open()
    message = str(caught.value)
    assert f"No stream fits type '{stype.upper()}'" in message
    assert "'rtaffect-test'" in message
    for reason in ("firewall", "multicast", "session id", "started"):
        assert reason in message


def test_an_optional_stream_may_be_missing(stype: str) -> None:
    absent = StreamChoice(modality="face", stype=f"{stype}-none", required=False)
    with (
        Sender(source_id=new_id(), stype=stype) as _,
        LslSource([choose(stype), absent], resolve_timeout_s=1.0) as source,
    ):
        assert set(source.infos) == {"eeg"}
        assert "face: absent" in source.notes[0]


def test_a_session_of_nothing_but_missing_streams_is_an_error(stype: str) -> None:
    with pytest.raises(StreamError, match="No stream fits"):
        LslSource([choose(stype, required=False)], resolve_timeout_s=1.0).open()


def test_an_ambiguous_choice_is_an_error_that_says_what_tells_apart(stype: str) -> None:
    ids = [new_id(), new_id()]
    with Sender(source_id=ids[0], stype=stype) as _, Sender(source_id=ids[1], stype=stype) as _:
        with pytest.raises(StreamError, match="2 streams fit") as caught:
            LslSource([choose(stype)]).open()
        assert all(source_id in str(caught.value) for source_id in ids)
        assert "Say which by source_id" in str(caught.value)
        with LslSource([choose(stype, source_id=ids[1])]) as source:
            assert source.infos["eeg"].source_id == ids[1]


def test_one_sender_started_twice_is_an_error(stype: str) -> None:
    twin = {"source_id": new_id(), "stype": stype}
    with (
        Sender(**twin) as _,
        Sender(**twin) as _,
        pytest.raises(StreamError, match="identical source_id"),
    ):
        LslSource([choose(stype)]).open()


def test_one_stream_cannot_be_two_modalities(stype: str) -> None:
    both = [choose(stype), StreamChoice(modality="face", stype=stype)]
    with (
        Sender(source_id=new_id(), stype=stype) as _,
        pytest.raises(StreamError, match="cannot both be"),
    ):
        LslSource(both).open()


def test_what_rtaffect_sends_is_never_selected() -> None:
    source_id = new_id()
    with Sender(source_id=source_id, stype="rtaffect-truth", simulated=True) as _:
        with pytest.raises(StreamError, match="No stream fits"):
            LslSource(
                [StreamChoice(modality="eeg", source_id=source_id)], resolve_timeout_s=1.0
            ).open()
        assert source_id not in {stream.source_id for stream in discover()}
        shown = {stream.source_id: stream for stream in discover(include_own=True)}
    assert not shown[source_id].selectable
    assert shown[source_id].simulated
    assert shown[source_id].ch_names == ("Fz", "Cz", "Pz")


def test_a_sender_that_is_killed_is_lost_and_comes_back(stype: str) -> None:
    source_id = new_id()
    with (
        Sender(source_id=source_id, stype=stype, simulated=True) as first,
        LslSource([choose(stype)]) as source,
    ):
        assert source.infos["eeg"].simulated
        stream = source.events()
        before = read_until(stream, lambda read: len(samples(read)) > 50)
        first.kill()
        lost = read_until(stream, states)
        assert lost[-1].state is StreamState.LOST
        back_s = time.monotonic()
        with Sender(source_id=source_id, stype=stype, first=10**6, simulated=True) as _:
            after = read_until(stream, lambda read: samples(read).size)
            back_s = time.monotonic() - back_s
    assert (np.diff(samples([*before, *lost])) == 1).all()
    kinds = [type(event) for event in after if not isinstance(event, Tick)]
    assert kinds == [StreamEvent, ClockOffset, Chunk]
    assert states(after) == [StreamState.RECOVERED]
    assert samples(after)[0] >= 10**6
    assert back_s < 3.0  # the target is 1 s on an idle machine, the start of the process aside


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sfreq": 500.0}, "rate in Hz: 250.0 -> 500.0"),
        ({"labels": ["Fz", "Cz"]}, "channels: 3 -> 2"),
        ({"labels": ["Fz", "Cz", "Oz"]}, "labels: Fz Cz Pz -> Fz Cz Oz"),
        ({"unit": "mV"}, "units: uV -> mV"),
        ({"labels": ["", "", ""]}, "has no channel labels"),
    ],
)
def test_a_sender_that_comes_back_changed_is_refused(
    stype: str, change: dict[str, object], words: str
) -> None:
    same = {"source_id": new_id(), "stype": stype}
    with Sender(**same) as first, LslSource([choose(stype)]) as source:
        stream = source.events()
        read_until(stream, lambda read: samples(read).size)
        first.kill()
        with Sender(**{**same, **change}) as _:
            refused = read_until(stream, lambda read: StreamState.REFUSED in states(read))
            assert words in refused[-1].detail
            assert states(refused) == [StreamState.LOST, StreamState.REFUSED]
            with Sender(**same, first=10**6) as _:
                back = read_until(stream, lambda read: samples(read).size)
    assert states(back) == [StreamState.RECOVERED]  # and no second refusal of the same run
    assert samples(back)[0] >= 10**6


def test_a_sender_that_hangs_is_revealed_by_ticks_alone(stype: str) -> None:
    with Sender(source_id=new_id(), stype=stype) as sender, LslSource([choose(stype)]) as source:
        stream = source.events()
        before = read_until(stream, lambda read: len(samples(read)) > 50)
        os.kill(sender.process.pid, signal.SIGSTOP)
        hung = read_until(stream, lambda read: sum(isinstance(e, Tick) for e in read) >= 8)
        os.kill(sender.process.pid, signal.SIGCONT)
        after = read_until(stream, lambda read: len(samples(read)) > 50)
    assert states(hung) == []
    assert isinstance(hung[-1], Tick)
    assert not isinstance(hung[-2], Chunk)
    assert (np.diff(samples([*before, *hung, *after])) == 1).all()


def test_a_silent_sender_is_left_for_its_new_run(stype: str) -> None:
    same = {"source_id": new_id(), "stype": stype}
    with Sender(**same) as first, LslSource([choose(stype)]) as source:
        stream = source.events()
        read_until(stream, lambda read: samples(read).size)
        os.kill(first.process.pid, signal.SIGSTOP)  # as a machine without power: no goodbye
        with Sender(**same, first=10**6) as _:
            back = read_until(stream, lambda read: (samples(read) >= 10**6).any())
    assert states(back) == [StreamState.LOST, StreamState.RECOVERED]


@pytest.mark.parametrize("when", ["receiving", "searching"])
def test_close_is_prompt_and_ends_the_events(stype: str, when: str) -> None:
    with Sender(source_id=new_id(), stype=stype) as sender:
        source = LslSource([choose(stype)]).open()
        stream = source.events()
        read_until(stream, lambda read: samples(read).size)
        if when == "searching":
            sender.kill()
            read_until(stream, states)
        start = time.monotonic()
        source.close()
        assert time.monotonic() - start < 1.0
        source.close()
        assert len(list(stream)) < 1000  # what had arrived, then the end
        assert list(source.events()) == []


def test_a_stream_without_source_id_is_received_with_a_warning(stype: str) -> None:
    with Sender(source_id="", stype=stype) as first, LslSource([choose(stype)]) as source:
        assert "no source_id" in source.notes[0]
        stream = source.events()
        read_until(stream, lambda read: samples(read).size)
        first.kill()
        with Sender(source_id="", stype=stype, first=10**6) as _:
            back = read_until(stream, lambda read: samples(read).size and states(read)[1:])
    assert states(back) == [StreamState.LOST, StreamState.RECOVERED]


def test_names_with_quotes_are_found_again(stype: str) -> None:
    same = {"source_id": f'it\'s "{new_id()}"', "name": "Ann's cap", "stype": stype}
    with Sender(**same) as first, LslSource([choose(stype)]) as source:
        stream = source.events()
        read_until(stream, lambda read: samples(read).size)
        first.kill()
        with Sender(**same) as _:
            back = read_until(stream, lambda read: states(read)[1:])
    assert states(back) == [StreamState.LOST, StreamState.RECOVERED]


DISCOVER = "from rtaffect.sources.lsl import discover; discover(0.2)"


def run_python(code: str, **environ: str) -> subprocess.CompletedProcess[str]:
    inherited = {key: value for key, value in os.environ.items() if key != VERBOSE}
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**inherited, **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_librarys_own_chatter_stays_off_the_screen_unless_asked_for() -> None:
    quiet = run_python(DISCOVER)
    assert (quiet.stdout, quiet.stderr) == ("", "")
    assert "INFO" in run_python(DISCOVER, **{VERBOSE: "1"}).stderr


def test_without_the_library_the_error_says_what_to_install(tmp_path: Path) -> None:
    failing = "raise RuntimeError('LSL binary library file was not found.')\n"
    (tmp_path / "pylsl.py").write_text(failing, encoding="utf-8")
    path = os.pathsep.join([str(tmp_path), str(Path.cwd())])
    failed = run_python("import rtaffect.sources.lsl", PYTHONPATH=path)
    assert "StreamError: LSL's library (liblsl) must be installed" in failed.stderr
    assert "conda install -c conda-forge liblsl" in failed.stderr
