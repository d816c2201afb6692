"""Windows: the same bits whatever the chunking; nothing missing goes unsaid."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import butter, sosfilt
from window_cases import (
    BANDS_HZ,
    BANKED,
    EEG_INFO,
    INFOS,
    SPEC,
    ListSource,
    eeg_samples,
    same_windows,
    session,
)

from rtaffect.core.errors import BundleError, MontageError
from rtaffect.core.montages import EEG_15
from rtaffect.core.spec import SignalSpec, WindowSpec
from rtaffect.core.streams import (
    Chunk,
    ClockOffset,
    Event,
    StreamEvent,
    StreamInfo,
    StreamState,
    Tick,
)
from rtaffect.core.window import Flag, Window
from rtaffect.windows import WindowChain, open_windows


def windows_of(
    events: list[Event], infos: dict[str, StreamInfo] | None = None, *, spec: WindowSpec = SPEC
) -> list[Window]:
    return list(open_windows(ListSource(events, infos or INFOS), spec))


def at(windows: list[Window], t_end: float) -> Window:
    return next(window for window in windows if window.t_end == t_end)


def test_a_clean_session_settles_into_full_unflagged_windows() -> None:
    windows = windows_of(session(12.0))
    assert np.diff([window.index for window in windows]).tolist() == [1] * (len(windows) - 1)
    for window in windows:
        if 108.0 <= window.t_end <= 111.5:
            for part in window.modalities.values():
                assert part.usable
                assert part.coverage == 1.0
                assert not part.flags
            assert window.modalities["eeg"].data.shape == (15, 384)
            assert window.modalities["face"].data.shape == (29, 96)


def test_early_windows_say_warmup() -> None:
    windows = windows_of(session(12.0))
    early = [window for window in windows if window.t_end < 107.0]
    assert early
    for window in early:
        eeg = window.modalities["eeg"]
        assert Flag.WARMUP in eeg.flags or Flag.MISSING in eeg.flags
        assert eeg.coverage < 1.0


def test_the_signal_equals_an_offline_filter_of_the_same_recording() -> None:
    windows = windows_of(session(14.0))
    grid = 100.0 + np.arange(14 * 128) / 128.0
    # The same chain by scipy: here 256 Hz is twice the grid, so every second sample lies on it. The
    # anti-alias kernel is flat below 45 Hz, where the test signal lives; noise is left out.
    rng = np.random.default_rng(0)
    phase = rng.uniform(0, 2 * np.pi, (15, 3))
    hz = np.array([6.0, 10.0, 21.0])
    waves = 8.0 * np.sin(2 * np.pi * hz[None, :, None] * grid + phase[..., None]).sum(axis=1)
    sos = butter(2, 1.0, "highpass", fs=128.0, output="sos")
    expected = sosfilt(sos, waves)
    expected -= expected.mean(axis=0)
    window = at(windows, 113.0)
    part = expected[:, (113 - 100 - 3) * 128 : (113 - 100) * 128]
    residual = window.modalities["eeg"].data - part
    assert np.sqrt((residual**2).mean()) < 2.2  # what remains is the noise (sd 2, band-limited)
    assert np.corrcoef(window.modalities["eeg"].data.ravel(), part.ravel())[0, 1] > 0.97


@pytest.mark.parametrize("spec", [SPEC, BANKED], ids=["plain", "filter bank"])
@given(st.integers(0, 2**16), st.data())
@settings(max_examples=20, deadline=None)
def test_any_recutting_that_keeps_arrivals_gives_the_same_bits(
    spec: WindowSpec, seed: int, data: st.DataObject
) -> None:
    rng = np.random.default_rng(seed)
    lost = [(a, a + rng.uniform(0.004, 1.5)) for a in rng.uniform(3, 8, rng.integers(0, 3))]
    events = session(9.0, seed=seed, eeg_chunk=int(rng.integers(1, 200)), lost_s=lost)
    if data.draw(st.booleans()):
        events.insert(200, ClockOffset("eeg", 0.0004, events[200].t_received))
    if data.draw(st.booleans()):
        at_ = data.draw(st.integers(100, len(events) - 50))
        t = events[at_].t_received
        events.insert(at_, StreamEvent("eeg", StreamState.LOST, t))
        events.insert(
            at_ + 30, StreamEvent("eeg", StreamState.RECOVERED, events[at_ + 30].t_received)
        )
    recut: list[Event] = []
    for event in events:
        if isinstance(event, Chunk) and event.data.shape[1] > 1:
            n = event.data.shape[1]
            cuts = sorted(rng.integers(0, n + 1, data.draw(st.integers(0, 4))).tolist())
            for a, b in zip([0, *cuts], [*cuts, n], strict=True):
                if b > a:
                    recut.append(
                        Chunk(
                            event.modality,
                            event.data[:, a:b],
                            event.stamps_s[a:b],
                            event.t_received,
                        )
                    )
        else:
            recut.append(event)
    same_windows(windows_of(events, spec=spec), windows_of(recut, spec=spec))


def test_a_filter_bank_gives_every_channel_once_a_band_as_scipy_does() -> None:
    events = session(14.0)
    plain, banked = windows_of(events), windows_of(events, spec=BANKED)
    # The bank filters the very signal that the plain windows show.
    whole = np.concatenate(
        [w.modalities["eeg"].data[:, -32:] for w in plain if w.t_end > 100.25], axis=1
    ).astype(np.float64)
    start = np.flatnonzero(np.isfinite(whole[0]))[0]
    rows = BANKED.modalities["eeg"].row_names
    assert rows[14:16] == (f"theta:{EEG_15[-1]}", f"alpha:{EEG_15[0]}")
    assert len(rows) == BANKED.modalities["eeg"].n_rows == 60
    for window in banked:
        if window.t_end < 108.0 or window.t_end > 113.0:
            continue
        data = window.modalities["eeg"].data
        assert data.shape == (60, 384)
        stop = round((window.t_end - 100.25) * 128)
        for b, band in enumerate(BANDS_HZ.values()):
            sos = butter(3, band, "bandpass", fs=128.0, output="sos")
            expected = sosfilt(sos, whole[:, start:stop])[:, -384:]
            np.testing.assert_allclose(data[15 * b : 15 * (b + 1)], expected, atol=1e-3)


def test_a_bank_changes_neither_states_nor_times() -> None:
    events = session(16.0, lost_s=[(9.0, 9.4)])
    for plain, banked in zip(windows_of(events), windows_of(events, spec=BANKED), strict=True):
        one, other = plain.modalities["eeg"], banked.modalities["eeg"]
        assert (plain.t_end, one.usable, one.coverage) == (
            banked.t_end,
            other.usable,
            other.coverage,
        )
        assert one.flags == other.flags
        np.testing.assert_array_equal(np.isnan(one.data[0]), np.isnan(other.data).all(axis=0))


def test_a_modality_without_a_stream_has_as_many_rows_as_its_bank_gives() -> None:
    window = windows_of([Tick(100.0), Tick(101.0)], {"face": INFOS["face"]}, spec=BANKED)[0]
    assert window.modalities["eeg"].data.shape == (60, 384)


@pytest.mark.parametrize("spec", [SPEC, BANKED], ids=["plain", "filter bank"])
def test_a_later_start_agrees_once_settled(spec: WindowSpec) -> None:
    events = session(24.0)
    later = [event for event in events if event.t_received > 107.4]
    a, b = windows_of(events, spec=spec), windows_of(later, spec=spec)
    for window in b:
        if (
            window.t_end >= 107.4 + 1.0 + SPEC.modalities["eeg"].settle_s + 3.5
            and window.t_end < 123
        ):
            twin = at(a, window.t_end)
            one, other = window.modalities["eeg"].data, twin.modalities["eeg"].data
            np.testing.assert_allclose(one, other, atol=1e-6 * 1000.0)
            if "face" in spec.modalities:
                np.testing.assert_array_equal(
                    window.modalities["face"].data, twin.modalities["face"].data
                )


def test_a_gap_is_flagged_and_never_spliced() -> None:
    windows = windows_of(session(24.0, lost_s=[(12.0, 12.4)]))
    crossed = [w for w in windows if 112.25 < w.t_end <= 115.25]
    assert len(crossed) == 12
    for window in crossed:
        eeg = window.modalities["eeg"]
        assert not eeg.usable
        assert {Flag.MISSING} <= eeg.flags
        assert eeg.flags & {Flag.GAP, Flag.LATE}
        assert np.isnan(eeg.data).any()
    after = at(windows, 116.0).modalities["eeg"]
    assert after.usable
    assert Flag.WARMUP in after.flags
    assert not at(windows, 121.0).modalities["eeg"].flags


def test_a_short_dropout_is_bridged_flagged_and_lowers_coverage() -> None:
    windows = windows_of(session(16.0, lost_s=[(12.0, 12.012)]))
    eeg = at(windows, 113.0).modalities["eeg"]
    assert eeg.usable
    assert eeg.flags == {Flag.GAP}
    assert 0.97 < eeg.coverage < 1.0


def test_a_face_that_stops_coming_is_late_then_stale_and_holds_up_nothing() -> None:
    windows = windows_of(session(20.0, face_until_s=10.0))
    waits = {w.t_end: w.t_closed - w.t_end for w in windows}
    assert max(waits.values()) < SPEC.max_wait_s + 0.26
    assert Flag.LATE in at(windows, 110.25).modalities["face"].flags
    much_later = at(windows, 117.0)
    assert much_later.modalities["face"].flags == {Flag.STALE, Flag.MISSING}
    assert much_later.modalities["eeg"].usable
    assert waits[117.0] < 0.12  # a stale stream is not waited for


def test_a_frame_without_a_face_is_no_measurement() -> None:
    events = session(12.0)
    for i, event in enumerate(events):
        if isinstance(event, Chunk) and event.modality == "face" and event.stamps_s[0] > 108.0:
            data = event.data.copy()
            data[:29], data[30] = 0.0, 0.0
            events[i] = Chunk("face", data, event.stamps_s, event.t_received)
    windows = windows_of(events)
    face = at(windows, 111.25).modalities["face"]
    assert not face.usable
    assert {Flag.ARTIFACT, Flag.MISSING} <= face.flags
    assert not (face.data == 0).any()


def test_a_silent_stream_is_revealed_by_ticks() -> None:
    events = [e for e in session(20.0) if isinstance(e, Tick) or e.t_received < 108.0]
    windows = windows_of(events)
    silent = at(windows, 112.0)
    assert silent.modalities["eeg"].flags == {Flag.STALE, Flag.MISSING}
    assert silent.modalities["face"].flags == {Flag.STALE, Flag.MISSING}
    assert at(windows, 108.5).t_closed <= 109.3


def test_a_modality_without_a_stream_is_missing_and_not_waited_for() -> None:
    windows = windows_of(session(12.0, face=False), {"eeg": EEG_INFO})
    window = at(windows, 110.0)
    assert window.modalities["face"].flags == {Flag.MISSING}
    assert window.modalities["eeg"].usable
    assert window.t_closed - window.t_end < 0.12


def test_a_set_clock_is_flagged_in_the_windows_it_touches() -> None:
    events: list[Event] = []
    for event in session(24.0):
        if isinstance(event, Chunk) and event.modality == "eeg" and event.stamps_s[0] >= 110.0:
            event = Chunk("eeg", event.data, event.stamps_s - 5000.0, event.t_received)
        if isinstance(event, Chunk) and event.t_received > 112.0 and event.t_received < 112.03:
            events.append(ClockOffset("eeg", 5000.0, event.t_received))
        events.append(event)
    windows = windows_of(events)
    assert Flag.CLOCK in at(windows, 113.0).modalities["eeg"].flags
    assert not at(windows, 121.0).modalities["eeg"].flags


def test_every_amplitude_limit_reaches_the_flags() -> None:
    events = session(14.0)
    for i, event in enumerate(events):
        if isinstance(event, Chunk) and event.modality == "eeg" and 110 < event.stamps_s[0] < 110.3:
            wild = event.data + 4000.0 * np.sign(np.sin(2 * np.pi * 20 * event.stamps_s))
            events[i] = Chunk("eeg", wild, event.stamps_s, event.t_received)
    windows = windows_of(events)
    part = at(windows, 111.0).modalities["eeg"]
    assert Flag.ARTIFACT in part.flags
    assert 0.8 < part.coverage < 0.95
    assert Flag.ARTIFACT not in at(windows, 113.75).modalities["eeg"].flags


def test_a_stream_without_the_features_is_refused() -> None:
    poor = StreamInfo(modality="face", name="cam", stype="Face", ch_names=("AU12_r",), sfreq=0.0)
    with pytest.raises(MontageError, match="AU45_r"):
        WindowChain(SPEC, {"eeg": EEG_INFO, "face": poor})


def test_windows_that_are_no_whole_number_of_samples_are_refused() -> None:
    eeg = SignalSpec(ch_names=("Cz",), sfreq=100.0)
    with pytest.raises(BundleError, match=r"sfreq / 16 of eeg = 6\.25"):
        WindowChain(WindowSpec(modalities={"eeg": eeg}), {})


def test_samples_are_counted() -> None:
    chain = WindowChain(SPEC, INFOS)
    for event in session(6.0, lost_s=[(3.0, 3.5)]):
        chain.push(event)
    health = chain.health(106.0)["eeg"]
    assert health.n_samples == 6 * 256 - 128
    assert health.n_gaps == 1
    assert health.n_missing == 128
    assert health.sfreq_hz == pytest.approx(256.0, rel=1e-3)


def test_the_made_up_samples_depend_on_their_stamps_alone() -> None:
    stamps = 5 + np.arange(100) / 256
    np.testing.assert_array_equal(eeg_samples(stamps), eeg_samples(stamps))


def test_a_long_silence_is_leapt_over_with_one_window_that_tells_of_it() -> None:
    before = session(12.0)
    after = [
        replace(e, t_received=e.t_received + 1e6, stamps_s=e.stamps_s + 1e6)
        if isinstance(e, Chunk)
        else Tick(e.t_received + 1e6)
        for e in session(12.0, seed=1)
    ]
    windows = windows_of([*before, *after])
    assert len(windows) < 150
    steps = np.diff([window.t_end for window in windows])
    (leap,) = np.flatnonzero(steps > 0.25)
    told = windows[leap].modalities["eeg"]
    assert {Flag.STALE, Flag.MISSING} <= told.flags
    assert not told.usable
    assert not at(windows, 1_000_111.0).modalities["eeg"].flags


@pytest.mark.parametrize("declared_hz", [0.0, 256.0])
def test_a_signal_that_is_slower_than_the_model_needs_is_not_decoded(declared_hz: float) -> None:
    stamps = 100.0 + np.arange(64 * 12) / 64.0
    info = replace(EEG_INFO, sfreq=declared_hz)
    events: list[Event] = [
        Chunk("eeg", eeg_samples(stamps[i : i + 2]), stamps[i : i + 2], float(stamps[i + 1]))
        for i in range(0, len(stamps), 2)
    ]
    late = [w.modalities["eeg"] for w in windows_of(events, {"eeg": info}) if w.t_end > 107.0]
    assert late
    for eeg in late:
        assert not eeg.usable
        assert Flag.MISSING in eeg.flags


def test_single_bad_channels_are_named_though_the_window_passes() -> None:
    chain = WindowChain(SPEC, INFOS)
    for event in session(8.0):
        if isinstance(event, Chunk) and event.modality == "eeg" and event.t_received > 106.0:
            data = event.data.copy()
            data[EEG_15.index("T7")] = 3.0
            event = replace(event, data=data)
        chain.push(event)
        if event.t_received < 106.0:
            assert chain.notes() == ()
    assert chain.notes() == ("eeg: T7 flat",)
