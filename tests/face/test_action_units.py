"""Known expressions of a rendered face move the right action units, and pose moves none."""

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from rendered_face import blink, brows, expression, rendered, smile, turned

from rtaffect.core.face_features import FACE_FEATURES
from rtaffect.face.action_units import UNITS, distances, in_head_frame, intensities
from rtaffect.face.head_model import head_model, similarity
from rtaffect.face.neutral import Neutral, NeutralSettings

NAMES = list(UNITS)
POSES = {"front": (0.0, 0.0, 0.0), "turned": (0.15, 0.3, -0.1), "down": (0.3, -0.1, 0.2)}


def of(head: npt.NDArray[np.float64], pose: str = "front") -> dict[str, float]:
    rotation = turned(*POSES[pose])
    rest = distances(in_head_frame(rendered(head_model().points, rotation=rotation)))
    now = distances(in_head_frame(rendered(head, rotation=rotation)))
    return dict(zip(NAMES, intensities(now, rest).tolist(), strict=True))


def test_units_are_openfaces_in_openfaces_order() -> None:
    assert tuple(NAMES) == FACE_FEATURES[12:]


@pytest.mark.parametrize("pose", sorted(POSES))
@pytest.mark.parametrize(
    ("unit", "faces"),
    [
        ("AU12_r", [smile(mm) for mm in (0, 2, 4, 6, 8)]),
        ("AU45_r", [blink(share) for share in (0, 0.25, 0.5, 0.75, 1)]),
        ("AU01_r", [brows("inner", mm) for mm in (0, 1.5, 3, 4.5, 6)]),
        ("AU02_r", [brows("outer", mm) for mm in (0, 1.5, 3, 4.5, 6)]),
        ("AU04_r", [brows("inner", -mm) for mm in (0, 1.5, 3, 4.5, 6)]),
        ("AU25_r", [expression({(14, 87, 317): (0, mm, 0)}) for mm in (0, 2, 4, 6, 8)]),
        ("AU26_r", [expression({(152, 148, 377): (0, mm, 0)}) for mm in (0, 3, 6, 9, 12)]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_growing_expression_grows_its_unit(
    unit: str, faces: list[npt.NDArray[np.float64]], pose: str
) -> None:
    seen = [of(face, pose)[unit] for face in faces]
    assert seen[0] == 0.0
    assert all(low < high for low, high in pairwise(seen)), seen
    assert seen[-1] > 1.0
    assert seen[-1] <= 5.0


@pytest.mark.parametrize(
    ("face", "still"),
    [
        (smile(6), ("AU01_r", "AU02_r", "AU04_r", "AU15_r", "AU45_r")),
        (blink(1.0), ("AU01_r", "AU12_r", "AU25_r", "AU26_r")),
        (brows("inner", 5), ("AU12_r", "AU25_r", "AU45_r", "AU04_r")),
    ],
    ids=["smile", "blink", "brow"],
)
def test_an_expression_leaves_others_alone(
    face: npt.NDArray[np.float64], still: tuple[str, ...]
) -> None:
    seen = of(face)
    assert {name: seen[name] for name in still} == dict.fromkeys(still, 0.0)


@pytest.mark.parametrize("move", [smile(5), blink(0.6), brows("outer", 4)])
def test_turning_the_head_is_no_expression(move: npt.NDArray[np.float64]) -> None:
    front, turned_away = of(move), of(move, "turned")
    worst = max(abs(front[name] - turned_away[name]) for name in NAMES)
    assert worst < 0.6


def test_similarity_undoes_what_was_done() -> None:
    rng = np.random.default_rng(3)
    points = rng.normal(size=(40, 3))
    rotation = turned(0.4, -0.7, 1.1)
    scale, back, shift = similarity(points, 2.5 * points @ rotation.T + [1.0, -2.0, 3.0])
    assert scale == pytest.approx(2.5)
    assert np.allclose(back, rotation)
    assert np.allclose(shift, [1.0, -2.0, 3.0])


def test_the_head_is_symmetric_and_as_wide_as_it_says() -> None:
    model = head_model()
    assert (model.mirror[model.mirror] == np.arange(468)).all()
    assert np.allclose(model.points[model.mirror] * [-1, 1, 1], model.points, atol=0.011)
    eyes = model.points[[33, 133]].mean(axis=0) - model.points[[362, 263]].mean(axis=0)
    assert np.linalg.norm(eyes) == pytest.approx(63.0, abs=0.05)


def test_a_running_neutral_is_the_median_of_what_it_looks_back_on() -> None:
    rng = np.random.default_rng(5)
    seen = rng.normal(size=(400, 17))
    neutral = Neutral(NeutralSettings(running_s=10.0, every_s=0.25, n_min=10))
    for i, face in enumerate(seen):
        neutral.push(i * 0.125, face)
    assert neutral.value is not None
    last = (len(seen) - 2) * 0.125  # every second face counts
    counted = [face for i, face in enumerate(seen) if i % 2 == 0 and last - i * 0.125 <= 10.0]
    assert np.allclose(neutral.value, np.median(counted, axis=0))
    assert not neutral.is_calibrated


def test_a_calibrated_neutral_stays_as_it_was() -> None:
    neutral = Neutral(NeutralSettings(calibrate_s=10.0))
    for i in range(60):
        neutral.push(i * 0.2, np.full(17, float(i % 3)))
    assert neutral.is_calibrated
    kept = neutral.value
    assert kept is not None
    assert np.allclose(kept, 1.0)
    neutral.push(100.0, np.full(17, 50.0))
    assert np.allclose(neutral.value, kept)
    neutral.forget()
    assert neutral.value is None


def test_time_without_a_face_calibrates_nobody() -> None:
    neutral = Neutral(NeutralSettings(calibrate_s=10.0))
    for i in range(12):
        neutral.push(i * 0.2, np.zeros(17))
    away_s = 100.0
    neutral.push(away_s, np.full(17, 2.0))
    assert not neutral.is_calibrated
    for i in range(1, 45):
        neutral.push(away_s + i * 0.2, np.full(17, 2.0))
    assert neutral.is_calibrated
    assert neutral.value is not None
    assert np.allclose(neutral.value, 2.0)


def test_nobody_is_neutral_before_enough_was_seen() -> None:
    neutral = Neutral(NeutralSettings(n_min=10))
    for i in range(9):
        neutral.push(i * 0.5, np.zeros(17))
    assert neutral.value is None
