"""The ring against a plain array."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rtaffect.signal.ring import GridRing


@given(
    st.integers(1, 40),
    st.integers(0, 1000),
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 90)), min_size=1, max_size=12),
    st.data(),
)
@settings(max_examples=200, deadline=None)
def test_reads_what_was_written_and_nothing_else(
    capacity: int, m_start: int, writes: list[tuple[int, int]], data: st.DataObject
) -> None:
    ring = GridRing(2, capacity, dtype=np.float32, fill=np.nan)
    truth = np.full(m_start + 3000, np.nan, dtype=np.float32)
    m = m_start
    for skip, n in writes:
        m += skip
        values = np.arange(m, m + n, dtype=np.float32)
        ring.write(m, np.stack([values, -values]))
        truth[m : m + n] = values
        m += n
    truth[: max(0, m - capacity)] = np.nan
    start = data.draw(st.integers(max(0, m - 2 * capacity), m))
    stop = data.draw(st.integers(start, start + capacity))
    out = ring.read(start, stop)
    np.testing.assert_array_equal(out[0], truth[start:stop])
    np.testing.assert_array_equal(out[1], -truth[start:stop])
