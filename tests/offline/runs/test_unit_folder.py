import errno
import os
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from offline.errors import RunError
from offline.runs import folder as folders
from offline.runs.folder import (
    DONE,
    partial_folder,
    state,
    verify,
    work_folder,
    write_atomically,
)


def finish(folder: Path, content: str = "0123456789") -> None:
    with work_folder(folder) as partial:
        assert partial is not None
        (partial / "weights.bin").write_text(content)
        (partial / "inner").mkdir(exist_ok=True)
        (partial / "inner" / "more.txt").write_text(content)


def test_a_unit_is_absent_then_partial_then_done(tmp_path: Path) -> None:
    unit = tmp_path / "fold" / "seed-0"
    assert state(unit) == "absent"
    with work_folder(unit) as partial:
        assert partial == partial_folder(unit)
        (partial / "weights.bin").write_text("x")
        assert state(unit) == "partial"
    assert state(unit) == "done"
    verify(unit)
    assert not partial_folder(unit).exists()


def test_what_an_attempt_left_is_there_for_the_next(tmp_path: Path) -> None:
    unit = tmp_path / "seed-0"

    def stop() -> None:
        with work_folder(unit) as partial:
            assert partial is not None
            (partial / "checkpoint").write_text("epoch 3")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        stop()
    assert state(unit) == "partial"
    with work_folder(unit) as partial:
        assert partial is not None
        assert (partial / "checkpoint").read_text() == "epoch 3"


def test_a_unit_that_is_done_is_not_done_again(tmp_path: Path) -> None:
    finish(tmp_path / "seed-0")
    with work_folder(tmp_path / "seed-0") as partial:
        assert partial is None
    assert state(tmp_path / "seed-0") == "done"


def test_a_unit_that_wrote_nothing_is_not_done(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="write something"), work_folder(tmp_path / "seed-0"):
        pass
    assert state(tmp_path / "seed-0") == "partial"


@pytest.mark.parametrize("seal", ["", "{}", "[]", '{"files": [1]}', '{"files": {"a": 1}}', "\xff"])
def test_a_folder_without_a_valid_seal_is_never_read(tmp_path: Path, seal: str) -> None:
    unit = tmp_path / "seed-0"
    finish(unit)
    (unit / DONE).write_text(seal, encoding="latin-1")
    assert state(unit) == "damaged"
    with pytest.raises(RunError, match="Train it again"):
        verify(unit)
    finish(unit, "anew")
    verify(unit)
    assert (unit / "weights.bin").read_text() == "anew"


def test_a_missing_or_shortened_file_is_noticed(tmp_path: Path) -> None:
    for number, harm in enumerate((Path.unlink, lambda path: path.write_text("short"))):
        unit = tmp_path / f"seed-{number}"
        finish(unit)
        harm(unit / "inner" / "more.txt")
        assert state(unit) == "damaged"


def test_a_file_of_the_same_size_with_other_bytes_is_noticed(tmp_path: Path) -> None:
    unit = tmp_path / "seed-0"
    finish(unit)
    (unit / "weights.bin").write_text("0123456780")
    with pytest.raises(RunError, match="changed after it was written"):
        verify(unit)


class Crash(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("grief", [Crash(), OSError(errno.ENOSPC, "No space left on device")])
def test_whatever_ends_it_at_whatever_moment_nothing_is_taken_for_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, grief: BaseException
) -> None:
    n_calls, fatal = 0, 0

    def fragile(function: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal n_calls
            n_calls += 1
            if n_calls == fatal:
                raise grief
            return function(*args, **kwargs)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fragile(os.fsync))
        for name in ("rename", "replace", "write_text", "mkdir"):
            patch.setattr(Path, name, fragile(getattr(Path, name)))
        finish(tmp_path / "whole")
        n_moments, ended = n_calls, []
        for fatal in range(1, n_moments + 1):
            n_calls = 0
            unit = tmp_path / str(fatal) / "seed-0"
            with pytest.raises(type(grief)):
                finish(unit)
            ended.append(unit)
    assert n_moments > 8
    for unit in ended[:-1]:
        assert state(unit) in {"absent", "partial"}
        finish(unit)  # and the next attempt gets through
        verify(unit)
    verify(ended[-1])  # only the folder's own entry was not forced to the disk yet


def test_two_processes_do_not_work_on_one_unit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "_LOCK_TIMEOUT_S", 0.0)
    unit = tmp_path / "seed-0"
    with (
        FileLock(tmp_path / ".seed-0.lock"),
        pytest.raises(RunError, match="Another process"),
        work_folder(unit),
    ):
        pass
    finish(unit)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_disk_that_fills_up_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.json"
    write_atomically(path, "old")
    monkeypatch.setattr(Path, "write_text", lambda *_, **__: Path("/dev/full").write_bytes(b"new"))
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["run.json"]
