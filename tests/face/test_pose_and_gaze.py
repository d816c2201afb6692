"""A head that was projected with known pose and gaze comes back with them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rendered_face import CAMERA, rendered, turned

from rtaffect.face.gaze import Eyeball, gaze
from rtaffect.face.head_model import head_model
from rtaffect.face.landmarks import Landmarks, corners_in_mesh
from rtaffect.face.pose import Pose, PoseSolver

ANGLES = st.floats(-0.6, 0.6)
PLACES = st.tuples(st.floats(-120, 120), st.floats(-80, 80), st.floats(350, 1200))


@settings(max_examples=60, deadline=None)
@given(pitch=ANGLES, yaw=ANGLES, roll=ANGLES, place=PLACES)
def test_a_projected_head_comes_back_where_it_was(
    pitch: float, yaw: float, roll: float, place: tuple[float, float, float]
) -> None:
    points = rendered(head_model().points, rotation=turned(pitch, yaw, roll), shift_mm=place)
    pose = PoseSolver(CAMERA).solve(points)
    assert pose is not None
    assert np.degrees(np.abs(np.subtract(pose.angles_rad, (pitch, yaw, roll)))).max() < 0.5
    assert np.linalg.norm(pose.shift_mm - place) < 0.02 * np.linalg.norm(place)
    assert pose.error_px < 0.01


@pytest.mark.parametrize("noise_px", [0.5, 1.0])
def test_trembling_points_move_the_pose_little(noise_px: float) -> None:
    rng = np.random.default_rng(7)
    solver = PoseSolver(CAMERA)
    errors = []
    for _ in range(100):
        points = rendered(head_model().points, rotation=turned(0.1, -0.2, 0.05))
        points[:, :2] += rng.normal(0.0, noise_px, (len(points), 2))
        pose = solver.solve(points)
        assert pose is not None
        errors.append(np.degrees(np.subtract(pose.angles_rad, (0.1, -0.2, 0.05))))
    assert np.abs(errors).mean() < 1.5 * noise_px


@settings(max_examples=30, deadline=None)
@given(pitch=ANGLES, yaw=ANGLES, roll=ANGLES)
def test_angles_follow_openface(pitch: float, yaw: float, roll: float) -> None:
    pose = Pose(np.zeros(3), turned(pitch, yaw, roll), 0.0)
    assert np.allclose(pose.angles_rad, (pitch, yaw, roll))


def test_what_is_no_head_has_no_pose_that_explains_it() -> None:
    rng = np.random.default_rng(1)
    points = rng.uniform(0, 400, (478, 3))
    pose = PoseSolver(CAMERA).solve(points)
    assert pose is None or pose.error_px > 20


def seen_as(points: np.ndarray) -> Landmarks:
    return Landmarks(points, 1.0, corners_in_mesh(points))


def looking(right: float, down: float) -> np.ndarray:
    direction = np.array([np.tan(right), np.tan(down), -1.0])
    return direction / np.linalg.norm(direction)


@settings(max_examples=60, deadline=None)
@given(right=st.floats(-0.6, 0.6), down=st.floats(-0.4, 0.4), yaw=st.floats(-0.4, 0.4))
def test_synthetic_eyes_look_where_they_look(right: float, down: float, yaw: float) -> None:
    look = looking(right, down)
    points = rendered(head_model().points, rotation=turned(0.0, yaw, 0.0), looks=(look, look))
    pose = PoseSolver(CAMERA).solve(points)
    assert pose is not None
    found = gaze(seen_as(points), pose, CAMERA, Eyeball())
    assert np.allclose(np.linalg.norm(found, axis=1), 1.0)
    # Where the eyeball's edge is seen a little of the picture is much of the angle.
    assert np.degrees(np.arccos(np.clip(found @ look, -1, 1))).max() < 2.0


def test_gaze_has_openfaces_signs() -> None:
    """Into the camera z is -1; to the right of the picture x is above 0, down y is."""
    seen = {}
    for name, look in {"right": looking(0.3, 0.0), "down": looking(0.0, 0.3)}.items():
        points = rendered(head_model().points, looks=(look, look))
        pose = PoseSolver(CAMERA).solve(points)
        assert pose is not None
        seen[name] = gaze(seen_as(points), pose, CAMERA, Eyeball())
    assert (seen["right"][:, 0] > 0.2).all()
    assert (seen["down"][:, 1] > 0.2).all()
    assert (seen["down"][:, 2] < -0.9).all()


def test_an_iris_outside_the_eyeball_gives_its_edge_not_nan() -> None:
    points = rendered(head_model().points)
    points[468:473, 0] += 60.0
    pose = PoseSolver(CAMERA).solve(points)
    assert pose is not None
    found = gaze(seen_as(points), pose, CAMERA, Eyeball())
    assert np.isfinite(found).all()
    assert found[0, 0] > 0.8
