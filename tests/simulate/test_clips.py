import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtaffect.simulate.clips import ClipPlan
from rtaffect.simulate.eeg import SimulatedEeg
from rtaffect.simulate.face import SimulatedFace
from rtaffect.simulate.participant import Participant

PLAN = ClipPlan(seed=3, n_clips=12, clip_s=20.0, rest_s=5.0)


def test_everybody_sees_every_clip_once_in_an_order_of_their_own() -> None:
    orders = []
    for seed in range(5):
        plan = ClipPlan(seed=seed, n_clips=12, clip_s=20.0, rest_s=5.0)
        orders.append([plan.clip(number) for number in range(12)])
        assert sorted(orders[-1]) == list(range(12))
    assert len({tuple(order) for order in orders}) == 5


def test_people_mostly_agree_on_a_clip() -> None:
    felt = np.empty((60, 2, 12))
    for seed in range(60):
        plan = ClipPlan(seed=seed, n_clips=12, clip_s=20.0, rest_s=5.0)
        for number in range(12):
            felt[seed, :, plan.clip(number)] = plan.felt(number)
    consensus = np.sign(felt.mean(axis=0))
    assert (consensus[0] > 0).sum() == (consensus[1] > 0).sum() == 6  # half please, half stir
    agreement = (np.sign(felt) == consensus).mean()
    assert 0.8 < agreement < 1.0


@given(st.lists(st.floats(0.0, 400.0), min_size=1, max_size=50))
def test_a_course_is_what_is_felt_inside_a_clip_and_nothing_outside(times: list[float]) -> None:
    valence, arousal = PLAN.at(times)
    for t, v, a in zip(times, valence.tolist(), arousal.tolist(), strict=True):
        number, since = int(t // 25.0), t % 25.0 - 5.0
        if number >= 12 or since <= 0.0:
            assert (v, a) == (0.0, 0.0)
        elif 2.0 <= since <= 18.0:
            assert (v, a) == pytest.approx(PLAN.felt(number))
        else:
            assert abs(v) <= abs(PLAN.felt(number)[0]) + 1e-12


def test_a_course_needs_times() -> None:
    with pytest.raises(ValueError, match="finite times"):
        PLAN.at([-1.0])


def _smile(face_coupling: float) -> tuple[np.ndarray, np.ndarray]:
    person = Participant(3, clips=PLAN, face_coupling=face_coupling)
    t = np.arange(0.0, 300.0, 0.5)
    smile, frown, _ = person.expression(t)
    return smile - frown, person.course.at(t)[0]


def test_a_face_follows_the_course_as_far_as_it_is_coupled() -> None:
    r = {c: float(np.corrcoef(*_smile(c))[0, 1]) for c in (0.0, 0.5, 1.0)}
    assert r[1.0] > 0.6
    assert r[0.0] < r[0.5] < r[1.0]
    assert abs(r[0.0]) < 0.25


def test_a_face_that_is_coupled_is_as_it_was_and_the_brain_is_always() -> None:
    alone, together = (Participant(5, face_coupling=c) for c in (0.0, 1.0))
    plain = Participant(5)
    np.testing.assert_array_equal(
        SimulatedFace(plain).block(3)[1], SimulatedFace(together).block(3)[1]
    )
    t = np.linspace(0, 60, 50)
    np.testing.assert_array_equal(alone.brain_drive(t), together.brain_drive(t))
    np.testing.assert_array_equal(SimulatedEeg(plain).block(2), SimulatedEeg(together).block(2))
