"""Windows that frames close: what is in them, whatever came how, and what is said of the rest."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from frame_cases import FRAMES, REGIONS, ROI_SPEC, TR_S, Frame, events_of, frames, roi_info
from hypothesis import given, settings
from hypothesis import strategies as st
from window_cases import EEG_INFO, SPEC, ListSource, same_windows, session

from rtaffect.core.errors import BundleError, MontageError, StreamError
from rtaffect.core.spec import CleaningSpec, VolumeSpec, WindowSpec
from rtaffect.core.streams import Chunk, ClockOffset, Event, StreamInfo, Tick, VolumeChunk
from rtaffect.core.window import Flag, Window
from rtaffect.frame_windows import FrameChain
from rtaffect.signal.roi_cleaning import RoiCleaner
from rtaffect.windows import WindowChain, open_chain, open_windows

RAW = replace(ROI_SPEC, normalise="none", n_settle=0)


def spec_of(roi: object = ROI_SPEC, **changes: object) -> WindowSpec:
    return replace(FRAMES, modalities={"roi": roi}, **changes)  # type: ignore[arg-type]


def windows_of(
    events: Sequence[Event], spec: WindowSpec = FRAMES, info: StreamInfo | None = None
) -> list[Window]:
    infos = {"roi": info or roi_info()}
    return list(open_windows(ListSource(events, infos), spec))


def with_data(windows: Sequence[Window]) -> list[Window]:
    return [w for w in windows if np.isfinite(w.modalities["roi"].data).any()]


def expected(stamps: np.ndarray, values: np.ndarray, t_end: float, *, n_times: int) -> np.ndarray:
    """Interpolate with NumPy, region by region, between the frames of one run."""
    times = t_end - TR_S * np.arange(n_times)[::-1]
    rows = [np.interp(times, stamps, row, left=np.nan) for row in values.T]
    return np.array(rows, dtype=np.float32)


def test_every_frame_closes_a_window_that_ends_at_it() -> None:
    given_frames = frames(20)
    windows = windows_of(events_of(given_frames))
    assert [w.t_end for w in windows] == [f.stamp_s for f in given_frames]
    assert [w.t_closed for w in windows] == [f.t_received for f in given_frames]
    assert [w.index for w in windows] == list(range(20))
    for window in windows:
        assert window.t_start == window.t_end - 12.0
        assert window.modalities["roi"].data.shape == (5, 6)
        assert window.modalities["roi"].t_newest == window.t_end


def test_frames_are_interpolated_region_by_region() -> None:
    rng = np.random.default_rng(1)
    stamps = 100.0 + np.cumsum(rng.uniform(1.2, 2.8, 40))
    values = rng.normal(0.0, 1.0, (40, 5))
    made = [Frame(t, t + 0.1, v) for t, v in zip(stamps.tolist(), values, strict=True)]
    for window in windows_of(events_of(made), spec_of(RAW)):
        part = window.modalities["roi"]
        known = stamps <= window.t_end
        want = expected(stamps[known], values[known], window.t_end, n_times=6)
        times = window.t_end - TR_S * np.arange(6)[::-1]
        close = np.abs(times[:, None] - stamps).min(axis=1) < 0.006
        np.testing.assert_allclose(part.data[:, ~close], want[:, ~close], atol=1e-5)
        assert (Flag.WARMUP in part.flags) == (window.t_start + TR_S < stamps[0] - 0.005)


def test_normalising_is_by_the_past_of_the_run_and_begins_with_zeros() -> None:
    made = frames(30, seed=2)
    values = np.array([frame.values for frame in made])
    for k, window in enumerate(windows_of(events_of(made))):
        part = window.modalities["roi"]
        past = values[: k + 1].astype(np.float32).astype(np.float64)
        z = np.clip((past[-1] - past.mean(axis=0)) / np.maximum(past.std(axis=0), 0.1), -4, 4)
        want = z if k >= ROI_SPEC.n_settle else np.zeros(5)
        np.testing.assert_allclose(part.data[:, -1], want, atol=1e-5)
        n_settled = min(6, max(0, k + 1 - 3))
        assert part.coverage == pytest.approx(n_settled / 6)
        assert part.usable == (part.coverage >= 0.5)
        assert (Flag.WARMUP in part.flags) == (n_settled < 6)
        assert (Flag.MISSING in part.flags) == (not part.usable)


@st.composite
def sessions(draw: st.DrawFn) -> list[Frame]:
    """Frames with jitter, losses, runs, doubles, late and disordered ones."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(5, 40))
    gaps = rng.choice([0.0, 4.0, 45.0], n, p=[0.9, 0.07, 0.03])
    stamps = 100.0 + np.cumsum(TR_S + rng.uniform(-0.2, 0.2, n) + gaps)
    values = rng.normal(50.0, 2.0, (n, 5))
    values[rng.random((n, 5)) < draw(st.sampled_from([0.0, 0.1]))] = np.nan
    delays = rng.choice([0.1, 2.3, 5.0], n, p=[0.7, 0.2, 0.1])
    made = [
        Frame(t, t + delay, v)
        for t, delay, v in zip(stamps.tolist(), delays.tolist(), values, strict=True)
        if rng.random() > 0.05
    ]
    doubles = [replace(f, t_received=f.t_received + 0.3) for f in made if rng.random() < 0.1]
    return sorted([*made, *doubles], key=lambda frame: frame.t_received)


@given(sessions(), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_any_recutting_that_keeps_arrivals_gives_the_same_bits(
    made: list[Frame], seed: int
) -> None:
    """Frames that come at one time may come as one chunk or as several."""
    rng = np.random.default_rng(seed)
    together = [replace(f, t_received=float(np.ceil(f.t_received / 6) * 6)) for f in made]
    alone = events_of(together)
    joined: list[Event] = []
    for event in alone:
        before = joined[-1] if joined else None
        if (
            isinstance(event, Chunk)
            and isinstance(before, Chunk)
            and before.t_received == event.t_received
            and rng.random() < 0.7
        ):
            joined[-1] = Chunk(
                "roi",
                np.concatenate([before.data, event.data], axis=1),
                np.concatenate([before.stamps_s, event.stamps_s]),
                event.t_received,
            )
        else:
            joined.append(event)
    cleaned = spec_of(replace(ROI_SPEC, cleaning=CleaningSpec(window_s=30.0)))
    same_windows(windows_of(joined, cleaned), windows_of(alone, cleaned))


@given(sessions(), st.integers(1, 60), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_what_comes_later_changes_nothing_that_was_said(
    made: list[Frame], n_kept: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    events = events_of(made)
    other = [
        Chunk("roi", rng.normal(0, 1e4, e.data.shape), e.stamps_s + rng.uniform(0, 1), e.t_received)
        if isinstance(e, Chunk) and i >= n_kept
        else e
        for i, e in enumerate(events)
    ]
    cleaned = spec_of(replace(ROI_SPEC, cleaning=CleaningSpec(window_s=30.0)))
    chains = [FrameChain(cleaned, {"roi": roi_info()}) for _ in range(2)]
    for one, two in list(zip(events, other, strict=True))[:n_kept]:
        same_windows(chains[0].push(one), chains[1].push(two))
    kept = windows_of(events, cleaned)
    until = events[min(n_kept, len(events)) - 1].t_received
    again = windows_of(other, cleaned)
    said = [w for w in kept if w.t_closed < until]
    same_windows(said, again[: len(said)])


@given(sessions())
@settings(max_examples=60, deadline=None)
def test_each_frame_that_is_newer_closes_one_window_and_no_other_does(made: list[Frame]) -> None:
    newest, closing = -np.inf, []
    for frame in made:
        if frame.stamp_s > newest:
            newest = frame.stamp_s
            closing.append((frame.stamp_s, frame.t_received))
    chain = FrameChain(FRAMES, {"roi": roi_info()})
    windows = [w for event in events_of(made) for w in chain.push(event)]
    by_frames = [w for w in windows if w.modalities["roi"].t_newest == w.t_end]
    assert [(w.t_end, w.t_closed) for w in by_frames] == closing
    assert [w.index for w in windows] == list(range(len(windows)))
    assert [w.t_closed for w in windows] == sorted(w.t_closed for w in windows)
    counts = chain.health(1e6)["roi"]
    assert counts.n_samples == len(made)
    assert counts.n_backward == len(made) - len(closing)
    for window in windows:
        part = window.modalities["roi"]
        if window not in by_frames:
            assert not np.isfinite(part.data).any()
            assert not part.usable
            assert part.flags & {Flag.LATE, Flag.STALE}


def test_columns_in_any_order_give_the_same_windows() -> None:
    made = frames(15)
    order = [3, 0, 5, 2, 1, 4]
    plain = windows_of(events_of(made))
    mixed = [
        Chunk("roi", e.data[order], e.stamps_s, e.t_received) if isinstance(e, Chunk) else e
        for e in events_of(made)
    ]
    names = tuple(roi_info().ch_names[i] for i in order)
    same_windows(windows_of(mixed, info=roi_info(ch_names=names)), plain)


def test_missing_regions_are_counted_and_named() -> None:
    info = roi_info(ch_names=("A8m_L", "A8m_R", "rAmyg_L"))
    with pytest.raises(MontageError, match=r"2 regions are missing \(rAmyg_R, lINS_R\)"):
        FrameChain(FRAMES, {"roi": info})


def test_a_region_without_a_value_is_missing_and_lowers_coverage() -> None:
    made = frames(12)
    for frame in made[6:]:
        frame.values[1] = np.nan
    spec = spec_of(replace(ROI_SPEC, n_settle=0, max_missing=0.2))
    last = windows_of(events_of(made), spec)[-1].modalities["roi"]
    assert np.isnan(last.data[1]).all()
    assert np.isfinite(np.delete(last.data, 1, axis=0)).all()
    assert last.coverage == pytest.approx(4 / 5)
    assert last.usable
    chain = FrameChain(spec, {"roi": roi_info()})
    for event in events_of(made):
        chain.push(event)
    assert chain.notes() == ("roi: 1 region is missing (A8m_R)",)


def test_a_frame_without_most_regions_is_no_frame_but_closes_its_window() -> None:
    made = frames(12)
    made[8].values[:3] = np.nan
    chain = FrameChain(spec_of(RAW), {"roi": roi_info()})
    windows = [w for event in events_of(made) for w in chain.push(event)]
    broken, after = windows[8].modalities["roi"], windows[9].modalities["roi"]
    assert windows[8].t_end == made[8].stamp_s
    assert np.isnan(broken.data[:, -1]).all()
    assert np.isfinite(broken.data[:, :-1]).all()
    assert Flag.ARTIFACT in broken.flags
    # The next one lies 4 s from the last that could be read: what is between is interpolated.
    middle = (made[7].values + made[9].values) / 2
    np.testing.assert_allclose(after.data[:, -2], middle, rtol=1e-5)
    assert Flag.GAP in after.flags
    assert chain.health(200.0)["roi"].n_nonfinite == 1


def test_a_gap_is_not_bridged() -> None:
    made = [frame for i, frame in enumerate(frames(20)) if i not in {9, 10, 11}]
    windows = {w.t_end: w.modalities["roi"] for w in windows_of(events_of(made), spec_of(RAW))}
    after = windows[100.0 + 2 * 13]
    np.testing.assert_array_equal(
        np.isnan(after.data).all(axis=0), [False, True, True, True, False, False]
    )
    assert Flag.GAP in after.flags
    assert after.coverage == pytest.approx(3 / 6)


def test_a_long_silence_begins_a_new_run() -> None:
    first, second = frames(10), frames(10, t_start=100.0 + 20 + 60, seed=3)
    windows = with_data(windows_of(events_of([*first, *second])))
    alone = with_data(windows_of(events_of(second)))
    for one, other in zip(windows[10:], alone, strict=True):
        part, twin = one.modalities["roi"], other.modalities["roi"]
        np.testing.assert_array_equal(part.data, twin.data)
        assert part.flags == twin.flags
    assert Flag.WARMUP in windows[10].modalities["roi"].flags


@pytest.mark.parametrize("kind", ["run_start", "run_end", "frame"])
def test_a_run_that_the_scanner_process_tells_of_is_a_new_one_however_soon(kind: str) -> None:
    first = frames(8)
    second = frames(5, t_start=first[-1].stamp_s + 12.0, seed=1)
    told = np.array([[f'{{"kind": "{kind}", "run": 2}}']], dtype=object)
    word = Chunk("roi_meta", told, np.zeros(1), second[0].t_received - 0.001)
    events = sorted([*events_of([*first, *second]), word], key=lambda event: event.t_received)
    after = with_data(windows_of(events))[-1].modalities["roi"]
    alone = with_data(windows_of(events_of(second)))[-1].modalities["roi"]
    if kind == "run_start":
        np.testing.assert_array_equal(after.data, alone.data)
        assert (after.flags, after.coverage) == (alone.flags, alone.coverage)
    else:
        assert Flag.WARMUP not in after.flags


def test_a_frame_that_does_not_come_is_told_once_each_hop_late_then_stale() -> None:
    made = frames(10)
    windows = windows_of(events_of(made, until=140.0))
    told = windows[10:]
    last = made[-1].stamp_s
    # Each is given up max_wait_s after its time; the ticks come every half second.
    assert [w.t_end for w in told] == [last + TR_S * k for k in range(1, len(told) + 1)]
    assert [w.t_closed for w in told] == [w.t_end + 3.0 for w in told]
    flags = [w.modalities["roi"].flags & {Flag.LATE, Flag.STALE} for w in told]
    silent = [w.t_closed - made[-1].t_received > 8.0 for w in told]
    assert flags == [{Flag.STALE if quiet else Flag.LATE} for quiet in silent]
    assert True in silent
    assert False in silent
    assert all(not w.modalities["roi"].usable for w in told)


def test_frames_that_always_come_late_are_used_and_never_given_up() -> None:
    made = frames(12, delay_s=7.0)  # later than max_wait_s
    windows = windows_of(events_of(made))
    assert [w.t_end for w in windows] == [f.stamp_s for f in made]


def test_a_burst_at_the_start_loses_nothing() -> None:
    made = frames(12)
    burst = [replace(f, t_received=max(f.t_received, 106.5 + 0.01 * i)) for i, f in enumerate(made)]
    windows = windows_of(events_of(burst))
    assert [w.t_end for w in windows if w.modalities["roi"].t_newest == w.t_end] == [
        f.stamp_s for f in made
    ]


def test_of_frames_that_are_stamped_almost_alike_the_newest_closes_the_window() -> None:
    stamps = [100.0, 102.0, 104.0, 104.001, 104.002]
    made = [Frame(t, t + 0.5, np.full(5, float(k))) for k, t in enumerate(stamps)]
    plain = replace(ROI_SPEC, n_settle=0, normalise="none")
    spec = replace(FRAMES, modalities={"roi": plain})
    source = ListSource(events_of(made), {"roi": roi_info()})
    windows = with_data(list(open_windows(source, spec)))
    assert [w.modalities["roi"].data[0, -1] for w in windows] == [0.0, 1.0, 2.0, 3.0, 4.0]
    np.testing.assert_array_equal(windows[-1].modalities["roi"].data[0, -3:-1], [0.0, 1.0])


def test_without_the_stream_every_hop_says_missing() -> None:
    events: list[Event] = [Tick(t) for t in np.arange(50.0, 70.0, 0.5).tolist()]
    windows = list(open_windows(ListSource(events, {}), FRAMES))
    assert [w.t_end for w in windows] == [52.0, 54.0, 56.0, 58.0, 60.0, 62.0, 64.0, 66.0]
    assert all(w.modalities["roi"].flags == {Flag.MISSING} for w in windows)
    assert all(w.modalities["roi"].data.shape == (5, 6) for w in windows)


def test_a_machine_that_slept_is_not_told_of_every_frame() -> None:
    chain = FrameChain(FRAMES, {"roi": roi_info()})
    chain.push(Tick(0.0))
    assert len(chain.push(Tick(7200.0))) < 10
    assert chain.push(Tick(7206.0))[-1].t_end > 7190.0


def test_the_senders_clock_counts_with_its_offset() -> None:
    made = frames(10)
    plain = windows_of(events_of(made))
    moved: list[Event] = [ClockOffset("roi", 5000.0, 99.0)]
    moved += [
        replace_stamps(event, event.stamps_s - 5000.0) if isinstance(event, Chunk) else event
        for event in events_of(made)
    ]
    for one, other in zip(plain, windows_of(moved)[-10:], strict=True):
        assert one.t_end == pytest.approx(other.t_end, abs=1e-9)
        np.testing.assert_allclose(
            one.modalities["roi"].data, other.modalities["roi"].data, atol=1e-6
        )


def test_frames_from_the_future_are_passed_over_and_told() -> None:
    made = frames(6)
    wrong = [replace(frame, stamp_s=frame.stamp_s + 500.0) for frame in made[2:4]]
    chain = FrameChain(FRAMES, {"roi": roi_info()})
    closed: list[float] = []
    told: list[tuple[str, ...]] = []
    for event in events_of([*made[:2], *wrong, *made[4:]]):
        closed += [w.t_end for w in chain.push(event)]
        told.append(chain.notes())
    assert set(closed) >= {made[i].stamp_s for i in (0, 1, 4, 5)}
    assert max(closed) == made[5].stamp_s
    assert any("stamped in the future" in note for notes in told for note in notes)
    assert told[-1] == ()
    assert chain.health(120.0)["roi"].n_backward == 2


def test_stamps_that_mean_the_start_are_moved_to_the_middle() -> None:
    made = frames(10)
    about = {"acquisition.tr_s": "2.0", "acquisition.time_reference": "start"}
    early: list[Event] = [
        replace_stamps(event, event.stamps_s - 1.0) if isinstance(event, Chunk) else event
        for event in events_of(made)
    ]
    same_windows(windows_of(early, info=roi_info(about=about)), windows_of(events_of(made)))


def replace_stamps(chunk: Chunk, stamps_s: np.ndarray) -> Chunk:
    return Chunk(chunk.modality, chunk.data, stamps_s, chunk.t_received)


def test_frames_as_they_are() -> None:
    made = frames(12)
    spec = spec_of(replace(RAW, take="frames"))
    last = windows_of(events_of(made), spec)[-1].modalities["roi"]
    want = np.array([frame.values for frame in made[-6:]], dtype=np.float32).T
    np.testing.assert_allclose(last.data, want, rtol=1e-6)
    assert not last.flags


def test_frames_of_another_tr_are_refused_where_they_are_taken_as_they_are() -> None:
    spec = spec_of(replace(RAW, take="frames"))
    with pytest.raises(StreamError, match=r"TR of 2 s.*declares 1.5 s"):
        FrameChain(spec, {"roi": roi_info(about={"acquisition.tr_s": "1.5"})})
    FrameChain(spec, {"roi": roi_info(about={"acquisition.tr_s": "2.0"})})
    undeclared = [replace(f, stamp_s=100 + 1.5 * i) for i, f in enumerate(frames(12))]
    last = windows_of(events_of(undeclared), spec)[-1].modalities["roi"]
    assert not last.usable


@pytest.mark.parametrize(
    ("about", "cleaned"),
    [
        ({}, True),
        ({"processing.detrend": "none", "processing.despike": "none"}, True),
        ({"processing.detrend": "glm", "processing.despike": "kalman"}, False),
    ],
)
def test_what_the_sender_cleaned_is_not_cleaned_again(about: dict[str, str], cleaned: bool) -> None:
    rng = np.random.default_rng(5)
    made = [replace(f, values=f.values + 2 * i) for i, f in enumerate(frames(40))]
    made = [replace(f, values=f.values + rng.normal(0, 1, 5)) for f in made]
    roi = replace(RAW, cleaning=CleaningSpec(window_s=60.0))
    windows = windows_of(events_of(made), spec_of(roi), roi_info(about=about))
    got = np.array([w.modalities["roi"].data[:, -1] for w in windows])
    values = np.array([frame.column()[:0:-1] for frame in made], dtype=np.float64)
    cleaner = RoiCleaner(5, CleaningSpec(window_s=60.0))
    want = [cleaner.push(v, stamp_s=f.stamp_s) for v, f in zip(values, made, strict=True)]
    np.testing.assert_allclose(got, want if cleaned else values, atol=1e-4)


def test_no_window_of_eeg_waits_for_a_frame() -> None:
    """Frames beside EEG, at any time or never: the EEG's windows are the same, bit for bit."""
    eeg = session(20.0, face=False)
    alone = WindowChain(
        replace(SPEC, modalities={"eeg": SPEC.modalities["eeg"]}), {"eeg": EEG_INFO}
    )
    beside = WindowChain(alone.spec, {"eeg": EEG_INFO, "roi": roi_info()})
    slow = [replace(f, t_received=f.stamp_s + 7.0) for f in frames(6)]
    both = sorted([*eeg, *events_of(slow)], key=lambda event: event.t_received)
    ticks = [event for event in both if not (isinstance(event, Chunk) and event.modality == "roi")]
    same_windows(
        [w for event in both for w in beside.push(event)],
        [w for event in ticks for w in alone.push(event)],
    )


def test_the_chain_that_fits_the_spec_is_made() -> None:
    assert isinstance(open_chain(FRAMES, {"roi": roi_info()}), FrameChain)
    assert isinstance(open_chain(SPEC, {"eeg": EEG_INFO}), WindowChain)
    with pytest.raises(BundleError, match="closes must name 'roi'"):
        open_chain(replace(FRAMES, closes="grid", hop_s=2.0), {"roi": roi_info()})


VOLUMES = replace(
    FRAMES,
    closes="volume",
    window_s=4.0,
    modalities={"volume": VolumeSpec(shape=(2, 3, 2), normalise="none", n_settle=0)},
)
VOLUME_INFO = StreamInfo(modality="volume", name="v", stype="fMRI-volume", ch_names=(), sfreq=0.0)
AFFINE = np.array([[3.0, 0, 0, -9], [0, 3, 0, -9], [0, 0, 3, -6], [0, 0, 0, 1]])


def volume(
    values: np.ndarray, at: float, affine: np.ndarray = AFFINE, *, index: int | None = None
) -> VolumeChunk:
    return VolumeChunk(
        "volume",
        values.reshape(-1, 1),
        np.array([at]),
        at + 0.1,
        shape=values.shape,  # type: ignore[arg-type]
        affine=affine,
        index=round(at / TR_S) if index is None else index,
    )


def last_volume(chunks: Sequence[VolumeChunk], spec: WindowSpec = VOLUMES) -> np.ndarray:
    windows = list(open_windows(ListSource(chunks, {"volume": VOLUME_INFO}), spec))
    return windows[-1].modalities["volume"].data


def test_volumes_fill_the_grid_with_their_field_of_view() -> None:
    rng = np.random.default_rng(6)
    voxels = rng.normal(0, 1, (4, 6, 6))
    want = voxels.reshape(2, 2, 3, 2, 2, 3).mean(
        axis=(1, 3, 5)
    )  # each of the grid covers 2 x 2 x 3
    data = last_volume([volume(voxels, 100.0), volume(voxels, 102.0)])
    np.testing.assert_allclose(data[:, -1].reshape(2, 3, 2), want, atol=1e-6)
    assert data.shape == (12, 2)


def test_axes_that_run_otherwise_are_turned() -> None:
    """The same brain, stored from left to right or back to front, gives the same rows."""
    rng = np.random.default_rng(7)
    voxels = rng.normal(0, 1, (4, 6, 6))
    plain = last_volume([volume(voxels, 100.0)])
    flipped = AFFINE @ np.array([[-1.0, 0, 0, 3], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    np.testing.assert_allclose(last_volume([volume(voxels[::-1], 100.0, flipped)]), plain)
    swapped = AFFINE @ np.array([[0, 0, 1.0, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]])
    np.testing.assert_allclose(
        last_volume([volume(voxels.transpose(2, 1, 0), 100.0, swapped)]), plain
    )


def test_a_grid_with_a_place_samples_the_world() -> None:
    """A linear field of the world's coordinates is the same field on any grid."""
    place = (
        (5.0, 0.5, 0.0, -5.0),
        (-0.5, 4.0, 0.0, -2.0),
        (0.0, 0.0, 6.0, -2.0),
        (0.0, 0.0, 0.0, 1.0),
    )
    spec = replace(
        VOLUMES,
        modalities={
            "volume": VolumeSpec(shape=(2, 2, 2), affine=place, normalise="none", n_settle=0)
        },
    )
    coefficients = np.array([0.3, -1.2, 0.7])

    def field(shape: tuple[int, int, int], affine: np.ndarray) -> np.ndarray:
        at = np.indices(shape).reshape(3, -1)
        return (coefficients @ (affine[:3, :3] @ at + affine[:3, 3:])).reshape(shape)

    voxels = field((10, 10, 8), AFFINE + np.diag([0, 0, 0, 0]))
    got = last_volume([volume(voxels, 100.0)], spec)[:, -1]
    np.testing.assert_allclose(got, field((2, 2, 2), np.array(place)).ravel(), atol=1e-5)


def test_voxels_beyond_the_field_of_view_and_nan_are_missing() -> None:
    place = ((3.0, 0, 0, -9.0), (0, 3.0, 0, -9.0), (0, 0, 3.0, -6.0), (0, 0, 0, 1.0))
    spec = replace(
        VOLUMES,
        modalities={
            "volume": VolumeSpec(shape=(5, 3, 3), affine=place, normalise="none", n_settle=0)
        },
    )
    voxels = np.ones((4, 3, 3))
    voxels[1, 1, 1] = np.nan
    got = last_volume([volume(voxels, 100.0)], spec)[:, -1].reshape(5, 3, 3)
    assert np.isnan(got[4]).all()
    assert np.isnan(got[1, 1, 1])
    assert np.isfinite(got[:4]).sum() == 35


def test_a_volume_of_another_geometry_begins_a_new_run_and_a_flat_one_is_none() -> None:
    spec = replace(VOLUMES, modalities={"volume": VolumeSpec(shape=(2, 3, 2), n_settle=1)})
    rng = np.random.default_rng(8)
    small, large = rng.normal(0, 1, (4, 6, 6)), rng.normal(5, 1, (8, 6, 6))
    chain = FrameChain(spec, {"volume": VOLUME_INFO})
    for at in (100.0, 102.0, 104.0):
        chain.push(volume(small, at))
    (window,) = chain.push(volume(large, 106.0))
    part = window.modalities["volume"]
    assert np.isnan(part.data[:, 0]).all()
    np.testing.assert_array_equal(part.data[:, 1], np.zeros(12))
    assert Flag.WARMUP in part.flags
    (window,) = chain.push(volume(large, 108.0, np.diag([3.0, 0.0, 3.0, 1.0])))
    assert not window.modalities["volume"].usable
    assert "millimetres" in chain.notes()[0]


def test_affines_that_differ_by_rounding_are_one_run() -> None:
    spec = replace(VOLUMES, modalities={"volume": VolumeSpec(shape=(2, 3, 2), n_settle=2)})
    rng = np.random.default_rng(9)
    chain = FrameChain(spec, {"volume": VOLUME_INFO})
    for at in (100.0, 102.0, 104.0, 106.0):
        place = AFFINE + rng.uniform(-1e-5, 1e-5, (4, 4)) * (np.arange(4)[:, None] < 3)
        (window,) = chain.push(volume(rng.normal(0, 1, (4, 6, 6)), at, place))
    assert window.modalities["volume"].coverage == 1.0
    assert not window.modalities["volume"].flags


def test_volumes_that_are_counted_anew_are_a_new_run_however_soon_they_come() -> None:
    spec = replace(VOLUMES, modalities={"volume": VolumeSpec(shape=(2, 3, 2), n_settle=2)})
    rng = np.random.default_rng(10)
    chain = FrameChain(spec, {"volume": VOLUME_INFO})
    for k in range(6):
        chain.push(volume(rng.normal(0, 1, (4, 6, 6)), 100.0 + TR_S * k, index=k))
    *_, window = chain.push(volume(rng.normal(900, 1, (4, 6, 6)), 120.0, index=0))
    part = window.modalities["volume"]
    assert np.isnan(part.data[:, 0]).all()
    np.testing.assert_array_equal(part.data[:, 1], np.zeros(12))
    assert Flag.WARMUP in part.flags


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"closes": "face"}, "closes must be 'grid' or a modality"),
        ({"stale_s": 1.0}, "stale_s must be at least hop_s"),
        ({"window_s": 1.0}, "window_s must be at least hop_s"),
        ({"max_wait_s": 700.0}, "max_wait_s must be from 0 to 300"),
        ({"hop_s": 1e-9}, "hop_s must be at least 0.1 s where frames"),
        ({"window_s": 13.0}, "whole number of samples"),
        ({"modalities": {"roi": ROI_SPEC, **SPEC.modalities}}, "a model of their own"),
        ({"modalities": {"roi": replace(ROI_SPEC, new_run_s=1.0)}}, "new_run_s must be from 5"),
        ({"modalities": {"roi": replace(ROI_SPEC, max_gap_s=float("nan"))}}, "max_gap_s"),
        ({"modalities": {"roi": replace(ROI_SPEC, variance_floor=0.0)}}, "variance_floor"),
    ],
)
def test_what_contradicts_itself_is_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(BundleError, match=words):
        FrameChain(replace(FRAMES, **change), {"roi": roi_info()})  # type: ignore[arg-type]


def test_regions_are_those_of_the_spec() -> None:
    assert set(REGIONS) < set(roi_info().ch_names)
