"""The scanner process as `rtaffect live` starts and watches it."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rtaffect.cli.running import tell
from rtaffect.config import Session
from rtaffect.core.errors import ScannerError
from rtaffect.text import printable

READY = "Ready:"
"""How the line begins by which the process says that its streams can be found."""

READY_S = 60.0
STOP_S = 10.0
AGAIN_S = 2.0


@contextmanager
def scanner_beside(path: Path, session: Session) -> Iterator[None]:
    """Run `rtaffect scanner` for as long as the context lasts, where the session file says so.

    Parameters
    ----------
    path : Path
        The session file.
    session : Session
        What it says.

    Raises
    ------
    ScannerError
        The process ended before its streams were there.
    """
    if session.scanner is None or not session.scanner.start:
        yield
        return
    child = _Child(path)
    try:
        child.wait_until_ready()
        yield
    finally:
        child.stop()


class _Child:
    """One scanner process, started again when it dies."""

    def __init__(self, path: Path) -> None:
        self._command = [sys.executable, "-m", "rtaffect", "scanner", str(path), "--quiet"]
        self._lock = threading.Lock()  # nobody starts it again while it is being stopped
        self._stopped = threading.Event()
        self._settled = threading.Event()  # ready, or ended before it was
        self._is_ready = False
        self._process = self._start()
        self._thread = threading.Thread(target=self._watch, name="scanner", daemon=True)
        self._thread.start()

    def wait_until_ready(self) -> None:
        """Return once its streams are there."""
        self._settled.wait(READY_S)
        if not self._is_ready:
            msg = (
                "The scanner process did not get ready; what it said is above. Start it by itself "
                f"(`{' '.join(['rtaffect', *self._command[3:-1]])}`) and set scanner: start: false."
            )
            raise ScannerError(msg)

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
                    tell(f"scanner: {printable(line.rstrip())}")
            code = process.returncode
            self._settled.set()
            if self._stopped.is_set() or not self._is_ready:
                return
            tell(f"scanner: the process ended (exit code {code}); it is started again.")
            self._stopped.wait(AGAIN_S)
            with self._lock:
                if self._stopped.is_set():
                    return
                self._process = self._start()
