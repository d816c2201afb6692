"""Files as they come: series, slices, doubles, gaps and times."""

import logging
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from collecting import collect
from dicom_bytes import csa, enhanced_file, mosaic_file, slice_file, world_ras

from rtaffect.config.scanner_inputs import DicomSettings
from rtaffect.core.clock import monotonic
from rtaffect.scanner.acquired import Acquired, Refused, RunEnd, Volume
from rtaffect.scanner.dicom_series import DicomFile, DicomReader
from rtaffect.scanner.inputs import open_input

N_SLICES = 4
MOCO = ("ORIGINAL", "PRIMARY", "M", "MOCO", "MOSAIC")


def brain(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 1000, (N_SLICES, 5, 6)).astype("<u2")


def reader(**settings: Any) -> DicomReader:
    return DicomReader(DicomSettings(kind="dicom", folder=".", **settings))


def read(source: DicomReader, folder: Path, raw: bytes, t: float = 0.0) -> DicomFile:
    path = folder / "image.dcm"
    path.write_bytes(raw)
    return source.read(path, t)


def taken(source: DicomReader, folder: Path, files: Iterable[bytes]) -> list[Acquired]:
    """What comes of files one after the other."""
    return [item for raw in files for item in source.gather([read(source, folder, raw)])]


def volumes(items: Iterable[Acquired]) -> list[Volume]:
    return [item for item in items if isinstance(item, Volume)]


def refusals(items: Iterable[Acquired]) -> list[str]:
    return [item.reason for item in items if isinstance(item, Refused)]


def slices(
    index: int, *, first: int = 1, kept: Iterable[int] = range(N_SLICES), **settings: Any
) -> list[bytes]:
    """The files of one volume."""
    return [
        slice_file(brain(index)[k], k, instance=index * N_SLICES + k + first, **settings)
        for k in kept
    ]


def test_slices_that_come_mixed_up_become_volumes(tmp_path: Path) -> None:
    files = [raw for index in range(4) for raw in slices(index)]
    order = [0, 1, 3, 2, 5, 4, 6, 7, 9, 12, 8, 10, 11, 15, 13, 14]
    items = volumes(taken(reader(), tmp_path, (files[i] for i in order)))
    assert [item.index for item in items] == [0, 1, 2, 3]
    for item in items:
        np.testing.assert_array_equal(item.data, brain(item.index).transpose(2, 1, 0))
        np.testing.assert_allclose(item.affine[:3] @ [2, 1, 3, 1], world_ras(2, 1, 3), atol=1e-3)


@pytest.mark.parametrize(
    "said",
    [
        {"t0021_0010": ("LO", "GEMS_RELA_01"), "t0021_104F": ("US", N_SLICES)},
        {"t2001_0010": ("LO", "Philips Imaging DD 001"), "t2001_1018": ("SL", N_SLICES)},
    ],
)
def test_the_first_volume_need_not_wait_where_the_files_say_how_many_slices_there_are(
    tmp_path: Path, said: dict[str, Any]
) -> None:
    (volume,) = taken(reader(), tmp_path, slices(0, **said))
    assert isinstance(volume, Volume)
    (volume,) = taken(reader(n_slices=N_SLICES), tmp_path, slices(0))
    assert isinstance(volume, Volume)


def test_slices_numbered_by_place_belong_to_the_volume_that_they_name(tmp_path: Path) -> None:
    files = [
        slice_file(brain(t)[k], k, instance=k * 100 + t + 1, t0020_0100=("IS", t + 1))
        for t in range(2)
        for k in range(N_SLICES)
    ]
    items = volumes(taken(reader(), tmp_path, files))
    assert [item.index for item in items] == [0, 1]
    np.testing.assert_array_equal(items[1].data, brain(1).transpose(2, 1, 0))


def test_a_lost_slice_costs_its_volume_and_no_other(tmp_path: Path) -> None:
    files = slices(0) + slices(1, kept=(0, 1, 3))
    files += [raw for index in range(2, 8) for raw in slices(index)]
    items = taken(reader(n_slices=N_SLICES), tmp_path, files)
    assert [item.index for item in volumes(items)] == [0, 2, 3, 4, 5, 6, 7]
    late = taken(reader(n_slices=N_SLICES), tmp_path, files + slices(1))
    assert [item.index for item in volumes(late)] == [0, 2, 3, 4, 5, 6, 7, 1]


def test_volumes_that_never_become_whole_are_given_up_one_by_one(tmp_path: Path) -> None:
    files = [raw for index in range(7) for raw in slices(index, kept=(0, 1, 2))]
    reasons = refusals(taken(reader(n_slices=N_SLICES), tmp_path, files))
    assert len(reasons) == 3
    assert all("must have 4 slices, and only 3 came" in reason for reason in reasons[1:])


def test_a_slice_that_comes_twice_changes_nothing(tmp_path: Path) -> None:
    files = [raw for index in range(3) for raw in slices(index) for _ in range(2)]
    items = taken(reader(n_slices=N_SLICES), tmp_path, files)
    assert [item.index for item in volumes(items)] == [0, 1, 2]
    assert len(items) == 3


def test_files_of_one_look_are_put_in_order(tmp_path: Path) -> None:
    source = reader()
    files = [read(source, tmp_path, mosaic_file(brain(i), instance=i + 1)) for i in (2, 0, 1)]
    assert [item.index for item in volumes(source.gather(files))] == [0, 1, 2]


def test_the_next_series_is_the_next_run(tmp_path: Path) -> None:
    files = [
        mosaic_file(brain(0), series="1.2.3", number=5, instance=1),
        mosaic_file(brain(1), series="1.2.4", number=6, instance=1),
    ]
    first, end, second = taken(reader(), tmp_path, files)
    assert isinstance(first, Volume)
    assert isinstance(end, RunEnd)
    assert isinstance(second, Volume)
    assert (first.run, second.run) == (end.run, second.run)
    assert first.run.startswith("5-")
    assert second.run.startswith("6-")
    assert "1.2.3" not in first.run  # an identity of the scanner and the hour


@pytest.mark.parametrize(("chosen", "number"), [("original", "5-"), ("moco", "6-")])
def test_of_a_doubled_series_one_is_taken(tmp_path: Path, chosen: str, number: str) -> None:
    files = [
        raw
        for i in range(3)
        for raw in (
            mosaic_file(brain(i), series="1.2.3", number=5, instance=i + 1),
            mosaic_file(brain(i), series="1.2.4", number=6, instance=i + 1, kinds=MOCO),
        )
    ]
    source = reader(series=chosen)
    items = taken(source, tmp_path, files)
    assert [item.index for item in volumes(items)] == [0, 1, 2]
    assert len(items) == 3
    assert all(item.run.startswith(number) for item in volumes(items))
    assert any(f"left out (series: {chosen})" in note for note in source.notes)
    assert {v.run[:2] for v in volumes(taken(reader(series="all"), tmp_path, files))} == {
        "5-",
        "6-",
    }


def test_two_series_at_the_same_time_that_nothing_tells_apart_are_said(tmp_path: Path) -> None:
    files = [
        mosaic_file(brain(i), series=series, number=number, instance=i + 1)
        for i in range(2)
        for series, number in (("1.2.3", 5), ("1.2.4", 6))
    ]
    items = taken(reader(), tmp_path, files)
    assert [(item.run[:2], item.index) for item in volumes(items)] == [
        ("5-", 0),
        ("6-", 0),
        ("6-", 1),
    ]
    assert ["sends each volume twice" in reason for reason in refusals(items)] == [True]


def test_phases_are_left_out(tmp_path: Path) -> None:
    source = reader()
    kinds = ("ORIGINAL", "PRIMARY", "P", "MOSAIC")
    assert taken(source, tmp_path, [mosaic_file(brain(0), kinds=kinds)]) == []
    assert any("phases" in note for note in source.notes)


def test_of_several_echoes_one_has_to_be_chosen(tmp_path: Path) -> None:
    files = [
        mosaic_file(
            brain(10 * v + echo),
            instance=2 * v + echo,
            t0018_0086=("IS", echo),
            t0020_0012=("IS", v + 1),
        )
        for v in range(2)
        for echo in (1, 2)
    ]
    assert "set echo" in refusals(taken(reader(), tmp_path, files))[0]
    items = taken(reader(echo=2), tmp_path, files)
    assert [item.index for item in volumes(items)] == [0, 1]
    np.testing.assert_array_equal(volumes(items)[1].data, brain(12).transpose(2, 1, 0))


def test_an_enhanced_file_a_volume_is_counted_by_its_files(tmp_path: Path) -> None:
    files = [enhanced_file(brain(i)[np.newaxis], instance=i + 1, tr_ms=1500) for i in range(2)]
    items = volumes(taken(reader(), tmp_path, files))
    assert [(item.index, item.tr_s) for item in items] == [(0, 1.5), (1, 1.5)]


def timed(times: Iterable[str], **settings: Any) -> list[bytes]:
    return [
        mosaic_file(brain(i), instance=i + 1, t0008_0032=("TM", time), **settings)
        for i, time in enumerate(times)
    ]


def test_times_are_of_the_middle_and_go_on_after_midnight(tmp_path: Path) -> None:
    files = timed(["235957.500000", "235959.500", "000001.5"])
    assert [item.t_acq for item in volumes(taken(reader(), tmp_path, files))] == [
        86_398.5,
        86_400.5,
        86_402.5,
    ]


def test_where_all_bear_the_first_time_numbers_say_when(tmp_path: Path) -> None:
    source = reader()
    items = volumes(taken(source, tmp_path, timed(["120000"] * 3)))
    assert [item.t_acq - 43_200 for item in items] == [1.0, 3.0, 5.0]
    assert any("the time of the first" in note for note in source.notes)


def test_a_gap_is_said_and_lost_files_are_none(tmp_path: Path) -> None:
    source = reader()
    taken(source, tmp_path, timed(["120000", "120002", "120008", "120010"]))
    _, gap = source.notes  # the first one is of the side on which slices lie
    assert "lacks 2 of its volumes: between those of number 2 and 3 lie 6 s at a TR of 2 s" in gap
    source = reader()
    files = timed(["120000", "120002", "120004", "120006"])
    taken(source, tmp_path, [files[0], files[3]])
    assert not any("lacks" in note for note in source.notes)  # the numbers say it already


def test_the_middle_of_a_mosaic_comes_from_the_times_of_its_slices(tmp_path: Path) -> None:
    header = csa({"SliceNormalVector": [0, 0.2, 0.98]})
    (raw,) = timed(
        ["120000"],
        t0019_1029=("FD", [0.0, 1000.0, 500.0, 1500.0]),  # then a pause of eight seconds
        t0029_0010=("LO", "SIEMENS CSA HEADER"),
        t0029_1010=("OB", header),
        tr_ms=10_000,
    )
    (volume,) = volumes(taken(reader(), tmp_path, [raw]))
    assert volume.t_acq - 43_200 == 1.0


def test_the_time_of_writing_is_the_last_resort_and_nothing_is_nan(tmp_path: Path) -> None:
    source = reader()
    (volume,) = taken(source, tmp_path, [mosaic_file(brain(0), t0008_0033=("TM", "120003"))])
    assert isinstance(volume, Volume)
    assert volume.t_acq == 43_204.0
    assert any("takes to reconstruct" in note for note in source.notes)
    (volume,) = taken(reader(), tmp_path, [mosaic_file(brain(0))])
    assert isinstance(volume, Volume)
    assert np.isnan(volume.t_acq)


def test_nothing_that_is_shown_names_a_person(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    settings = DicomSettings(kind="dicom", folder=str(tmp_path), give_up_s=0.05)
    with open_input(settings, monotonic) as source:
        raw = mosaic_file(brain(0), t0020_0013=("IS", "Doe"))
        (tmp_path / "DOE_JANE.MR.0001.IMA").write_bytes(raw)
        (tmp_path / "DOE_JANE.MR.0002.IMA").write_bytes(raw[: len(raw) // 2])
        (tmp_path / "DOE_JANE.MR.0003.IMA").write_bytes(mosaic_file(brain(0)))
        items = collect(source, 3)
        shown = "\n".join([*refusals(items), *source.notes, caplog.text]).upper()
    assert len(refusals(items)) == 2
    assert "DOE" not in shown
    assert "424242" not in shown
    assert "1970" not in shown


@pytest.mark.recordings
def test_the_real_series_lacks_a_volume_and_that_is_said(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "fmri" / "volumes" / "pyneal" / "Siemens_env" / "funcData"
    with open_input(DicomSettings(kind="dicom", folder=str(tmp_path)), monotonic) as source:
        for path in sorted(folder.iterdir(), reverse=True):
            shutil.copyfile(path, tmp_path / path.name)
        items = volumes(collect(source, 3))
        notes = source.notes
    assert [item.index for item in items] == [0, 1, 2]
    assert {(item.data.shape, item.tr_s) for item in items} == {((64, 64, 18), 1.0)}
    # TimeAfterStart of the first slice, less when it was acquired in its volume, plus 490 ms
    np.testing.assert_allclose([item.t_acq for item in items], [0.49, 2.49, 3.49], atol=1e-6)
    assert any(
        "lacks 1 of its volumes: between those of number 1 and 2 lie 2 s at a TR of 1 s" in note
        for note in notes
    )
