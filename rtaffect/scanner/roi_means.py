"""Volumes become one mean a region: a label image is read once, then it is one product a volume."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from rtaffect.core.atlas import RegionTable, numbered
from rtaffect.core.errors import ConfigError, ScannerError
from rtaffect.scanner.acquired import MAX_SIDE, Floats, Volume
from rtaffect.scanner.policy import AFFINE_TOLERANCE_MM

MIN_FINITE = 0.5
"""Share of a region's voxels that must be numbers, else the region is missing from the frame."""

N_TOLD = 8
Labels = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelImage:
    """Which voxel belongs to which region.

    Parameters
    ----------
    values : ndarray of int32, shape (x, y, z)
        A region's value at each voxel; 0 is none.
    affine : ndarray of float64, shape (4, 4)
        Voxel to world, in millimetres.
    name : str
        What the image is called, for messages.
    """

    values: Labels
    affine: Floats
    name: str

    def fits(self, volume: Volume) -> bool:
        """Return whether a volume lies on the image's grid."""
        return self.values.shape == volume.data.shape and np.allclose(
            self.affine, volume.affine, rtol=0.0, atol=AFFINE_TOLERANCE_MM
        )

    def resampled(self, volume: Volume) -> "LabelImage":
        """Return the image on a volume's grid: each voxel takes the nearest one's value."""
        to_here = np.linalg.inv(self.affine) @ volume.affine
        values = np.zeros(volume.data.shape, dtype=np.int32)
        limits = np.array(self.values.shape)[:, None]
        for x, plane in enumerate(values):  # not at once: coordinates are much larger than labels
            grid = np.indices((1, *plane.shape)).reshape(3, -1)
            grid[0] = x
            at = np.rint(to_here[:3, :3] @ grid + to_here[:3, 3:])
            inside = ((at >= 0) & (at < limits)).all(axis=0)
            plane.reshape(-1)[inside] = self.values[tuple(at[:, inside].astype(np.int64))]
        return LabelImage(values=values, affine=volume.affine, name=self.name)


def read_labels(path: Path) -> LabelImage:
    """Read a label image.

    Parameters
    ----------
    path : Path
        A NIfTI file (or what else nibabel reads) with one whole number a voxel.

    Raises
    ------
    ConfigError
        The file cannot be read, or holds something else.
    """
    import nibabel
    from nibabel.filebasedimages import ImageFileError

    try:
        image: Any = nibabel.load(path)
        shape = tuple(image.shape)
        if len(shape) == 4 and shape[3] == 1:
            shape = shape[:3]
        if len(shape) != 3 or max(shape) > MAX_SIDE:
            msg = f"The label image {path} must have three axes, got the shape {image.shape}."
            raise ConfigError(msg)
        values = np.asanyarray(image.dataobj).reshape(shape)
    except (OSError, ImageFileError, ValueError, EOFError) as error:
        msg = f"The label image {path} must be a NIfTI file that can be read: {error}"
        raise ConfigError(msg) from error
    if not np.isfinite(values).all() or (values != np.rint(values)).any() or values.min() < 0:
        msg = (
            f"The label image {path} must hold whole numbers >= 0, one a region, got values from "
            f"{values.min():g} to {values.max():g}; resample it with nearest neighbour, and do not "
            "give probabilities."
        )
        raise ConfigError(msg)
    if values.max() >= 1 << 31:
        msg = f"The label image {path} must hold values below {1 << 31}, got {values.max():g}."
        raise ConfigError(msg)
    affine = np.asarray(image.affine, dtype=np.float64)
    return LabelImage(values=values.astype(np.int32), affine=affine, name=path.name)


class RoiMeanMaker:
    """Takes the means of regions in volume after volume.

    Parameters
    ----------
    labels : LabelImage
        Which voxel belongs to which region.
    regions : RegionTable or None
        The regions, in the order of the means; None takes all values of the image, in rising order.
    resample : bool
        Bring the labels to the grid of the volumes, where they lie on another.
    """

    def __init__(
        self, labels: LabelImage, regions: RegionTable | None = None, *, resample: bool = False
    ) -> None:
        present = tuple(int(value) for value in np.unique(labels.values) if value)
        if regions is None:
            regions = numbered(present, name=labels.name)
        self.regions = regions
        self._labels = labels
        self._resample = resample
        self._notes: list[str] = []
        self._note_differences(present)
        self._use(labels)

    @property
    def n_voxels(self) -> npt.NDArray[np.int64]:
        """Voxels of each region on the grid in use, shape (n_regions,)."""
        return self._n_voxels

    @property
    def notes(self) -> tuple[str, ...]:
        """What people should know of image and names."""
        return tuple(self._notes)

    def means(self, volume: Volume) -> Floats:
        """Return one mean a region, shape (n_regions,).

        The mean is over the voxels that are numbers. A region is NaN where it has no voxel on the
        grid, or fewer than half of its voxels are numbers.

        Raises
        ------
        ScannerError
            The volume lies on another grid than the labels.
        """
        if not self._in_use.fits(volume):
            self._change_grid(volume)
        voxels = volume.data.reshape(-1)[self._voxels].astype(np.float64, copy=False)
        with np.errstate(invalid="ignore"):
            sums = self._sums(voxels)
        n_finite = self._n_voxels.astype(np.float64)
        if not np.isfinite(sums).all():
            finite = np.isfinite(voxels)
            sums = self._sums(np.where(finite, voxels, 0.0))
            n_finite = self._sums(finite.astype(np.float64))
        usable = (n_finite > 0) & (n_finite >= MIN_FINITE * self._n_voxels)
        return np.where(usable, sums / np.maximum(n_finite, 1), np.nan)

    def _sums(self, voxels: Floats) -> Floats:
        return np.asarray(self._matrix @ voxels)

    def _use(self, labels: LabelImage) -> None:
        """Make the matrix: a row a region, a column a voxel that belongs to any."""
        wanted = np.array(self.regions.values)
        order = np.argsort(wanted)
        values = labels.values.reshape(-1)
        place = np.minimum(np.searchsorted(wanted[order], values), len(wanted) - 1)
        voxels = np.flatnonzero(wanted[order][place] == values)
        if not len(voxels):
            msg = (
                f"None of the {self.regions.n_regions} regions of {self.regions.name!r} has a "
                f"voxel in {labels.name}; name the table that belongs to the image."
            )
            raise ConfigError(msg)
        row = order[place[voxels]]
        self._matrix = csr_array(
            (np.ones(len(row)), (row, np.arange(len(row)))),
            shape=(self.regions.n_regions, len(row)),
        )
        self._n_voxels = np.bincount(row, minlength=self.regions.n_regions).astype(np.int64)
        self._voxels, self._in_use = voxels, labels

    def _change_grid(self, volume: Volume) -> None:
        if not self._resample:
            msg = (
                f"Volumes must lie on the grid of the label image {self._labels.name}: that has "
                f"{_grid(self._labels.values.shape, self._labels.affine)}, the volume has "
                f"{_grid(volume.data.shape, volume.affine)}. Bring the image to the volumes' grid, "
                "or set labels: resample: true if both are in the same space."
            )
            raise ScannerError(msg)
        labels = self._labels.resampled(volume)
        try:
            self._use(labels)
        except ConfigError as error:
            msg = (
                f"The label image {self._labels.name} and the volumes must lie in the same space; "
                "brought to the volumes' grid, no region of it has a voxel there."
            )
            raise ScannerError(msg) from error
        n_lost = int((self._n_voxels == 0).sum())
        lost = f"; {n_lost} regions have no voxel there" if n_lost else ""
        self._notes.append(
            f"labels: {self._labels.name} was brought to the volumes' grid "
            f"({_grid(volume.data.shape, volume.affine)}), nearest neighbour{lost}."
        )

    def _note_differences(self, present: tuple[int, ...]) -> None:
        absent = [
            name
            for value, name in zip(self.regions.values, self.regions.names, strict=True)
            if value not in set(present)
        ]
        if absent:
            self._notes.append(
                f"labels: {len(absent)} of {self.regions.n_regions} regions have no voxel in "
                f"{self._labels.name} and will be NaN: {_some(absent)}."
            )
        unnamed = sorted(set(present) - set(self.regions.values))
        if unnamed:
            self._notes.append(
                f"labels: {len(unnamed)} values of {self._labels.name} have no name in "
                f"{self.regions.name!r} and are not used: {_some(unnamed)}."
            )


def _grid(shape: tuple[int, ...], affine: Floats) -> str:
    rows = ", ".join(str(row) for row in affine[:3].round(3).tolist())
    return f"shape {shape} and affine [{rows}]"


def _some(entries: "list[str] | list[int]") -> str:
    more = " ..." if len(entries) > N_TOLD else ""
    return ", ".join(map(str, entries[:N_TOLD])) + more
