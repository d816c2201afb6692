"""Which offset holds for which sample, clock resets included."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtaffect.sources.xdf_clock import newest_offsets


def test_the_newest_offset_holds_and_the_first_one_before_it():
    index = newest_offsets(np.arange(12.0), np.array([3.0, 7.5]), np.array([0.1, 0.2]))
    assert index.tolist() == [0] * 8 + [1] * 4


@pytest.mark.parametrize("set_to", [0.0, 95.0, 50.0, 1000.0, 1e6])
@pytest.mark.parametrize("pause_s", [0.0, 3.0, 40.0])
def test_a_clock_that_is_set_anew_takes_its_own_offsets(set_to, pause_s):
    # The sender's clock starts at 60, is set anew at true time 40 and sends again after a pause.
    true = np.concatenate([np.arange(0, 40, 0.01), np.arange(40 + pause_s, 90 + pause_s, 0.01)])
    before = true < 40
    stamps = np.where(before, true + 60.0, true - 40.0 + set_to)
    collected = np.concatenate([np.arange(2.0, 40, 5), np.arange(42 + pause_s, 90 + pause_s, 5)])
    offsets = np.where(collected < 40, -60.0, 40.0 - set_to)
    corrected = stamps + offsets[newest_offsets(stamps, collected - offsets, offsets)]
    np.testing.assert_allclose(corrected, true, atol=1e-6)


@pytest.mark.parametrize("t_lost", [20.0, 34.0, 36.5, 42.0])
def test_a_dropout_is_not_taken_for_the_reset(t_lost):
    true = np.concatenate([np.arange(0, t_lost, 0.01), np.arange(t_lost + 3, 60, 0.01)])
    stamps = np.where(true < 40, true, true + 2.0)  # and at 40 the clock is set 2 s ahead
    collected = np.arange(1.0, 60, 5)
    offsets = np.where(collected < 40, 0.0, -2.0)
    corrected = stamps + offsets[newest_offsets(stamps, collected - offsets, offsets)]
    np.testing.assert_allclose(corrected, true, atol=1e-9)


def test_a_stream_that_began_after_the_reset_takes_the_later_offsets():
    stamps = np.arange(5.0, 20.0)
    times, values = np.array([700.0, 705.0, 4.0, 9.0]), np.array([-600.0, -600.0, 110.0, 110.5])
    index = newest_offsets(stamps, times, values)
    assert index.tolist() == [2] * 4 + [3] * 11


@given(
    st.lists(st.floats(-1e6, 1e6), max_size=30),
    st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=1, max_size=8),
)
def test_offsets_are_used_in_the_order_of_the_file_whatever_it_holds(stamps, offsets):
    times, values = np.array(offsets).T
    index = newest_offsets(np.array(stamps), times, values)
    assert len(index) == len(stamps)
    assert (np.diff(index) >= 0).all()
    assert ((index >= 0) & (index < len(times))).all()
