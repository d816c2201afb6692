"""Re-referencing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtaffect.signal.reference import rereference


def test_the_average_reference_leaves_a_mean_of_zero_and_keeps_differences() -> None:
    data = np.random.default_rng(1).normal(0.0, 20.0, (32, 100)) + 5e4
    against_mean = rereference(data, "average")
    np.testing.assert_allclose(against_mean.sum(axis=0), 0.0, atol=1e-8)
    np.testing.assert_allclose(
        against_mean[3] - against_mean[7], data[3] - data[7], rtol=0, atol=1e-8
    )


@given(st.floats(-1e5, 1e5))
def test_what_all_channels_share_leaves_no_trace(common_uv: float) -> None:
    data = np.random.default_rng(2).normal(0.0, 20.0, (15, 40))
    np.testing.assert_allclose(
        rereference(data + common_uv, "average"), rereference(data, "average"), atol=1e-9
    )


def test_no_reference_keeps_every_bit() -> None:
    data = np.random.default_rng(3).normal(size=(4, 10))
    np.testing.assert_array_equal(rereference(data, "none"), data)


@pytest.mark.parametrize("reference", ["average", "none"])
def test_the_input_is_not_changed(reference: str) -> None:
    data = np.random.default_rng(4).normal(size=(4, 10))
    before = data.copy()
    rereference(data, reference)  # type: ignore[arg-type]
    np.testing.assert_array_equal(data, before)
