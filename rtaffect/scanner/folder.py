"""A folder into which the scanner's software writes files, watched by looking.

We look at the folder's names every few milliseconds, less often the longer a look takes. Messages
of the file system would cost less, but shares over SMB and NFS, which is how scanners hand out
images, send none for what another machine writes.

A file is read once its size and time rest for a moment; whether it is whole, its own header says,
hence that moment can be short. What is not whole is read again after each change.
"""

import os
import re
import stat
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Generic, Protocol, Self, TypeVar

from rtaffect.config.scanner_inputs import FolderSettings
from rtaffect.core.clock import Clock, monotonic
from rtaffect.core.errors import ScannerError
from rtaffect.scanner.acquired import Acquired, Refused
from rtaffect.scanner.notes import Notes

HURRY_S = 0.002  # between looks while a file is about to be read
LOOK_S = (0.005, 0.05)
SHARE = 0.05
"""We spend this part of our time on looking, as long as that makes pauses within `LOOK_S`."""

REST = 3.0  # and where the folder is so full or so slow that it cannot be: pauses a look
MAX_FILES = 16  # read at once, so that a full folder does not fill the memory
MAX_DEPTH = 4
UNFINISHED = (".tmp", ".temp", ".part", ".partial", ".filepart", ".crdownload", "~")


class State(Enum):
    """What is to be done with a file that was read."""

    WHOLE = "nothing: all of it was read"
    MORE = "read on at once: the rest is there"
    GROWING = "read on when it has changed"


class ReadFile(Protocol):
    """A file as a reader returns it."""

    @property
    def state(self) -> State:
        """What is to be done with it."""


File = TypeVar("File", bound=ReadFile)


class FileReader(Protocol[File]):
    """Knows one format."""

    def read(self, path: Path, t_arrival: float) -> File:
        """Read a file, or what is new in it.

        Raises
        ------
        ScannerError
            It is not whole yet, or not of this format; it is read again when it changes.
        """

    def gather(self, files: Sequence[File]) -> list[Acquired]:
        """Return what these files, found in the order of their names, mean."""

    def forget(self, path: Path) -> None:
        """Drop what is known of a file that is gone."""

    def shown(self, path: Path) -> str:
        """Return a file's name as it may be shown."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What people should know."""


@dataclass(slots=True)
class _Pending:
    name: str  # counted from the folder
    path: Path
    size_and_time: tuple[int, int]
    t_arrival: float  # when it was last seen to change, on the runtime's clock
    t_rests: float  # the same on a clock of our own
    problem: str = ""  # why the last attempt to read it came to nothing
    known: bool = False  # some of it was read before
    waits: bool = False  # for a change, as it was read as it is


class FolderInput(Generic[File]):
    """Reads what is written into a folder, see `rtaffect.scanner.acquired.ScannerInput`.

    Files that come together are taken in the order of the numbers in their names. A file that has
    been read is not read again when it changes, unless it was a run that grows.

    Parameters
    ----------
    settings : FolderSettings
        Which folder, and which files in it.
    reader : FileReader
        Reads them.
    clock : callable
        The runtime's clock.

    Raises
    ------
    ScannerError
        There is no such folder.
    """

    def __init__(self, settings: FolderSettings, reader: FileReader[File], clock: Clock) -> None:
        self._settings = settings
        self._reader = reader
        self._clock = clock
        self._folder = Path(settings.folder)
        self._closed = threading.Event()
        self._pending: dict[str, _Pending] = {}
        self._seen: set[str] = set()
        self._pause_s = LOOK_S[0]
        names = set(self._names())
        if settings.existing == "skip":
            self._seen = names
        self._notes = Notes(
            f"Watches {self._folder} for {settings.files}"
            + (f"; what is there already ({len(names)}) is left alone." if names else ".")
            if settings.existing == "skip"
            else f"Reads {settings.files} in {self._folder}, and what is yet to come."
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """Which folder it watches, and what the files left unclear."""
        return self._notes.texts + self._reader.notes

    def receive(self, timeout_s: float) -> Sequence[Acquired]:
        """Return what arrived, in order; see `ScannerInput.receive`."""
        deadline = monotonic() + timeout_s
        while not self._closed.is_set():
            arrived = self._look()
            left_s = deadline - monotonic()
            if arrived or left_s <= 0:
                return arrived
            self._closed.wait(min(HURRY_S if self._hurries else self._pause_s, left_s))
        return ()

    def close(self) -> None:
        """Stop watching; no file is open between two looks."""
        self._closed.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _look(self) -> list[Acquired]:
        """Look once: at the folder, at the files that are not done, and into those that rest."""
        t_start = monotonic()
        names = set(self._names())
        cost_s = monotonic() - t_start
        self._pause_s = max(LOOK_S[0], min(cost_s / SHARE, LOOK_S[1]), cost_s * REST)
        for name in names - self._seen:
            path = self._folder / name
            self._pending[name] = _Pending(name, path, (-1, -1), self._clock(), monotonic())
        self._seen = names  # a name that went and comes back is new
        ready: list[_Pending] = []
        for name in sorted(self._pending, key=_by_numbers):
            if name not in names or not self._is_there(self._pending[name]):
                self._reader.forget(self._pending.pop(name).path)
            elif self._rests(self._pending[name]) and len(ready) < MAX_FILES:
                ready.append(self._pending[name])
        return self._read(ready) + self._given_up()

    @property
    def _hurries(self) -> bool:
        """Whether a file is about to be read."""
        return any(not file.waits and not file.problem for file in self._pending.values())

    def _is_there(self, file: _Pending) -> bool:
        """Look whether a file changed; return False when it is gone, or none one can read."""
        try:
            found = file.path.stat()
        except OSError:
            return False
        if not stat.S_ISREG(found.st_mode):  # a pipe would hold us
            return False
        size_and_time = (found.st_size, found.st_mtime_ns)
        if size_and_time != file.size_and_time:
            file.size_and_time = size_and_time
            file.t_arrival, file.t_rests = self._clock(), monotonic()
            file.problem, file.waits = "", False
        return True

    def _rests(self, file: _Pending) -> bool:
        rests_s = monotonic() - file.t_rests
        return not file.waits and not file.problem and rests_s >= self._settings.settle_s

    def _read(self, ready: Sequence[_Pending]) -> list[Acquired]:
        files: list[File] = []
        for pending in ready:
            try:
                file = self._reader.read(pending.path, pending.t_arrival)
            except ScannerError as error:
                pending.problem = str(error)
                continue
            files.append(file)
            pending.known = True
            pending.waits = file.state is State.GROWING
            if file.state is State.WHOLE:
                del self._pending[pending.name]
        return self._reader.gather(files) if files else []

    def _given_up(self) -> list[Acquired]:
        """Return the files that rest for long and are no images; a run may take its time."""
        refused: list[Acquired] = []
        for name, file in list(self._pending.items()):
            if file.problem and monotonic() - file.t_rests >= self._settings.give_up_s:
                self._reader.forget(self._pending.pop(name).path)
                if not file.known:
                    reason = f"{self._reader.shown(file.path)}: {file.problem}"
                    refused.append(Refused(reason=reason, t_arrival=file.t_arrival))
        return refused

    def _names(self) -> Iterator[str]:
        """Yield the files' names, counted from the folder."""
        try:
            yield from self._names_in(self._folder, "", MAX_DEPTH)
        except OSError as error:
            msg = (
                f"The folder to watch must be there and readable: {self._folder}: "
                f"{error.strerror}. Is the share mounted, is the path right?"
            )
            raise ScannerError(msg) from None

    def _names_in(self, folder: Path, prefix: str, depth: int) -> Iterator[str]:
        with os.scandir(folder) as entries:
            for entry in entries:
                name = entry.name
                if name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    if self._settings.subfolders and depth:
                        inside = os.path.join(prefix, name)  # noqa: PTH118 - thousands a look
                        try:
                            yield from self._names_in(folder / name, inside, depth - 1)
                        except OSError:  # gone again
                            continue
                elif fnmatchcase(name, self._settings.files) and not name.endswith(UNFINISHED):
                    yield os.path.join(prefix, name)  # noqa: PTH118


def _by_numbers(name: str) -> list[tuple[int, str]]:
    """Sort key: numbers in names count as numbers."""
    parts = re.split(r"([0-9]+)", name)  # every second one is a number
    return [(int(part[:300]), "") if i % 2 else (-1, part) for i, part in enumerate(parts)]
