"""The networks come from one wheel, are checked, and are whole or not there."""

import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from rtaffect.core.errors import FaceError
from rtaffect.face import models
from rtaffect.face.models import fetch_models, models_folder

Pip = Callable[[Path], int]


@pytest.fixture
def pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Pip], None]:
    """Put a pip in place that does what the test says with the folder that it is to fill."""
    monkeypatch.setenv("RTAFFECT_FACE_MODELS", str(tmp_path / "kept"))

    def use(does: Pip) -> None:
        def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
            assert command[1:4] == ["-m", "pip", "download"]
            assert command[-1] == "mediapipe==0.10.21"
            rc = does(Path(command[command.index("--dest") + 1]))
            return subprocess.CompletedProcess(command, rc, "", "ERROR: No matching distribution")

        monkeypatch.setattr(models.subprocess, "run", run)

    return use


def wheel_with(content: dict[str, bytes]) -> Pip:
    def does(folder: Path) -> int:
        with zipfile.ZipFile(folder / "mediapipe-0.10.21-cp311.whl", "w") as archive:
            for name, data in content.items():
                archive.writestr(f"mediapipe/modules/x/{name}.tflite", data)
        return 0

    return does


def test_without_a_network_the_error_says_what_pip_said_and_what_to_do(
    pip: Callable[[Pip], None],
) -> None:
    pip(lambda _: 1)
    with pytest.raises(FaceError, match=r"No matching distribution.*rtaffect face setup.*OpenFace"):
        fetch_models()
    assert not models_folder().exists()


def test_a_wheel_with_other_networks_is_refused_whole(pip: Callable[[Pip], None]) -> None:
    pip(wheel_with(dict.fromkeys(models.SHA256, b"other")))
    with pytest.raises(FaceError, match="must have the SHA-256"):
        fetch_models()
    assert not models_folder().exists()


def test_a_wheel_without_networks_is_refused(pip: Callable[[Pip], None]) -> None:
    pip(wheel_with({"hand": b"x"}))
    with pytest.raises(FaceError, match="wheel with the three networks"):
        fetch_models()


def test_what_is_no_wheel_is_refused(pip: Callable[[Pip], None]) -> None:
    def does(folder: Path) -> int:
        (folder / "mediapipe-0.10.21.whl").write_bytes(b"<html>")
        return 0

    pip(does)
    with pytest.raises(FaceError, match="wheel with the three networks"):
        fetch_models()


def test_networks_that_were_fetched_are_found(face_models: None) -> None:
    found = models.find_models()
    assert sorted(found) == sorted(models.SHA256)
    assert all(path.is_file() for path in found.values())
