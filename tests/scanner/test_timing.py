"""Stamps against a scanner whose acquisition times are known."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtaffect.config.scanner import ArrivalTime, ScannerTime, StampTime, TriggerTime
from rtaffect.scanner.acquired import RoiMeans
from rtaffect.scanner.decisions import Frame
from rtaffect.scanner.timing import (
    ByArrival,
    ByScannerClock,
    ByStamps,
    ByTriggers,
    Stamper,
    open_time_source,
)

TR_S = 2.0
T_0 = 1000.0
DELAY_S = 1.5


def frame(index: int, t_arrival: float, *, run: int = 1, t_acq: float = math.nan) -> Frame:
    item = RoiMeans(
        values=np.zeros(1),
        motion=None,
        index=index,
        run=str(run),
        tr_s=TR_S,
        t_acq=t_acq,
        t_arrival=t_arrival,
    )
    return Frame(acquired=item, run=run, n_missing=0, reordered=False)


def middle(index: int, t_0: float = T_0) -> float:
    return t_0 + (index + 0.5) * TR_S


def fed(triggers: ByTriggers, pulses: Sequence[float]) -> ByTriggers:
    for pulse in pulses:
        triggers.add(pulse)
    return triggers


@given(
    n_dummy=st.integers(0, 4),
    n=st.integers(1, 40),
    data=st.data(),
)
def test_pulses_say_when_volumes_were_acquired_though_some_are_missing(
    n_dummy: int, n: int, data: st.DataObject
) -> None:
    triggers = ByTriggers(DELAY_S, n_dummy)
    begin = T_0 - n_dummy * TR_S
    for index in range(-n_dummy, n):
        came = index == -n_dummy or data.draw(st.booleans())
        for _ in range(came + came * data.draw(st.integers(0, 1))):
            triggers.add(begin + (index + n_dummy) * TR_S + data.draw(st.floats(-0.02, 0.02)))
        if index >= 0:
            delay_s = data.draw(st.floats(1.1, 4.0))
            t_acq = triggers.at(frame(index, middle(index) + delay_s), TR_S)
            assert t_acq == pytest.approx(middle(index), abs=0.021)


def test_pulses_of_every_other_volume_are_enough() -> None:
    triggers = fed(ByTriggers(DELAY_S), [T_0 + 2 * k * TR_S for k in range(10)])
    stamps = [triggers.at(frame(i, middle(i) + DELAY_S), TR_S) for i in range(18)]
    np.testing.assert_allclose(stamps, [middle(i) for i in range(18)])


def test_each_run_has_its_own_pulses() -> None:
    triggers = ByTriggers(DELAY_S)
    for run, t_0 in enumerate((T_0, T_0 + 100.0, T_0 + 131.0), start=1):
        for index in range(10):
            triggers.add(t_0 + index * TR_S)
            t_acq = triggers.at(frame(index, middle(index, t_0) + DELAY_S, run=run), TR_S)
            assert t_acq == pytest.approx(middle(index, t_0))


def test_pulses_before_the_run_do_not_count() -> None:
    test_pulses = [T_0 - 60.0, T_0 - 58.0]
    triggers = fed(ByTriggers(DELAY_S), [*test_pulses, T_0, T_0 + TR_S])
    assert triggers.at(frame(0, middle(0) + DELAY_S), TR_S) == pytest.approx(middle(0))


def test_who_joins_a_run_late_pairs_by_the_declared_delay() -> None:
    triggers = ByTriggers(DELAY_S)
    for index in range(30, 40):
        triggers.add(T_0 + index * TR_S)
        if index >= 33:
            t_acq = triggers.at(frame(index, middle(index) + DELAY_S + 0.4), TR_S)
            assert t_acq == pytest.approx(middle(index))


def test_pulses_tell_the_tr_where_nobody_else_does() -> None:
    triggers = fed(ByTriggers(DELAY_S), [T_0, T_0 + TR_S, T_0 + 2 * TR_S])
    assert triggers.at(frame(1, middle(1) + 3.0), math.nan) == pytest.approx(middle(1))


def test_without_pulses_the_arrival_is_taken_and_said() -> None:
    stamper = Stamper(ByTriggers(DELAY_S), delay_s=DELAY_S)
    assert stamper.stamp(frame(0, T_0), TR_S) == (T_0 - DELAY_S, ("untimed",))
    lone = Stamper(fed(ByTriggers(DELAY_S), [T_0]), delay_s=DELAY_S)
    assert lone.stamp(frame(0, T_0 + 2.0), math.nan)[1] == ("untimed",)


DELAYS = st.lists(st.floats(0.3, 6.0), min_size=1, max_size=40)


@given(DELAYS, st.floats(-1e5, 1e5))
def test_the_scanners_clock_is_mapped_by_the_quickest_delivery(
    delays: list[float], offset_s: float
) -> None:
    arrivals = np.maximum.accumulate([middle(i) + d for i, d in enumerate(delays)])
    arrivals += 1e-4 * np.arange(len(arrivals))
    source, quickest, before = ByScannerClock(0.3), math.inf, -math.inf
    for index, t_arrival in enumerate(arrivals.tolist()):
        t_acq = source.at(frame(index, t_arrival, t_acq=middle(index) - offset_s), TR_S)
        quickest = min(quickest, t_arrival - middle(index))
        assert t_acq == pytest.approx(middle(index) + quickest - 0.3, abs=1e-6)
        assert before < t_acq <= t_arrival
        before = t_acq


def test_a_burst_at_the_start_is_forgotten_once_a_volume_is_quick() -> None:
    delays = [5.67, 4.69, 3.71, 1.9, 1.7, 1.8, 1.75, 3.0, 1.8]  # as DICOM headers have it
    source = ByScannerClock(1.7)
    stamps = [
        source.at(frame(i, middle(i) + d, t_acq=middle(i) - 7e4), TR_S)
        for i, d in enumerate(delays)
    ]
    errors = np.array(stamps) - [middle(i) for i in range(len(delays))]
    np.testing.assert_allclose(errors[4:], 0.0, atol=1e-6)
    assert (np.diff(stamps) > 0).all()


def test_a_clock_that_is_set_is_mapped_anew() -> None:
    source = ByScannerClock(1.0)
    assert source.at(frame(0, 101.0, t_acq=86_399.0), TR_S) == pytest.approx(100.0)
    assert source.at(frame(1, 103.0, t_acq=1.0), TR_S) == pytest.approx(102.0)  # midnight


def test_clocks_that_drift_are_followed() -> None:
    source, drift = ByScannerClock(1.0), 1e-4
    for index in range(2000):
        t = middle(index)
        t_acq = source.at(frame(index, t + 1.0, t_acq=t * (1.0 - drift)), TR_S)
    assert t_acq == pytest.approx(t, abs=drift * 600.0 + 1e-6)


@given(st.lists(st.floats(0.0, 3.0), min_size=1, max_size=30))
def test_stamps_of_arrivals_rise_even_in_a_burst(steps: list[float]) -> None:
    stamper, before = Stamper(ByArrival(DELAY_S), delay_s=DELAY_S), -math.inf
    for index, t_arrival in enumerate((T_0 + np.cumsum(steps)).tolist()):
        t_acq, words = stamper.stamp(frame(index, t_arrival), TR_S)
        assert t_acq > before
        assert t_acq >= t_arrival - DELAY_S
        assert not words
        before = t_acq


@pytest.mark.parametrize("t_acq", [math.nan, math.inf, T_0 + 50.0])
def test_a_stamp_that_cannot_be_is_not_believed(t_acq: float) -> None:
    stamper = Stamper(ByStamps(), delay_s=DELAY_S)
    assert stamper.stamp(frame(0, T_0, t_acq=t_acq), TR_S) == (T_0 - DELAY_S, ("untimed",))


def test_stamps_on_our_clock_are_taken_as_they_are() -> None:
    stamper = Stamper(ByStamps(), delay_s=DELAY_S)
    assert stamper.stamp(frame(0, T_0, t_acq=T_0 - 0.7), TR_S) == (T_0 - 0.7, ())


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        (TriggerTime(), ByTriggers),
        (ScannerTime(), ByScannerClock),
        (StampTime(), ByStamps),
        (ArrivalTime(), ByArrival),
    ],
)
def test_a_session_chooses_what_stamps_rest_on(settings: TriggerTime, kind: type) -> None:
    assert isinstance(open_time_source(settings), kind)
