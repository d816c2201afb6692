"""Every CSV file of real and made faces is read, or refused in words that help."""

from pathlib import Path

import numpy as np
import pytest

from rtaffect.core.errors import RecordingError
from rtaffect.core.face_features import FACE_FEATURES
from rtaffect.core.streams import Chunk
from rtaffect.sources.openface import OpenFaceRecording

pytestmark = pytest.mark.recordings

KNOWN = {
    "facsvatar_2people_60fps_p0.csv": "lacks .* of the 29 facial features: .*pose_Tx",
    "facsvatar_2people_60fps_p1.csv": "lacks .* of the 29 facial features: .*pose_Tx",
    "facsvatar_demo_raw.csv": "",
    "pyfeat_OpenFace_Test.csv": "",
    "synthetic_openface22_nospace.csv": "",
    "synthetic_openface2x_multi_fail.csv": "",
    "synthetic_openface_img.csv": r"output for images \(FaceLandmarkImg\): it has no times",
}
"""What a file is refused with; "" where it is read."""


def data_of(path: Path) -> np.ndarray:
    events = OpenFaceRecording(path).play({0: "face"}, shift_s=0.0, delay_s=0.0)
    return np.concatenate([e.data for e in events if isinstance(e, Chunk)], axis=1)


def test_each_is_read_or_refused(shared_data: Path) -> None:
    paths = sorted((shared_data / "face").glob("*.csv"))
    assert paths
    for path in paths:
        refusal = KNOWN[path.name]
        if refusal:
            with pytest.raises(RecordingError, match=refusal):
                OpenFaceRecording(path)
            continue
        data = data_of(path)
        assert data.shape[0] == len(FACE_FEATURES) + 2
        valid = np.isfinite(data[:29]).all(axis=0)
        assert valid.any()
        # What is no measurement is NaN throughout: no zero passes for a face.
        assert np.isnan(data[:29, ~valid]).all()
        assert (data[30, valid] == 1).all()
        assert np.allclose(np.linalg.norm(data[:3, valid], axis=0), 1.0, atol=0.01)


def test_of_several_faces_and_failures_one_face_and_its_frames_are_left(shared_data: Path) -> None:
    path = shared_data / "face" / "synthetic_openface2x_multi_fail.csv"
    recording = OpenFaceRecording(path)
    assert "has 2 faces" in recording.notes[0]
    assert "have no face (success 0 or confidence below 0.8)" in recording.notes[-1]
    data = data_of(path)
    failed = data[30] == 0
    assert failed.any()
    assert np.isnan(data[:29, failed]).all()
