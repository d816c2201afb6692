"""The elements of a DICOM file that are read, and no others: none that is about a person."""

import logging
import math
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any

from rtaffect.core.errors import ScannerError
from rtaffect.scanner.acquired import TR_RANGE_S

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

IMAGE_TYPE = 0x0008_0008
ACQUISITION_DATE_TIME = 0x0008_002A
ACQUISITION_TIME = 0x0008_0032
CONTENT_TIME = 0x0008_0033
SLICE_THICKNESS = 0x0018_0050
REPETITION_TIME_MS = 0x0018_0080
ECHO_NUMBERS = 0x0018_0086
SPACING_BETWEEN_SLICES = 0x0018_0088
SERIES_INSTANCE_UID = 0x0020_000E
SERIES_NUMBER = 0x0020_0011
ACQUISITION_NUMBER = 0x0020_0012
INSTANCE_NUMBER = 0x0020_0013
POSITION = 0x0020_0032
ORIENTATION = 0x0020_0037
TEMPORAL_POSITION = 0x0020_0100
SAMPLES_PER_PIXEL = 0x0028_0002
NUMBER_OF_FRAMES = 0x0028_0008
ROWS = 0x0028_0010
COLUMNS = 0x0028_0011
PIXEL_SPACING = 0x0028_0030
BITS_ALLOCATED = 0x0028_0100
PIXEL_REPRESENTATION = 0x0028_0103
RESCALE_INTERCEPT = 0x0028_1052
RESCALE_SLOPE = 0x0028_1053
PIXEL_DATA = 0x7FE0_0010

SIEMENS = 0x0019_0010, "SIEMENS MR HEADER"
N_IN_MOSAIC = 0x0019_100A
TIME_AFTER_START_S = 0x0019_1016
MOSAIC_TIMES_MS = 0x0019_1029
CSA = 0x0029_0010, "SIEMENS CSA HEADER"
CSA_IMAGE = 0x0029_1010
GE = 0x0021_0010, "GEMS_RELA_01"
GE_N_SLICES = 0x0021_104F
PHILIPS = 0x2001_0010, "Philips Imaging DD 001"
PHILIPS_N_SLICES = 0x2001_1018

SHARED_GROUPS = 0x5200_9229
FRAME_GROUPS = 0x5200_9230
# inside the groups of an enhanced image:
FRAME_CONTENT = 0x0020_9111
FRAME_TIME = 0x0018_9074
TEMPORAL_INDEX = 0x0020_9128
PLANE_POSITION = 0x0020_9113
PLANE_ORIENTATION = 0x0020_9116
PIXEL_MEASURES = 0x0028_9110
PIXEL_VALUES = 0x0028_9145
MR_TIMING = 0x0018_9112

READ = frozenset(
    {
        IMAGE_TYPE,
        ACQUISITION_DATE_TIME,
        ACQUISITION_TIME,
        CONTENT_TIME,
        SLICE_THICKNESS,
        REPETITION_TIME_MS,
        ECHO_NUMBERS,
        SPACING_BETWEEN_SLICES,
        SERIES_INSTANCE_UID,
        SERIES_NUMBER,
        ACQUISITION_NUMBER,
        INSTANCE_NUMBER,
        POSITION,
        ORIENTATION,
        TEMPORAL_POSITION,
        SAMPLES_PER_PIXEL,
        NUMBER_OF_FRAMES,
        ROWS,
        COLUMNS,
        PIXEL_SPACING,
        BITS_ALLOCATED,
        PIXEL_REPRESENTATION,
        RESCALE_INTERCEPT,
        RESCALE_SLOPE,
        PIXEL_DATA,
        SIEMENS[0],
        N_IN_MOSAIC,
        TIME_AFTER_START_S,
        MOSAIC_TIMES_MS,
        CSA[0],
        CSA_IMAGE,
        GE[0],
        GE_N_SLICES,
        PHILIPS[0],
        PHILIPS_N_SLICES,
        SHARED_GROUPS,
        FRAME_GROUPS,
    }
)
"""All that is taken from a file at its top level."""

UNPACKED = {
    "1.2.840.10008.1.2": "<",
    "1.2.840.10008.1.2.1": "<",
    "1.2.840.10008.1.2.2": ">",
}
"""Transfer syntaxes that are read, with their byte order."""

DEFLATED = b"1.2.840.10008.1.2.1.99"
"""A file that would be unpacked, to whatever size, before anybody sees what it is."""


class DicomTags:
    """Typed access to one level of a file.

    Parameters
    ----------
    dataset : pydicom Dataset
        With the elements of `READ`, or an item of one of its sequences.
    byte_order : {"<", ">"}
        Of voxels.
    """

    def __init__(self, dataset: "Dataset", byte_order: str) -> None:
        self._dataset = dataset
        self.byte_order = byte_order

    def value(self, tag: int) -> Any:
        """Return an element's value, or None where it is absent or empty."""
        element = self._dataset.get(tag)
        return None if element is None or element.value in (None, "", b"") else element.value

    def numbers(self, tag: int) -> tuple[float, ...]:
        """Return an element's numbers; none where it is absent."""
        value = self.value(tag)
        if value is None or isinstance(value, bytes):
            return ()
        several = value if not isinstance(value, str) and hasattr(value, "__iter__") else (value,)
        return tuple(float(one) for one in several)

    def number(self, tag: int, *, default: float = math.nan) -> float:
        """Return an element's first number."""
        return next(iter(self.numbers(tag)), default)

    def whole(self, tag: int, *, default: int) -> int:
        """Return an element's first number, which is a whole one."""
        return int(self.number(tag, default=default))

    def words(self, tag: int) -> tuple[str, ...]:
        """Return an element's texts."""
        value = self.value(tag)
        if value is None:
            return ()
        return (value,) if isinstance(value, str) else tuple(str(one) for one in value)

    def has(self, creator: tuple[int, str]) -> bool:
        """Whether private elements of a maker are there."""
        return self.words(creator[0]) == (creator[1],)

    def items(self, tag: int) -> Iterator["DicomTags"]:
        """Yield the items of a sequence."""
        value = self.value(tag)
        if value is not None and not isinstance(value, str | bytes):
            for item in value:
                yield DicomTags(item, self.byte_order)

    @property
    def tr_s(self) -> float:
        """Repetition time in seconds, or NaN where it is absent or impossible."""
        tr_s = self.number(REPETITION_TIME_MS) / 1000.0
        return tr_s if TR_RANGE_S[0] <= tr_s <= TR_RANGE_S[1] else math.nan

    @property
    def step_mm(self) -> float:
        """Distance of slices in mm, or NaN."""
        return self.number(SPACING_BETWEEN_SLICES, default=self.number(SLICE_THICKNESS))

    def seconds(self, tag: int) -> float:
        """Return the time of day of a TM or DT element, in seconds since midnight, or NaN."""
        text = next(iter(self.words(tag)), "").strip()
        digits, _, fraction = text.partition(".")
        clock = digits[8:14] if tag in (ACQUISITION_DATE_TIME, FRAME_TIME) else digits[:6]
        if len(clock) != 6 or not clock.isdecimal():
            return math.nan
        seconds = 3600 * int(clock[:2]) + 60 * int(clock[2:4]) + int(clock[4:])
        decimals = "".join(ch for ch in fraction[:6] if ch.isdecimal())
        return seconds + (float(f"0.{decimals}") if decimals else 0.0)


def read_tags(raw: bytes) -> DicomTags:
    """Read the elements of `READ` of a file's bytes.

    Raises
    ------
    ScannerError
        These are no DICOM file, or its voxels are packed.
    """
    import pydicom

    if raw[128:132] != b"DICM":
        msg = "The file must be DICOM, with DICM at byte 128."
        raise ScannerError(msg)
    if DEFLATED in raw:
        msg = "The file must not be deflated; export it uncompressed."
        raise ScannerError(msg)
    with refusing():
        dataset = pydicom.dcmread(BytesIO(raw), specific_tags=sorted(READ))
        syntax = str(dataset.file_meta.get("TransferSyntaxUID", ""))
    if syntax not in UNPACKED:
        msg = f"Voxels must not be packed, got the transfer syntax {syntax or 'unknown'}; export "
        raise ScannerError(f"{msg}them uncompressed.")
    return DicomTags(dataset, UNPACKED[syntax])


_STUMBLES = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
)


@contextmanager
def refusing() -> Iterator[None]:
    """Turn whatever pydicom stumbles over into a `ScannerError` that shows no value."""
    from pydicom.errors import BytesLengthException, InvalidDicomError

    its_logger = logging.getLogger("pydicom")
    was_disabled = its_logger.disabled
    its_logger.disabled = True  # its lines quote values, and so do its warnings
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except (*_STUMBLES, BytesLengthException, InvalidDicomError) as error:
            name = type(error).__name__
            msg = f"The file must be whole and valid DICOM; reading it failed ({name})."
            raise ScannerError(msg) from None
        finally:
            its_logger.disabled = was_disabled
