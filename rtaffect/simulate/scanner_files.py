"""A scanner whose software writes a file a volume into a folder."""

import threading
from pathlib import Path
from typing import Protocol

import numpy as np

from rtaffect.core.errors import ScannerError
from rtaffect.simulate.delivery import Delivery
from rtaffect.simulate.scan import Scan
from rtaffect.simulate.scanner_link import AFFINE, NAN, SHAPE, TR

PAUSE_S = 0.002
"""Between the two halves of a file: nobody may count on a file that is whole as it appears."""


class VolumeFormat(Protocol):
    """How a volume becomes a file."""

    @property
    def carries(self) -> frozenset[str]:
        """What it tells besides values."""

    def begin(self, scan: Scan, t_start: float) -> None:
        """Begin a run."""

    def file(self, delivery: Delivery) -> tuple[str, bytes]:
        """Return a volume's file name and content."""


class FolderLink:
    """Writes volumes into a folder, each in two parts.

    Parameters
    ----------
    folder : Path
        Where; it has to be there.
    file_format : VolumeFormat
        How.

    Raises
    ------
    ScannerError
        There is no such folder.
    """

    def __init__(self, folder: Path, file_format: VolumeFormat) -> None:
        if not folder.is_dir():
            msg = f"The folder into which volumes are written must be there: {folder}. Make it."
            raise ScannerError(msg)
        self._folder = folder
        self._format = file_format
        self._pause = threading.Event()

    @property
    def carries(self) -> frozenset[str]:
        """What the format tells besides values."""
        return self._format.carries

    def begin(self, scan: Scan, t_start: float) -> None:
        """Begin a run."""
        self._format.begin(scan, t_start)

    def send(self, delivery: Delivery) -> bool:
        """Write a file."""
        name, content = self._format.file(delivery)
        half = len(content) // 2
        try:
            with (self._folder / name).open("wb") as file:
                file.write(content[:half])
                file.flush()
                self._pause.wait(PAUSE_S)
                file.write(content[half:])
        except OSError as error:
            msg = f"Volumes cannot be written into {self._folder} ({error.strerror}): make room."
            raise ScannerError(msg) from error
        return True

    def end(self) -> None:
        """Do nothing: a folder knows no end of a run."""

    def close(self) -> None:
        """Do nothing: no file is open."""


class NiftiFormat:
    """A NIfTI file a volume, numbered from 1 on.

    Parameters
    ----------
    run : int
        Part of the names.
    """

    carries = frozenset({NAN, AFFINE, TR, SHAPE})

    def __init__(self, run: int = 1) -> None:
        import nibabel

        self._image = nibabel.Nifti1Image
        self._run = run
        self._scan: Scan | None = None

    def begin(self, scan: Scan, t_start: float) -> None:  # noqa: ARG002 - the format has no time
        """Begin a run."""
        self._scan = scan

    def file(self, delivery: Delivery) -> tuple[str, bytes]:
        """Return a volume's file name and content."""
        scan = self._scan
        assert scan is not None, "a run has begun"
        voxels = np.asfortranarray(delivery.volume(scan))
        image = self._image(voxels, delivery.affine(scan))  # type: ignore[no-untyped-call]
        image.header.set_xyzt_units("mm", "sec")  # type: ignore[no-untyped-call]
        image.header["pixdim"][4] = delivery.tr(scan)
        return f"run-{self._run:02d}_{delivery.number + 1:06d}.nii", image.to_bytes()
