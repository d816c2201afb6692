"""Our CSV files are read as OpenFace's own, and say what OpenFace's say."""

import csv
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from rtaffect.core.errors import FaceError
from rtaffect.core.streams import Chunk
from rtaffect.face import clip as clip_module
from rtaffect.face.clip import write_features
from rtaffect.face.extractor import Extractor, FaceFrame
from rtaffect.face.landmarks import Landmarker
from rtaffect.face.openface_csv import OpenFaceCsv
from rtaffect.sources.openface import OpenFaceRecording

Floats = npt.NDArray[np.float64]
DIGITS = [6] * 6 + [1] * 3 + [3] * 3 + [2] * 17
"""What OpenFace writes of gaze, position, rotation and intensities."""


def frame(t_s: float, values: Floats | None) -> FaceFrame:
    features = np.full(29, np.nan) if values is None else values
    seen = values is not None
    return FaceFrame(t_s, features, 0.97 if seen else 0.0, seen, int(seen), None, None)


def write(path: Path, frames: list[FaceFrame]) -> list[dict[str, str]]:
    with OpenFaceCsv(path) as file:
        for one in frames:
            file.write(one)
    with path.open(newline="", encoding="utf-8") as text:
        return list(csv.DictReader(text, skipinitialspace=True))


def samples(path: Path) -> Floats:
    """Return what the runtime reads of a file, shape (31, n)."""
    recording = OpenFaceRecording(path)
    events = recording.play({0: "face"}, shift_s=0.0, delay_s=0.0)
    return np.concatenate([e.data for e in events if isinstance(e, Chunk)], axis=1)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    values = [np.abs(rng.normal(size=29)) for _ in range(20)]
    path = tmp_path / "clip.csv"
    write(path, [frame(i / 30, None if i in (3, 4) else v) for i, v in enumerate(values)])
    data = samples(path)
    assert data.shape == (31, 20)
    assert np.isnan(data[:29, 3:5]).all()
    for i in (0, 5, 19):
        rounded = [round(v, digits) for v, digits in zip(values[i], DIGITS, strict=True)]
        assert np.allclose(data[:29, i], rounded, atol=1e-6)
        assert data[29:, i].tolist() == pytest.approx([0.97, 1.0])


def test_a_lost_face_is_written_as_openface_writes_it(tmp_path: Path) -> None:
    rows = write(tmp_path / "clip.csv", [frame(0.0, None), frame(0.5, np.ones(29))])
    assert list(rows[0])[:5] == ["frame", "face_id", "timestamp", "confidence", "success"]
    assert (rows[0]["success"], rows[0]["gaze_0_x"], rows[0]["AU12_r"]) == ("0", "0.000000", "0.00")
    assert (rows[1]["frame"], rows[1]["timestamp"], rows[1]["success"]) == ("2", "0.500", "1")
    assert rows[1]["pose_Tz"] == "1.0"


def test_unknown_action_units_are_no_measurement(tmp_path: Path) -> None:
    """Before the neutral face is known a zero would be a lie."""
    values = np.ones(29)
    values[12:] = np.nan
    path = tmp_path / "clip.csv"
    rows = write(path, [frame(0.0, values), frame(0.1, np.ones(29))])
    assert (rows[0]["success"], rows[0]["AU12_r"]) == ("0", "nan")
    assert np.isnan(samples(path)[:29, 0]).all()


def test_gaze_angles_are_those_of_the_mean_of_both_eyes(tmp_path: Path) -> None:
    values = np.zeros(29)
    values[:6] = [0.2, 0.1, -0.9, 0.4, 0.3, -0.8]
    (row,) = write(tmp_path / "clip.csv", [frame(0.0, values)])
    assert float(row["gaze_angle_x"]) == pytest.approx(np.arctan(0.3 / 0.85), abs=1e-3)
    assert float(row["gaze_angle_y"]) == pytest.approx(np.arctan(0.2 / 0.85), abs=1e-3)


def test_nothing_is_written_over(tmp_path: Path) -> None:
    path = tmp_path / "clip.csv"
    path.write_text("mine")
    with pytest.raises(FaceError, match="exists already"):
        OpenFaceCsv(path)
    with pytest.raises(FaceError, match="file that can be written"):
        OpenFaceCsv(tmp_path / "nowhere" / "clip.csv")
    assert path.read_text() == "mine"


@pytest.mark.recordings
def test_a_clip_becomes_a_file(shared_data: Path, tmp_path: Path, landmarker: Landmarker) -> None:
    out = tmp_path / "face.csv"
    clip = shared_data / "face" / "pyfeat_face_noface.mov"
    done = write_features(clip, out, Extractor(landmarker))
    assert (done.n_frames, done.n_faces, done.n_without_units) == (169, 72, 54)
    data = samples(out)
    assert data.shape == (31, 169)
    assert np.isnan(data[:29, 72:]).all()
    assert np.isfinite(data[:29, 60:72]).all()
    assert [path.name for path in tmp_path.iterdir()] == ["face.csv"]
    with pytest.raises(FaceError, match="exists already"):
        write_features(clip, out, Extractor(landmarker))


def test_a_video_without_a_picture_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, landmarker: Landmarker
) -> None:
    monkeypatch.setattr(clip_module, "open_video", lambda _: (None, None))
    monkeypatch.setattr(clip_module, "read_pictures", lambda *_: iter(()))
    with pytest.raises(FaceError, match="must hold pictures, but not one"):
        write_features(tmp_path / "cut.mp4", tmp_path / "out.csv", Extractor(landmarker))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(FaceError, match="nowhere must be a folder that is there"):
        write_features(tmp_path / "a.mp4", tmp_path / "nowhere" / "o.csv", Extractor(landmarker))


def test_what_is_no_video_is_refused(tmp_path: Path, landmarker: Landmarker) -> None:
    text = tmp_path / "notes.mp4"
    text.write_text("not a video")
    with pytest.raises(FaceError, match="must be a video that OpenCV reads"):
        write_features(text, tmp_path / "out.csv", Extractor(landmarker))
    with pytest.raises(FaceError, match="There is no video file"):
        write_features(tmp_path / "none.mp4", tmp_path / "out.csv", Extractor(landmarker))
    assert not (tmp_path / "out.csv").exists()
