"""A unit's folder: absent, partial or done, and never anything in between.

Work happens in ``seed-0.partial``. When it is finished every file is forced to the disk, ``DONE``
with the SHA-256 of each is written last, and the folder is renamed to ``seed-0``. A process that is
killed, a full disk, a power cut: what is left is a partial folder, which only the same unit goes on
with and nobody reads.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from offline.errors import RunError
from offline.runs.plan import Unit

State = Literal["absent", "partial", "damaged", "done"]

DONE = "DONE"
_LOCK_TIMEOUT_S = 30.0


def unit_folder(root: Path, unit: Unit) -> Path:
    """Return where a unit's results are once it is done."""
    return root / unit.run / unit.fold / f"seed-{unit.seed}"


def partial_folder(folder: Path) -> Path:
    """Return where a unit is worked on."""
    return folder.with_name(folder.name + ".partial")


def state(folder: Path) -> State:
    """Return how far a unit is, by the sizes of its files; `verify` looks into them."""
    if not folder.is_dir():
        return "partial" if partial_folder(folder).is_dir() else "absent"
    try:
        sealed = _read_seal(folder)
    except RunError:
        return "damaged"
    sizes = {name: _size(folder / name) for name in sealed}
    return (
        "done" if all(sizes[name] == seal["size"] for name, seal in sealed.items()) else "damaged"
    )


def verify(folder: Path) -> None:
    """Check that a unit is done and that every file is the one that was written.

    Raises
    ------
    RunError
        It is not done, or a file is missing or was changed.
    """
    if state(folder) != "done":
        msg = f"{folder} must be done to be read, but is {state(folder)}. Train it again."
        raise RunError(msg)
    for name, seal in _read_seal(folder).items():
        if _sha256(folder / name) != seal["sha256"]:
            msg = f"{folder / name} was changed after it was written. Train this unit again."
            raise RunError(msg)


@contextmanager
def work_folder(folder: Path) -> Iterator[Path | None]:
    """Give the partial folder to work in; if nothing is raised, its files become the unit's.

    Parameters
    ----------
    folder : Path
        Of the unit once it is done.

    Yields
    ------
    Path or None
        Where to work, with what an earlier attempt left; None if the unit is done already.

    Raises
    ------
    RunError
        Another process works on the same unit, or nothing was written.
    OSError
        The system refuses: the disk is full.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    # The system lets go of the lock when its holder dies, however that happens.
    lock = FileLock(folder.with_name(f".{folder.name}.lock"))
    try:
        lock.acquire(timeout=_LOCK_TIMEOUT_S)
    except Timeout:
        msg = f"Another process works on {folder}. Wait for it, or stop it."
        raise RunError(msg) from None
    try:
        if state(folder) == "done":
            yield None
            return
        partial = partial_folder(folder)
        partial.mkdir(exist_ok=True)
        yield partial
        _seal(partial)
        if folder.exists():  # damaged: it could not be read
            shutil.rmtree(folder)
        partial.rename(folder)
        _sync_folder(folder.parent)
    finally:
        lock.release()


def write_atomically(path: Path, text: str) -> None:
    """Write a file that is either the old one or the new one, whatever happens."""
    beside = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        beside.write_text(text, encoding="utf-8")
        _sync(beside)
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _seal(folder: Path) -> None:
    for path in folder.glob(f"{DONE}*"):  # of an attempt that ended while it wrote them
        path.unlink()
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if not files:
        msg = f"A unit must write something before it is done, got nothing in {folder}."
        raise RunError(msg)
    for path in files:
        _sync(path)
    seals = {
        path.relative_to(folder).as_posix(): {
            "size": path.stat().st_size,
            "sha256": _sha256(path),
        }
        for path in files
    }
    write_atomically(folder / DONE, json.dumps({"files": seals}, indent=1))


def _read_seal(folder: Path) -> Mapping[str, Mapping[str, Any]]:
    try:
        seals = json.loads((folder / DONE).read_text(encoding="utf-8"))["files"]
        return {str(name): {"size": s["size"], "sha256": s["sha256"]} for name, s in seals.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        msg = f"{folder / DONE} must tell the files of a finished unit. Train it again."
        raise RunError(msg) from error


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else -1


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    if os.name != "posix":  # elsewhere a folder cannot be opened, and a rename is enough
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
