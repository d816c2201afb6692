"""The timeline places samples: gaps break it, jitter does not, and chunking never matters."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtaffect.core.streams import ClockOffset
from rtaffect.signal.timeline import Break, ClockMap, RegularTimeline, Span

SFREQ = 512.0


def place(
    stamps: np.ndarray,
    data: np.ndarray | None = None,
    *,
    cuts: list[int] | None = None,
    sfreq: float = SFREQ,
    bridge_s: float = 0.02,
    t_received: float | None = None,
) -> tuple[list[Span], RegularTimeline]:
    """Push stamps in chunks cut at the given places; the data default to the sample's number."""
    if data is None:
        data = np.arange(len(stamps), dtype=float)[None]
    timeline = RegularTimeline(sfreq, bridge_s=bridge_s)
    spans: list[Span] = []
    edges = [0, *sorted(set(cuts or [])), len(stamps)]
    for a, b in itertools.pairwise(edges):
        arrival = stamps.max() + 0.01 if t_received is None else t_received
        spans += timeline.push(stamps[a:b], data[:, a:b], t_received=arrival)
    return spans, timeline


def joined(spans: list[Span]) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[tuple[int, Break]]]:
    """Concatenate spans; breaks as (sample number, reason)."""
    at, breaks = 0, []
    for span in spans:
        if span.begins is not None:
            breaks.append((at, span.begins))
        at += len(span.stamps_s)
    return (
        np.concatenate([span.stamps_s for span in spans]),
        np.concatenate([span.data for span in spans], axis=1),
        np.concatenate([span.bridged for span in spans]),
        breaks,
    )


def test_clean_stamps_pass_unchanged_in_one_segment() -> None:
    stamps = 1000.0 + np.arange(4096) / SFREQ
    smooth, data, bridged, breaks = joined(place(stamps)[0])
    np.testing.assert_allclose(smooth, stamps, atol=1e-9)
    np.testing.assert_array_equal(data[0], np.arange(4096))
    assert not bridged.any()
    assert breaks == [(0, Break.START)]


def test_half_a_second_of_lost_samples_breaks_the_segment_and_bends_no_stamp() -> None:
    stamps = 50.0 + np.arange(60 * 512) / SFREQ
    stamps[30 * 512 :] += 0.5
    smooth, _, _, breaks = joined(place(stamps)[0])
    assert breaks == [(0, Break.START), (30 * 512, Break.GAP)]
    # LSL's dejitter is still wrong by tens of milliseconds a minute later.
    np.testing.assert_allclose(smooth, stamps, atol=1e-6)


def test_jitter_of_two_milliseconds_is_smoothed_and_is_no_gap() -> None:
    rng = np.random.default_rng(1)
    true = np.arange(60 * 512) / SFREQ
    smooth, _, _, breaks = joined(place(true + rng.uniform(-0.002, 0.002, true.shape))[0])
    assert breaks == [(0, Break.START)]
    settled = slice(10 * 512, None)
    assert np.abs(smooth - true)[settled].max() < 3e-4
    assert (np.diff(smooth) > 0).all()


def test_chunkwise_stamp_offsets_of_a_bursty_sender_are_learned() -> None:
    rng = np.random.default_rng(2)
    true = np.arange(40 * 512) / SFREQ
    offset = np.repeat(rng.uniform(-0.008, 0.008, len(true) // 16), 16)
    _, _, _, breaks = joined(place(true + offset)[0])
    assert breaks == [(0, Break.START)]


def test_drift_is_followed() -> None:
    true = np.arange(60 * 512) / (SFREQ * (1 + 200e-6))
    spans, timeline = place(true)
    smooth, _, _, breaks = joined(spans)
    assert breaks == [(0, Break.START)]
    np.testing.assert_allclose(smooth[5000:], true[5000:], atol=1e-6)
    assert timeline.measured_sfreq == pytest.approx(SFREQ * (1 + 200e-6), rel=1e-4)


@pytest.mark.parametrize("nominal", [0.0, 100.0])
def test_an_absent_or_wrong_nominal_rate_is_measured(nominal: float) -> None:
    true = np.arange(2000) / 92.9
    spans, timeline = place(true, sfreq=nominal)
    assert 1 / timeline.period_s == pytest.approx(92.9, rel=1e-3)
    assert joined(spans)[3] == [(0, Break.START)]


def test_a_short_dropout_is_bridged_linearly_and_marked() -> None:
    stamps = np.delete(np.arange(2048) / SFREQ, slice(1000, 1005))
    data = np.delete(np.arange(2048.0), slice(1000, 1005))[None]
    spans, timeline = place(stamps, data)
    smooth, out, bridged, breaks = joined(spans)
    assert breaks == [(0, Break.START)]
    assert np.flatnonzero(bridged).tolist() == [1000, 1001, 1002, 1003, 1004]
    np.testing.assert_allclose(out[0], np.arange(2048.0), atol=1e-6)
    np.testing.assert_allclose(smooth, np.arange(2048) / SFREQ, atol=1e-4)
    assert timeline.counts.n_missing == 5


def test_samples_that_are_not_finite_are_missing_samples() -> None:
    stamps = np.arange(2048) / SFREQ
    data = np.arange(2048.0)[None].repeat(2, axis=0)
    data[1, 600:603] = np.nan  # bridged
    data[0, 1200:1400] = np.inf  # too long
    spans, timeline = place(stamps, data)
    _, out, bridged, breaks = joined(spans)
    assert np.isfinite(out).all()
    assert bridged.sum() == 3
    assert breaks == [(0, Break.START), (1200, Break.GAP)]
    assert timeline.counts.n_nonfinite == 203
    assert timeline.counts.n_missing == 203


def test_stamps_from_the_future_wait_for_their_offset_and_are_counted() -> None:
    stamps = np.arange(2048) / SFREQ
    timeline = RegularTimeline(SFREQ, bridge_s=0.02)
    data = np.zeros((1, 512))
    timeline.push(stamps[:1024], np.zeros((1, 1024)), t_received=2.0)
    assert timeline.push(stamps[1024:1536] + 5000.0, data, t_received=3.0) == []
    assert timeline.counts.n_backward == 512
    (span,) = timeline.push(stamps[1536:], data, t_received=4.0)
    assert span.begins is Break.CLOCK


def test_a_clock_that_is_set_back_begins_a_segment_and_time_never_goes_back() -> None:
    stamps = np.arange(4096) / SFREQ
    stamps[2048:] -= 2.0
    spans, timeline = place(stamps)
    smooth, _, _, breaks = joined(spans)
    assert breaks == [(0, Break.START), (2048, Break.CLOCK)]
    assert (np.diff(smooth) > 0).all()
    assert timeline.counts.n_backward >= 1023


def test_an_offset_step_is_reported() -> None:
    clock = ClockMap()
    assert clock.update(ClockOffset("eeg", 100.0, 0.0)) == 0.0
    assert clock.update(ClockOffset("eeg", 100.25, 5.0)) == pytest.approx(0.25)


@st.composite
def damaged_stamps(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Draw three to six seconds of stamps with jitter, losses, set clocks and NaN samples."""
    n = draw(st.integers(400, 900))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    stamps = 10.0 + np.arange(n) / 128.0
    stamps += rng.normal(0, draw(st.sampled_from([0.0, 1e-5, 1e-3, 8e-3])), n)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(1, n - 1))
        stamps[at:] += draw(st.sampled_from([0.01, 0.03, 0.5, 3.0, -0.02, -0.4, -30.0, 50.0]))
    data = rng.normal(size=(2, n))
    for _ in range(draw(st.integers(0, 2))):
        at, length = draw(st.integers(0, n - 1)), draw(st.integers(1, 9))
        data[draw(st.integers(0, 1)), at : at + length] = np.nan
    return stamps, data


@given(damaged_stamps(), st.data())
@settings(max_examples=150, deadline=None)
def test_chunking_changes_no_bit(
    damaged: tuple[np.ndarray, np.ndarray], data: st.DataObject
) -> None:
    stamps, samples = damaged
    cuts = data.draw(st.lists(st.integers(1, len(stamps) - 1), max_size=40))
    arrival = float(np.median(stamps)) + 4.0
    whole, timeline_whole = place(stamps, samples, sfreq=128.0, t_received=arrival)
    cut, timeline_cut = place(stamps, samples, cuts=cuts, sfreq=128.0, t_received=arrival)
    assert timeline_whole.counts == timeline_cut.counts
    if not whole:
        assert not cut
        return
    for a, b in zip(joined(whole), joined(cut), strict=True):
        if isinstance(a, list):
            assert a == b
        else:
            np.testing.assert_array_equal(a, b)
    assert (np.diff(joined(whole)[0]) > 0).all()


def without(stamps: np.ndarray, gaps: list[tuple[float, float]]) -> np.ndarray:
    """Drop the stamps within ``[start, start + length)`` seconds of the first one."""
    since = stamps - stamps[0]
    lost = np.any([(since >= start) & (since < start + length) for start, length in gaps], axis=0)
    return np.asarray(stamps[~lost])


@pytest.mark.parametrize("jitter_s", [0.0, 0.001])
@pytest.mark.parametrize("length_s", [0.05, 0.1])
def test_gaps_in_the_first_second_spoil_neither_the_rate_nor_later_gaps(
    length_s: float, jitter_s: float
) -> None:
    gaps = [(0.3, length_s), (0.7, length_s), (6.0, length_s)]
    stamps = without(1000.0 + np.arange(10 * 512) / SFREQ, gaps)
    jittered = stamps + np.random.default_rng(2).normal(0.0, jitter_s, len(stamps))
    spans, timeline = place(jittered)
    assert timeline.period_s == 1 / SFREQ
    assert joined(spans)[3] == [
        (0, Break.START),
        *((int(np.argmax(stamps >= 1000.0 + start)), Break.GAP) for start, _ in gaps),
    ]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("at", [0, 100, 3000])
def test_a_stamp_that_is_no_number_costs_one_sample(value: float, at: int) -> None:
    stamps = 1000.0 + np.arange(4096) / SFREQ
    good = np.delete(stamps, at)
    stamps[at] = value
    spans, timeline = place(stamps, t_received=float(good[-1]))
    smooth, _, _, breaks = joined(spans)
    assert np.isfinite(smooth).all()
    assert smooth[-1] == pytest.approx(good[-1], abs=1e-3)
    assert timeline.counts.n_backward == 1
    if at == 3000:
        assert breaks == [(0, Break.START), (3000, Break.CLOCK)]


def test_an_interruption_of_the_first_second_begins_the_measurement_anew() -> None:
    stamps = 1000.0 + np.arange(4096) / SFREQ
    timeline = RegularTimeline(0.0, bridge_s=0.02)
    assert not timeline.push(stamps[:200], np.zeros((1, 200)), t_received=1001.0)
    timeline.interrupt(Break.LOST)
    spans = timeline.push(stamps[1000:], np.zeros((1, 3096)), t_received=1009.0)
    assert spans[0].stamps_s[0] == stamps[1000]
    assert timeline.counts.n_missing == 200


def test_stamps_that_stand_still_are_not_kept_for_ever() -> None:
    timeline = RegularTimeline(SFREQ, bridge_s=0.02)
    for _ in range(9):
        timeline.push(np.full(10_000, 5.0), np.zeros((1, 10_000)), t_received=6.0)
    assert timeline.counts.n_missing == 70_000
