"""Faces in real clips are found, followed and lost when they are."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtaffect.core.errors import FaceError
from rtaffect.core.face_features import FACE_FEATURES
from rtaffect.face.backends import open_landmarker
from rtaffect.face.cameras import open_video, read_pictures
from rtaffect.face.crop import Square
from rtaffect.face.extractor import Extractor, FaceFrame
from rtaffect.face.landmarks import Landmarker
from rtaffect.face.models import find_models
from rtaffect.face.neutral import NeutralSettings

Image = npt.NDArray[np.uint8]


def frames_of(path: Path, landmarker: Landmarker) -> list[FaceFrame]:
    extractor = Extractor(landmarker)
    return [extractor.extract(p.image, p.t_s) for p in read_pictures(*open_video(path))]


@pytest.mark.recordings
def test_a_face_that_leaves_is_lost_at_once(shared_data: Path, landmarker: Landmarker) -> None:
    frames = frames_of(shared_data / "face" / "pyfeat_face_noface.mov", landmarker)
    assert len(frames) == 169
    assert [frame.success for frame in frames] == [True] * 72 + [False] * 97
    for frame in frames[72:]:
        assert np.isnan(frame.features).all()
        assert frame.confidence == 0.0
        assert frame.landmarks is None


@pytest.mark.recordings
def test_a_face_is_followed_and_its_numbers_are_those_of_a_face(
    shared_data: Path, landmarker: Landmarker
) -> None:
    frames = frames_of(shared_data / "face" / "pyfeat_single_face.mp4", landmarker)
    assert all(frame.success for frame in frames)
    assert {frame.n_faces for frame in frames} == {1}
    features = np.array([frame.features for frame in frames])
    assert np.isnan(features[0, 12:]).all()  # the neutral face is not known yet
    assert np.isfinite(features[:, :12]).all()
    later = features[60:]
    assert np.isfinite(later).all()
    assert ((later[:, 12:] >= 0) & (later[:, 12:] <= 5)).all()
    assert np.allclose(np.linalg.norm(later[:, :3], axis=1), 1.0)
    assert (later[:, 2] < -0.8).all()  # he looks into the camera
    assert ((later[:, 8] > 250) & (later[:, 8] < 700)).all()  # at arm's length
    steps = np.abs(np.diff(features[:, 6:12], axis=0)).max(axis=0)
    assert (steps < [5, 5, 15, 0.1, 0.1, 0.1]).all()


def first_picture(path: Path) -> Image:
    return next(read_pictures(*open_video(path))).image


@pytest.mark.recordings
def test_opencv_finds_what_litert_finds(shared_data: Path, face_models: None) -> None:
    image = first_picture(shared_data / "face" / "pyfeat_single_face.mp4")
    found = {name: open_landmarker(name).find(image) for name in ("litert", "opencv")}
    assert found["litert"] is not None
    assert found["opencv"] is not None
    apart = found["litert"].points - found["opencv"].points
    assert np.abs(apart[:, :2]).max() < 0.05


@pytest.mark.recordings
def test_both_irises_are_upright_rings_between_the_corners_of_their_eyes(
    shared_data: Path, landmarker: Landmarker
) -> None:
    """An eye that the network is shown the wrong way round comes back tilted and beside."""
    tilts = []
    for picture in read_pictures(*open_video(shared_data / "face" / "pyfeat_single_face.mp4")):
        found = landmarker.find(picture.image)
        assert found is not None
        for eye, (a, b) in enumerate(((33, 133), (362, 263))):  # left to right in the picture
            along = found.points[b, :2] - found.points[a, :2]
            ring = found.points[468 + 5 * eye : 473 + 5 * eye, :2]
            up = ring[2] - ring[4]
            tilts.append(
                90 - np.degrees(np.arccos(up @ along / np.linalg.norm(up) / np.linalg.norm(along)))
            )
            place = (ring[0] - found.points[a, :2]) @ along / (along @ along)
            assert 0.3 < place < 0.7
    assert np.abs(np.reshape(tilts, (-1, 2)).mean(axis=0)).max() < 8.0


@pytest.mark.recordings
def test_a_camera_that_comes_back_in_another_mode_is_measured_anew(
    shared_data: Path, landmarker: Landmarker
) -> None:
    clip = shared_data / "face" / "pyfeat_single_face.mp4"
    small = [p.image for p in read_pictures(*open_video(clip))][:8]
    large = [np.asarray(cv2.resize(image, (1280, 720)), dtype=np.uint8) for image in small]
    extractor = Extractor(landmarker)
    before, after = (
        [extractor.extract(image, t_s + i / 30) for i, image in enumerate(images)]
        for t_s, images in ((0.0, small), (1.0, large))
    )
    assert all(frame.success for frame in after)
    difference = np.abs(after[-1].features[6:12] - before[-1].features[6:12])
    assert (difference[:3] < 10.0).all()  # mm
    assert (difference[3:] < 0.03).all()  # rad


@pytest.mark.recordings
@pytest.mark.parametrize("backend", ["litert", "opencv"])
@pytest.mark.parametrize("clip", ["pyfeat_face_noface.mov", "pyfeat_single_face.mp4"])
def test_a_mirror_mirrors_the_gaze(
    shared_data: Path, face_models: None, clip: str, backend: str
) -> None:
    film = read_pictures(*open_video(shared_data / "face" / clip))
    pictures = [picture.image for picture in film][:60:6]
    looks = []
    for turn in (1, -1):
        extractor = Extractor(open_landmarker(backend))
        images = [np.ascontiguousarray(image[:, ::turn]) for image in pictures]
        frames = [extractor.extract(image, i / 5) for i, image in enumerate(images)]
        looks.append(np.array([f.features[:6] for f in frames]).reshape(-1, 2, 3))
    seen, mirrored = looks
    expected = mirrored[:, ::-1] * [-1, 1, 1]
    degrees = np.degrees(np.arccos(np.clip((seen * expected).sum(axis=-1), -1, 1)))
    assert np.median(degrees) < 5.0
    assert np.median(seen[:, 0, 0] - seen[:, 1, 0]) < 0.12  # eyes that meet at half a metre or more


@pytest.mark.recordings
def test_a_posed_smile_is_one(shared_data: Path, landmarker: Landmarker) -> None:
    """He looks up at rest, then smiles with teeth and cheeks: his brows have no part in it."""
    extractor = Extractor(landmarker, neutral=NeutralSettings(calibrate_s=0.5, every_s=0.02))
    clip = shared_data / "face" / "pyfeat_single_face.mp4"
    units = np.array(
        [extractor.extract(p.image, p.t_s).features[12:] for p in read_pictures(*open_video(clip))]
    )
    assert extractor.neutral.is_calibrated
    smile = dict(zip(FACE_FEATURES[12:], units[35:60].mean(axis=0).tolist(), strict=True))
    assert {name for name, value in smile.items() if value > 1.0} >= {
        *("AU06_r", "AU12_r", "AU25_r"),
    }
    assert 3.0 < smile["AU12_r"] < 5.0
    for name in ("AU01_r", "AU02_r", "AU04_r", "AU15_r", "AU17_r"):
        assert smile[name] < 0.5


@pytest.mark.recordings
@pytest.mark.parametrize("degrees", [-25, 0, 25])
def test_a_tilted_head_is_rolled_by_as_much(
    degrees: float, shared_data: Path, face_models: None
) -> None:
    image = first_picture(shared_data / "face" / "pyfeat_single_face.mp4")
    height, width = image.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1.0)
    tilted = np.asarray(cv2.warpAffine(image, turn, (width, height)), dtype=np.uint8)
    rolls = [
        Extractor(open_landmarker("litert")).extract(picture, 0.0).features[11]
        for picture in (image, tilted)
    ]
    assert np.degrees(rolls[1] - rolls[0]) == pytest.approx(degrees, abs=3.0)


@pytest.mark.parametrize("shape", [(480, 640, 3), (97, 61, 3), (8, 8, 3)])
def test_no_face_is_found_where_there_is_none(
    shape: tuple[int, int, int], landmarker: Landmarker
) -> None:
    rng = np.random.default_rng(2)
    for image in (np.zeros(shape, np.uint8), rng.integers(0, 255, shape, dtype=np.uint8)):
        frame = Extractor(landmarker).extract(image, 0.0)
        assert not frame.success
        assert np.isnan(frame.features).all()


@settings(max_examples=40, deadline=None)
@given(
    x=st.floats(60, 200),
    y=st.floats(60, 140),
    side=st.floats(20, 90),
    angle=st.floats(-3, 3),
    mirrored=st.booleans(),
)
def test_what_is_cut_out_is_put_back_where_it_was(
    x: float, y: float, side: float, angle: float, mirrored: bool
) -> None:
    """A bright dot is found in the square where its place in the picture says, and the way back."""
    square = Square(x, y, side, angle)
    dot = np.array([[20.0, 41.0, 0.0]])
    place = square.place(dot, 64, mirrored=mirrored)[0]
    rows, columns = np.mgrid[0:200, 0:260]
    spread = max(1.0, side / 32)
    bright = np.exp(-((columns - place[0]) ** 2 + (rows - place[1]) ** 2) / (2 * spread**2))
    image = np.repeat((255 * bright)[:, :, None], 3, axis=2).astype(np.uint8)
    cut = square.cut(image, 64, mirrored=mirrored)[:, :, 0].astype(float)
    at = (cut[..., None] * np.stack(np.mgrid[0:64, 0:64], -1)).sum((0, 1)) / cut.sum()
    assert np.allclose(at[::-1], dot[0, :2], atol=0.6)


def test_without_networks_the_error_names_every_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RTAFFECT_FACE_MODELS", str(tmp_path))
    with pytest.raises(FaceError, match=r"rtaffect face setup.*OpenFace's CSV.*LSL"):
        find_models()
    with pytest.raises(FaceError, match=r"(?s)litert:.*mediapipe:.*opencv:.*rtaffect face setup"):
        open_landmarker()
    with pytest.raises(FaceError, match="A backend must be auto, litert"):
        open_landmarker("dlib")


def test_a_network_that_is_another_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RTAFFECT_FACE_MODELS", str(tmp_path))
    for name in ("face_detection_short_range", "face_landmark", "iris_landmark"):
        (tmp_path / f"{name}.tflite").write_bytes(b"not a network")
    with pytest.raises(FaceError, match=r"must have the SHA-256 .* another network"):
        find_models()
