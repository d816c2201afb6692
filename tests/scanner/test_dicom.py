"""One file: what it holds and where that lies, against files packed by hand and real ones."""

import struct
import tracemalloc
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicom_bytes import (
    BIG,
    CORNER,
    DEFLATED,
    EXPLICIT,
    GAP,
    IMPLICIT,
    JPEG,
    NORMAL,
    csa,
    dicom,
    enhanced_file,
    mosaic_file,
    pixels,
    plain,
    slice_file,
    world_ras,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rtaffect.core.errors import ScannerError
from rtaffect.scanner import dicom_tags
from rtaffect.scanner.csa import csa_values
from rtaffect.scanner.dicom import read_image
from rtaffect.scanner.dicom_image import Slice, Stack
from rtaffect.scanner.dicom_tags import read_tags

N_SLICES, N_ROWS, N_COLUMNS = 5, 6, 8
VOLUME = np.arange(N_SLICES * N_ROWS * N_COLUMNS, dtype="<u2").reshape(N_SLICES, N_ROWS, N_COLUMNS)


def written(folder: Path, raw: bytes) -> Path:
    path = folder / "image.dcm"
    path.write_bytes(raw)
    return path


def stacks(folder: Path, raw: bytes) -> tuple[Stack, ...]:
    content = read_image(written(folder, raw)).content
    assert not isinstance(content, Slice)
    return content


def assert_lies_right(stack: Stack, volume: np.ndarray) -> None:
    """Each voxel is at the place in the head that the standard gives it."""
    assert stack.data.shape == (N_COLUMNS, N_ROWS, N_SLICES)
    assert stack.data.dtype.isnative
    np.testing.assert_array_equal(stack.data, volume.transpose(2, 1, 0))
    for voxel in [(0, 0, 0), (7, 0, 0), (0, 5, 0), (0, 0, 4), (3, 2, 1)]:
        np.testing.assert_allclose(stack.affine[:3] @ [*voxel, 1], world_ras(*voxel), atol=1e-3)


@pytest.mark.parametrize("syntax", [BIG, EXPLICIT, IMPLICIT])
def test_a_mosaic_becomes_a_volume_in_its_place(tmp_path: Path, syntax: str) -> None:
    volume = VOLUME.astype(">u2" if syntax == BIG else "<u2")
    (stack,) = stacks(tmp_path, mosaic_file(volume, syntax=syntax))
    assert_lies_right(stack, VOLUME)


def test_slices_go_the_way_that_siemens_header_says(tmp_path: Path) -> None:
    down = csa({"SliceNormalVector": [0.0, -0.19866933, -0.98006658], "Other": ["", "x"]})
    extra: dict[str, Any] = {
        "t0029_0010": ("LO", "SIEMENS CSA HEADER"),
        "t0029_1010": ("OB", down),
    }
    (stack,) = stacks(tmp_path, mosaic_file(VOLUME, **extra))
    to_next = world_ras(0, 0, 1) - world_ras(0, 0, 0)
    np.testing.assert_allclose(stack.affine[:3, 2], -to_next, atol=1e-6)


def test_a_mosaic_that_says_not_how_many_slices_it_has_asks_for_it(tmp_path: Path) -> None:
    path = written(tmp_path, mosaic_file(VOLUME, t0019_0010=("LO", "SOMEBODY ELSE")))
    assert read_image(path, n_slices=N_SLICES).content
    with pytest.raises(ScannerError, match="Give n_slices"):
        read_image(path)


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_an_enhanced_image_becomes_volumes_whatever_the_order_of_its_frames(
    tmp_path: Path, syntax: str
) -> None:
    volumes = np.stack([VOLUME, VOLUME[:, ::-1] * 2])
    order = np.random.default_rng(1).permutation(2 * N_SLICES).tolist()
    first, second = stacks(tmp_path, enhanced_file(volumes, order=order, syntax=syntax))
    assert (first.number, second.number) == (0, 1)
    assert_lies_right(first, volumes[0])
    assert_lies_right(second, volumes[1])


def test_a_scale_of_the_frames_is_applied(tmp_path: Path) -> None:
    (stack,) = stacks(tmp_path, enhanced_file(VOLUME[np.newaxis], slope=0.5))
    np.testing.assert_array_equal(stack.data, VOLUME.transpose(2, 1, 0) / 2)


def test_the_middle_of_an_enhanced_volume_comes_from_its_frames(tmp_path: Path) -> None:
    times = [f"2024050112000{k}.500000" for k in range(N_SLICES)]
    raw = enhanced_file(VOLUME[np.newaxis], times=times, tr_ms=8000)
    (stack,) = stacks(tmp_path, raw)
    assert stack.t_start_s == 43_200.5
    assert stack.to_middle_s == 2.5  # five slices, a second each, then a pause


def test_signed_voxels_and_a_classic_scale(tmp_path: Path) -> None:
    plane = np.array([[-5, 3], [2, -1]], dtype="<i2")
    scaled = slice_file(plane, 0, t0028_1052=("DS", 10), t0028_1053=("DS", 0.5))
    image = read_image(written(tmp_path, scaled))
    assert isinstance(image.content, Slice)
    np.testing.assert_array_equal(image.content.data, plane.T * 0.5 + 10)


def test_uneven_slices_are_no_volume(tmp_path: Path) -> None:
    raw = enhanced_file(VOLUME[np.newaxis])
    second = f"{(CORNER + GAP * NORMAL)[2]:.6f}".encode()
    twice = raw.replace(second, b"-39.000000", 1)
    assert twice != raw
    with pytest.raises(ScannerError, match="even distances"):
        read_image(written(tmp_path, twice))


def test_nothing_about_a_person_is_read() -> None:
    found = read_tags(mosaic_file(VOLUME))
    assert found.value(0x0010_0010) is None
    assert found.value(0x0010_0020) is None
    groups = {tag >> 16 for tag in dicom_tags.READ}
    assert groups == {0x08, 0x18, 0x19, 0x20, 0x21, 0x28, 0x29, 0x2001, 0x5200, 0x7FE0}
    personal = {0x0008_0012, 0x0008_0020, 0x0008_0050, 0x0008_0080, 0x0008_0090, 0x0008_103E}
    assert not personal & dicom_tags.READ


IMAGE = pixels(np.zeros((4, 4), "<u2"))
MOSAIC = ("ORIGINAL", "PRIMARY", "M", "MOSAIC")
HOSTILE: dict[str, bytes] = {
    "huge": dicom(plain() | IMAGE | {(0x28, 0x10): ("US", 65535), (0x28, 0x11): ("US", 65535)}),
    "large": dicom(plain() | IMAGE | {(0x28, 0x10): ("US", 1024), (0x28, 0x11): ("US", 1024)}),
    "empty": dicom(plain() | IMAGE | {(0x28, 0x10): ("US", 0)}),
    "many bits": dicom(plain() | IMAGE | {(0x28, 0x100): ("US", 64)}),
    "colours": dicom(plain() | IMAGE | {(0x28, 0x2): ("US", 3)}),
    "no pixels": dicom({k: v for k, v in (plain() | IMAGE).items() if k != (0x7FE0, 0x10)}),
    "pixels of items": dicom(plain() | IMAGE | {(0x7FE0, 0x10): ("SQ", [IMAGE])}),
    "no series": dicom({k: v for k, v in (plain() | IMAGE).items() if k != (0x20, 0xE)}),
    "no place": dicom(plain() | IMAGE),
    "many tiles": mosaic_file(VOLUME, t0019_100A=("US", 60_000)),
    "negative tiles": mosaic_file(VOLUME, t0019_100A=("SL", -4)),
    "words for numbers": slice_file(VOLUME[0], 0, t0020_0013=("IS", "one")),
    "infinite place": slice_file(VOLUME[0], 0, t0020_0032=("DS", "1e999\\nan\\0")),
    "frames": enhanced_file(VOLUME[np.newaxis], t0028_0008=("IS", 5))
    .replace(b"\x28\x00\x08\x00IS\x02\x005 ", b"\x28\x00\x08\x00IS\x0a\x002147483647"),
    "packed": mosaic_file(VOLUME, syntax=JPEG),
    "deflated": mosaic_file(VOLUME, syntax=DEFLATED),
    "nothing": b"",
    "text": b"a text" * 100,
    "long element": dicom(plain())[:-4] + struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OW", 0, 2**32 - 2),
    "nested": dicom(plain()) + struct.pack("<HH2sHIHHI", 0x5200, 0x9230, b"SQ", 0, 2**32 - 1,
                                           0xFFFE, 0xE000, 2**32 - 1) * 3000,
}  # fmt: skip


@pytest.mark.parametrize("claim", sorted(HOSTILE))
def test_hostile_files_are_refused_and_little_is_allocated(tmp_path: Path, claim: str) -> None:
    path = written(tmp_path, HOSTILE[claim])
    with suppress(ScannerError):
        read_image(path)  # whatever is loaded once
    tracemalloc.start()
    try:
        with pytest.raises(ScannerError):
            read_image(path)
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("encode", [mosaic_file, lambda v: enhanced_file(v[np.newaxis])])
def test_a_file_that_is_cut_short_is_refused_wherever_it_is_cut(
    tmp_path: Path, encode: Any
) -> None:
    raw = encode(VOLUME)
    for size in range(0, len(raw) - 1, 97):
        with pytest.raises(ScannerError):
            read_image(written(tmp_path, raw[:size]))


BASES = [mosaic_file(VOLUME), slice_file(VOLUME[0], 0), enhanced_file(VOLUME[np.newaxis])]


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    base=st.sampled_from(BASES),
    edits=st.lists(st.tuples(st.integers(132, 3000), st.binary(max_size=6)), max_size=4),
)
def test_damaged_files_are_refused_or_read_and_nothing_else(
    tmp_path: Path, base: bytes, edits: list[tuple[int, bytes]]
) -> None:
    raw = bytearray(base)
    for place, change in edits:
        raw[place % len(raw) : place % len(raw) + len(change)] = change
    with suppress(ScannerError):
        read_image(written(tmp_path, bytes(raw)))


@settings(max_examples=100, deadline=None)
@given(cut=st.integers(0, 300), change=st.tuples(st.integers(0, 300), st.binary(max_size=8)))
def test_damaged_siemens_headers_are_refused_or_read(cut: int, change: tuple[int, bytes]) -> None:
    raw = bytearray(csa({"SliceNormalVector": [0, 0, 1], "TimeAfterStart": ["0.49"]}))
    raw[change[0] : change[0] + len(change[1])] = change[1]
    with suppress(ScannerError):
        csa_values(bytes(raw[: len(raw) - cut]), {"SliceNormalVector"})


@pytest.mark.recordings
def test_real_mosaics_lie_where_nibabel_puts_them(shared_data: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nibabel calls its DICOM readers experimental
        from nibabel.nicom.dicomwrappers import wrapper_from_file

    folder = shared_data / "fmri" / "volumes" / "pyneal" / "Siemens_env" / "funcData"
    for path in sorted(folder.iterdir()):
        wrapper = wrapper_from_file(path)
        content = read_image(path).content
        assert not isinstance(content, Slice)
        (stack,) = content
        # nibabel counts rows first, and its world is DICOM's: left, back, up
        ours = np.diag([-1, -1, 1, 1]) @ stack.affine
        np.testing.assert_allclose(ours[:, [1, 0, 2, 3]], wrapper.affine, atol=1e-4)
        np.testing.assert_array_equal(stack.data.transpose(1, 0, 2), wrapper.get_data())
