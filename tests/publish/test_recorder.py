"""What is recorded can be lived through again, by us bit for bit and by other readers of XDF."""

import json
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import pyxdf
from hypothesis import given, settings
from hypothesis import strategies as st

from rtaffect.core.errors import RecordingError
from rtaffect.core.estimate import Distribution, Estimate, as_jsonable
from rtaffect.core.sinks import Timing
from rtaffect.core.streams import Chunk, ClockOffset, StreamEvent, StreamInfo, StreamState, Tick
from rtaffect.publish.recorder import Recorder
from rtaffect.sources.recording import open_recording
from rtaffect.sources.xdf_file import read_xdf

INFOS = {
    "eeg": StreamInfo(
        modality="eeg",
        name="Amp",
        stype="EEG",
        source_id="a1",
        ch_names=("Cz", "Pz"),
        sfreq=250.0,
        units=("uV", "uV"),
        simulated=True,
        about={"acquisition.tr_s": "2.0", "processing.detrend": "glm", "odd key": "kept, too"},
    ),
    "face": StreamInfo(modality="face", name="Cam", stype="Face", ch_names=("AU12_r",), sfreq=0.0),
    "markers": StreamInfo(
        modality="markers", name="M", stype="Markers", ch_names=("x",), sfreq=0.0, is_text=True
    ),
}
DTYPES = {"eeg": np.float32, "face": np.int16, "markers": object}
WORDS = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
TIMES = st.floats(allow_nan=True, allow_infinity=True)
FINITE = st.floats(-1e9, 1e9)


@st.composite
def chunks(draw, modality):
    n_times = draw(st.integers(0, 5))
    shape = (INFOS[modality].n_channels, n_times)
    values = {
        "eeg": st.floats(width=32),
        "face": st.integers(-(2**15), 2**15 - 1),
        "markers": WORDS,
    }[modality]
    flat = draw(st.lists(values, min_size=shape[0] * n_times, max_size=shape[0] * n_times))
    data = np.array(flat, dtype=DTYPES[modality]).reshape(shape)
    stamps = np.array(draw(st.lists(TIMES, min_size=n_times, max_size=n_times)), dtype=np.float64)
    return lambda t: Chunk(modality, data, stamps, t)


MODALITY = st.sampled_from(sorted(INFOS))
EVENT = st.one_of(
    MODALITY.flatmap(chunks),
    st.builds(lambda m, v: lambda t: ClockOffset(m, v, t), MODALITY, FINITE),
    st.just(Tick),
    st.builds(
        lambda m, s, d: lambda t: StreamEvent(m, s, t, d),
        MODALITY,
        st.sampled_from(list(StreamState)),
        WORDS,
    ),
)
STEPS = st.floats(0.0, 2.0)


@st.composite
def sequences(draw):
    makers = draw(st.lists(EVENT, max_size=30))
    t = draw(FINITE)
    events = []
    for make in makers:
        t += draw(STEPS)
        events.append(make(t))
    return events


def plain(event):
    """Everything that tells two events apart, comparable with ==, NaN included."""
    if not isinstance(event, Chunk):
        return event
    data = event.data.tolist() if event.data.dtype == object else event.data.tobytes()
    stamps = event.stamps_s.tobytes()
    return (event.modality, str(event.data.dtype), event.data.shape, data, stamps, event.t_received)


def assert_begins(events, replayed):
    assert [plain(event) for event in replayed] == [plain(e) for e in events[: len(replayed)]]


def record(path, events, *, session=None, infos=INFOS):
    recorder = Recorder(path, infos, session=session or {})
    for event in events:
        recorder.on_event(event)
    return recorder


def replay(path, **kwargs):
    with open_recording([path], **kwargs) as source:
        return dict(source.infos), list(source.events())


@given(sequences())
@settings(deadline=None, max_examples=60)
def test_any_sequence_of_events_comes_back_bit_for_bit(events):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "session.xdf"
        record(path, events).close()
        infos, replayed = replay(path)
    assert infos == INFOS
    assert [plain(event) for event in replayed] == [plain(event) for event in events]


def steady(n_events, *, t=100.0):
    """EEG chunks of 4 samples every 16 ms with ticks, on a sender's clock 50 s behind."""
    events = [ClockOffset("eeg", 50.0, t)]
    for i in range(n_events):
        stamps = t - 50.0 + (4 * i + np.arange(4)) / 250.0
        data = np.full((2, 4), i, dtype=np.float32)
        events.append(Chunk("eeg", data, stamps, t + (i + 1) * 0.016))
        if i % 16 == 15:
            events.append(Tick(t + (i + 1) * 0.016))
    return events


def test_a_recording_of_a_recording_is_the_same(tmp_path):
    events = steady(300)
    record(tmp_path / "first.xdf", events).close()
    _, replayed = replay(tmp_path / "first.xdf")
    record(tmp_path / "second.xdf", replayed).close()
    assert (tmp_path / "first.xdf").read_bytes() == (tmp_path / "second.xdf").read_bytes()


def test_a_process_that_dies_loses_about_a_second(tmp_path):
    events = steady(300)  # 4.8 s
    recorder = record(tmp_path / "session.xdf", events)
    found = (tmp_path / "session.xdf").read_bytes()  # what the operating system has by now
    recorder.close()
    (tmp_path / "crash.xdf").write_bytes(found)
    _, replayed = replay(tmp_path / "crash.xdf")
    assert_begins(events, replayed)
    assert events[-1].t_received - replayed[-1].t_received <= 1.1


@given(st.floats(0.0, 1.0))
@settings(deadline=None, max_examples=40)
def test_a_recording_cut_anywhere_replays_from_its_start_or_is_refused(fraction):
    events = steady(150)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "session.xdf"
        record(path, events).close()
        whole = path.read_bytes()
        path.write_bytes(whole[: int(fraction * len(whole))])
        if fraction < 0.3:  # the headers or the first second may have been cut
            with suppress(RecordingError):
                _, replayed = replay(path)
                assert_begins(events, replayed)
        else:
            _, replayed = replay(path)
            assert_begins(events, replayed)


def test_an_existing_file_is_not_overwritten(tmp_path):
    path = tmp_path / "session.xdf"
    path.write_text("precious")
    with pytest.raises(RecordingError, match="exists and is not overwritten"):
        Recorder(path, INFOS, session={})
    assert path.read_text() == "precious"


def test_a_folder_that_is_missing_is_named(tmp_path):
    with pytest.raises(RecordingError, match="No such file or directory"):
        Recorder(tmp_path / "nowhere" / "session.xdf", INFOS, session={})


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_reported_once_and_closing_is_quiet(tmp_path, monkeypatch):
    def open_full(self, mode, buffering):
        return open("/dev/full", "wb", buffering=buffering)  # noqa: PTH123

    monkeypatch.setattr(Path, "open", open_full)
    recorder = Recorder(tmp_path / "session.xdf", INFOS, session={})
    with pytest.raises(RecordingError, match="No space left"):
        recorder.on_event(Tick(1.0))
    recorder.on_event(Tick(2.0))
    recorder.close()
    recorder.close()


def test_samples_that_change_their_type_are_refused(tmp_path):
    recorder = Recorder(tmp_path / "session.xdf", INFOS, session={})
    recorder.on_event(Chunk("eeg", np.zeros((2, 1), np.float32), np.zeros(1), 1.0))
    with pytest.raises(RecordingError, match="was float32 and became float64"):
        recorder.on_event(Chunk("eeg", np.zeros((2, 1)), np.zeros(1), 1.0))
    recorder.close()


def test_a_stream_that_was_not_announced_is_refused(tmp_path):
    recorder = Recorder(tmp_path / "session.xdf", INFOS, session={})
    with pytest.raises(RecordingError, match="'emg' arrived"):
        recorder.on_event(ClockOffset("emg", 0.0, 1.0))
    recorder.close()


def load(path):
    streams, _ = pyxdf.load_xdf(path, dejitter_timestamps=False)
    return {stream["info"]["type"][0]: stream for stream in streams}


def test_other_readers_align_the_streams(tmp_path):
    record(tmp_path / "session.xdf", steady(100)).close()
    eeg = load(tmp_path / "session.xdf")["EEG"]
    expected = 100.0 + np.arange(400) / 250.0
    np.testing.assert_allclose(eeg["time_stamps"], expected, atol=1e-9)
    assert eeg["info"]["desc"][0]["simulated"] == ["true"]


def test_other_readers_are_told_how_a_stream_was_acquired(tmp_path):
    path = tmp_path / "session.xdf"
    record(path, steady(20)).close()
    streams, _ = pyxdf.load_xdf(path)
    (desc,) = (s["info"]["desc"][0] for s in streams if s["info"]["name"] == ["Amp"])
    assert desc["acquisition"] == [{"tr_s": ["2.0"]}]
    assert desc["processing"] == [{"detrend": ["glm"]}]
    read, _ = read_xdf(path)
    (amp,) = (stream for stream in read if stream.name == "Amp")
    assert amp.about == {"acquisition.tr_s": "2.0", "processing.detrend": "glm"}


def test_estimates_are_kept_with_their_timing(tmp_path):
    estimate = Estimate(
        decoder="d",
        t_start=97.0,
        t_end=100.0,
        targets={"valence": Distribution(classes=("-", "+"), probabilities=(0.25, 0.75), edges=())},
        confidence=0.5,
        coverage={"eeg": 1.0},
        flags=(),
        contributions={"d": 1.0},
        n_slices=1,
        bundle_digest="ab",
    )
    recorder = record(tmp_path / "session.xdf", steady(10))
    recorder.on_estimate(estimate, Timing(t_closed=100.1, t_decoded=100.2))
    recorder.close()
    kept = load(tmp_path / "session.xdf")["rtaffect-estimates"]
    assert kept["time_stamps"].tolist() == [100.0]
    assert json.loads(kept["time_series"][0][0]) == {
        "estimate": as_jsonable(estimate),
        "t_closed": 100.1,
        "t_decoded": 100.2,
    }
    _, replayed = replay(tmp_path / "session.xdf")
    assert [plain(e) for e in replayed] == [plain(e) for e in steady(10)]


def test_the_session_is_described_once(tmp_path):
    record(tmp_path / "session.xdf", steady(10), session={"bundles": {"d": "ab"}}).close()
    about = load(tmp_path / "session.xdf")["rtaffect-session"]
    (text,) = about["time_series"][0]
    content = json.loads(text)
    assert content["session"] == {"bundles": {"d": "ab"}}
    assert [one["modality"] for one in content["streams"]] == list(INFOS)
    assert about["time_stamps"].tolist() == [100.0]


def test_a_recording_of_nothing_opens(tmp_path):
    Recorder(tmp_path / "session.xdf", INFOS, session={}).close()
    infos, events = replay(tmp_path / "session.xdf")
    assert (infos, events) == (INFOS, [])


def test_nothing_is_computed_for_the_recorder(tmp_path):
    recorder = Recorder(tmp_path / "session.xdf", {}, session={})
    assert not recorder.wants_matrices("d")
    recorder.close()
