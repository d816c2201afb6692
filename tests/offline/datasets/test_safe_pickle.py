import contextlib
import copyreg
import os
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
from fakes.deap import python2_pickle
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from offline.datasets.safe_pickle import read_pickled_arrays
from offline.errors import DataError

NUMBERS = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(endianness="?"),
    hnp.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
)
ARRAYS = hnp.arrays(NUMBERS, hnp.array_shapes(min_dims=0, max_dims=3, max_side=4))


def read(tmp_path: Path, content: bytes):
    path = tmp_path / "a.pkl"
    path.write_bytes(content)
    return read_pickled_arrays(path)


class Run:
    """Pickles to a call."""

    def __init__(self, function, *args):
        self.call = (function, args)

    def __reduce__(self):
        return self.call


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(array=ARRAYS, fortran=st.booleans(), protocol=st.integers(0, 5))
def test_every_array_of_numbers_comes_back_as_pickle_itself_reads_it(
    tmp_path, array, fortran, protocol
):
    array = np.asfortranarray(array) if fortran else array
    content = pickle.dumps({"a": [array, ("x", 1, 2.5, None, True)], 3: b"b"}, protocol=protocol)
    got = read(tmp_path, content)
    wanted = pickle.loads(content)
    assert got["a"][1] == wanted["a"][1]
    assert got[3] == wanted[3]
    assert got["a"][0].dtype.newbyteorder("=") == wanted["a"][0].dtype.newbyteorder("=")
    np.testing.assert_array_equal(got["a"][0], wanted["a"][0])


def test_what_python_2_wrote_is_read_as_its_own_bytes(tmp_path):
    labels = np.arange(8.0).reshape(2, 4)
    data = np.frombuffer(np.random.default_rng(0).bytes(480)).reshape(3, 4, 5)
    content = python2_pickle({"labels": labels, "data": data})
    assert b"numpy.core.multiarray" in content
    got = read(tmp_path, content)
    assert list(got) == ["labels", "data"]
    np.testing.assert_array_equal(got["labels"], labels)
    assert got["data"].tobytes() == data.tobytes()


def test_one_array_in_two_places_is_read_once(tmp_path):
    array = np.arange(3.0)
    first, second = read(tmp_path, pickle.dumps([array, array]))
    assert first is second


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("place", [lambda bad: bad, lambda bad: {"data": np.ones(3), "x": [bad]}])
def test_a_hostile_pickle_is_refused_before_it_runs(tmp_path, protocol, place):
    mark = tmp_path / "mark"
    for function, args in (
        (os.system, (f"touch {mark}",)),
        (eval, (f"__import__('pathlib').Path({str(mark)!r}).touch()",)),
        (Path.touch, (mark,)),
    ):
        content = pickle.dumps(place(Run(function, *args)), protocol=protocol)
        with pytest.raises(DataError, match="nothing of it was run"):
            read(tmp_path, content)
        assert not mark.exists()
        pickle.loads(content)  # that it would have run
        assert mark.exists()
        mark.unlink()


def test_the_refusal_names_what_was_asked_for_and_the_file(tmp_path):
    with pytest.raises(DataError, match=r"a\.pkl asks for posix\.system"):
        read(tmp_path, b"cposix\nsystem\n(S'true'\ntR.")
    with pytest.raises(DataError, match=r"asks for os\.popen"):
        read(tmp_path, b"(S'true'\nios\npopen\n.")
    with pytest.raises(DataError, match=r"asks for __builtin__\.getattr"):
        read(tmp_path, b"c__builtin__\ngetattr\n.")
    with pytest.raises(DataError, match=r"numpy\.testing\.suppress_warnings"):
        read(tmp_path, b"cnumpy.testing\nsuppress_warnings\n.")


def test_a_registered_extension_is_refused_too(tmp_path):
    copyreg.add_extension("os", "system", 240)
    try:
        with pytest.raises(DataError, match=r"asks for os\.system"):
            read(tmp_path, b"\x80\x02\x82\xf0.")
    finally:
        copyreg.remove_extension("os", "system", 240)


RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
FLOAT = (
    b"cnumpy\ndtype\nU\x02f8K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
)


def array_of(shape: bytes, raw: bytes, dtype: bytes = FLOAT) -> bytes:
    length = b"T" + struct.pack("<i", len(raw))
    return b"\x80\x02" + RECONSTRUCT + b"(K\x01" + shape + dtype + b"\x89" + length + raw + b"tb."


def test_the_bytes_of_the_next_tests_are_right_but_for_one_thing(tmp_path):
    assert read(tmp_path, array_of(b"K\x02\x85", bytes(16))).tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    "content",
    [
        array_of(b"K\x03\x85", bytes(16)),
        array_of(b"J" + struct.pack("<i", -2) + b"\x85", bytes(16)),
        array_of(b"K\x02\x85", bytes(16), dtype=b"N"),
        array_of(b"N", bytes(16)),
        pickle.dumps(np.array([{}, None], dtype=object)),
        pickle.dumps(np.zeros(2, dtype=[("a", "f8")])),
        pickle.dumps(np.array(["text"])),
        pickle.dumps(np.array(["2020-01-01"], dtype="datetime64[D]")),
        pickle.dumps(np.zeros(2, dtype="V8")),
        pickle.dumps(np.ones(2, dtype=complex)),
        pickle.dumps({1, 2}),
        b"\x80\x02" + RECONSTRUCT + b".",
        b"\x80\x02cnumpy\nndarray\n.",
        b"\x80\x02cnumpy\nndarray\nK\x02\x85R.",
        b"\x80\x02cnumpy\nndarray\n)\x81.",
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n}U\x0c__defaults__)sb.",
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nN}U\x08__call__K\x01s\x86b.",
        b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x03\x00\x00\x00hex\x86R.",
        b"\x80\x02Pname\n.",
        b"\x80\x02]\x94h\x00a.".replace(b"\x94", b"q\x00"),
    ],
)
def test_what_is_no_array_of_numbers_is_refused_in_our_words(tmp_path, content):
    with pytest.raises(DataError, match=r"a\.pkl"):
        read(tmp_path, content)
    assert read(tmp_path, array_of(b"K\x02\x85", bytes(16))).tolist() == [0.0, 0.0]


def test_a_file_that_is_cut_off_anywhere_is_refused(tmp_path):
    content = python2_pickle({"labels": np.ones((2, 2))})
    for stop in range(len(content)):
        with pytest.raises(DataError, match=r"Is it complete|plain arrays"):
            read(tmp_path, content[:stop])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(st.binary(max_size=60))
def test_noise_is_refused_or_read_and_nothing_else_happens(tmp_path, noise):
    with contextlib.suppress(DataError):
        read(tmp_path, b"\x80\x04" + noise)


def test_a_file_that_is_missing_or_a_folder_is_said_to_be_so(tmp_path):
    with pytest.raises(DataError, match="cannot be opened: No such file"):
        read_pickled_arrays(tmp_path / "none.pkl")
    with pytest.raises(DataError, match="cannot be opened: Is a directory"):
        read_pickled_arrays(tmp_path)
