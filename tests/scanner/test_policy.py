"""What becomes of volumes that are late, doubled, out of order, lost, or of another run."""

import math
from collections.abc import Iterable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtaffect.scanner.acquired import Acquired, Refused, RoiMeans, RunEnd, Volume
from rtaffect.scanner.decisions import Decision, Dropped, Frame, RunEnded, RunStarted, Why
from rtaffect.scanner.policy import Policy, PolicySpec

TR_S = 2.0
HOLD_S = PolicySpec().hold_s
SILENCE_S = PolicySpec().silence_s


def volume(
    index: int,
    t: float,
    *,
    run: str = "a",
    shape: tuple[int, int, int] = (2, 2, 2),
    affine: object = None,
    tr_s: float = TR_S,
) -> Volume:
    return Volume(
        data=np.zeros(shape, np.int16),
        affine=np.eye(4) if affine is None else np.asarray(affine),
        index=index,
        run=run,
        tr_s=tr_s,
        t_acq=math.nan,
        t_arrival=t,
    )


def decide(items: Iterable[Acquired], *, ticks: Sequence[float] = ()) -> list[Decision]:
    """Return all that follows, with ticks between the arrivals; the end is not in it."""
    policy, out, waiting = Policy(), [], sorted(ticks)
    for item in items:
        while waiting and waiting[0] <= item.t_arrival:
            out += policy.tick(waiting.pop(0))
        out += policy.push(item)
    out += policy.tick(1e6)
    return out


def indices(decisions: Iterable[Decision], run: int | None = None) -> list[int]:
    return [d.acquired.index for d in decisions if isinstance(d, Frame) and run in (None, d.run)]


def reasons(decisions: Iterable[Decision]) -> list[Why]:
    return [d.why for d in decisions if isinstance(d, Dropped)]


@st.composite
def arrivals(draw: st.DrawFn) -> list[Volume]:
    """Return a run whose volumes get lost, come twice, late, in bursts and in any order."""
    n = draw(st.integers(1, 25))
    sent: list[tuple[float, int]] = []
    for index in range(n):
        copies = draw(st.sampled_from((0, 1, 1, 1, 1, 1, 2)))
        for _ in range(copies):
            delay_s = draw(st.sampled_from((0.0, 0.0, 0.0, 0.1, 0.7, 2.1, 2.6, 4.5, 9.0)))
            sent.append((100.0 + TR_S * index + delay_s, index))
    hold_until = draw(st.sampled_from((0.0, 0.0, 104.0, 110.0)))  # a burst at the run's start
    burst = [(max(t, hold_until), index) for t, index in sent]
    return [volume(index, t) for t, index in sorted(burst, key=lambda pair: pair[0])]


@given(arrivals())
def test_every_arrival_is_used_once_or_dropped_once(items: list[Volume]) -> None:
    decisions = decide(items)
    frames = [d.acquired for d in decisions if isinstance(d, Frame)]
    dropped = [d for d in decisions if isinstance(d, Dropped)]
    assert len(frames) + len(dropped) == len(items)
    assert len({id(frame) for frame in frames}) == len(frames)
    used = [(f.index, f.t_arrival) for f in frames] + [(d.index, d.t) for d in dropped]
    assert sorted(used) == sorted((item.index, item.t_arrival) for item in items)


@given(arrivals())
def test_frames_of_a_run_rise_and_gaps_add_up(items: list[Volume]) -> None:
    decisions = decide(items)
    starts = [d.run for d in decisions if isinstance(d, RunStarted)]
    ends = {d.run: d for d in decisions if isinstance(d, RunEnded)}
    assert starts == sorted(set(starts)) == sorted(ends)
    for run in starts:
        frames = [d for d in decisions if isinstance(d, Frame) and d.run == run]
        came = [frame.acquired.index for frame in frames]
        assert came == sorted(set(came))
        assert ends[run].n_frames == len(came)
        missing = sum(frame.n_missing for frame in frames)
        assert ends[run].n_missing == missing == (came[-1] + 1 if came else 0) - len(came)
        for frame, before in zip(frames, [-1, *came], strict=False):
            assert frame.n_missing == frame.acquired.index - before - 1


@given(arrivals(), st.lists(st.floats(90.0, 200.0), max_size=20))
def test_looking_at_the_clock_changes_nothing(items: list[Volume], ticks: list[float]) -> None:
    assert decide(items, ticks=ticks) == decide(items)


@given(arrivals())
def test_at_most_one_volume_waits_and_not_for_long(items: list[Volume]) -> None:
    policy, n_decided = Policy(), 0
    for n_arrived, item in enumerate(items, start=1):
        n_decided += sum(isinstance(d, Frame | Dropped) for d in policy.push(item))
        assert n_arrived - 1 <= n_decided <= n_arrived
    n_decided += len(indices(policy.tick(items[-1].t_arrival + HOLD_S))) if items else 0
    assert n_decided == len(items)


@given(st.integers(1, 20), st.data())
def test_neighbours_that_swapped_are_put_back(n_pairs: int, data: st.DataObject) -> None:
    order: list[int] = []
    for pair in range(n_pairs):
        order += data.draw(st.permutations([2 * pair, 2 * pair + 1]))
    items = [volume(index, 100.0 + 0.4 * place) for place, index in enumerate(order)]
    decisions = decide(items)
    assert indices(decisions) == sorted(order)
    assert not reasons(decisions)
    swapped = {order[i] for i in range(0, len(order), 2) if order[i] % 2}
    assert {d.acquired.index for d in decisions if isinstance(d, Frame) and d.reordered} == swapped


def test_volumes_in_order_go_through_at_once() -> None:
    policy = Policy()
    for index in range(5):
        decisions = list(policy.push(volume(index, 10.0 + TR_S * index)))
        assert indices(decisions) == [index]


def test_a_burst_at_the_start_goes_through() -> None:
    items = [volume(index, 105.0 + 0.001 * index) for index in range(4)]
    assert indices(decide(items)) == [0, 1, 2, 3]


def test_a_lost_volume_is_given_up_after_a_while_and_said() -> None:
    policy = Policy()
    list(policy.push(volume(0, 0.0)))
    assert not list(policy.push(volume(2, 4.0)))
    assert not list(policy.tick(4.0 + HOLD_S - 0.01))
    (frame,) = policy.tick(4.0 + HOLD_S)
    assert isinstance(frame, Frame)
    assert (frame.acquired.index, frame.n_missing, frame.reordered) == (2, 1, False)
    (late,) = policy.push(volume(1, 5.5))
    assert isinstance(late, Dropped)
    assert late.why is Why.LATE
    (again,) = policy.push(volume(1, 5.6))
    assert isinstance(again, Dropped)
    assert again.why is Why.DUPLICATE


@pytest.mark.parametrize("behind", [0, 1, 3])
def test_of_a_doubled_series_only_the_first_is_used(behind: int) -> None:
    once = [volume(index, TR_S * index) for index in range(12)]
    twice = [volume(index, TR_S * (index + behind) + 0.5, run="moco") for index in range(12)]
    both = decide(sorted([*once, *twice], key=lambda item: item.t_arrival))
    assert indices(both, run=1) == list(range(12))
    assert [d for d in both if isinstance(d, RunStarted)] == [RunStarted(run=1, t=0.0, tr_s=TR_S)]
    assert set(reasons(both)) <= {Why.SECOND_SERIES, Why.LATE}
    assert len(reasons(both)) == 12


def test_another_series_takes_over_when_the_first_falls_silent() -> None:
    first = [volume(index, TR_S * index) for index in range(3)]
    second = [volume(index, TR_S * index + 0.5, run="b") for index in range(12)]
    both = decide(sorted([*first, *second], key=lambda item: item.t_arrival))
    assert indices(both, run=1) == [0, 1, 2]
    assert indices(both, run=2)[-1] == 11


def test_a_new_series_after_many_volumes_is_a_new_run_at_once() -> None:
    items = [volume(index, TR_S * index) for index in range(20)]
    items += [volume(index, 41.0 + TR_S * index, run="b") for index in range(3)]
    decisions = decide(items)
    assert indices(decisions, run=2) == [0, 1, 2]
    assert not reasons(decisions)


def test_a_sender_without_runs_begins_to_count_again() -> None:
    items = [volume(index, TR_S * index) for index in range(20)]
    items += [volume(index, 50.0 + TR_S * index) for index in range(3)]
    decisions = decide(items)
    assert indices(decisions, run=2) == [0, 1, 2]
    assert [type(d).__name__ for d in decisions if not isinstance(d, Frame)] == [
        "RunStarted", "RunEnded", "RunStarted", "RunEnded"
    ]  # fmt: skip


def test_silence_ends_a_run_and_so_does_its_sender() -> None:
    items: list[Acquired] = [volume(0, 0.0), volume(1, 2.0)]
    end = decide(items)[-1]
    assert end == RunEnded(run=1, t=2.0 + SILENCE_S, n_frames=2, n_missing=0)
    said = decide([*items, RunEnd(run="b", t_arrival=2.5), RunEnd(run="a", t_arrival=3.0)])[-1]
    assert said == RunEnded(run=1, t=3.0, n_frames=2, n_missing=0)


def test_the_rest_of_a_run_that_is_over_begins_no_new_one() -> None:
    items: list[Acquired] = [volume(0, 0.0), volume(1, 2.0), RunEnd(run="a", t_arrival=3.0)]
    decisions = decide([*items, volume(1, 3.5)])
    assert reasons(decisions) == [Why.LATE]
    assert len([d for d in decisions if isinstance(d, RunStarted)]) == 1


def test_who_joins_late_says_what_was_not_seen() -> None:
    decisions = decide([volume(57, 0.0), volume(58, 2.0)])
    frames = [d for d in decisions if isinstance(d, Frame)]
    assert [(f.acquired.index, f.n_missing) for f in frames] == [(57, 57), (58, 0)]


SHIFTED = np.array([[1, 0, 0, 3], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])


@pytest.mark.parametrize(
    ("odd", "words"),
    [
        (volume(1, 2.0, shape=(2, 2, 3)), r"shape \(2, 2, 2\), this one has \(2, 2, 3\)"),
        (volume(1, 2.0, affine=SHIFTED), "another affine"),
        (volume(1, 2.0, affine=np.zeros((4, 4))), "not singular"),
        (volume(1, 2.0, affine=np.full((4, 4), np.nan)), "finite"),
        (volume(-1, 2.0), "from 0 to"),
        (volume(10**9, 2.0), "from 0 to"),
        (Refused(reason="no such dtype", t_arrival=2.0), "no such dtype"),
    ],
    ids=["shape", "affine", "singular", "nan", "negative", "huge", "refused"],
)
def test_what_cannot_be_used_is_refused_with_a_reason_and_the_run_goes_on(
    odd: Acquired, words: str
) -> None:
    decisions = decide([volume(0, 0.0), odd, volume(1, 2.5), volume(2, 4.0)])
    assert indices(decisions) == [0, 1, 2]
    (dropped,) = [d for d in decisions if isinstance(d, Dropped)]
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(dropped.text)


def test_a_first_volume_of_no_use_is_no_measure_for_the_others() -> None:
    policy = Policy()
    decisions = list(policy.push(volume(0, 0.0, shape=(2, 2, 3))))
    (odd,) = [d for d in decisions if isinstance(d, Frame)]
    policy.disown(odd)
    for index in (1, 2):
        (good,) = policy.push(volume(index, TR_S * index))
        assert isinstance(good, Frame)
    policy.disown(good)  # not the first one: what the run is like is settled
    assert reasons(policy.push(volume(3, 6.0, shape=(2, 2, 3)))) == [Why.CHANGED]


def test_what_came_and_is_refused_is_neither_missing_nor_waited_for() -> None:
    arrived = [volume(0, 0.0), volume(1, 2.0, affine=SHIFTED), volume(2, 4.0, shape=(2, 2, 3))]
    policy = Policy()
    for item in arrived:
        list(policy.push(item))
    assert not [*policy.push(volume(4, 8.0))]
    (frame,) = policy.tick(8.0 + HOLD_S)
    assert isinstance(frame, Frame)
    assert (frame.n_missing, frame.n_refused) == (1, 2)
    (end,) = policy.end(10.0)
    assert end == RunEnded(run=1, t=10.0, n_frames=2, n_missing=1, n_refused=2)


def test_what_waits_for_a_volume_goes_as_soon_as_that_is_refused() -> None:
    policy = Policy()
    list(policy.push(volume(0, 0.0)))
    assert not [*policy.push(volume(2, 4.0))]
    dropped, frame = policy.push(volume(1, 4.1, affine=SHIFTED))
    assert isinstance(dropped, Dropped)
    assert isinstance(frame, Frame)
    assert (frame.n_missing, frame.n_refused) == (0, 1)
    (frame,) = policy.push(volume(3, 6.0))
    assert (frame.n_missing, frame.n_refused) == (0, 0)


def test_frames_that_are_taken_back_are_refused_not_used() -> None:
    policy = Policy()
    for index in range(3):
        for decision in policy.push(volume(index, TR_S * index)):
            if isinstance(decision, Frame):
                policy.disown(decision)
    (frame,) = policy.push(volume(3, 6.0))
    assert (frame.n_missing, frame.n_refused) == (0, 3)
    list(policy.push(volume(5, 10.0)))  # waits until the run ends
    decisions = []
    for decision in policy.end(11.0):
        decisions.append(decision)
        if isinstance(decision, Frame):
            policy.disown(decision)
    assert decisions[-1] == RunEnded(run=1, t=11.0, n_frames=1, n_missing=1, n_refused=4)


def test_frames_of_means_must_keep_their_regions() -> None:
    def means(index: int, n: int) -> RoiMeans:
        return RoiMeans(
            values=np.zeros(n),
            motion=None,
            index=index,
            run="a",
            tr_s=math.nan,
            t_acq=math.nan,
            t_arrival=2.0 * index,
        )

    decisions = decide([means(0, 4), means(1, 5), volume(1, 2.1), means(2, 4)])
    assert indices(decisions) == [0, 2]
    assert reasons(decisions) == [Why.CHANGED, Why.CHANGED]
