"""The engine over events made by hand: order, failures, health, matrices, counts."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from kept import Kept
from tiny_bundle import CH_NAMES, write_tiny_bundle
from window_cases import EEG_INFO, ListSource, session

from rtaffect.bundle import Bundle
from rtaffect.core.clock import ManualClock
from rtaffect.core.errors import RecordingError
from rtaffect.core.estimate import Estimate
from rtaffect.core.sinks import Sink, Timing
from rtaffect.core.streams import Chunk, Event, Tick
from rtaffect.decode.decoder import Decoder
from rtaffect.engine import Engine, Summary

DURATION_S = 12.0


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_tiny_bundle(tmp_path_factory.mktemp("bundle"))


def decoder(bundle: Bundle, name: str = "tiny") -> Decoder:
    return Decoder(bundle, name=name, provider="cpu")


def run(bundle: Bundle, *sinks: Sink, events: Sequence[Event] | None = None) -> Summary:
    source = ListSource(session(DURATION_S) if events is None else events)
    return Engine(source, [decoder(bundle)], sinks).run()


class Log(Kept):
    """Also keeps the order of all calls."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[object] = []

    def on_event(self, event: Event) -> None:
        self.calls.append(event)

    def on_estimate(self, estimate: Estimate, timing: Timing) -> None:
        self.calls.append((estimate, timing))


@dataclass
class Full(Kept):
    """A recorder whose disk is full after some events."""

    n_left: int = 100

    def __post_init__(self) -> None:
        super().__init__()

    def on_event(self, event: Event) -> None:
        if not self.n_left:
            msg = "No space is left for session.xdf. Make room."
            raise RecordingError(msg)
        self.n_left -= 1
        super().on_event(event)


def test_every_event_and_estimate_reaches_every_sink_in_order(bundle: Bundle) -> None:
    first, second, events = Kept(), Kept(), session(DURATION_S)
    run(bundle, first, second, events=events)
    assert [id(event) for event in first.events] == [id(event) for event in events]
    assert first.events == second.events
    ends = [estimate.t_end for estimate in first.estimates]
    assert ends == pytest.approx(np.arange(ends[0], ends[-1] + 0.25, 0.5))
    assert first.estimates == second.estimates


def test_an_estimate_goes_out_before_the_event_that_closed_it(bundle: Bundle) -> None:
    log = Log()
    run(bundle, log)
    closed = 0
    for call, later in zip(log.calls, [*log.calls[1:], None], strict=True):
        if isinstance(call, tuple) and not isinstance(later, tuple):
            assert later.t_received == call[1].t_closed
            closed += 1
    assert closed > 10


def test_a_sink_that_fails_is_dropped_and_reported_and_the_others_go_on(bundle: Bundle) -> None:
    full, kept, alone = Full(), Kept(), Kept()
    summary = run(bundle, full, kept)
    run(bundle, alone)
    assert len(full.events) == 100
    assert summary.failures == ["Full: No space is left for session.xdf. Make room."]
    assert kept.healths[-1].notes == tuple(summary.failures)
    assert [e.canonical() for e in kept.estimates] == [e.canonical() for e in alone.estimates]
    assert (full.n_closed, kept.n_closed) == (1, 1)


def test_a_sink_that_fails_to_close_is_reported_and_the_others_are_closed(bundle: Bundle) -> None:
    class Stuck(Kept):
        def close(self) -> None:
            super().close()
            msg = "The footer could not be written."
            raise RecordingError(msg)

    stuck, kept = Stuck(), Kept()
    assert run(bundle, stuck, kept).failures == ["Stuck: The footer could not be written."]
    assert (stuck.n_closed, kept.n_closed) == (1, 1)


def test_a_fault_of_our_own_is_not_hidden_and_sinks_are_closed(bundle: Bundle) -> None:
    class Wrong(Kept):
        def on_event(self, event: Event) -> None:
            raise ZeroDivisionError

    wrong, kept = Wrong(), Kept()
    with pytest.raises(ZeroDivisionError):
        run(bundle, wrong, kept)
    assert (wrong.n_closed, kept.n_closed) == (1, 1)


def test_an_error_of_the_source_propagates_and_sinks_are_closed(bundle: Bundle) -> None:
    class Broken(ListSource):
        def events(self) -> Iterator[Event]:
            yield from self.given[:50]
            msg = "The file ends in the middle of a sample."
            raise RecordingError(msg)

    kept = Kept()
    engine = Engine(Broken(session(DURATION_S)), [decoder(bundle)], [kept])
    with pytest.raises(RecordingError, match="middle of a sample"):
        engine.run()
    assert len(kept.events) == 50
    assert kept.n_closed == 1
    assert engine.summary.n_events == 50


def test_health_goes_out_once_a_second_and_knows_the_streams(bundle: Bundle) -> None:
    kept = Kept()
    run(bundle, kept)
    times = [health.t for health in kept.healths]
    assert times[0] == 100.0
    assert np.diff(times) == pytest.approx(1.0, abs=0.04)  # the first event of each second
    assert len(times) == int(DURATION_S) + 2  # the ticks go on for two seconds
    assert kept.healths[0].streams["eeg"].state == "waiting"
    late = next(health for health in kept.healths if health.t > 108.0)
    assert late.streams["eeg"].state == late.streams["face"].state == "ok"
    assert late.streams["eeg"].sfreq_hz == pytest.approx(256.0, rel=1e-3)
    assert late.provider == "CPUExecutionProvider"
    assert {"windows", "decode", "publish", "compute"} == set(late.stages)
    assert kept.healths[-1].streams["eeg"].state == "stale"


def test_health_tells_how_the_scanner_process_is(bundle: Bundle) -> None:
    kept = Kept()
    means = {"p50_ms": 1.0, "p95_ms": 2.0, "p99_ms": 3.0, "n": 5}
    said = {"kind": "health", "stages": {"means": means}, "dropped": {"late": 1}}
    text = np.array([[json.dumps(said)]], dtype=object)
    events = [Tick(0.0), Chunk("roi_meta", text, np.zeros(1), 0.5), Tick(2.0)]
    Engine(ListSource(events), [decoder(bundle)], [kept]).run()
    assert "scanner.means" not in kept.healths[0].stages
    assert kept.healths[-1].stages["scanner.means"].p95_ms == 2.0
    assert "scanner: volumes dropped: 1 late" in kept.healths[-1].notes


def test_a_stream_that_waits_is_told_of(bundle: Bundle) -> None:
    kept = Kept()
    source = ListSource([Tick(t) for t in np.arange(0.0, 4.0, 0.5).tolist()], n_waiting=7)
    summary = Engine(source, [decoder(bundle)], [kept]).run()
    assert {health.queues["engine"] for health in kept.healths} == {7}
    assert summary.streams["eeg"].state == "waiting"
    assert summary.n_answers == 0
    assert summary.n_windows == len(kept.estimates) > 0


def test_matrices_are_made_only_while_somebody_looks(bundle: Bundle) -> None:
    blind, watching = Kept(), Kept("tiny")
    run(bundle, blind)
    assert blind.matrices == []
    other = Kept()
    run(bundle, watching, other)
    assert other.matrices == []
    assert {matrix.name for matrix in watching.matrices} == {"slice", "connectivity", "prior"}
    assert {matrix.decoder for matrix in watching.matrices} == {"tiny"}
    labelled = {matrix.name for matrix in watching.matrices if matrix.ch_names == CH_NAMES}
    assert labelled == {
        "slice",
        "connectivity",
    }  # a `prior` of one number has none
    answered = [estimate.t_end for estimate in watching.estimates if estimate.targets]
    assert sorted({matrix.t_end for matrix in watching.matrices}) == answered
    assert [e.canonical() for e in watching.estimates] == [e.canonical() for e in blind.estimates]


def test_two_decoders_are_both_served_as_if_alone(bundle: Bundle, tmp_path: Path) -> None:
    other = write_tiny_bundle(tmp_path, window_s=2.0, t_max=1)
    both, first, second = Kept("second"), Kept(), Kept()
    decoders = [decoder(bundle, "first"), decoder(other, "second")]
    summary = Engine(ListSource(session(DURATION_S)), decoders, [both]).run()
    for kept, one in zip((first, second), decoders, strict=True):
        one.reset()
        Engine(ListSource(session(DURATION_S)), [one], [kept]).run()
        mine = [estimate for estimate in both.estimates if estimate.decoder == one.name]
        assert [e.canonical() for e in mine] == [e.canonical() for e in kept.estimates]
    assert summary.n_windows == len(first.estimates) + len(second.estimates)
    assert {matrix.decoder for matrix in both.matrices} == {"second"}


def test_the_summary_counts_what_was_done(bundle: Bundle) -> None:
    kept, events = Kept(), session(DURATION_S, lost_s=[(6.0, 6.5)])
    summary = run(bundle, kept, events=events)
    assert summary.n_events == len(events)
    assert summary.n_windows == len(kept.estimates)
    assert summary.n_answers == sum(bool(estimate.targets) for estimate in kept.estimates) > 0
    pairs = [f"{m}:{flag}" for estimate in kept.estimates for m, flag in estimate.flags]
    assert summary.n_flags == {pair: pairs.count(pair) for pair in set(pairs)}
    assert summary.n_flags["eeg:gap"] > 0
    assert summary.streams["eeg"].n_gaps == 1
    assert summary.streams["eeg"].n_missing == 128
    assert summary.streams["eeg"].n_samples == 12 * 256 - 128
    assert summary.stages["decode"].n == summary.n_windows
    assert summary.stages["queue"].n == 0  # a replay has no queue to wait in


def test_a_live_clock_measures_the_queue_and_stamps_the_estimates(bundle: Bundle) -> None:
    kept, clock, events = Kept(), ManualClock(), session(DURATION_S)

    class Live(ListSource):
        def events(self) -> Iterator[Event]:
            for event in self.given:
                clock.now = event.t_received + 0.007
                yield event

    summary = Engine(Live(events), [decoder(bundle)], [kept], clock=clock).run()
    assert summary.stages["queue"].summary().p50_ms == pytest.approx(7.0)
    assert summary.stages["compute"].summary().p50_ms == pytest.approx(7.0)
    for timing in kept.timings:
        assert timing.t_decoded == pytest.approx(timing.t_closed + 0.007)


def test_a_decoder_runs_without_its_optional_stream(bundle: Bundle) -> None:
    kept = Kept()
    source = ListSource(session(DURATION_S, face=False), {"eeg": EEG_INFO})
    summary = Engine(source, [decoder(bundle)], [kept]).run()
    assert summary.n_answers > 0
    assert set(summary.streams) == {"eeg"}
    assert summary.n_flags["face:missing"] == summary.n_windows


@pytest.mark.parametrize(("n_waiting", "is_said"), [(2000, False), (2001, True)])
def test_an_engine_that_is_slower_than_its_input_says_so(
    bundle: Bundle, n_waiting: int, is_said: bool
) -> None:
    kept = Kept()
    source = ListSource([Tick(10.0 + i) for i in range(3)], n_waiting=n_waiting)
    Engine(source, [decoder(bundle)], [kept]).run()
    assert kept.healths
    for health in kept.healths:
        assert any(f"{n_waiting} events wait" in note for note in health.notes) == is_said
