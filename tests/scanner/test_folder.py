"""A folder as a scanner fills it: slowly, out of order, with other things in between."""

import gzip
import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from collecting import collect, nothing_more
from nifti_bytes import nifti

from rtaffect.config.scanner_inputs import NiftiSettings
from rtaffect.core.clock import monotonic
from rtaffect.core.errors import ScannerError
from rtaffect.scanner.acquired import Acquired, Refused, RunEnd, ScannerInput, Volume
from rtaffect.scanner.inputs import open_input

DATA = np.arange(60, dtype="i2").reshape(3, 4, 5)
RAW = nifti(DATA)


@contextmanager
def watching(folder: Path, **keys: Any) -> Iterator[ScannerInput]:
    with open_input(NiftiSettings(kind="nifti", folder=str(folder), **keys), monotonic) as source:
        yield source


def indices(items: list[Acquired]) -> list[int]:
    return [item.index for item in items if isinstance(item, Volume)]


def test_what_is_new_is_read_and_what_was_there_is_not(tmp_path: Path) -> None:
    (tmp_path / "v_1.nii").write_bytes(RAW)
    with watching(tmp_path) as source:
        t_before = monotonic()
        (tmp_path / "v_2.nii").write_bytes(RAW)
        (volume,) = collect(source, 1)
        assert nothing_more(source, 0.1)
        assert "what is there already (1) is left alone." in source.notes[0]
    assert isinstance(volume, Volume)
    np.testing.assert_array_equal(volume.data, DATA)
    assert volume.index == 1
    assert t_before <= volume.t_arrival <= monotonic()


def test_what_was_there_is_read_where_that_is_wanted_in_the_order_of_the_numbers(
    tmp_path: Path,
) -> None:
    for number in range(1, 41):  # more than are read at once
        (tmp_path / f"v_{number}.nii").write_bytes(RAW)
    with watching(tmp_path, existing="read") as source:
        assert indices(collect(source, 40)) == list(range(40))


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_that_is_still_being_written_is_waited_for(tmp_path: Path, packed: bool) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (20, 20, 20)).astype("u1")
    raw = gzip.compress(nifti(noise)) if packed else nifti(noise)
    path = tmp_path / ("v_1.nii.gz" if packed else "v_1.nii")
    with watching(tmp_path) as source, path.open("wb") as file:
        for piece in (raw[:100], raw[100:400], raw[400 : len(raw) // 2], raw[len(raw) // 2 : -1]):
            file.write(piece)
            file.flush()
            assert nothing_more(source, 0.06)
        t_last = monotonic()
        file.write(raw[-1:])
        file.flush()
        (volume,) = collect(source, 1)
    assert isinstance(volume, Volume)
    np.testing.assert_array_equal(volume.data, noise)
    assert volume.t_arrival >= t_last


def test_a_file_that_has_its_size_before_its_voxels_is_given_time_to_settle(
    tmp_path: Path,
) -> None:
    path = tmp_path / "v_1.nii"
    with watching(tmp_path, settle_s=0.3) as source:
        path.write_bytes(RAW[:352] + bytes(len(RAW) - 352))
        for end in (400, 440, len(RAW)):
            assert nothing_more(source, 0.05)
            path.write_bytes(RAW[:end] + bytes(len(RAW) - end))
        (volume,) = collect(source, 1)
    assert isinstance(volume, Volume)
    np.testing.assert_array_equal(volume.data, DATA)


def test_unfinished_and_hidden_names_wait_until_they_are_renamed(tmp_path: Path) -> None:
    with watching(tmp_path, files="*") as source:
        for name in ("v_1.nii.part", ".v_1.nii", "v_1.nii~", "v_1.tmp"):
            (tmp_path / name).write_bytes(RAW)
        assert nothing_more(source)
        (tmp_path / "v_1.nii.part").rename(tmp_path / "v_1.nii")
        assert indices(collect(source, 1)) == [0]


def test_what_is_no_image_is_refused_once_and_holds_nothing_up(tmp_path: Path) -> None:
    with watching(tmp_path, give_up_s=0.2) as source:
        (tmp_path / "v_1.nii").write_bytes(b"no image")
        (tmp_path / "v_2.nii").write_bytes(RAW)
        volume, refused = collect(source, 2)
        assert nothing_more(source, 0.3)
    assert isinstance(volume, Volume)
    assert isinstance(refused, Refused)
    assert refused.reason.startswith("v_1.nii: The file must begin with a NIfTI header")


def test_a_file_that_goes_away_is_forgotten_and_may_come_back(tmp_path: Path) -> None:
    path = tmp_path / "run.nii"
    run = nifti(np.stack([DATA] * 3, axis=-1))
    with watching(tmp_path, give_up_s=0.2) as source:
        path.write_bytes(run[:-10])
        assert indices(collect(source, 2)) == [0, 1]
        path.unlink()
        assert nothing_more(source)
        path.write_bytes(run)
        again = collect(source, 4)
    assert indices(again) == [0, 1, 2]
    assert isinstance(again[-1], RunEnd)


def test_a_run_that_grows_is_followed(tmp_path: Path) -> None:
    path = tmp_path / "run.nii"
    run = nifti(np.stack([DATA + i for i in range(4)], axis=-1))
    with watching(tmp_path) as source, path.open("wb") as file:
        begin = 0
        for index in range(4):
            end = 352 + (index + 1) * DATA.nbytes
            file.write(run[begin:end])
            file.flush()
            (volume, *end_of_run) = collect(source, 1)
            assert isinstance(volume, Volume)
            assert volume.index == index
            np.testing.assert_array_equal(volume.data, DATA + index)
            begin = end
        assert isinstance(end_of_run[0], RunEnd)


def test_a_large_run_is_read_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rtaffect.scanner.nifti.BATCH_BYTES", 2 * DATA.nbytes)
    with watching(tmp_path) as source:
        (tmp_path / "run.nii").write_bytes(nifti(np.stack([DATA] * 5, axis=-1)))
        parts = [indices(list(source.receive(5.0))) for _ in range(3)]
    assert parts == [[0, 1], [2, 3], [4]]


def test_folders_inside_are_watched_where_that_is_wanted(tmp_path: Path) -> None:
    for subfolders in (False, True):
        folder = tmp_path / str(subfolders)
        folder.mkdir()
        with watching(folder, subfolders=subfolders, give_up_s=0.1) as source:
            inside = folder / "series 5" / "a"
            inside.mkdir(parents=True)
            (inside / "v_1.nii").write_bytes(RAW)
            if subfolders:
                assert indices(collect(source, 1)) == [0]
            else:
                assert nothing_more(source)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes exist on POSIX only")
def test_what_is_no_file_is_left_alone(tmp_path: Path) -> None:
    with watching(tmp_path, give_up_s=0.1) as source:
        os.mkfifo(tmp_path / "v_1.nii")
        (tmp_path / "v_2.nii").mkdir()
        (tmp_path / "v_3.nii").symlink_to(tmp_path / "nowhere")
        assert nothing_more(source, 0.3)


def test_a_folder_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(ScannerError, match="must be there and readable"):
        open_input(NiftiSettings(kind="nifti", folder=str(tmp_path / "none")), monotonic)
    folder = tmp_path / "gone"
    folder.mkdir()
    with watching(folder) as source:
        shutil.rmtree(folder)
        with pytest.raises(ScannerError, match="Is the share mounted"):
            source.receive(1.0)


def test_closing_ends_a_wait(tmp_path: Path) -> None:
    with watching(tmp_path) as source:
        arrived: list[object] = []
        waiting = threading.Thread(target=lambda: arrived.append(source.receive(60.0)))
        waiting.start()
        time.sleep(0.05)
        source.close()
        waiting.join(10)
        assert arrived == [()]
        source.close()
