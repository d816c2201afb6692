"""Volumes of our own recordings, read again from the files beside the XDF file."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from rtaffect.core.arrivals import volumes_folder
from rtaffect.core.errors import RecordingError, ScannerError
from rtaffect.core.streams import VolumeChunk
from rtaffect.core.volume_message import VOLUME_TOPIC, VolumeMessage, decode
from rtaffect.core.voxels import MAX_BYTES

_NAME = re.compile(r"[0-9]{6,}\.nii")
_HEADER_BYTES = 352  # of a NIfTI file, before its voxels


class RecordedVolumes:
    """Reads volumes as they are asked for.

    Parameters
    ----------
    recording : Path
        The XDF file.
    """

    def __init__(self, recording: Path) -> None:
        self._folder = volumes_folder(recording)

    def read(self, kept: str, t_received: float) -> VolumeChunk:
        """Return a volume as it arrived.

        Parameters
        ----------
        kept : str
            What the recording says of it.
        t_received : float
            When it arrived, in seconds.

        Raises
        ------
        RecordingError
            Its file is missing, was altered, or what is said of it is damaged.
        """
        name, sha256 = self._file(kept)
        path = self._folder / name
        content = self._content(path)
        if hashlib.sha256(content).hexdigest() != sha256:
            msg = (
                f"{path} is not the file that was recorded (its sha256 differs): put the original "
                "back, or replay without volumes."
            )
            raise RecordingError(msg)
        try:
            message = decode([VOLUME_TOPIC, kept.encode(), _voxels(content)])
        except (ScannerError, ValueError, OSError) as error:
            msg = f"{path} does not hold the volume that was recorded: {error}"
            raise RecordingError(msg) from error
        assert isinstance(message, VolumeMessage), "that is what the topic says"
        return message.chunk(t_received)

    def _file(self, kept: str) -> tuple[str, str]:
        try:
            told = json.loads(kept)
            name, sha256 = told["file"], told["sha256"]
        except (ValueError, RecursionError, KeyError, TypeError):
            name, sha256 = "", ""
        if not (isinstance(name, str) and isinstance(sha256, str) and _NAME.fullmatch(name)):
            msg = f"The recording beside {self._folder} is damaged: it says {kept[:80]!r}."
            raise RecordingError(msg)
        return name, sha256

    def _content(self, path: Path) -> bytes:
        try:
            if path.stat().st_size > MAX_BYTES + _HEADER_BYTES:
                msg = f"{path} is larger than any volume that is recorded."
                raise RecordingError(msg)
            return path.read_bytes()
        except OSError as error:
            msg = (
                f"The recording holds volumes, and {path} cannot be read ({error.strerror}). Keep "
                "the folder beside the XDF file, under the name that it had."
            )
            raise RecordingError(msg) from error


def _voxels(content: bytes) -> bytes:
    """Return the voxels of a NIfTI file in C order, as they are stored."""
    import nibabel
    from nibabel.filebasedimages import ImageFileError
    from nibabel.spatialimages import HeaderDataError
    from nibabel.wrapstruct import WrapStructError

    try:
        image = nibabel.Nifti1Image.from_bytes(content)
        stored: Any = image.dataobj
        return bytes(stored.get_unscaled().tobytes(order="C"))
    except (ImageFileError, HeaderDataError, WrapStructError) as error:
        raise ValueError(str(error)) from error
