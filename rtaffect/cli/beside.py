"""Processes that `rtaffect live` starts and watches: the scanner's and the face's."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rtaffect.cli.running import tell
from rtaffect.config import Session
from rtaffect.core.errors import FaceError, ScannerError
from rtaffect.text import printable

READY = "Ready:"
"""How the line begins by which the process says that its streams can be found."""

READY_S = 60.0
STOP_S = 10.0
AGAIN_S = 2.0


@contextmanager
def processes_beside(path: Path, session: Session) -> Iterator[None]:
    """Run `rtaffect scanner` and `rtaffect face`, where the session file says so.

    Parameters
    ----------
    path : Path
        The session file.
    session : Session
        What it says.

    Raises
    ------
    ScannerError, FaceError
        A process ended before its streams were there.
    """
    errors = {"scanner": ScannerError, "face": FaceError}
    wanted = {"scanner": session.scanner, "face": session.face}
    children: list[_Child] = []
    try:
        for verb, settings in wanted.items():
            if settings is not None and settings.start:
                children.append(_Child(verb, path))
        for child in children:
            if not child.wait_until_ready():
                msg = (
                    f"The {child.verb} process did not get ready; what it said is above. Start it "
                    f"by itself (`rtaffect {child.verb} {path}`) and set {child.verb}: start: "
                    "false."
                )
                raise errors[child.verb](msg)
        yield
    finally:
        for child in children:
            child.stop()


class _Child:
    """One process, started again when it dies."""

    def __init__(self, verb: str, path: Path) -> None:
        self.verb = verb
        self._command = [sys.executable, "-m", "rtaffect", verb, str(path), "--quiet", "--beside"]
        self._lock = threading.Lock()  # nobody starts it again while it is being stopped
        self._stopped = threading.Event()
        self._settled = threading.Event()  # ready, or ended before it was
        self._is_ready = False
        self._process = self._start()
        self._thread = threading.Thread(target=self._watch, name=verb, daemon=True)
        self._thread.start()

    def wait_until_ready(self) -> bool:
        """Wait for its streams; return whether they are there."""
        self._settled.wait(READY_S)
        return self._is_ready

    def stop(self) -> None:
        """End it."""
        with self._lock:
            self._stopped.set()
            self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._thread.join(STOP_S)

    def _start(self) -> "subprocess.Popen[str]":
        # A group of its own: Ctrl-C ends the session, and the session ends it.
        return subprocess.Popen(  # noqa: S603 - our own program with our own arguments
            self._command,
            stdin=subprocess.PIPE,  # closed by the system should this process be killed
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )

    def _watch(self) -> None:
        """Pass on what it says; start it again when it dies in the middle of a session."""
        while True:
            with self._process as process:
                assert process.stderr is not None
                for line in process.stderr:
                    if line.startswith(READY):
                        self._is_ready = True
                        self._settled.set()
                    tell(f"{self.verb}: {printable(line.rstrip())}")
            code = process.returncode
            self._settled.set()
            if self._stopped.is_set() or not self._is_ready:
                return
            tell(f"{self.verb}: the process ended (exit code {code}); it is started again.")
            self._stopped.wait(AGAIN_S)
            with self._lock:
                if self._stopped.is_set():
                    return
                self._process = self._start()
