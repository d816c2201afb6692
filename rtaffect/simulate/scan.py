"""What a simulated scanner scans: the simulated participant, a NIfTI file, a table of regions."""

import csv
import math
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from rtaffect.core.errors import ConfigError
from rtaffect.core.voxels import TR_RANGE_S, check_header, read_tr
from rtaffect.simulate.bold import MOTION_NAMES, SimulatedBold
from rtaffect.simulate.processes import FloatArray
from rtaffect.simulate.volumes import PaintedBold, Painter, Parcellation
from rtaffect.sources.roi_table import read_roi_table

Voxels = npt.NDArray[np.generic]

NIFTI = (".nii", ".nii.gz")
_TIME_UNITS_S = {8: 1.0, 16: 1e-3, 24: 1e-6}  # NIfTI's codes


class Scan(Protocol):
    """One run of a scan, any volume of which can be asked for at any time."""

    @property
    def n_volumes(self) -> float:
        """How many volumes it has; infinite is fine."""

    @property
    def tr_s(self) -> float:
        """Repetition time in seconds."""

    @property
    def affine(self) -> FloatArray:
        """Voxel to world (RAS+), in millimetres."""

    @property
    def labels(self) -> npt.NDArray[np.int16] | None:
        """Which voxel is of which region, from 1 on; None where there are no regions."""

    @property
    def ch_names(self) -> tuple[str, ...]:
        """Names of the regions."""

    def volume(self, number: int) -> Voxels:
        """Return a volume's voxels."""

    def means(self, number: int) -> FloatArray:
        """Return the means of a volume's regions."""

    def motion(self, number: int) -> FloatArray:
        """Return where the head is in a volume: dx, dy, dz in mm, roll, pitch, yaw in degrees."""


class SimulatedScan:
    """The simulated participant's.

    Parameters
    ----------
    painted : PaintedBold
        Its volumes.
    duration_s : float
        Length of the session in seconds.
    """

    def __init__(self, painted: PaintedBold, duration_s: float = math.inf) -> None:
        self._painted = painted
        self._bold: SimulatedBold = painted.bold
        self.tr_s = self._bold.settings.tr_s
        scanned_s = max(0.0, duration_s - self._bold.settings.start_s)
        self.n_volumes: float = scanned_s // self.tr_s if scanned_s < math.inf else math.inf
        self.affine = painted.parcellation.affine
        self.labels: npt.NDArray[np.int16] | None = painted.parcellation.labels
        self.ch_names = self._bold.ch_names

    def volume(self, number: int) -> Voxels:
        """Return a volume's voxels."""
        return self._painted.volume(number)

    def means(self, number: int) -> FloatArray:
        """Return the means of a volume's regions."""
        frame: FloatArray = self._bold.frames(number, number + 1)[:, 0]
        return frame

    def motion(self, number: int) -> FloatArray:
        """Return where the head is in a volume."""
        motion: FloatArray = self._bold.motion(number, number + 1)[:, 0]
        return motion


class NiftiScan:
    """A recorded run of volumes.

    Parameters
    ----------
    path : Path
        NIfTI file with three or four axes.
    tr_s : float or None
        Repetition time in seconds, where the file's is wrong or missing.

    Raises
    ------
    ConfigError
        It cannot be read, or says no repetition time and none is given.
    """

    def __init__(self, path: Path, *, tr_s: float | None = None) -> None:
        import nibabel
        from nibabel.filebasedimages import ImageFileError

        try:
            # Scanners' tools send RAS+.
            image = nibabel.as_closest_canonical(nibabel.load(path))  # type: ignore[no-untyped-call]
            shape = image.shape
        except (OSError, ImageFileError, ValueError) as error:
            msg = f"A scan to replay must be a NIfTI file; {path} cannot be read: {error}."
            raise ConfigError(msg) from error
        if not 3 <= len(shape) <= 4:
            msg = f"A scan to replay must have three or four axes, {path} has {len(shape)}."
            raise ConfigError(msg)
        self._image = image
        self.n_volumes: float = shape[3] if len(shape) == 4 else 1
        self.affine = np.asarray(image.affine, dtype=np.float64)
        self.labels: npt.NDArray[np.int16] | None = None
        self.ch_names: tuple[str, ...] = ()
        header = image.header
        unit_s = _TIME_UNITS_S.get(int(header["xyzt_units"]) & 0x38, 1.0)
        self.tr_s = tr_s or read_tr(float(header["pixdim"][4]) * unit_s)
        if not TR_RANGE_S[0] <= self.tr_s <= TR_RANGE_S[1]:
            msg = f"{path} says no repetition time that a scanner has: give it, as --tr 2.0."
            raise ConfigError(msg)

    def volume(self, number: int) -> Voxels:
        """Return a volume's voxels, in the type in which they are stored where nothing scales."""
        stored = self._image.dataobj
        volume = np.asarray(stored[..., number] if len(self._image.shape) == 4 else stored)
        check_header(volume.shape, volume.dtype, n_bytes=volume.nbytes)
        return volume

    def means(self, number: int) -> FloatArray:  # noqa: ARG002 - the protocol's signature
        """Refuse: regions are not known."""
        msg = (
            "Volumes have no regions of their own, so that nothing sends their means: replay a "
            "NIfTI file by pyneal, nifti, dicom, or afni with --afni-version 0, 2 or 3."
        )
        raise ConfigError(msg)

    def motion(self, number: int) -> FloatArray:  # noqa: ARG002 - the protocol's signature
        """Return zeros: nobody measured it."""
        return np.zeros(len(MOTION_NAMES))


class TableScan:
    """A recorded table of regions, see `rtaffect.sources.roi_table`.

    Volumes are painted from it on a parcellation of nobody's head.

    Parameters
    ----------
    path : Path
        CSV or TSV file.
    tr_s : float or None
        Repetition time in seconds, where the table does not say it.

    Raises
    ------
    RecordingError
        It cannot be read, is no such table, or does not say when its frames were acquired.
    """

    def __init__(self, path: Path, *, tr_s: float | None = None) -> None:
        table = read_roi_table(path, tr_s=tr_s)
        self.ch_names = table.ch_names
        self._values = table.data
        self.n_volumes: float = table.data.shape[1]
        told = table.about.get("acquisition.tr_s")
        self.tr_s = float(told) if told else float(np.median(np.diff(table.stamps_s)))
        self._parcellation = Parcellation(n_regions=len(self.ch_names))
        self._painter = Painter(self._parcellation, key=(len(self.ch_names),), air=0.0)
        self.affine = self._parcellation.affine
        self.labels: npt.NDArray[np.int16] | None = self._parcellation.labels

    def volume(self, number: int) -> Voxels:
        """Return a volume's voxels."""
        return self._painter.paint(self.means(number), number).astype(np.float32)

    def means(self, number: int) -> FloatArray:
        """Return the means of a volume's regions, NaN where the table has none."""
        row: FloatArray = self._values[:, number]
        return row

    def motion(self, number: int) -> FloatArray:  # noqa: ARG002 - the protocol's signature
        """Return zeros: nobody measured it."""
        return np.zeros(len(MOTION_NAMES))


def open_scan(path: Path, *, tr_s: float | None = None) -> Scan:
    """Return the scan of a file: NIfTI by its name's end, else a table of regions.

    Parameters
    ----------
    path : Path
        The file.
    tr_s : float or None
        Repetition time in seconds; None takes the file's.

    Raises
    ------
    ConfigError, RecordingError
        The file is not one that can be replayed.
    """
    if path.name.endswith(NIFTI):
        return NiftiScan(path, tr_s=tr_s)
    return TableScan(path, tr_s=tr_s)


def write_labels(scan: Scan, path: Path) -> Path:
    """Write a scan's regions for whoever takes their means: an image, and a TSV file of names.

    Parameters
    ----------
    scan : Scan
        The scan.
    path : Path
        Of the image, a NIfTI file; names go beside it, as ``labels.tsv`` for ``labels.nii.gz``.

    Returns
    -------
    Path
        Where the names are.

    Raises
    ------
    ConfigError
        The scan has no regions, or there is no writing there.
    """
    import nibabel

    if scan.labels is None:
        msg = (
            "A NIfTI file has no regions of its own to write: leave --labels out, and name the "
            "label image that belongs to its volumes in the session file."
        )
        raise ConfigError(msg)
    end = next((end for end in NIFTI if path.name.endswith(end)), None)
    if end is None:
        msg = f"A label image must be called .nii or .nii.gz, got {path.name!r}."
        raise ConfigError(msg)
    names = path.with_name(path.name.removesuffix(end) + ".tsv")
    image = nibabel.Nifti1Image(scan.labels, scan.affine)  # type: ignore[no-untyped-call]
    try:
        nibabel.save(image, path)
        with names.open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file, delimiter="\t", lineterminator="\n")
            table.writerow(("index", "name"))
            table.writerows(enumerate(scan.ch_names, start=1))
    except OSError as error:
        msg = f"The label image cannot be written to {path} ({error.strerror}): name another file."
        raise ConfigError(msg) from error
    return names
