"""Fixtures that every test may use, and the rule that CI skips nothing unnoticed."""

import os
from collections.abc import Generator
from pathlib import Path
from typing import TypeVar

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
ALLOWED_SKIPS = Path(__file__).with_name("allowed_skips.txt")

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real recordings that are not part of the project."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the real recordings (../shared/data) are not on this machine")
    return SHARED_DATA


@pytest.fixture(scope="session")
def face_models() -> None:
    """Get the networks where they are not there yet, as `rtaffect face setup` does."""
    from rtaffect.core.errors import FaceError
    from rtaffect.face.models import fetch_models, find_models

    try:
        find_models()
    except FaceError:
        fetch_models()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a test that was skipped for a reason that is not on the list into a failure."""
    return _judged((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Do the same for files that are skipped as a whole."""
    return _judged((yield))


def _judged(report: Report) -> Report:
    in_ci = os.environ.get("CI", "").lower() == "true"
    if in_ci and report.skipped and not hasattr(report, "wasxfail"):
        told = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        reason = str(told).removeprefix("Skipped: ")
        if not _is_allowed(reason):
            report.outcome = "failed"
            report.longrepr = f"Skipped, and this reason is not in {ALLOWED_SKIPS.name}: {reason}"
    return report


def _is_allowed(reason: str) -> bool:
    lines = [line.strip() for line in ALLOWED_SKIPS.read_text(encoding="utf-8").splitlines()]
    return any(
        reason.startswith(line[:-1]) if line.endswith("*") else reason == line
        for line in lines
        if line and not line.startswith("#")
    )
