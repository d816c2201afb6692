"""The course of valence and arousal."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtaffect.simulate.course import Course
from rtaffect.simulate.participant import Participant

T = np.arange(0.0, 90.0, 0.05)


@given(seed=st.integers(0, 2**32), cut=st.integers(1, len(T) - 1))
def test_the_course_does_not_depend_on_how_it_is_asked(seed: int, cut: int) -> None:
    course = Course((seed, 0, 1))
    whole = np.stack(course.at(T))
    late = np.stack(course.at(T[cut:]))
    early = np.stack(course.at(T[:cut]))
    assert np.array_equal(whole, np.concatenate([early, late], axis=1))
    assert np.array_equal(whole[:, ::-1], np.stack(course.at(T[::-1])))
    assert float(course.at(T[cut])[0]) == whole[0, cut]


@given(seed=st.integers(0, 2**32))
def test_it_stays_in_range_and_moves_smoothly(seed: int) -> None:
    values = np.stack(Course((seed, 0, 1)).at(T))
    assert np.abs(values).max() <= 1.0
    # The steepest smooth step of height 2 over 4 s has slope 1.5 * 2 / 4.
    assert np.abs(np.diff(values)).max() <= 1.5 * 2 / 4 * 0.05 + 1e-12


@given(seed=st.integers(0, 2**32))
def test_both_signs_turn_up_within_ninety_seconds(seed: int) -> None:
    for values in Course((seed, 0, 1)).at(T):
        assert values.min() <= -0.3
        assert values.max() >= 0.3


def test_valence_and_arousal_are_nearly_independent() -> None:
    t = np.arange(0.0, 600.0, 1.0)
    correlations = [np.corrcoef(*Course((seed, 0, 1)).at(t))[0, 1] for seed in range(40)]
    assert abs(np.mean(correlations)) < 0.06
    assert np.abs(correlations).max() < 0.6


def test_people_and_sessions_have_courses_of_their_own() -> None:
    one, other, again = Participant(1), Participant(2), Participant(1, session=1)
    first = one.course.at(T)[0]
    assert not np.allclose(first, other.course.at(T)[0])
    assert not np.allclose(first, again.course.at(T)[0])
    assert np.array_equal(first, Participant(1, coupling=0.0).course.at(T)[0])


@pytest.mark.parametrize("t", [-0.1, np.nan, np.inf])
def test_a_time_outside_the_session_is_refused(t: float) -> None:
    with pytest.raises(ValueError, match="finite times >= 0"):
        Course((1,)).at([0.0, t])


def test_changes_that_would_overlap_are_refused() -> None:
    with pytest.raises(ValueError, match="transition_s"):
        Course((1,), period_s=5.0, transition_s=4.0)
