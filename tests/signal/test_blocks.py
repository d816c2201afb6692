"""Blocks lie on absolute time whatever the spans."""

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rtaffect.signal.blocks import BLOCKS_PER_S, Block, BlockCutter
from rtaffect.signal.timeline import Break, Span


def spans_of(stamps: np.ndarray, cuts: list[int], starts: set[int]) -> list[Span]:
    edges = sorted({0, len(stamps), *cuts, *starts})
    return [
        Span(
            stamps[a:b],
            np.arange(a, b, dtype=float)[None],
            np.zeros(b - a, dtype=bool),
            Break.START if a == 0 else (Break.GAP if a in starts else None),
        )
        for a, b in itertools.pairwise(edges)
    ]


def cut(spans: list[Span], period_s: float) -> list[Block]:
    cutter = BlockCutter()
    return [block for span in spans for block in cutter.push(span, period_s=period_s)]


@given(
    st.lists(st.integers(1, 999), max_size=30),
    st.sets(st.integers(1, 999), max_size=3),
    st.floats(100, 1200),
    st.floats(0, 1),
)
@settings(max_examples=100, deadline=None)
def test_blocks_do_not_depend_on_spans_and_lose_nothing(
    cuts: list[int], starts: set[int], sfreq: float, phase: float
) -> None:
    stamps = 100 + phase + np.arange(1000) / sfreq
    a = cut(spans_of(stamps, [], starts), 1 / sfreq)
    b = cut(spans_of(stamps, cuts, starts), 1 / sfreq)
    assert [block.index for block in a] == [block.index for block in b]
    for one, other in zip(a, b, strict=True):
        np.testing.assert_array_equal(one.data, other.data)
        np.testing.assert_array_equal(one.stamps_s, other.stamps_s)
        assert one.begins == other.begins
    samples = np.concatenate([block.data[0] for block in a])
    np.testing.assert_array_equal(samples, np.arange(len(samples)))
    assert len(samples) > 1000 - 2 * sfreq / BLOCKS_PER_S - 2
    for block in a:
        assert (block.stamps_s < (block.index + 1) / BLOCKS_PER_S).all()
        assert (block.stamps_s >= block.index / BLOCKS_PER_S - 1e-6 - 1 / sfreq).all()


def test_a_block_closes_with_the_sample_after_which_none_can_follow_in_it() -> None:
    cutter = BlockCutter()
    n = 512 // BLOCKS_PER_S
    stamps = np.arange(n) / 512.0
    flags = np.zeros(n, dtype=bool)
    first = Span(stamps[:-1], np.zeros((1, n - 1)), flags[:-1], Break.START)
    assert cutter.push(first, period_s=1 / 512) == []
    last = Span(stamps[-1:], np.zeros((1, 1)), flags[-1:], None)
    (block,) = cutter.push(last, period_s=1 / 512)
    assert block.index == 0
    assert block.data.shape == (1, n)
