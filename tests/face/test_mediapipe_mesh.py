"""MediaPipe's own ways in, held to a stand-in: it is not installed where the tests run."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest

from rtaffect.core.errors import FaceError
from rtaffect.face.backends import open_landmarker
from rtaffect.face.landmarks import Landmarker

IMAGE = np.zeros((100, 200, 3), dtype=np.uint8)
Face = list[SimpleNamespace]


def face(x: float, width: float, n_points: int = 478) -> Face:
    """A face of points in MediaPipe's relative coordinates, `x` its middle."""
    return [
        SimpleNamespace(x=x + width * (i / n_points - 0.5), y=0.5, z=0.1) for i in range(n_points)
    ]


class Mesh:
    """Says what it is told to, picture by picture; its first picture is the warm-up."""

    said: ClassVar[list[list[Face]]] = []

    def __init__(self, *, refine_landmarks: bool, max_num_faces: int) -> None:
        assert refine_landmarks
        assert max_num_faces == 2
        self.n_resets = 0
        self.pictures: list[list[Face]] = [[], *self.said]

    def process(self, image: np.ndarray) -> SimpleNamespace:
        faces = [SimpleNamespace(landmark=points) for points in self.pictures.pop(0)]
        return SimpleNamespace(multi_face_landmarks=faces or None)

    def reset(self) -> None:
        self.n_resets += 1


@pytest.fixture
def mediapipe(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The last release that carries networks."""
    module = SimpleNamespace(
        __version__="0.10.21", solutions=SimpleNamespace(face_mesh=SimpleNamespace(FaceMesh=Mesh))
    )
    monkeypatch.setitem(sys.modules, "mediapipe", module)  # type: ignore[arg-type]
    return module


def middles(landmarker: Landmarker, n: int) -> list[float | None]:
    found = [landmarker.find(IMAGE) for _ in range(n)]
    return [None if f is None else round(float(f.points[:, 0].mean())) for f in found]


def test_the_largest_face_is_followed_though_another_grows(
    mediapipe: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, large, larger = face(0.25, 0.1), face(0.75, 0.2), face(0.25, 0.4)
    monkeypatch.setattr(Mesh, "said", [[small, large], [larger, large], [], [larger, large]])
    landmarker = open_landmarker("mediapipe")
    assert landmarker.name == "mediapipe 0.10.21"
    # Gone for a picture, it is looked for anew: then the other one is the largest.
    assert middles(landmarker, 4) == [150, 150, None, 50]
    assert landmarker.n_faces == 2


def test_points_are_pixels_and_depth_has_the_unit_of_x(
    mediapipe: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Mesh, "said", [[face(0.5, 0.2)]])
    found = open_landmarker("mediapipe").find(IMAGE)
    assert found is not None
    assert found.points.shape == (478, 3)
    assert found.points[0].tolist() == pytest.approx([80.0, 50.0, 20.0])
    assert found.score == 1.0


def test_a_face_without_irises_is_refused(
    mediapipe: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Mesh, "said", [[face(0.5, 0.2, n_points=468)]])
    with pytest.raises(FaceError, match=r"must have 478 points .* got 468"):
        open_landmarker("mediapipe").find(IMAGE)


def test_a_release_without_networks_says_which_one_has_them(mediapipe: SimpleNamespace) -> None:
    del mediapipe.solutions
    mediapipe.__version__ = "1.2.2"
    with pytest.raises(FaceError, match=r"1\.2\.2 carries no networks; 0\.10\.21 was the last"):
        open_landmarker("mediapipe")


def test_a_task_file_that_it_refuses_is_named(mediapipe: SimpleNamespace, tmp_path: Path) -> None:
    def refuse(options: object) -> None:
        msg = "Unable to open file"
        raise ValueError(msg)

    keep = SimpleNamespace
    mediapipe.tasks = keep(
        BaseOptions=lambda **given: keep(**given),
        vision=keep(
            FaceLandmarkerOptions=lambda **given: keep(**given),
            FaceLandmarker=keep(create_from_options=refuse),
        ),
    )
    path = tmp_path / "face_landmarker.task"
    with pytest.raises(FaceError, match=r"task must be a face landmarker .*Unable to open file"):
        open_landmarker(str(path))


def test_a_task_file_finds_what_is_in_it(mediapipe: SimpleNamespace, tmp_path: Path) -> None:
    keep = SimpleNamespace
    pictures = [[face(0.25, 0.1), face(0.75, 0.2)], []]
    detect = keep(detect=lambda _: keep(face_landmarks=pictures.pop(0)))
    mediapipe.ImageFormat = keep(SRGB=1)
    mediapipe.Image = lambda **given: keep(**given)
    mediapipe.tasks = keep(
        BaseOptions=lambda **given: keep(**given),
        vision=keep(
            FaceLandmarkerOptions=lambda **given: keep(**given),
            FaceLandmarker=keep(create_from_options=lambda _: detect),
        ),
    )
    landmarker = open_landmarker(str(tmp_path / "mine.task"))
    assert landmarker.name == "mediapipe 0.10.21, mine.task"
    assert middles(landmarker, 2) == [150, None]
    assert landmarker.n_faces == 0
