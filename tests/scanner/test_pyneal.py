"""Pyneal's protocol against a sender written from its description."""

import json
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import pytest
from collecting import collect, nothing_more
from hypothesis import given, settings
from hypothesis import strategies as st
from pyneal_sender import PynealSender, header

from rtaffect.config.scanner_inputs import PynealSettings
from rtaffect.core.clock import monotonic
from rtaffect.core.errors import ScannerError
from rtaffect.scanner.acquired import Refused, RunEnd, Volume
from rtaffect.scanner.inputs import open_input
from rtaffect.scanner.pyneal import PynealInput, read_header, voxels_of

pytestmark = pytest.mark.integration
RNG = np.random.default_rng(4)


@contextmanager
def listening() -> Iterator[PynealInput]:
    opened = open_input(PynealSettings(kind="pyneal", address="tcp://127.0.0.1:*"), monotonic)
    assert isinstance(opened, PynealInput)
    with opened:
        yield opened


def volume_of(index: int, dtype: str = "float64", **other: Any) -> tuple[np.ndarray, list[bytes]]:
    data = RNG.integers(0, 100, (7, 6, 5)).astype(dtype)
    return data, [header(index, data, **other), data.tobytes(order="C")]


def test_volumes_come_as_they_were_sent_and_each_is_answered() -> None:
    affine = np.array([[-3.0, 0.1, 0, 90], [0, 2.9, 0.5, -100], [0.2, 0, 3.5, -70], [0, 0, 0, 1]])
    sent = [
        volume_of(i, dtype, affine=affine) for i, dtype in enumerate(["float64", "int16", "u1"])
    ]
    with listening() as source, PynealSender(source.address) as sender:
        sender.send(*(message for _, message in sent))
        arrived = collect(source, 3)
        sender.join()
        assert sender.replies == [
            b"hello from pynealScanner_sim",
            b"received volIdx 0",
            b"received volIdx 1",
            b"received volIdx 2",
        ]
    for i, (volume, (data, _)) in enumerate(zip(arrived, sent, strict=True)):
        assert isinstance(volume, Volume)
        np.testing.assert_array_equal(volume.data, data)
        assert volume.data.dtype == data.dtype
        np.testing.assert_array_equal(volume.affine, affine)
        assert (volume.index, volume.run, volume.tr_s) == (i, "1", 2.0)
        assert np.isnan(volume.t_acq)


@pytest.mark.parametrize("dtype", [">f4", ">i2", "<f8"])
def test_any_byte_order_becomes_native(dtype: str) -> None:
    data = np.arange(24).reshape(2, 3, 4).astype(dtype)
    read = voxels_of(read_header(header(0, data, dtype=dtype)), data.tobytes())
    assert read.dtype.isnative
    np.testing.assert_array_equal(read, data)


def test_a_tr_in_milliseconds_is_read_and_said() -> None:
    with listening() as source, PynealSender(source.address) as sender:
        sender.send(volume_of(0, tr="1500.0")[1])
        (volume,) = collect(source, 1)
        assert isinstance(volume, Volume)
        assert volume.tr_s == 1.5
        assert any("taken as milliseconds, 1.5 s" in note for note in source.notes)


@pytest.mark.parametrize("tr", ["", "two", "-2", "0", "nan", "1e300"])
def test_a_tr_that_says_nothing_is_nan(tr: str) -> None:
    assert np.isnan(read_header(header(0, np.zeros((1, 1, 1)), tr=tr)).tr_s)


def test_order_and_duplicates_are_for_others_to_judge() -> None:
    with listening() as source, PynealSender(source.address) as sender:
        sender.send(*(volume_of(i)[1] for i in (0, 2, 1, 1, 3)))
        arrived = collect(source, 5)
    assert [item.index for item in arrived if isinstance(item, Volume)] == [0, 2, 1, 1, 3]
    assert {item.run for item in arrived if isinstance(item, Volume)} == {"1"}


def test_a_hello_and_indices_from_the_start_are_a_new_run() -> None:
    with listening() as source:
        for n_volumes in (2, 1):
            with PynealSender(source.address) as sender:
                sender.send(*(volume_of(i)[1] for i in range(n_volumes)))
                arrived = collect(source, 2)
    end, volume = arrived
    assert isinstance(end, RunEnd)
    assert end.run == "1"
    assert isinstance(volume, Volume)
    assert volume.run == "2"


def test_a_sender_that_comes_back_and_goes_on_is_in_the_same_run() -> None:
    with listening() as source:
        for first in (0, 2):
            with PynealSender(source.address) as sender:
                sender.send(volume_of(first)[1], volume_of(first + 1)[1])
                arrived = collect(source, 2)
    assert [item.run for item in arrived if isinstance(item, Volume)] == ["1", "1"]


HOSTILE: dict[str, dict[str, Any]] = {
    "huge": {"shape": [100_000, 100_000, 100_000]},
    "large": {"shape": [1024, 1024, 1024]},
    "negative": {"shape": [-7, -6, 5]},
    "empty": {"shape": [0, 6, 5]},
    "flat": {"shape": [7, 30]},
    "words": {"shape": ["7", "6", "5"]},
    "no list": {"shape": 210},
    "true": {"shape": [True, 6, 35]},
    "other size": {"shape": [7, 6, 6]},
    "object": {"dtype": "object"},
    "O": {"dtype": "O"},
    "record": {"dtype": "f8,f8"},
    "array": {"dtype": "(1000000,1000000)f8"},
    "text": {"dtype": "S8"},
    "complex": {"dtype": "complex128"},
    "no text": {"dtype": 8},
    "index": {"volIdx": -1},
    "large index": {"volIdx": 2**63},
    "fraction": {"volIdx": 1.5},
    "affine": {"affine": [[1, 0, 0, 0]] * 3},
    "nan": {"affine": [[float("nan"), 0, 0, 0]] * 4},
}


@pytest.mark.parametrize("claim", sorted(HOSTILE))
def test_hostile_headers_are_refused_before_anything_is_allocated(claim: str) -> None:
    data = np.zeros((7, 6, 5))
    frame = header(0, data, **HOSTILE[claim])
    payload = data.tobytes()
    tracemalloc.start()
    try:
        with pytest.raises(ScannerError, match="must"):
            voxels_of(read_header(frame), payload)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_the_sender_of_what_is_refused_is_answered_and_goes_on() -> None:
    bad = [
        [b"not json", b"1234"],
        [b"[" * 60_000, b"1234"],
        [header(0, np.zeros((2, 2, 2)), dtype="object"), bytes(64)],
        [header(0, np.zeros((2, 2, 2))), bytes(63)],
        [b"x" * 5000],
        [b"one", b"two", b"three", b"four"],
        [json.dumps(["a", "list"]).encode(), b""],
    ]
    with listening() as source, PynealSender(source.address) as sender:
        sender.send(*bad, volume_of(0)[1])
        arrived = collect(source, len(bad) + 1)
        sender.join()
    assert len(sender.replies) == len(bad) + 2
    assert not any(b"STOP" in reply for reply in sender.replies)
    *refused, volume = arrived
    assert all(isinstance(item, Refused) and "must" in item.reason for item in refused)
    assert isinstance(volume, Volume)


def test_a_sender_that_went_away_without_its_reply_holds_nobody() -> None:
    with listening() as source:
        with PynealSender(source.address) as gone:
            gone.in_thread(lambda: gone.socket.send_multipart(volume_of(0)[1]))
            gone.join()
            collect(source, 1)
        with PynealSender(source.address) as sender:
            sender.send(volume_of(1)[1])
            (volume,) = collect(source, 1)
            sender.join()
    assert isinstance(volume, Volume)


def test_who_comes_while_another_is_served_waits_its_turn() -> None:
    with listening() as source:
        first = PynealSender(source.address)
        with first:
            first.send(volume_of(0)[1], volume_of(1)[1])
            collect(source, 2)
            second = PynealSender(source.address)
            second.send(volume_of(0)[1])
            assert nothing_more(source)
            first.send(volume_of(2)[1], hello=False)
            assert [item.index for item in collect(source, 1) if isinstance(item, Volume)] == [2]
        with second:
            end, volume = collect(source, 2)
    assert isinstance(end, RunEnd)
    assert isinstance(volume, Volume)
    assert (volume.index, volume.run) == (0, "2")


def test_many_short_runs_lose_nothing() -> None:
    with listening() as source:
        for run in range(1, 11):
            with PynealSender(source.address) as sender:
                sender.send(volume_of(0)[1], volume_of(1)[1])
                arrived = collect(source, 2 if run == 1 else 3)
                sender.join()
            assert isinstance(arrived[-1], Volume)
            assert (arrived[-1].index, arrived[-1].run) == (1, str(run))


@pytest.mark.parametrize(("address", "said"), [("tcp://127.0.0.1:*", 0), ("tcp://*:*", 1)])
def test_an_address_that_others_reach_is_said(address: str, said: int) -> None:
    with PynealInput(PynealSettings(kind="pyneal", address=address), monotonic) as source:
        assert sum("Whoever reaches this address" in note for note in source.notes) == said


def test_a_taken_address_says_so() -> None:
    with listening() as source:
        taken = PynealSettings(kind="pyneal", address=source.address)
        with pytest.raises(ScannerError, match="must be free and of this machine"):
            PynealInput(taken, monotonic)


def test_silence_ends_with_the_timeout_and_closing_ends_all() -> None:
    with listening() as source:
        assert nothing_more(source, 0.02)
        source.close()
        source.close()
        assert source.receive(5.0) == ()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(
    frame=st.binary(max_size=100)
    | st.fixed_dictionaries(
        {"volIdx": JSON, "dtype": st.sampled_from(["u1", "f4"]) | JSON},
        optional={"shape": JSON, "affine": JSON | st.just(np.eye(4).tolist()), "TR": JSON},
    ).map(lambda fields: json.dumps(fields).encode()),
    payload=st.binary(max_size=40),
)
def test_noise_is_refused_or_read_and_nothing_else(frame: bytes, payload: bytes) -> None:
    with suppress(ScannerError):
        voxels_of(read_header(frame), payload)
