"""Every real recording opens as what it is, or is refused with the right words."""

import logging

import numpy as np
import pytest

from rtaffect.core.errors import RtaffectError
from rtaffect.core.face_features import FACE_FEATURES, FRAME_QUALITY
from rtaffect.core.streams import Chunk, ClockOffset, StreamChoice
from rtaffect.sources.recording import open_recording

pytestmark = pytest.mark.recordings

EEGMAT = ("EEG Fp1", "EEG Fp2", "EEG F3", "EEG F4", "EEG F7", "EEG F8", "EEG T3", "EEG T4")

OPENED = {  # channels, first labels, rate, unit, samples, duration
    "eeg/eeglab-sample/eeglab_data.set": (32, ("FPz", "EOG1", "F3"), 128.0, "V", 30504, 238.305),
    "eeg/eeglab-sample/test.bdf": (16, ("A1", "A2", "A3"), 256.0, "V", 15360, 59.996),
    "eeg/eegmat/Subject00_1.edf": (21, EEGMAT, 500.0, "V", 91000, 181.998),
    "eeg/eegmat/Subject00_2.edf": (21, EEGMAT, 500.0, "V", 31000, 61.998),
    "eeg/eegmat/Subject01_2.edf": (21, EEGMAT, 500.0, "V", 31000, 61.998),
    "xdf/muse/sub-P001_ses-S001_task-Default_run-001_eeg.xdf": (
        *(5, ("TP9", "AF7", "AF8", "TP10"), 256.0, "microvolts", 2820, 11.013),
    ),
    "xdf/muse/sub-P002_ses-S001_task-Default_run-001_eeg.xdf": (
        *(5, ("TP9", "AF7", "AF8", "TP10"), 256.0, "microvolts", 4356, 17.012),
    ),
    "xdf/muse/sub-P031_ses-S001_task-Default_run-001_eeg.xdf": (
        *(5, ("TP9", "AF7", "AF8", "TP10"), 256.0, "microvolts", 1284, 5.012),
    ),
}

FACES = {  # frames, frames without a face, rate
    "face/pyfeat_OpenFace_Test.csv": (100, 0, 1000.0),
    "face/synthetic_openface2x_multi_fail.csv": (60, 14, 30.0),
}

REFUSED = {
    "eeg/eeglab-sample/eeglab_data.fdt": r"Give the \.set file beside it",
    "eeg/eeglab-sample/eeglab_chan32.locs": "not a recording that can be read",
    "eeg/eeglab-sample/testmusemonitor.csv": "not OpenFace's.*begins with 'TimeStamp'",
    "xdf/labrecorder-examples/clock_resets.xdf": "no channel labels.*ch_names",
    "xdf/labrecorder-examples/minimal.xdf": "no channel labels.*ch_names",
    "xdf/labrecorder-examples/empty_streams.xdf": "(?s)No stream with samples.*10 samples.*empty",
    "face/facsvatar_2people_60fps_p0.csv": "lacks 9 of the 29 .*gaze_0_x.*pose_Tz",
    "face/synthetic_openface_img.csv": "FaceLandmarkImg.*no times",
    "face/pyfeat_face_noface.mov": "not a recording that can be read",
    "face/pyfeat_single_face.mp4": "not a recording that can be read",
}


def play(paths, choices=None, **kwargs):
    with open_recording(paths, choices, **kwargs) as source:
        events = list(source.events())
    times = [event.t_received for event in events]
    assert times == sorted(times)
    return source, events


def chunks(events, modality):
    return [event for event in events if isinstance(event, Chunk) and event.modality == modality]


def samples(events, modality):
    return np.concatenate([chunk.data for chunk in chunks(events, modality)], axis=1)


def corrected(events, modality):
    offset_s, stamps = np.nan, []
    for event in events:
        if isinstance(event, ClockOffset) and event.modality == modality:
            offset_s = event.offset_s
        elif isinstance(event, Chunk) and event.modality == modality:
            stamps.append(event.stamps_s + offset_s)
    return np.concatenate(stamps)


@pytest.mark.parametrize("name", sorted(OPENED))
def test_an_eeg_file_opens_as_what_it_is(shared_data, name):
    n_channels, first, sfreq, unit, n_times, duration_s = OPENED[name]
    source, events = play([shared_data / name])
    info = source.infos["eeg"]
    assert info.n_channels == n_channels
    assert info.ch_names[: len(first)] == first
    assert info.sfreq == sfreq
    assert set(info.units) == {unit}
    assert source.duration_s == pytest.approx(duration_s, abs=1e-3)
    data = samples(events, "eeg")
    assert data.shape == (n_channels, n_times)
    assert np.isfinite(data.astype(np.float64)).all()
    in_uv = data * (1e6 if unit == "V" else 1.0)
    assert 1.0 < np.median(in_uv.std(axis=1)) < 1000.0


@pytest.mark.parametrize("name", sorted(FACES))
def test_a_face_file_opens_as_what_it_is(shared_data, name):
    n_frames, n_missing, sfreq = FACES[name]
    source, events = play([shared_data / name])
    assert list(source.infos) == ["face"]
    info = source.infos["face"]
    assert info.ch_names == FACE_FEATURES + FRAME_QUALITY
    assert info.sfreq == pytest.approx(sfreq, rel=1e-3)
    data = samples(events, "face")
    assert data.shape == (31, n_frames)
    assert np.isnan(data[:29]).all(axis=0).sum() == n_missing
    assert np.isnan(data[:29]).any(axis=0).sum() == n_missing


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_cannot_be_decoded_is_refused_with_the_right_words(shared_data, name):
    with pytest.raises(RtaffectError, match=REFUSED[name]):
        open_recording([shared_data / name])


def test_no_real_file_is_left_out(shared_data):
    known = set(OPENED) | set(FACES) | set(REFUSED)
    files = [path for kind in ("eeg", "xdf", "face") for path in (shared_data / kind).rglob("*.*")]
    documents = {".txt", ".md"}
    names = {str(path.relative_to(shared_data)) for path in files if path.suffix not in documents}
    assert names <= known


def test_the_same_samples_as_mne_reads(shared_data):
    import mne

    path = shared_data / "eeg/eegmat/Subject00_2.edf"
    raw = mne.io.read_raw_edf(path, preload=True, verbose="ERROR")
    _, events = play([path])
    assert np.array_equal(samples(events, "eeg"), raw.get_data())
    assert np.array_equal(corrected(events, "eeg"), np.arange(31000) / 500.0)


def test_events_of_a_set_file_become_markers(shared_data):
    _, events = play([shared_data / "eeg/eeglab-sample/eeglab_data.set"])
    texts = samples(events, "markers")[0].tolist()
    assert len(texts) == 154
    assert set(texts) == {"square", "rt"}
    assert corrected(events, "markers")[0] == pytest.approx(1.000068)


def test_a_header_with_personal_data_leaves_no_trace(shared_data, caplog):
    caplog.set_level(logging.DEBUG)
    source, _ = play([shared_data / "eeg/eegmat/Subject00_1.edf"])
    said = " ".join([caplog.text, *source.notes, str(source.infos)])
    header = (shared_data / "eeg/eegmat/Subject00_1.edf").read_bytes()[8:184]
    for field in header.decode("latin1").split():
        assert len(field) < 4 or field not in said


def test_a_clock_reset_leaves_two_segments(shared_data):
    names = tuple(f"E{i}" for i in range(8))
    choices = [
        StreamChoice(modality="eeg", stype="EEG", ch_names=names),
        StreamChoice(modality="markers", stype="Markers"),
    ]
    source, events = play([shared_data / "xdf/labrecorder-examples/clock_resets.xdf"], choices)
    times = corrected(events, "eeg")
    assert len(times) == 27815
    assert times[0] == pytest.approx(810.1, abs=0.1)
    assert times[-1] == pytest.approx(1383.1, abs=0.1)
    breaks = np.flatnonzero(np.abs(np.diff(times)) > 1.0)
    assert breaks.tolist() == [12875]  # pyxdf: segments (0..12875), (12876..27814)
    assert times[12876] > times[12875]
    raw = np.concatenate([chunk.stamps_s for chunk in chunks(events, "eeg")])
    assert raw[12876] - raw[12875] < -600_000
    marks = corrected(events, "markers")
    assert len(marks) == 175
    assert (np.diff(marks) > 0).all()
    assert source.duration_s == pytest.approx(573.0, abs=0.5)


def test_corrected_stamps_agree_with_pyxdf(shared_data):
    import pyxdf

    path = shared_data / "xdf/muse/sub-P002_ses-S001_task-Default_run-001_eeg.xdf"
    loaded, _ = pyxdf.load_xdf(path, dejitter_timestamps=False)
    expected = {stream["info"]["type"][0]: stream["time_stamps"] for stream in loaded}
    for stype in ("EEG", "ACC", "GYRO"):  # ACC has stamps that go back
        choice = StreamChoice(modality="eeg", name="Muse", stype=stype)
        _, events = play([path], [choice])
        # pyxdf draws one line through all offsets, we use the newest: they jitter by some 20 us.
        np.testing.assert_allclose(corrected(events, "eeg"), expected[stype], atol=1e-4)


def test_a_minimal_file_applies_the_first_offset_to_what_came_before_it(shared_data):
    choice = StreamChoice(modality="eeg", stype="EEG", ch_names=("a", "b", "c"))
    text = StreamChoice(modality="markers", stype="StringMarker")
    source, events = play([shared_data / "xdf/labrecorder-examples/minimal.xdf"], [choice, text])
    np.testing.assert_allclose(corrected(events, "eeg"), np.arange(50, 59) / 10, atol=1e-9)
    np.testing.assert_allclose(corrected(events, "markers"), np.arange(51, 60) / 10)
    assert samples(events, "eeg").dtype == np.int16
    assert samples(events, "eeg")[:, 0].tolist() == [192, 255, 238]
    assert samples(events, "markers")[0, 1:5].tolist() == ["Hello", "World", "from", "LSL"]
    assert any("'SendDataString' has no clock offsets" in note for note in source.notes)


def test_an_integer_stream_beside_empty_ones_can_be_chosen(shared_data):
    choice = StreamChoice(modality="eeg", name="Data stream: test stream 0 counter")
    _, events = play([shared_data / "xdf/labrecorder-examples/empty_streams.xdf"], [choice])
    assert samples(events, "eeg").tolist() == [list(range(10))]


def test_a_face_file_beside_an_eeg_file_begins_when_it_does(shared_data):
    face = shared_data / "face/synthetic_openface2x_multi_fail.csv"
    muse = shared_data / "xdf/muse/sub-P001_ses-S001_task-Default_run-001_eeg.xdf"
    source, events = play([muse, face], face_offset_s=1.5)
    assert list(source.infos) == ["eeg", "face"]
    begins = corrected(events, "eeg")[0]
    assert corrected(events, "face")[0] == pytest.approx(begins + 1.5, abs=0.05)
    _, swapped = play([face, muse], face_offset_s=1.5)
    assert corrected(swapped, "face")[0] == corrected(events, "face")[0]
