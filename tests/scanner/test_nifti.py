"""NIfTI against files packed by hand and real ones as nibabel reads them."""

import gzip
import math
import tracemalloc
from contextlib import suppress
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nifti_bytes import header, nifti, voxels

from rtaffect.config.scanner_inputs import NiftiSettings
from rtaffect.core.errors import ScannerError
from rtaffect.scanner.acquired import Acquired, Refused, RunEnd, Volume
from rtaffect.scanner.folder import State
from rtaffect.scanner.nifti import NiftiReader

AFFINE = np.array([[-3.0, 0.1, 0, 90], [0, 2.9, 0.5, -100], [0.2, 0, 4.0, -70], [0, 0, 0, 1]])


def reader(**keys: Any) -> NiftiReader:
    return NiftiReader(NiftiSettings(kind="nifti", folder=".", **keys))


def taken(source: NiftiReader, path: Path) -> list[Acquired]:
    return source.gather([source.read(path, 1.0)])


def volumes(items: list[Acquired]) -> list[Volume]:
    return [item for item in items if isinstance(item, Volume)]


def brain(*shape: int, dtype: str = "i2") -> np.ndarray:
    return np.random.default_rng(0).integers(0, 200, shape).astype(dtype)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", ["f4", "f8", "i2", "u1", "u2"])
def test_a_run_is_read_as_it_was_packed(
    tmp_path: Path, dtype: str, order: str, version: int, packed: bool
) -> None:
    data = brain(4, 5, 6, 3, dtype=dtype)
    raw = nifti(data, order=order, version=version, affine=AFFINE, tr=1.5)
    path = tmp_path / ("run.nii.gz" if packed else "run.nii")
    path.write_bytes(gzip.compress(raw) if packed else raw)
    *items, end = taken(reader(), path)
    assert isinstance(end, RunEnd)
    assert [item.index for item in volumes(items)] == [0, 1, 2]
    for item in volumes(items):
        np.testing.assert_array_equal(item.data, data[..., item.index])
        assert item.data.dtype == np.dtype(dtype)
        np.testing.assert_allclose(item.affine, AFFINE, rtol=1e-6)
        assert (item.tr_s, item.run) == (1.5, end.run)
        assert math.isnan(item.t_acq)


def test_values_are_what_the_header_scales_them_to(tmp_path: Path) -> None:
    data = brain(3, 3, 3)
    path = tmp_path / "v_1.nii"
    path.write_bytes(nifti(data, slope=0.5, inter=-3.0))
    (volume,) = volumes(taken(reader(), path))
    np.testing.assert_array_equal(volume.data, data * 0.5 - 3)


@pytest.mark.parametrize(
    ("tr", "units", "tr_s", "said"),
    [
        (2.0, 8, 2.0, ""),
        (2000.0, 16, 2.0, ""),
        (2_000_000.0, 24, 2.0, ""),
        (2000.0, 8, 2.0, "gives a TR of 2000 s by its own unit"),
        (2.0, 16, 2.0, "gives a TR of 0.002 s by its own unit"),
        (1.5, 0, 1.5, "without a unit: taken as 1.5 s"),
        (1500.0, 0, 1.5, "without a unit: taken as 1.5 s"),
        (1.0, 0, math.nan, ""),  # what libraries write unasked
        (0.0, 8, math.nan, "left out"),
        (-2.0, 8, math.nan, "left out"),
        (math.nan, 8, math.nan, "left out"),
    ],
)
def test_the_unit_of_the_tr_is_minded(
    tmp_path: Path, tr: float, units: int, tr_s: float, said: str
) -> None:
    path = tmp_path / "run.nii"
    path.write_bytes(nifti(brain(2, 2, 2, 2), tr=tr, units=2 | units, affine=AFFINE))
    source = reader()
    np.testing.assert_equal(volumes(taken(source, path))[0].tr_s, tr_s)
    assert len(source.notes) == bool(said)
    assert said in "".join(source.notes)


def test_a_single_volume_without_a_unit_has_no_tr_and_that_is_no_news(tmp_path: Path) -> None:
    path = tmp_path / "v_0001.nii"
    path.write_bytes(nifti(brain(2, 2, 2), units=0, affine=AFFINE))
    source = reader()
    assert math.isnan(volumes(taken(source, path))[0].tr_s)
    assert source.notes == ()


def test_an_image_that_lies_nowhere_says_so(tmp_path: Path) -> None:
    path = tmp_path / "v_1.nii"
    path.write_bytes(nifti(brain(2, 2, 2)))
    source = reader()
    taken(source, path)
    assert "neither sform nor qform" in source.notes[0]


def test_names_give_numbers_and_runs(tmp_path: Path) -> None:
    names = ["a_0002.nii", "a_0001.nii", "a_0010.nii", "b_0001.nii", "b_0002.nii"]
    source = reader()
    items: list[Acquired] = []
    for name in names:
        (tmp_path / name).write_bytes(nifti(brain(2, 2, 2)))
        items += taken(source, tmp_path / name)
    assert [(item.run, item.index) for item in volumes(items)] == [
        ("1", 1),
        ("1", 0),
        ("1", 9),
        ("2", 0),
        ("2", 1),
    ]
    assert [item.run for item in items if isinstance(item, RunEnd)] == ["1"]


def test_a_volume_that_calls_itself_a_run_of_one_is_a_volume(tmp_path: Path) -> None:
    path = tmp_path / "v_0003.nii"
    path.write_bytes(nifti(brain(2, 2, 2, 1)))
    (volume,) = taken(reader(), path)
    assert isinstance(volume, Volume)
    assert (volume.index, volume.data.shape) == (2, (2, 2, 2))


def test_names_that_count_otherwise_are_refused_with_advice(tmp_path: Path) -> None:
    for name in ("v_0000.nii", "brain.nii"):
        path = tmp_path / name
        path.write_bytes(nifti(brain(2, 2, 2)))
        (refused,) = taken(reader(), path)
        assert isinstance(refused, Refused)
        assert "Set first_number" in refused.reason
        (volume,) = taken(reader(first_number=None), path)
        assert isinstance(volume, Volume)
        assert volume.index == 0
    (volume,) = taken(reader(first_number=0), tmp_path / "v_0000.nii")
    assert isinstance(volume, Volume)


def test_files_written_anew_under_the_same_names_are_a_new_run(tmp_path: Path) -> None:
    source = reader()
    runs = []
    for _ in range(2):
        for number in (1, 2):
            path = tmp_path / f"v_{number}.nii"
            path.write_bytes(nifti(brain(2, 2, 2)))
            runs += [item.run for item in volumes(taken(source, path))]
    assert runs == ["1", "1", "2", "2"]


def test_a_run_that_grows_is_read_volume_by_volume(tmp_path: Path) -> None:
    data = brain(3, 4, 5, 4)
    raw = nifti(data)
    size = len(voxels(data[..., 0]))
    path = tmp_path / "run.nii"
    source = reader()
    seen = []
    path.write_bytes(raw[: 352 + size // 2])
    with pytest.raises(ScannerError, match="ends before"):
        source.read(path, 0.0)
    for n_bytes in (352 + size, 352 + size + 7, 352 + 3 * size, len(raw)):
        path.write_bytes(raw[:n_bytes])
        file = source.read(path, 0.0)
        assert (file.state is State.WHOLE) == (n_bytes == len(raw))
        seen.append([item.index for item in volumes(source.gather([file]))])
    assert seen == [[0], [], [1, 2], [3]]


def test_a_packed_file_that_is_cut_short_waits_for_the_rest(tmp_path: Path) -> None:
    data = brain(12, 12, 12, 3, dtype="u1")
    raw = gzip.compress(nifti(data))
    path = tmp_path / "run.nii.gz"
    for size in (5, 200, len(raw) // 5):
        path.write_bytes(raw[:size])
        with pytest.raises(ScannerError):
            reader().read(path, 0.0)
    source = reader()
    path.write_bytes(raw[: len(raw) * 3 // 4])
    first = source.read(path, 0.0)
    assert first.state is State.GROWING
    path.write_bytes(raw)
    both = source.gather([first]) + source.gather([source.read(path, 0.0)])
    assert [item.index for item in volumes(both)] == [0, 1, 2]


def test_a_packed_file_with_a_wrong_checksum_is_not_believed(tmp_path: Path) -> None:
    raw = gzip.compress(nifti(brain(4, 4, 4)))
    path = tmp_path / "v_1.nii.gz"
    path.write_bytes(raw[:-8] + bytes(8))
    with pytest.raises(ScannerError):
        reader().read(path, 0.0)


HOSTILE: dict[str, bytes] = {
    "huge": header((32_000, 32_000, 32_000)),
    "large": header((1024, 1024, 1024), 2),
    "cubic": header((600, 600, 600), 2),
    "negative": header((-4, 4, 4)),
    "negative volumes": header((4, 4, 4, -4)),
    "empty": header((4, 0, 4)),
    "many": header((4, 4, 4, 2**40), version=2),
    "wide": header((2**62, 2**62, 4), version=2),
    "five axes": header((4, 4, 4, 2, 3)),
    "two axes": header((4, 4)),
    "no axes": header(()),
    "objects": header((4, 4, 4), 0),
    "colours": header((4, 4, 4), 128),
    "complex": header((4, 4, 4), 32),
    "unknown type": header((4, 4, 4), 999),
    "long numbers": header((4, 4, 4), 1024),
    "pair": header((4, 4, 4), magic=b"ni1\0"),
    "no magic": header((4, 4, 4), magic=b"\0\0\0\0"),
    "far": header((4, 4, 4), offset=1e9),
    "inside": header((4, 4, 4), offset=8),
    "nan offset": header((4, 4, 4), offset=math.nan),
    "nan affine": header((4, 4, 4), affine=np.full((4, 4), np.nan)),
    "nothing": b"",
    "text": b"a text that goes on and on" * 50,
    "short": header((4, 4, 4))[:200],
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("claim", sorted(HOSTILE))
def test_hostile_headers_are_refused_before_anything_is_allocated(
    tmp_path: Path, claim: str, packed: bool
) -> None:
    raw = HOSTILE[claim] + bytes(300)
    path = tmp_path / ("v_1.nii.gz" if packed else "v_1.nii")
    path.write_bytes(gzip.compress(raw) if packed else raw)
    with suppress(ScannerError):
        reader().read(path, 0.0)  # whatever is loaded once
    tracemalloc.start()
    try:
        with pytest.raises(ScannerError):
            reader().read(path, 0.0)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    edits=st.lists(st.tuples(st.integers(0, 351), st.binary(max_size=6)), max_size=5),
    version=st.sampled_from([1, 2]),
    suffix=st.sampled_from([".nii", ".nii.gz"]),
    cut=st.integers(0, 100),
)
def test_damaged_files_are_refused_or_read_and_nothing_else(
    tmp_path: Path, edits: list[tuple[int, bytes]], version: int, suffix: str, cut: int
) -> None:
    raw = bytearray(nifti(brain(3, 3, 3, 2), version=version))
    for place, change in edits:
        raw[place : place + len(change)] = change
    packed = gzip.compress(bytes(raw), mtime=0) if suffix == ".nii.gz" else bytes(raw)
    path = tmp_path / f"run_1{suffix}"
    path.write_bytes(packed[: len(packed) - cut])
    with suppress(ScannerError):
        taken(reader(), path)


REAL = ["nibabel/example4d.nii.gz", "nibabel/functional.nii", "pyneal/testSeries.nii.gz"]


@pytest.mark.recordings
@pytest.mark.parametrize("name", REAL)
def test_real_files_are_read_as_nibabel_reads_them(shared_data: Path, name: str) -> None:
    path = shared_data / "fmri" / "volumes" / name
    image = nibabel.load(path)
    wanted = image.get_fdata()
    items = volumes(taken(reader(), path))
    assert [item.index for item in items] == list(range(wanted.shape[3]))
    for item in items:
        np.testing.assert_allclose(item.data, wanted[..., item.index], rtol=1e-6)
        np.testing.assert_array_equal(item.affine, image.affine)


@pytest.mark.recordings
def test_the_traps_in_real_files_are_found_and_said(shared_data: Path) -> None:
    folder = shared_data / "fmri" / "volumes"
    source = reader()
    trs = [volumes(taken(source, folder / name))[0].tr_s for name in REAL]
    assert trs[:2] == [2.0, 2.0]
    assert math.isnan(trs[2])
    (ms,) = source.notes
    assert ms == (
        "example4d.nii.gz: gives a TR of 2000 s by its own unit, which no scanner has: taken as "
        "2 s."
    )
