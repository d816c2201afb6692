"""The listener: runs, dying senders, and what is made of each version."""

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from afni_bytes import BYE, floats, hello
from collecting import collect, nothing_more

from rtaffect.config.scanner_inputs import AfniSettings
from rtaffect.core.clock import monotonic
from rtaffect.core.errors import ScannerError
from rtaffect.scanner.acquired import Refused, RoiMeans, RunEnd, Volume
from rtaffect.scanner.afni import AfniInput
from rtaffect.scanner.inputs import open_input

pytestmark = pytest.mark.integration
HERE = "<" if sys.byteorder == "little" else ">"


@contextmanager
def listening(**settings: Any) -> Iterator[AfniInput]:
    opened = open_input(AfniSettings(kind="afni", port=0, **settings), monotonic)
    assert isinstance(opened, AfniInput)
    with opened:
        yield opened


def caller(source: AfniInput) -> socket.socket:
    return socket.create_connection(("127.0.0.1", source.port), timeout=5)


def test_runs_follow_each_other_each_on_its_own_connection() -> None:
    with listening() as source:
        for run in (1, 2):
            with caller(source) as afni:
                afni.sendall(hello(1, 2, order=HERE))
                afni.sendall(floats([0] * 6 + [10, 20], HERE) + floats([1] * 6 + [11, 21], HERE))
                afni.sendall(BYE)
                first, second, end = collect(source, 3)
            assert isinstance(first, RoiMeans)
            assert isinstance(second, RoiMeans)
            assert isinstance(end, RunEnd)
            assert [first.run, second.run, end.run] == [str(run)] * 3
            assert [first.index, second.index] == [0, 1]
            np.testing.assert_array_equal(second.values, [11, 21])
            np.testing.assert_array_equal(second.motion, [1] * 6)
            assert np.isnan([first.tr_s, first.t_acq]).all()
            assert first.t_arrival <= monotonic()


def test_a_label_without_a_voxel_is_missing_and_not_zero() -> None:
    with listening() as source, caller(source) as afni:
        afni.sendall(hello(1, 3, order=HERE) + floats([0] * 6 + [10, 0, 30], HERE))
        (frame,) = collect(source, 1)
    assert isinstance(frame, RoiMeans)
    np.testing.assert_array_equal(frame.values, [10, np.nan, 30])
    np.testing.assert_array_equal(frame.motion, [0] * 6)


@pytest.mark.parametrize(("byte_order", "order"), [("little", "<"), ("big", ">")])
def test_the_byte_order_is_what_the_settings_say(byte_order: str, order: str) -> None:
    with listening(byte_order=byte_order) as source, caller(source) as afni:
        afni.sendall(hello(1, 1, order=order) + floats([0.5] * 6 + [123.5], order))
        (frame,) = collect(source, 1)
    assert isinstance(frame, RoiMeans)
    assert frame.values.tolist() == [123.5]


@pytest.mark.parametrize("greeting", [hello(0, order=HERE), hello(1, 0, order=HERE)])
def test_motion_alone_has_no_values(greeting: bytes) -> None:
    with listening() as source, caller(source) as afni:
        afni.sendall(greeting + floats([0.1, 0.2, 0.3, 1, 2, 3], HERE))
        (frame,) = collect(source, 1)
    assert isinstance(frame, RoiMeans)
    assert frame.values.size == 0
    np.testing.assert_allclose(frame.motion, [0.1, 0.2, 0.3, 1, 2, 3], rtol=1e-6)


def test_voxels_without_places_are_passed_on_as_regions_and_that_is_said() -> None:
    with listening() as source, caller(source) as afni:
        afni.sendall(hello(3, 3, order=HERE) + floats([0] * 6 + [7, 8, 9], HERE))
        (frame,) = collect(source, 1)
        assert any("each voxel's value is passed on" in note for note in source.notes)
    assert isinstance(frame, RoiMeans)
    assert frame.values.tolist() == [7, 8, 9]


def test_of_regions_and_voxels_the_regions_are_taken() -> None:
    with listening() as source, caller(source) as afni:
        afni.sendall(hello(4, 2, 3, order=HERE) + floats([0] * 6 + [7, 8, 1, 2, 3], HERE))
        (frame,) = collect(source, 1)
        assert any("voxels are left aside" in note for note in source.notes)
    assert isinstance(frame, RoiMeans)
    assert frame.values.tolist() == [7, 8]


SHAPE = (5, 4, 3)
TO_LPS = np.array([[-3.0, 0, 0.2, 50], [0, -3.1, 0.1, 60], [0, 0.3, 4.0, -20], [0, 0, 0, 1]])


def listed(places: list[tuple[int, int, int]]) -> list[float]:
    """Voxels as All_Data lists them: index, i, j, k, x, y, z (x to the left, y to the back)."""
    rows = []
    for i, j, k in places:
        index = i + SHAPE[0] * (j + SHAPE[1] * k)
        x, y, z, _ = TO_LPS @ [i, j, k, 1]
        rows += [index, i, j, k, x, y, z, 1000.0 + index]
    return [float(number) for number in rows]


PLACES = [(1, 1, 0), (2, 1, 0), (1, 2, 0), (1, 1, 2), (4, 3, 2)]


def test_all_data_becomes_a_volume_where_its_size_is_known() -> None:
    with listening(shape=SHAPE) as source, caller(source) as afni:
        afni.sendall(hello(2, len(PLACES), order=HERE))
        afni.sendall(floats([0] * 6 + listed(PLACES), HERE))
        (volume,) = collect(source, 1)
    assert isinstance(volume, Volume)
    assert volume.data.shape == SHAPE
    assert np.isfinite(volume.data).sum() == len(PLACES)
    assert volume.data[4, 3, 2] == 1000 + 4 + 5 * (3 + 4 * 2)
    to_ras = np.diag([-1, -1, 1, 1]) @ TO_LPS
    np.testing.assert_allclose(volume.affine, to_ras, atol=1e-4)


@pytest.mark.parametrize(
    ("places", "shape", "reason"),
    [
        (PLACES, (4, 4, 3), "must lie in a dataset of"),
        (PLACES, (6, 4, 3), "must lie in a dataset of"),
        (PLACES[:3], SHAPE, "not all in one plane"),
    ],
)
def test_voxels_that_make_no_volume_are_refused(
    places: list[tuple[int, int, int]], shape: tuple[int, int, int], reason: str
) -> None:
    with listening(shape=shape) as source, caller(source) as afni:
        afni.sendall(hello(2, len(places), order=HERE))
        afni.sendall(floats([0] * 6 + listed(places), HERE))
        (refused,) = collect(source, 1)
    assert isinstance(refused, Refused)
    assert reason in refused.reason


def test_a_sender_that_dies_inside_a_record_loses_that_record_and_the_next_run_is_good() -> None:
    with listening() as source:
        with caller(source) as afni:
            afni.sendall(hello(1, 2, order=HERE) + floats([0] * 6 + [1, 2], HERE))
            afni.sendall(floats([0] * 3, HERE))
        frame, refused, end = collect(source, 3)
        assert isinstance(frame, RoiMeans)
        assert isinstance(refused, Refused)
        assert "inside TR 1, after 12 of 32 bytes" in refused.reason
        assert isinstance(end, RunEnd)
        with caller(source) as afni:
            afni.sendall(hello(1, 2, order=HERE) + floats([0] * 6 + [1, 2], HERE))
            (again,) = collect(source, 1)
    assert isinstance(again, RoiMeans)
    assert (again.run, again.index) == ("2", 0)


def test_a_hung_run_ends_when_the_next_one_says_hello_and_not_before() -> None:
    with listening() as source, caller(source) as hung, caller(source) as silent:
        hung.sendall(hello(1, 1, order=HERE) + floats([0] * 6 + [1], HERE))
        collect(source, 1)
        assert nothing_more(source)  # somebody else connected and said nothing
        silent.sendall(hello(1, 1, order=HERE))
        (end,) = collect(source, 1)
        assert isinstance(end, RunEnd)
        assert end.run == "1"


def test_strangers_are_refused_and_do_not_keep_afni_out() -> None:
    with listening() as source:
        strangers = []
        for _ in range(8):
            strangers.append(caller(source))
            assert nothing_more(source, 0.02)
        with strangers[-1] as last:
            last.sendall(b"GET / HTTP/1.1\r\n\r\n")
            (refused,) = collect(source, 1)
            assert isinstance(refused, Refused)
        with caller(source) as afni:
            afni.sendall(hello(1, 1, order=HERE) + floats([0] * 6 + [5], HERE))
            (frame,) = collect(source, 1)
        for stranger in strangers:
            stranger.close()
    assert isinstance(frame, RoiMeans)


def test_an_address_that_others_reach_is_said() -> None:
    with listening() as source:
        assert not any("Whoever reaches" in note for note in source.notes)
    with listening(host="0.0.0.0") as source:
        assert any("Whoever reaches this address can send" in note for note in source.notes)


def test_a_taken_port_says_so() -> None:
    with listening() as source, pytest.raises(ScannerError, match="must be free"):
        AfniInput(AfniSettings(kind="afni", port=source.port), monotonic)


def test_closing_twice_and_receiving_then_is_harmless() -> None:
    with listening() as source:
        source.close()
        source.close()
        assert source.receive(5.0) == ()
