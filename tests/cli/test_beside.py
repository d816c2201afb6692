"""`rtaffect live` starts other processes, watches them, and takes them down again."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import nibabel
import numpy as np
import psutil
import pylsl
import pytest

from rtaffect.cli.beside import processes_beside
from rtaffect.config import Session, load_session
from rtaffect.core.errors import ScannerError

pytestmark = pytest.mark.integration
PATIENCE_S = 30.0


def a_session(folder: Path, source_id: str, **scanner: object) -> tuple[Path, Session]:
    image = folder / "labels.nii"
    nibabel.save(nibabel.Nifti1Image(np.ones((4, 4, 4), np.int16), np.eye(4)), image)
    settings = {
        "streams": {"eeg": {}},
        "decoders": [{"bundle": "prior-dfcn-eeg"}],
        "scanner": {
            "input": {"kind": "nifti", "folder": str(folder)},
            "labels": {"image": str(image)},
            "tr_s": 2.0,
            "source_id": source_id,
            **scanner,
        },
    }
    path = folder / "session.yaml"
    path.write_text(json.dumps(settings))
    return path, load_session(path)


@pytest.fixture
def source_id(request: pytest.FixtureRequest) -> str:
    return f"{request.node.name}-{os.getpid()}"


def runs_of(source_id: str, timeout_s: float) -> set[str]:
    return {one.uid() for one in pylsl.resolve_byprop("source_id", source_id, timeout=timeout_s)}


def scanners() -> list[psutil.Process]:
    children = psutil.Process().children(recursive=True)
    return [one for one in children if "scanner" in one.cmdline()]


def test_it_runs_as_long_as_the_session_and_is_started_again_when_it_dies(
    source_id: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path, session = a_session(tmp_path, source_id, start=True)
    with processes_beside(path, session):
        (first,) = runs_of(source_id, PATIENCE_S)
        (process,) = scanners()
        process.kill()
        deadline = time.monotonic() + PATIENCE_S
        while runs_of(source_id, 0.5) <= {first}:
            assert time.monotonic() < deadline
    assert not scanners()
    told = capfd.readouterr().err
    assert told.count("scanner: Ready: frames go out as 'rtaffect-roi'") == 2
    assert "scanner: the process ended (exit code -9); it is started again." in told


def test_nothing_is_started_unless_the_file_says_so(source_id: str, tmp_path: Path) -> None:
    with processes_beside(*a_session(tmp_path, source_id)):
        assert not scanners()


def test_a_process_that_cannot_start_ends_the_session(
    source_id: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path, session = a_session(tmp_path, source_id, start=True, labels={"image": "nowhere.nii"})
    with pytest.raises(ScannerError, match="did not get ready"), processes_beside(path, session):
        pass
    assert not scanners()
    assert "scanner: Error: The label image nowhere.nii must be" in capfd.readouterr().err


def test_a_process_does_not_outlive_a_session_that_was_killed(
    source_id: str, tmp_path: Path
) -> None:
    """The system closes the pipe that a killed session held."""
    path, _ = a_session(tmp_path, source_id, start=True)
    command = [sys.executable, "-m", "rtaffect", "scanner", str(path), "--quiet", "--beside"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        while not process.stderr.readline().startswith(b"Ready:"):
            assert process.poll() is None
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(PATIENCE_S) == 0
