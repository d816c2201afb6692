"""Runs of volumes in NIfTI files as sources: whole volumes, or means of regions."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from offline.datasets.array_source import ArraySource
from offline.datasets.contract import Floats
from offline.datasets.frames import VolumeSource, roi_source
from offline.errors import DataError
from rtaffect.core.atlas import read_regions
from rtaffect.core.errors import ConfigError, ScannerError
from rtaffect.core.streams import StreamInfo
from rtaffect.core.voxels import read_tr
from rtaffect.scanner.acquired import Volume
from rtaffect.scanner.roi_means import LabelImage, RoiMeanMaker, read_labels


@dataclass(frozen=True, slots=True, kw_only=True)
class NiftiRun:
    """What a file of volumes says of itself, read without a voxel.

    Parameters
    ----------
    path : Path
        The file.
    n_frames : int
        How many volumes.
    tr_s : float
        Repetition time in seconds.
    t_start : float
        When the first acquisition began, on the recording's clock.
    """

    path: Path
    n_frames: int
    tr_s: float
    t_start: float = 0.0

    @property
    def stamps_s(self) -> Floats:
        """Middle of each acquisition."""
        return self.t_start + (np.arange(self.n_frames, dtype=np.float64) + 0.5) * self.tr_s

    @property
    def about(self) -> Mapping[str, str]:
        """What a stream of it declares."""
        return {"acquisition.tr_s": f"{self.tr_s:g}", "acquisition.time_reference": "mid"}


def read_run(path: Path, *, tr_s: float | None = None, t_start: float = 0.0) -> NiftiRun:
    """Read a file's header.

    Parameters
    ----------
    path : Path
        A NIfTI file of four axes.
    tr_s : float, optional
        Instead of what the header says, whose unit nobody can trust: 2000 "s" is read as ms.
    t_start : float
        When it began, on the recording's clock.

    Raises
    ------
    DataError
        It is no such file, or says no repetition time.
    """
    image = _load(path)
    if len(image.shape) != 4 or image.shape[3] < 2:
        msg = f"{path} must hold volumes over time (four axes), got the shape {image.shape}."
        raise DataError(msg)
    found = tr_s if tr_s is not None else read_tr(float(image.header.get_zooms()[3]))
    if not math.isfinite(found):
        msg = (
            f"{path} must say its repetition time, got {float(image.header.get_zooms()[3]):g}. Set "
            "tr_s in the data set."
        )
        raise DataError(msg)
    return NiftiRun(path=path, n_frames=int(image.shape[3]), tr_s=found, t_start=t_start)


def volume_source(run: NiftiRun) -> VolumeSource:
    """Return the volumes of a run, RAS+, one in memory at a time."""
    info = StreamInfo(
        modality="volume",
        name=run.path.name,
        stype="fMRI",
        ch_names=(),
        sfreq=0.0,
        about=run.about,
    )
    return VolumeSource(info, partial(_volumes, run), tr_s=run.tr_s)


@dataclass(frozen=True, slots=True)
class RegionImage:
    """A label image, the table of its names, and whether it may be brought to another grid."""

    path: Path
    regions: str | None
    resample: bool

    @property
    def ch_names(self) -> tuple[str, ...]:
        """Names of the regions."""
        return self.maker().regions.names

    def maker(self) -> RoiMeanMaker:
        """Return what takes the means; each run needs its own.

        Raises
        ------
        DataError
            The image or the table cannot be read.
        """
        try:
            labels = _upright(read_labels(self.path))
            regions = None if self.regions is None else read_regions(self.regions)
            return RoiMeanMaker(labels, regions, resample=self.resample)
        except ConfigError as error:
            raise DataError(str(error)) from error


def roi_means_source(run: NiftiRun, image: RegionImage) -> ArraySource:
    """Return the means of regions of a run's volumes, as the scanner process takes them.

    Raises
    ------
    DataError
        Volumes and label image do not fit each other.
    """
    maker = image.maker()
    try:
        frames = np.stack([maker.means(volume) for volume in _volumes(run)], axis=1)
    except ScannerError as error:
        msg = f"{run.path}: {error}"
        raise DataError(msg) from error
    return roi_source(
        frames, run.stamps_s, name=run.path.name, ch_names=maker.regions.names, about=run.about
    )


def _volumes(run: NiftiRun) -> Iterator[Volume]:
    """Yield volumes, RAS+."""
    import nibabel

    # Kept open: else a compressed file would be read from its beginning for every volume.
    image, axes = _load(run.path, keep_file_open=True), cast("Any", nibabel.orientations)
    turn = axes.io_orientation(image.affine)
    affine = image.affine @ axes.inv_ornt_aff(turn, image.shape[:3])
    for number in range(run.n_frames):
        voxels: npt.NDArray[Any] = np.asarray(image.dataobj[..., number], dtype=np.float32)
        yield Volume(
            data=np.ascontiguousarray(axes.apply_orientation(voxels, turn)),
            affine=np.asarray(affine, dtype=np.float64),
            index=number,
            run=run.path.name,
            tr_s=run.tr_s,
            t_acq=math.nan,
            t_arrival=float(run.stamps_s[number]),
        )


def _upright(labels: LabelImage) -> LabelImage:
    """Return a label image whose axes are RAS+, as those of the volumes."""
    import nibabel

    axes = cast("Any", nibabel.orientations)
    turn = axes.io_orientation(labels.affine)
    return replace(
        labels,
        values=np.ascontiguousarray(axes.apply_orientation(labels.values, turn)),
        affine=labels.affine @ axes.inv_ornt_aff(turn, labels.values.shape),
    )


def _load(path: Path, *, keep_file_open: bool = False) -> Any:
    import nibabel
    from nibabel.filebasedimages import ImageFileError

    try:
        return nibabel.load(path, keep_file_open=keep_file_open)
    except (OSError, ImageFileError, ValueError, EOFError) as error:
        msg = f"{path} must be a NIfTI file that can be read: {error}"
        raise DataError(msg) from error
