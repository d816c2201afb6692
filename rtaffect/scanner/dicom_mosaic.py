"""Siemens' mosaic: all slices of a volume as the tiles of one image."""

import math

import numpy as np

from rtaffect.core.errors import ScannerError
from rtaffect.scanner import dicom_tags as tags
from rtaffect.scanner.acquired import MAX_SIDE
from rtaffect.scanner.csa import csa_values
from rtaffect.scanner.dicom_geometry import affine_of, directions
from rtaffect.scanner.dicom_image import Stack, to_middle
from rtaffect.scanner.dicom_tags import DicomTags
from rtaffect.scanner.dicom_voxels import frames_of, scaled

NORMAL, N_IMAGES = "SliceNormalVector", "NumberOfImagesInMosaic"
STARTED, TIMES = "TimeAfterStart", "MosaicRefAcqTimes"

_WRITTEN = (
    "gives no time of acquisition but that of its writing, which is later by what the scanner "
    "takes to reconstruct it."
)


def mosaic_of(found: DicomTags, tr_s: float, n_slices: int | None) -> tuple[Stack, tuple[str, ...]]:
    """Return the volume whose slices are the tiles of one image."""
    csa = csa_values(
        found.value(tags.CSA_IMAGE) or b"" if found.has(tags.CSA) else b"",
        {NORMAL, N_IMAGES, STARTED, TIMES},
    )
    siemens = found.has(tags.SIEMENS)
    told = found.whole(tags.N_IN_MOSAIC, default=0) if siemens else 0
    n = told or int(next(iter(csa.get(N_IMAGES, ())), "0")) or (n_slices or 0)
    rows, columns = found.whole(tags.ROWS, default=0), found.whole(tags.COLUMNS, default=0)
    n_side = math.ceil(math.sqrt(max(0, n)))
    if not 0 < n <= MAX_SIDE or rows % n_side or columns % n_side:
        msg = (
            f"A mosaic must say how many slices it has, got {n or 'nothing'} in an image of "
            f"{columns} x {rows}. Give n_slices, or export with Siemens' own elements."
        )
        raise ScannerError(msg)
    height, width = rows // n_side, columns // n_side
    frames = frames_of(found, (width, height, n_side * n_side))
    tiles = frames.reshape(n_side, height, n_side, width).swapaxes(1, 2)
    data = tiles.reshape(n_side * n_side, height, width)[:n].transpose(2, 1, 0)

    orientation, spacing = found.numbers(tags.ORIENTATION), found.numbers(tags.PIXEL_SPACING)
    along, down = directions(orientation)
    normal = np.cross(along, down)
    told_normal = tuple(float(text) for text in csa.get(NORMAL, ()))
    remarks: tuple[str, ...] = ()
    if len(told_normal) == 3:
        normal = normal if normal @ np.array(told_normal) >= 0 else -normal
    else:
        remarks = ("says not on which side of a slice the next one lies: a guess.",)
    corner = np.array(found.numbers(tags.POSITION), dtype=np.float64)
    if corner.shape == (3,) and len(spacing) == 2:  # that of the mosaic as if it were one slice
        corner = corner + along * spacing[1] * (columns - width) / 2
        corner = corner + down * spacing[0] * (rows - height) / 2
    times = found.numbers(tags.MOSAIC_TIMES_MS) if siemens else ()
    times = times or tuple(float(text) for text in csa.get(TIMES, ()))
    times_s = tuple(time / 1000.0 for time in times)
    t_start_s = found.seconds(tags.ACQUISITION_TIME)
    after_s = found.number(tags.TIME_AFTER_START_S) if siemens else math.nan
    after_s = after_s if after_s >= 0 else float(next(iter(csa.get(STARTED, ())), "nan"))
    if math.isnan(t_start_s) and after_s >= 0:  # of the first slice in the mosaic
        t_start_s = after_s - (times_s[0] if times_s else 0.0)
    if math.isnan(t_start_s):
        t_start_s = found.seconds(tags.CONTENT_TIME)
        remarks += (_WRITTEN,) if t_start_s >= 0 else ()
    stack = Stack(
        data=scaled(data, found),
        affine=affine_of(orientation, spacing, tuple(corner), normal * found.step_mm),
        number=0,
        t_start_s=t_start_s,
        to_middle_s=to_middle(times_s, tr_s),
    )
    return stack, remarks
