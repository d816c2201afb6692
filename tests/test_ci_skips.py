"""In CI a skipped test is a failure unless its reason is on the list."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def run(folder: Path, body: str, *, ci: str) -> subprocess.CompletedProcess[str]:
    for name in ("conftest.py", "allowed_skips.txt"):
        shutil.copy(HERE / name, folder / name)
    (folder / "test_skipping.py").write_text(f"import pytest\n{body}\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)]
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "CI": ci},
        capture_output=True,
        text=True,
        check=False,
    )


SKIPPED = "def test_a():\n    pytest.skip({!r})"
UNKNOWN = SKIPPED.format("the moon is full")
WHOLE_FILE = "pytest.skip('the moon is full', allow_module_level=True)"


@pytest.mark.parametrize("body", [UNKNOWN, WHOLE_FILE])
def test_an_unlisted_reason_fails_in_ci_alone(tmp_path: Path, body: str) -> None:
    in_ci = run(tmp_path, body, ci="true")
    assert in_ci.returncode == 1 + (body == WHOLE_FILE)  # pytest's code for a broken collection
    assert "not in allowed_skips.txt: the moon is full" in in_ci.stdout
    assert run(tmp_path, UNKNOWN, ci="").returncode == 0


def test_a_listed_reason_is_a_skip(tmp_path: Path) -> None:
    body = SKIPPED.format("no CUDA device on this machine")
    assert run(tmp_path, body, ci="true").returncode == 0


def test_an_expected_failure_is_no_skip(tmp_path: Path) -> None:
    body = "@pytest.mark.xfail(strict=True)\ndef test_a():\n    assert False"
    assert run(tmp_path, body, ci="true").returncode == 0
