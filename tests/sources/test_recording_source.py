"""Recordings as a source: choosing, ordering, ticks, pacing, clocks and damage."""

import gzip
import itertools
import logging
import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openface_file import write_openface
from window_cases import ListSource

from rtaffect.core.clock import ManualClock
from rtaffect.core.errors import RecordingError, StreamError
from rtaffect.core.face_features import FACE_FEATURES, FRAME_QUALITY
from rtaffect.core.spec import SignalSpec, WindowSpec
from rtaffect.core.streams import (
    Chunk,
    ClockOffset,
    StreamChoice,
    StreamEvent,
    StreamState,
    Tick,
)
from rtaffect.publish.xdf_writer import XdfWriter
from rtaffect.sources.recorded import arrivals, chunk_events
from rtaffect.sources.recording import open_recording
from rtaffect.windows import open_windows

EEG = StreamChoice(modality="eeg", stype="EEG")


class XdfFile:
    """A small file as another recorder might write it."""

    def __init__(self, path):
        self.path = path
        self.file = path.open("wb")
        self.writer = XdfWriter(self.file)
        self.n = 0

    def add(self, stamps, data=None, *, offsets=(), ch_names=("Cz", "Pz"), **kwargs):
        self.n += 1
        stamps = np.asarray(stamps, dtype=np.float64)
        if data is None:
            data = np.tile(np.arange(len(stamps), dtype=np.float32), (len(ch_names), 1))
        described = {"name": "Amp", "stype": "EEG", "sfreq": 100.0, **kwargs}
        self.writer.add_stream(self.n, dtype=data.dtype, ch_names=ch_names, **described)
        for t_collected, offset_s in offsets:
            self.writer.clock_offset(self.n, t_collected=t_collected, offset_s=offset_s)
        self.writer.samples(self.n, stamps, data)
        return self

    def done(self):
        self.writer.boundary()
        self.writer.footers()
        self.file.close()
        return self.path


@pytest.fixture
def xdf(tmp_path):
    return XdfFile(tmp_path / "foreign.xdf")


def corrected(events, modality="eeg"):
    """Stamps by the rule of live: the newest offset that was delivered before the chunk."""
    offset_s, stamps = None, []
    for event in events:
        if isinstance(event, ClockOffset) and event.modality == modality:
            offset_s = event.offset_s
        elif isinstance(event, Chunk) and event.modality == modality:
            stamps.append(event.stamps_s + offset_s)
    return np.concatenate(stamps)


def samples(events, modality="eeg"):
    return np.concatenate(
        [e.data for e in events if isinstance(e, Chunk) and e.modality == modality], axis=1
    )


def play(paths, choices=None, **kwargs):
    with open_recording(paths, choices, **kwargs) as source:
        return list(source.events())


def test_samples_arrive_in_chunks_of_a_thirtysecond_with_ticks_between(xdf):
    events = play([xdf.add(10 + np.arange(300) / 100, offsets=[(0, 0.0)]).done()], tick_s=0.25)
    chunks = [event for event in events if isinstance(event, Chunk)]
    assert all(np.ptp(chunk.stamps_s) < 1 / 32 for chunk in chunks)
    assert all(chunk.t_received == chunk.stamps_s[-1] for chunk in chunks)
    assert samples(events)[0].tolist() == list(range(300))
    ticks = [event.t_received for event in events if isinstance(event, Tick)]
    assert ticks == [10.0 + 0.25 * i for i in range(12)]
    times = [event.t_received for event in events]
    assert times == sorted(times)


def test_a_declared_delay_moves_arrivals_and_not_stamps(xdf):
    path = xdf.add(10 + np.arange(300) / 100, offsets=[(0, 0.0)]).done()
    events = play([path], delay_s=0.1)
    chunks = [event for event in events if isinstance(event, Chunk)]
    assert all(chunk.t_received == chunk.stamps_s[-1] + 0.1 for chunk in chunks)


def test_offsets_are_delivered_when_they_were_collected_and_the_first_one_first(xdf):
    stamps = np.arange(2000) / 100
    offsets = [(4.9, 50.0), (9.9, 50.001), (14.9, 50.002)]
    events = play([xdf.add(stamps, offsets=offsets).done()])
    assert isinstance(events[0], ClockOffset)
    times = [event.t_received for event in events]
    assert times == sorted(times)
    values = np.array([50.0, 50.001, 50.002])
    expected = stamps + values[np.searchsorted([9.9, 14.9], stamps, side="right")]
    np.testing.assert_allclose(corrected(events), expected, atol=1e-9)
    delivered = [e.t_received for e in events if isinstance(e, ClockOffset)]
    assert delivered[1:] == pytest.approx([59.901, 64.902], abs=1e-3)


def test_streams_are_merged_in_the_order_of_their_arrival(xdf):
    xdf.add(100 + np.arange(500) / 100, offsets=[(100, -90.0)])
    face = np.zeros((31, 150), dtype=np.float32)
    names = FACE_FEATURES + FRAME_QUALITY
    xdf.add(10 + np.arange(150) / 30, face, stype="Face", name="Cam", ch_names=names, sfreq=30.0)
    marks = np.array([["a", "b"]], dtype=object)
    xdf.add([11.0, 13.0], marks, stype="Markers", name="M", ch_names=("m",), sfreq=0.0)
    with open_recording([xdf.done()]) as source:
        events = list(source.events())
        assert list(source.infos) == ["eeg", "face", "markers"]
        assert source.duration_s == pytest.approx(4.99)
        assert source.span("face") == pytest.approx((10.0, 10.0 + 149 / 30))
        assert source.span("markers") == (11.0, 13.0)
        assert sum("no clock offsets" in note for note in source.notes) == 2
    times = [event.t_received for event in events]
    assert times == sorted(times)
    assert samples(events, "markers").tolist() == [["a", "b"]]
    at = {
        modality: [e.t_received for e in events if isinstance(e, Chunk) and e.modality == modality]
        for modality in ("eeg", "face", "markers")
    }
    assert at["markers"] == [11.0, 13.0]
    assert min(at["eeg"]) == pytest.approx(10.0, abs=0.04)
    assert min(at["face"]) == pytest.approx(10.0, abs=0.04)


def test_backward_stamps_are_passed_on_raw_and_arrive_in_order(xdf):
    stamps = np.arange(300) / 100
    stamps[[50, 150]] -= 0.03
    events = play([xdf.add(stamps, offsets=[(0, 0.0)]).done()])
    assert corrected(events).tolist() == stamps.tolist()
    times = [event.t_received for event in events]
    assert times == sorted(times)


def test_a_clock_that_jumps_back_without_offsets_does_not_stop_time(xdf):
    stamps = np.concatenate([1000 + np.arange(300) / 100, 5 + np.arange(300) / 100])
    events = play([xdf.add(stamps).done()])
    assert corrected(events).tolist() == stamps.tolist()
    assert events[-1].t_received == pytest.approx(1006.0, abs=0.02)


def test_a_pause_of_days_does_not_make_millions_of_ticks(xdf):
    stamps = np.concatenate([np.arange(100) / 100, 1e7 + np.arange(100) / 100])
    events = play([xdf.add(stamps, offsets=[(0, 0.0)]).done()])
    assert len(events) < 200


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "float64"])
def test_the_senders_own_sample_type_is_kept(xdf, dtype):
    data = np.arange(200).reshape(2, 100).astype(dtype)
    events = play([xdf.add(np.arange(100) / 100, data).done()])
    assert samples(events).dtype == dtype
    assert samples(events).tolist() == data.tolist()


def test_streams_of_one_name_are_told_apart_by_type(xdf):
    xdf.add(np.arange(100) / 100, name="Muse", stype="ACC", source_id="m")
    xdf.add(np.arange(200) / 100, name="Muse", stype="EEG", source_id="m")
    path = xdf.done()
    with open_recording([path]) as source:
        assert source.infos["eeg"].stype == "EEG"
        assert samples(list(source.events())).shape == (2, 200)
    choice = StreamChoice(modality="eeg", name="Muse", stype="ACC")
    assert samples(play([path], [choice])).shape == (2, 100)


def test_several_eeg_streams_are_listed(xdf):
    xdf.add(np.arange(100) / 100, name="A").add(np.arange(100) / 100, name="B")
    path = xdf.done()
    with pytest.raises(StreamError, match=r"(?s)2 streams fit.*'A'.*'B'.*Say which by name"):
        open_recording([path])
    with open_recording([path], [replace(EEG, name="B")]) as source:
        assert source.infos["eeg"].name == "B"


def test_a_file_without_eeg_lists_what_it_holds(xdf):
    path = xdf.add(np.arange(10) / 10, stype="ACC").add([], stype="EEG", name="Dead").done()
    with pytest.raises(RecordingError, match=r"(?s)No stream with samples.*'ACC'.*'Dead'.*empty"):
        open_recording([path])


def test_a_face_alone_is_enough_unless_eeg_was_to_be_there(tmp_path, xdf):
    face = write_openface(tmp_path / "face.csv", seconds=2)
    with open_recording([face]) as source:
        assert list(source.infos) == ["face"]
    dead = xdf.add([], stype="EEG", name="Dead").done()
    with pytest.raises(RecordingError, match=r"(?s)No stream with samples fits type 'EEG'.*'Dead'"):
        open_recording([face, dead])


def test_a_required_stream_that_is_missing_is_named_and_an_optional_one_is_not(xdf):
    path = xdf.add(np.arange(10) / 10).done()
    face = StreamChoice(modality="face", stype="Face")
    with pytest.raises(RecordingError, match="type 'Face'"):
        open_recording([path], [EEG, face])
    with open_recording([path], [EEG, replace(face, required=False)]) as source:
        assert list(source.infos) == ["eeg"]


def test_a_stream_cannot_be_two_modalities(xdf):
    path = xdf.add(np.arange(10) / 10).done()
    with pytest.raises(RecordingError, match="each stream one modality"):
        open_recording([path], [EEG, replace(EEG, modality="face")])


@pytest.mark.parametrize("stype", ["rtaffect-truth", "rtaffect-estimate"])
def test_what_rtaffect_itself_sends_cannot_be_chosen(xdf, stype):
    path = xdf.add(np.arange(10) / 10, stype=stype).done()
    with pytest.raises(RecordingError, match="No stream with samples"):
        open_recording([path], [replace(EEG, stype=stype)])


def test_the_session_corrects_labels_units_and_rate(xdf):
    path = xdf.add(np.arange(10) / 10, units=("", "counts")).done()
    choice = replace(EEG, unit="uV", rename={"Cz": "Fz"}, sfreq=10.0)
    with open_recording([path], [choice]) as source:
        info = source.infos["eeg"]
    assert (info.ch_names, info.units, info.sfreq) == (("Fz", "Pz"), ("uV", "uV"), 10.0)


def test_a_simulated_sender_stays_simulated(xdf):
    with open_recording([xdf.add(np.arange(10) / 10, simulated=True).done()]) as source:
        assert source.infos["eeg"].simulated


def test_speed_paces_by_the_clock(xdf):
    path = xdf.add(10 + np.arange(300) / 100, offsets=[(0, 0.0)]).done()
    clock = ManualClock(1000.0)
    seen = []
    with open_recording([path], speed=2.0, clock=clock, wait=clock.advance) as source:
        seen += [(clock(), event.t_received) for event in source.events()]
    first = seen[0][1]
    for now, t in seen:
        assert now == pytest.approx(1000.0 + (t - first) / 2.0)


def test_a_consumer_that_falls_behind_is_not_made_to_wait(xdf):
    path = xdf.add(10 + np.arange(300) / 100, offsets=[(0, 0.0)]).done()
    clock = ManualClock(0.0)
    with open_recording([path], speed=1.0, clock=clock, wait=pytest.fail) as source:
        for _ in source.events():
            clock.advance(1.0)


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan"), float("inf")])
def test_a_speed_that_is_none_is_refused(xdf, speed):
    with pytest.raises(RecordingError, match="speed must be"):
        open_recording([xdf.add(np.arange(10) / 10).done()], speed=speed)


def test_close_ends_the_events(xdf):
    source = open_recording([xdf.add(np.arange(300) / 100).done()])
    events = source.events()
    next(events)
    source.close()
    source.close()
    assert list(events) == []


def test_a_gzipped_file_reads_like_a_plain_one(xdf):
    path = xdf.add(np.arange(10) / 10).done()
    zipped = path.with_suffix(".xdfz")
    zipped.write_bytes(gzip.compress(path.read_bytes()))
    assert samples(play([zipped])).tolist() == samples(play([path])).tolist()


@given(st.floats(0.0, 1.0))
@settings(deadline=None, max_examples=60)
def test_a_foreign_file_cut_anywhere_reads_so_far_or_is_refused(tmp_path_factory, fraction):
    xdf = XdfFile(tmp_path_factory.mktemp("cut") / "foreign.xdf")
    xdf.add(np.arange(100) / 100, offsets=[(0, 0.0)])
    for i in range(1, 5):
        stamps = i + np.arange(100) / 100
        xdf.writer.samples(1, stamps, np.full((2, 100), i, dtype=np.float32))
    path = xdf.done()
    whole = path.read_bytes()
    path.write_bytes(whole[: int(fraction * len(whole))])
    try:
        with open_recording([path]) as source:
            n_times = samples(list(source.events())).shape[1]
            notes = source.notes
    except RecordingError:
        return
    assert n_times % 100 == 0
    assert n_times == 500 or any("cut off" in n or "not closed" in n for n in notes)


def test_damage_in_the_middle_is_skipped_and_told(xdf):
    xdf.add(np.arange(100) / 100, offsets=[(0, 0.0)])
    xdf.file.write(b"\x07garbage")
    xdf.writer.boundary()
    xdf.writer.samples(1, 1 + np.arange(100) / 100, np.ones((2, 100), dtype=np.float32))
    with open_recording([xdf.done()]) as source:
        assert samples(list(source.events())).shape == (2, 200)
        assert any("damaged" in note for note in source.notes)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.xdf", b"", "zero bytes"),
        ("a.xdf", b"not XDF at all", "not an XDF file"),
        ("a.xdf", b"XDF:", "without a single stream"),
        ("a.xdf", b"XDF:\x01\x02\x03\x00", "without a single stream"),
        ("a.xdfz", b"XDF:plain", "cannot be read as XDF"),
        ("a.edf", b"no EDF", "MNE cannot read"),
        ("a.bdf", b"\xffBIOSEMI", "MNE cannot read"),
        ("a.fif", b"no FIF", "MNE cannot read"),
        ("a.set", b"no MAT", "MNE cannot read"),
        ("a.vhdr", b"no BrainVision", "MNE cannot read"),
        ("a.vmrk", b"x", "Give the .vhdr file"),
        ("a.mp4", b"x", "not a recording that can be read"),
    ],
)
def test_what_is_no_recording_is_refused_with_the_right_words(tmp_path, name, content, words):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=words):
        open_recording([path])


def test_folders_missing_files_and_nothing_at_all_are_refused(tmp_path):
    with pytest.raises(RecordingError, match="is a folder"):
        open_recording([tmp_path])
    with pytest.raises(RecordingError, match="No such file"):
        open_recording([tmp_path / "none.xdf"])
    with pytest.raises(RecordingError, match="At least one file"):
        open_recording([])


def test_stamps_that_are_no_numbers_are_refused(xdf):
    with pytest.raises(RecordingError, match="Stamps must be finite"):
        open_recording([xdf.add([0.0, np.nan, 1.0]).done()])


def mne_file(path, *, sfreq=250.0, n_times=5003, first_samp=0, words=("rest", "task")):
    import mne

    info = mne.create_info(["Fz", "Cz", "HEOG", "STI"], sfreq, ["eeg", "eeg", "eog", "stim"])
    data = np.vstack(
        [np.arange(n_times) * 1e-9, -np.arange(n_times) * 1e-9, np.zeros((2, n_times))]
    )
    data[3, 1000:1010] = 7
    raw = mne.io.RawArray(data, info, first_samp=first_samp, verbose="ERROR")
    raw.set_annotations(mne.Annotations([2.0, 10.0], 0.0, list(words)))
    raw.set_meas_date(1_600_000_000)
    raw.info["subject_info"] = {"last_name": "Personal", "birthday": None}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        raw.save(path, verbose="ERROR", fmt="double")
    return data


@pytest.mark.parametrize("first_samp", [0, 777])
def test_what_mne_reads_becomes_volts_stamped_from_zero(tmp_path, caplog, first_samp):
    caplog.set_level(logging.DEBUG)
    data = mne_file(tmp_path / "personal_raw.fif", first_samp=first_samp)
    with open_recording([tmp_path / "personal_raw.fif"]) as source:
        info = source.infos["eeg"]
        assert (info.ch_names, info.sfreq, info.units) == (("Fz", "Cz"), 250.0, ("V", "V"))
        assert source.duration_s == 5002 / 250.0
        events = list(source.events())
    assert samples(events).tolist() == data[:2].tolist()
    assert corrected(events).tolist() == [n / 250.0 for n in range(5003)]
    assert samples(events, "markers").tolist() == [["rest", "7", "task"]]
    marks = [e for e in events if isinstance(e, Chunk) and e.modality == "markers"]
    assert [e.stamps_s[0] for e in marks] == pytest.approx([2.0, 4.0, 10.0])
    assert "Personal" not in caplog.text


@pytest.mark.parametrize("word", ["boundary", "BAD boundary", "New Segment/", "BAD_ACQ_SKIP"])
@pytest.mark.parametrize("first_samp", [0, 777])
def test_where_a_file_was_cut_a_segment_ends(tmp_path, word, first_samp):
    mne_file(tmp_path / "cut_raw.fif", first_samp=first_samp, words=("rest", word))
    with open_recording([tmp_path / "cut_raw.fif"]) as source:
        events = list(source.events())
        spec = WindowSpec(modalities={"eeg": SignalSpec(ch_names=("Fz", "Cz"))})
        windows = list(open_windows(ListSource(events, source.infos), spec))
    assert samples(events).shape == (2, 5003)
    states = [e.state for e in events if isinstance(e, StreamEvent)]
    assert states == [StreamState.LOST, StreamState.RECOVERED]
    before = list(itertools.takewhile(lambda event: not is_loss(event), events))
    assert corrected(before)[-1] == 10.0 - 1 / 250.0
    for window in windows:
        joined = window.t_start < 10.0 < window.t_end
        assert not (joined and window.modalities["eeg"].usable)
    assert sum(window.modalities["eeg"].usable for window in windows) > 30


def is_loss(event):
    return isinstance(event, StreamEvent) and event.state is StreamState.LOST


def test_mnes_warnings_are_information_and_not_warnings(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    mne_file(tmp_path / "badly_named.fif")
    with open_recording([tmp_path / "badly_named.fif"]):
        pass
    assert any("naming conventions" in r.message and r.levelname == "INFO" for r in caplog.records)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50), st.floats(0.0, 1.0))
def test_arrivals_never_decrease_and_chunks_lose_nothing(times, period_s):
    arrived = arrivals(np.array(times), period_s=period_s)
    assert (np.diff(arrived) >= 0).all()
    data = np.arange(len(times))[None, :]
    chunks = list(chunk_events("eeg", np.array(times), data, arrived))
    assert np.concatenate([chunk.data for chunk in chunks], axis=1).tolist() == data.tolist()
    assert np.concatenate([chunk.stamps_s for chunk in chunks]).tolist() == times
