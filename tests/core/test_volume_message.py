"""Volumes on their way to the runtime: what comes out is what went in, or a plain refusal."""

import json
import math
import string
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rtaffect.core.errors import ScannerError
from rtaffect.core.streams import StreamInfo
from rtaffect.core.volume_message import VolumeMessage, decode, encode_info, encode_volume
from rtaffect.core.voxels import DTYPES, MAX_BYTES

INFO = StreamInfo(
    modality="volume",
    name="volumes",
    stype="fMRI volumes",
    source_id="scanner-1",
    ch_names=(),
    sfreq=0.0,
    simulated=True,
    about={"acquisition.tr_s": "2"},
)
HEADER: dict[str, Any] = {
    "schema": 1,
    "index": 3,
    "run": "1",
    "stamp_s": 12.5,
    "shape": [2, 3, 4],
    "dtype": "<i2",
    "affine": np.eye(4).tolist(),
}


def frames(voxels: bytes = bytes(48), **changes: object) -> list[bytes]:
    return [b"volume/", json.dumps({**HEADER, **changes}).encode(), voxels]


@given(
    data=st.sampled_from(sorted(DTYPES)).flatmap(
        lambda kind: arrays(kind, st.tuples(*[st.integers(1, 4)] * 3))
    ),
    affine=arrays(np.float64, (4, 4), elements=st.floats(allow_nan=False, allow_infinity=False)),
    index=st.integers(0, 2**31 - 1),
    run=st.text(max_size=20),
    stamp_s=st.floats(allow_nan=False, allow_infinity=False),
)
@settings(max_examples=80, deadline=None)
def test_a_volume_comes_out_as_it_went_in(
    data: Any, affine: Any, index: int, run: str, stamp_s: float
) -> None:
    sent = VolumeMessage(data=data, affine=affine, index=index, run=run, stamp_s=stamp_s)
    got = decode(encode_volume(sent))
    assert isinstance(got, VolumeMessage)
    assert got.data.dtype == data.dtype
    assert got.data.tobytes() == data.tobytes()
    assert got.data.shape == data.shape
    assert np.array_equal(got.affine, affine)
    assert (got.index, got.run, got.stamp_s) == (index, run, stamp_s)


def test_a_volume_becomes_a_chunk_of_voxels_in_c_order() -> None:
    data = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    sent = VolumeMessage(data=data, affine=np.eye(4), index=3, run="1", stamp_s=12.5)
    got = decode(encode_volume(sent))
    assert isinstance(got, VolumeMessage)
    chunk = got.chunk(14.0)
    assert (chunk.modality, chunk.t_received, chunk.index) == ("volume", 14.0, 3)
    assert chunk.stamps_s.tolist() == [12.5]
    assert chunk.shape == (2, 3, 4)
    assert chunk.data[:, 0].tolist() == list(range(24))


def test_another_byte_order_is_turned_into_ours() -> None:
    voxels = np.arange(24, dtype=">i2").tobytes()
    got = decode(frames(voxels, dtype=">i2"))
    assert isinstance(got, VolumeMessage)
    assert got.data.dtype == np.int16
    assert got.data.ravel().tolist() == list(range(24))


def test_a_description_comes_out_as_it_went_in() -> None:
    assert decode(encode_info(INFO)) == INFO


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"shape": [1 << 20, 1 << 20, 1 << 20]}, "sides"),
        ({"shape": [1024, 1024, 1024], "dtype": "<f8"}, "at most"),
        ({"shape": [-2, 3, 4]}, "sides"),
        ({"shape": [0, 3, 4]}, "sides"),
        ({"shape": [2, 3, 4, 1]}, "sides"),
        ({"shape": [2.0, 3, 4]}, "shape"),
        ({"shape": [True, 3, 4]}, "shape"),
        ({"shape": "234"}, "shape"),
        ({"dtype": "|O"}, "dtype"),
        ({"dtype": "O"}, "dtype"),
        ({"dtype": "<V8"}, "dtype"),
        ({"dtype": "<i2,<i2"}, "dtype"),
        ({"dtype": [["a", "<i2"]]}, "dtype"),
        ({"dtype": "<f8"}, "bytes"),
        ({"index": -1}, "index"),
        ({"index": True}, "index"),
        ({"index": 1 << 40}, "index"),
        ({"stamp_s": "now"}, "stamp_s"),
        ({"stamp_s": 10**400}, "stamp_s"),
        ({"affine": [[1, 2], [3, 4]]}, "affine"),
        ({"affine": [[10**400] * 4] * 4}, "affine"),
        ({"affine": [["1"] * 4] * 4}, "affine"),
        ({"run": 1}, "run"),
        ({"run": "x" * 2000}, "run"),
        ({"schema": 2}, "schema"),
    ],
)
def test_a_hostile_header_is_refused_in_words(changes: dict[str, object], key: str) -> None:
    with pytest.raises(ScannerError, match=key):
        decode(frames(**changes))


@pytest.mark.parametrize(
    "header",
    [
        b"[" * 60_000,
        b"1" * 60_000,
        b"\xff\xfe",
        b"[]",
        b"null",
        json.dumps({**HEADER, "stamp_s": math.nan}).encode(),
        b" " * 70_000,
    ],
)
def test_what_is_no_header_is_refused_in_words(header: bytes) -> None:
    with pytest.raises(ScannerError, match="header"):
        decode([b"volume/", header, bytes(48)])


def test_a_claim_is_refused_before_anything_is_allocated() -> None:
    # A gigabyte and more is claimed; were it allocated, the bytes would not fill it.
    huge = frames(shape=[1024, 1024, 512], dtype="<f8")
    with pytest.raises(ScannerError, match=str(MAX_BYTES)):
        decode(huge)


KEYS = st.sampled_from(sorted({*HEADER, "name", "stype", "source_id", "simulated", "about"}))
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(string.printable, max_size=8)
    | st.sampled_from(["<i2", "|O", ">f8"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(
    topic=st.sampled_from([b"info/", b"volume/"]) | st.binary(max_size=8),
    changes=st.dictionaries(KEYS, JSON, max_size=6),
    rest=st.lists(st.binary(max_size=60), max_size=3),
)
@settings(max_examples=300, deadline=None)
def test_any_header_is_read_or_refused(
    topic: bytes, changes: dict[str, Any], rest: list[bytes]
) -> None:
    header = json.dumps({**HEADER, **changes}).encode()
    try:
        got = decode([topic, header, *rest])
    except ScannerError:
        return
    assert isinstance(got, VolumeMessage | StreamInfo)


@given(st.lists(st.binary(max_size=200), max_size=4))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_refused(noise: list[bytes]) -> None:
    with pytest.raises(ScannerError):
        decode(noise)
    with pytest.raises(ScannerError):
        decode([b"volume/", *noise])
