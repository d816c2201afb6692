"""OpenFace's CSV files in all their spellings."""

import numpy as np
import pytest

from rtaffect.core.errors import RecordingError
from rtaffect.core.face_features import FACE_FEATURES, FRAME_QUALITY
from rtaffect.core.streams import Chunk, ClockOffset
from rtaffect.sources.openface import OpenFaceRecording

COLUMNS = ("frame", "face_id", "timestamp", *FRAME_QUALITY, *FACE_FEATURES)


def write(path, rows, *, columns=COLUMNS, separator=","):
    lines = [separator.join(columns)]
    lines += [separator.join(str(row.get(name, 0.5)) for name in columns) for row in rows]
    path.write_text("\n".join(lines) + "\n")
    return path


def frame(n, **values):
    values.setdefault("timestamp", round((n - 1) / 30, 3))
    return {"frame": n, "face_id": 0, "confidence": 0.98, "success": 1, **values}


def play(recording, **kwargs):
    events = list(recording.play({0: "face"}, **{"shift_s": 0.0, "delay_s": 0.0, **kwargs}))
    chunks = [event for event in events if isinstance(event, Chunk)]
    data = np.concatenate([chunk.data for chunk in chunks], axis=1)
    stamps = np.concatenate([chunk.stamps_s for chunk in chunks])
    return events, stamps, data


@pytest.mark.parametrize("separator", [",", ", "])
def test_features_come_in_openfaces_order_whatever_the_separator(tmp_path, separator):
    rows = [
        frame(n, **{name: n + i / 100 for i, name in enumerate(FACE_FEATURES)}) for n in (1, 2, 3)
    ]
    recording = OpenFaceRecording(write(tmp_path / "f.csv", rows, separator=separator))
    (stream,) = recording.streams
    assert stream.ch_names == FACE_FEATURES + FRAME_QUALITY
    _, stamps, data = play(recording)
    expected = np.arange(1, 4) + np.arange(29)[:, None] / 100
    np.testing.assert_allclose(data[:29], expected, rtol=1e-6)
    assert stamps.tolist() == [0.0, 0.033, 0.067]


def test_columns_are_found_by_name_not_by_place(tmp_path):
    rows = [frame(1, AU12_r=4.0), frame(2, AU12_r=5.0)]
    columns = ("extra", *reversed(COLUMNS))
    _, _, data = play(OpenFaceRecording(write(tmp_path / "f.csv", rows, columns=columns)))
    assert data[FACE_FEATURES.index("AU12_r")].tolist() == [4.0, 5.0]


@pytest.mark.parametrize(
    "bad", [{"success": 0}, {"confidence": 0.79}, {"success": 0, "confidence": 0.0}]
)
def test_a_frame_without_a_face_is_missing_and_never_zero(tmp_path, bad):
    rows = [frame(1), frame(2, **bad, AU12_r=0), frame(3)]
    recording = OpenFaceRecording(write(tmp_path / "f.csv", rows))
    _, _, data = play(recording)
    assert np.isnan(data[:29, 1]).all()
    assert np.isfinite(data[:29, [0, 2]]).all()
    assert np.isfinite(data[29:]).all()
    assert "1 of 3 frames have no face" in recording.notes[0]


def test_a_confidence_of_exactly_the_limit_counts(tmp_path):
    _, _, data = play(OpenFaceRecording(write(tmp_path / "f.csv", [frame(1, confidence=0.8)] * 2)))
    assert np.isfinite(data).all()


def test_of_several_faces_the_one_seen_longest_is_taken_and_named(tmp_path):
    rows = []
    for n in range(1, 11):
        rows.append(frame(n, face_id=3, AU12_r=1.0, success=int(n < 4)))
        if n > 4:
            rows.append(frame(n, face_id=7, AU12_r=2.0))
    recording = OpenFaceRecording(write(tmp_path / "f.csv", rows))
    assert "2 faces" in recording.notes[0]
    assert "face_id 7 with 6 frames" in recording.notes[0]
    _, stamps, data = play(recording)
    assert set(data[FACE_FEATURES.index("AU12_r")].tolist()) == {2.0}
    assert stamps[0] == pytest.approx(4 / 30, abs=1e-3)


def test_the_rate_survives_rounded_times_and_left_out_frames(tmp_path):
    rows = [frame(n) for n in range(1, 301) if n % 7]
    (stream,) = OpenFaceRecording(write(tmp_path / "f.csv", rows)).streams
    assert stream.sfreq == pytest.approx(30.0, rel=1e-3)


def test_missing_features_are_named(tmp_path):
    columns = [name for name in COLUMNS if name not in ("gaze_0_x", "pose_Tz")]
    path = write(tmp_path / "f.csv", [frame(1), frame(2)], columns=columns)
    with pytest.raises(RecordingError, match=r"lacks 2 of the 29 .*: gaze_0_x, pose_Tz"):
        OpenFaceRecording(path)


def test_without_quality_columns_every_frame_counts_and_that_is_said(tmp_path):
    columns = [name for name in COLUMNS if name not in FRAME_QUALITY]
    rows = [frame(1, success=0), frame(2)]
    recording = OpenFaceRecording(write(tmp_path / "f.csv", rows, columns=columns))
    assert "no column confidence and success" in recording.notes[0]
    _, _, data = play(recording)
    assert np.isfinite(data).all()


def test_times_are_laid_where_the_eeg_is(tmp_path):
    recording = OpenFaceRecording(write(tmp_path / "f.csv", [frame(1), frame(2)]))
    events, stamps, _ = play(recording, shift_s=1000.0, delay_s=0.1)
    assert events[0] == ClockOffset("face", 1000.0, 1000.1)
    assert stamps.tolist() == [0.0, 0.033]
    assert [event.t_received for event in events[1:]] == pytest.approx([1000.1, 1000.133])


def test_a_row_that_is_cut_off_at_the_end_is_left_out_and_that_is_said(tmp_path):
    path = write(tmp_path / "f.csv", [frame(n) for n in range(1, 6)])
    path.write_text(path.read_text()[:-40])
    recording = OpenFaceRecording(path)
    assert recording.streams[0].n_times == 4
    assert "ends within a row" in recording.notes[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("face, confidence, gaze_0_x\n0, 0.9, 0.1\n", "FaceLandmarkImg"),
        ("TimeStamp,Delta_TP9\n2017-11-02,0.3\n", "begins with 'TimeStamp', 'Delta_TP9'"),
        ("timestamp,TP9,AF7\n0.0,1,2\n", "not OpenFace's"),
        ("\n", "begins with nothing"),
        (",".join(COLUMNS) + "\n", "at least two frames, it has 0"),
    ],
)
def test_other_files_are_refused_by_what_they_are(tmp_path, text, words):
    path = tmp_path / "f.csv"
    path.write_text(text)
    with pytest.raises(RecordingError, match=words):
        OpenFaceRecording(path)


def test_binary_garbage_is_refused(tmp_path):
    path = tmp_path / "f.csv"
    path.write_bytes(bytes(range(256)))
    with pytest.raises(RecordingError, match="not a text file"):
        OpenFaceRecording(path)


def test_a_word_among_numbers_is_named_by_line(tmp_path):
    path = write(tmp_path / "f.csv", [frame(1), frame(2, AU04_r="oops"), frame(3)])
    with pytest.raises(RecordingError, match=r"line 3: numbers are needed .*oops"):
        OpenFaceRecording(path)


def test_a_short_row_in_the_middle_is_named_by_line(tmp_path):
    path = write(tmp_path / "f.csv", [frame(1), frame(2), frame(3)])
    lines = path.read_text().splitlines()
    lines[2] = "2,0,0.033"
    path.write_text("\n".join(lines))
    with pytest.raises(RecordingError, match="line 3: 34 values are needed, 3 are there"):
        OpenFaceRecording(path)


def test_a_frame_without_a_time_is_refused(tmp_path):
    path = write(tmp_path / "f.csv", [frame(1), frame(2, timestamp="nan")])
    with pytest.raises(RecordingError, match="every timestamp must be a number"):
        OpenFaceRecording(path)
