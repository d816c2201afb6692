"""Volumes of a recording: one NIfTI file each, in a folder beside the XDF file."""

import hashlib
from pathlib import Path

import numpy as np

from rtaffect.core.arrivals import volume_file, volumes_folder
from rtaffect.core.errors import RecordingError
from rtaffect.core.streams import VolumeChunk
from rtaffect.core.volume_message import VolumeMessage, describe_volume


class VolumeFiles:
    """Writes volumes as they arrive.

    Parameters
    ----------
    recording : Path
        The XDF file; the folder is named after it and made with the first volume.

    Raises
    ------
    RecordingError
        The folder is there already.
    """

    def __init__(self, recording: Path) -> None:
        self._folder = volumes_folder(recording)
        self._n_written = 0
        if self._folder.exists():
            msg = (
                f"{self._folder} exists and its volumes are not overwritten: move it away or "
                "choose another name."
            )
            raise RecordingError(msg)
        import nibabel  # now, as the engine waits while a volume is written

        self._image = nibabel.Nifti1Image

    def write(self, volume: VolumeChunk) -> str:
        """Write one volume, uncompressed, with its voxels as they are.

        Parameters
        ----------
        volume : VolumeChunk
            What arrived.

        Returns
        -------
        str
            What the recording keeps of it, as JSON: the header of its message, so that the affine
            keeps all its digits, with the file and the file's sha256.

        Raises
        ------
        OSError
            The disk fails.
        """
        if self._n_written == 0:
            self._folder.mkdir()
        data = volume.data[:, 0].reshape(volume.shape)
        image = self._image(np.asfortranarray(data), volume.affine)  # type: ignore[no-untyped-call]
        image.header.set_xyzt_units("mm", "sec")  # type: ignore[no-untyped-call]
        content = image.to_bytes()
        name = volume_file(self._n_written)
        (self._folder / name).write_bytes(content)
        self._n_written += 1
        message = VolumeMessage(
            data=data,
            affine=volume.affine,
            index=volume.index,
            run="",
            stamp_s=float(volume.stamps_s[0]),
        )
        return describe_volume(message, file=name, sha256=hashlib.sha256(content).hexdigest())
