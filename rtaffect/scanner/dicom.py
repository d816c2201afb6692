"""One DICOM file: a classic mosaic, a classic slice, or an enhanced image."""

import hashlib
from pathlib import Path

from rtaffect.core.errors import ScannerError
from rtaffect.scanner import dicom_tags as tags
from rtaffect.scanner.acquired import MAX_BYTES
from rtaffect.scanner.dicom_enhanced import stacks_of
from rtaffect.scanner.dicom_geometry import directions
from rtaffect.scanner.dicom_image import DicomImage, Series, Slice, Stack
from rtaffect.scanner.dicom_mosaic import mosaic_of
from rtaffect.scanner.dicom_tags import DicomTags, read_tags, refusing
from rtaffect.scanner.dicom_voxels import frames_of, scaled

FAR_MM = 1e5  # no slice is so far from the middle of the magnet
HEADER_BYTES = 1 << 24  # room for all that is not voxels


def read_image(path: Path, *, n_slices: int | None = None) -> DicomImage:
    """Read a file.

    Parameters
    ----------
    path : Path
        The file.
    n_slices : int or None
        Slices of a volume, for a mosaic or a slice that does not say.

    Raises
    ------
    ScannerError
        It is not whole, no image, or one that cannot be used.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(min(path.stat().st_size, MAX_BYTES + HEADER_BYTES))
    except OSError as error:
        msg = f"The file must be readable: {error.strerror}."
        raise ScannerError(msg) from None
    found = read_tags(raw)
    with refusing():
        return _image(found, n_slices)


def _image(found: DicomTags, n_slices: int | None) -> DicomImage:
    kinds = tuple(word.upper() for word in found.words(tags.IMAGE_TYPE))
    uid = next(iter(found.words(tags.SERIES_INSTANCE_UID)), "")
    if not uid:
        msg = "An image must say of which series it is (0020,000E); this one does not."
        raise ScannerError(msg)
    number = found.whole(tags.SERIES_NUMBER, default=0)
    series = Series(name=f"{number}-{hashlib.sha256(uid.encode()).hexdigest()[:8]}", kinds=kinds)
    remarks: tuple[str, ...] = ()
    tr_s = found.tr_s
    content: tuple[Stack, ...] | Slice
    if found.value(tags.FRAME_GROUPS) is not None:
        tr_s = next((item.tr_s for item in _group(found, tags.MR_TIMING) if item.tr_s > 0), tr_s)
        content = stacks_of(found, tr_s)
    elif "MOSAIC" in kinds:
        stack, remarks = mosaic_of(found, tr_s, n_slices)
        content = (stack,)
    else:
        content = _slice(found, n_slices)
    return DicomImage(
        series=series,
        instance=found.whole(tags.INSTANCE_NUMBER, default=0),
        acquisition=found.whole(tags.ACQUISITION_NUMBER, default=0),
        echo=found.whole(tags.ECHO_NUMBERS, default=0),
        tr_s=tr_s,
        content=content,
        remarks=remarks,
    )


def _slice(found: DicomTags, n_slices: int | None) -> Slice:
    rows, columns = found.whole(tags.ROWS, default=0), found.whole(tags.COLUMNS, default=0)
    data = scaled(frames_of(found, (columns, rows, 1))[0].T, found)
    told = found.whole(tags.GE_N_SLICES, default=0) if found.has(tags.GE) else 0
    if found.has(tags.PHILIPS):
        told = found.whole(tags.PHILIPS_N_SLICES, default=0)
    position, orientation = found.numbers(tags.POSITION), found.numbers(tags.ORIENTATION)
    directions(orientation)
    if len(position) != 3 or not all(abs(mm) <= FAR_MM for mm in position):
        msg = "A slice must have a position of three numbers in mm (0020,0032); this one has none."
        raise ScannerError(msg)
    return Slice(
        data=data,
        position=position,
        orientation=orientation,
        spacing=found.numbers(tags.PIXEL_SPACING),
        thickness=found.step_mm,
        t_start_s=found.seconds(tags.ACQUISITION_TIME),
        n_slices=n_slices or max(0, told),
        time_number=max(0, found.whole(tags.TEMPORAL_POSITION, default=0)),
    )


def _group(found: DicomTags, group: int) -> list[DicomTags]:
    levels = [*found.items(tags.SHARED_GROUPS), *found.items(tags.FRAME_GROUPS)]
    return [item for level in levels[:2] for item in level.items(group)]
