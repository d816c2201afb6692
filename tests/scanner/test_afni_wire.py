"""The decoder against bytes packed by hand, whatever pieces they come in."""

import tracemalloc
from contextlib import suppress
from itertools import pairwise

import numpy as np
import pytest
from afni_bytes import BYE, floats, hello
from hypothesis import given, settings
from hypothesis import strategies as st

from rtaffect.core.errors import ScannerError
from rtaffect.scanner.afni_wire import AfniDecoder, Record

N_PER_TR = {
    (0,): (6, 0),
    (1, 0): (6, 0),
    (1, 5): (11, 5),
    (2, 2): (22, 0),
    (3, 4): (10, 0),
    (4, 3, 2): (11, 3),
}
"""Numbers of a TR, and how many of them are means, for each version with its counts."""


def decoded(decoder: AfniDecoder, stream: bytes, cuts: list[int]) -> list[Record]:
    places = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    return [record for begin, end in pairwise(places) for record in decoder.feed(stream[begin:end])]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("announced", sorted(N_PER_TR))
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_records_are_the_same_however_their_bytes_are_cut(
    announced: tuple[int, ...], order: str, data: st.DataObject
) -> None:
    n_numbers, n_means = N_PER_TR[announced]
    rows = data.draw(
        st.lists(
            st.lists(st.floats(-500, 500, width=16), min_size=n_numbers, max_size=n_numbers),
            max_size=6,
        )
    )
    cuts = data.draw(st.lists(st.integers(0, 10_000), max_size=12))
    version, *counts = announced
    stream = hello(version, *counts, order=order)
    stream += b"".join(floats(row, order) for row in rows) + BYE
    decoder = AfniDecoder(order)
    records = decoded(decoder, stream, cuts)
    assert decoder.ended
    assert decoder.version == version
    assert decoder.n_pending == 0
    assert len(records) == len(rows)
    for record, row in zip(records, rows, strict=True):
        np.testing.assert_array_equal(record.motion, row[:6])
        np.testing.assert_array_equal(record.means, row[6 : 6 + n_means])
        np.testing.assert_array_equal(record.voxels.ravel(), row[6 + n_means :])


def test_all_data_keeps_what_is_said_of_each_voxel() -> None:
    first = [7, 1, 2, 3, -4.5, 5.5, 6.5, 1000.25]
    second = [8, 2, 2, 3, -1.5, 5.5, 6.5, 2000.5]
    decoder = AfniDecoder(">")
    (record,) = decoder.feed(hello(2, 2, order=">") + floats([0] * 6 + first + second, ">"))
    np.testing.assert_array_equal(record.voxels, [first, second])


def test_goodbye_is_understood_as_a_number_of_a_little_endian_machine_too() -> None:
    decoder = AfniDecoder("<")
    assert decoder.feed(hello(1, 1, order="<") + floats([1] * 7, "<") + BYE[::-1])
    assert decoder.ended


def test_half_a_record_gives_none() -> None:
    decoder = AfniDecoder("<")
    assert decoder.feed(hello(1, 3, order="<") + floats([1, 2, 3], "<")) == []
    assert (decoder.n_pending, decoder.record_size, decoder.ended) == (12, 36, False)


@pytest.mark.parametrize("counts", [(2**31 - 1,), (-1,), (5000,)])
def test_an_impossible_number_of_regions_is_refused_and_nothing_allocated(
    counts: tuple[int, ...],
) -> None:
    decoder = AfniDecoder("<")
    tracemalloc.start()
    try:
        with pytest.raises(ScannerError, match="must announce 0 to"):
            decoder.feed(hello(1, *counts, order="<"))
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("version", "counts"), [(2, (2**31 - 1,)), (3, (2**31 - 1,)), (4, (3, -2)), (4, (-3, 2))]
)
def test_an_impossible_number_of_voxels_is_refused(version: int, counts: tuple[int, ...]) -> None:
    with pytest.raises(ScannerError, match=f"announced {counts[0]}"):
        AfniDecoder(">").feed(hello(version, *counts, order=">"))


@pytest.mark.parametrize(("ours", "theirs", "advice"), [("<", ">", "big"), (">", "<", "little")])
def test_the_other_byte_order_is_recognised(ours: str, theirs: str, advice: str) -> None:
    with pytest.raises(ScannerError, match=f"that is 246: set byte_order: {advice}"):
        AfniDecoder(ours).feed(hello(1, 246, order=theirs))
    with pytest.raises(ScannerError, match=f"other byte order: set byte_order: {advice}"):
        AfniDecoder(ours).feed(hello(0, order=theirs) + floats([0.1, 0, 0.02, 1, 0, -0.3], theirs))


@pytest.mark.parametrize("stream", [b"GET / HTTP/1.1\r\n", b"\xab\xcd\xef\xb0", b"\xab\xcd\x00"])
def test_other_protocols_are_refused(stream: bytes) -> None:
    with pytest.raises(ScannerError, match="AFNI must"):
        AfniDecoder("<").feed(stream)


@settings(max_examples=200, deadline=None)
@given(
    stream=st.one_of(
        st.binary(max_size=200),
        st.builds(
            lambda version, rest: b"\xab\xcd\xef" + bytes([0xAB + version]) + rest,
            st.integers(0, 6),
            st.binary(max_size=200),
        ),
    ),
    order=st.sampled_from("<>"),
)
def test_noise_is_refused_or_read_and_nothing_else(stream: bytes, order: str) -> None:
    with suppress(ScannerError):
        AfniDecoder(order).feed(stream)
