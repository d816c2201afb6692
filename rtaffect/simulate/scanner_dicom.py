"""DICOM files as a Siemens scanner writes them: a mosaic of slices a volume, and its own header."""

import math
import struct
import time
from io import BytesIO

import numpy as np
import numpy.typing as npt

from rtaffect.simulate.delivery import Delivery
from rtaffect.simulate.processes import FloatArray
from rtaffect.simulate.scan import Scan
from rtaffect.simulate.scanner_link import AFFINE, SHAPE, TIME

MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"
EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
UID_ROOT = "2.25."  # of UIDs that are made of a random number, which anybody may
LPS = np.array([-1.0, -1.0, 1.0])
MAX_VALUE = 4095  # of 12 bits, what scanners write where values have to be scaled
TITLES = ("ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC")
AFTER_CORRECTION = ("DERIVED", "PRIMARY", "MOCO", "ND", "MOSAIC")


class DicomFormat:
    """A mosaic a volume, with the time of its acquisition on the scanner's clock.

    A doubled volume is of a second series, as where the scanner sends what it corrected for motion
    after what it measured.

    Parameters
    ----------
    run : int
        Number of the series.
    """

    carries = frozenset({AFFINE, SHAPE, TIME})

    def __init__(self, run: int = 1) -> None:
        import pydicom  # noqa: F401 - now, as writing it later would hold up a volume

        self._run = run
        self._scan: Scan | None = None
        self._midnight_s = 0.0
        self._series = ("", "")

    def begin(self, scan: Scan, t_start: float) -> None:  # noqa: ARG002 - another clock
        """Begin a run at the scanner's own time of day."""
        self._scan = scan
        now = time.localtime()
        self._midnight_s = now.tm_hour * 3600 + now.tm_min * 60 + now.tm_sec + 0.25
        rng = np.random.default_rng()
        measured, corrected = (f"{UID_ROOT}{n}" for n in rng.integers(2**62, size=2))
        self._series = (measured, corrected)

    def file(self, delivery: Delivery) -> tuple[str, bytes]:
        """Return a volume's file name and content."""
        from pydicom.dataset import Dataset, FileMetaDataset
        from pydicom.uid import UID

        scan = self._scan
        assert scan is not None, "a run has begun"
        voxels, affine = delivery.volume(scan), delivery.affine(scan)
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = UID(MR_IMAGE)
        meta.MediaStorageSOPInstanceUID = UID(
            f"{self._series[delivery.copy]}.{delivery.number + 1}"
        )
        meta.TransferSyntaxUID = UID(EXPLICIT_LITTLE_ENDIAN)
        image = Dataset()
        image.file_meta = meta
        image.SOPClassUID = MR_IMAGE
        image.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
        image.ImageType = list(AFTER_CORRECTION if delivery.copy else TITLES)
        image.Modality = "MR"
        image.Manufacturer = "rtaffect simulate; nobody was measured"
        image.SeriesInstanceUID = self._series[delivery.copy]
        image.SeriesNumber = 2 * self._run - 1 + delivery.copy
        image.AcquisitionNumber = image.InstanceNumber = delivery.number + 1
        image.RepetitionTime = f"{scan.tr_s * 1000.0:g}"
        began_s = delivery.middle_s - scan.tr_s / 2 + delivery.clock_off_s
        image.AcquisitionTime = _time_of_day(self._midnight_s + began_s)
        _add_voxels(image, voxels)
        _add_place(image, voxels.shape, affine)
        block = image.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
        normal = LPS * affine[:3, 2] / np.linalg.norm(affine[:3, 2])
        block.add_new(
            0x10,
            "OB",
            csa_header(
                {
                    "NumberOfImagesInMosaic": ("US", [str(voxels.shape[2])]),
                    "SliceNormalVector": ("FD", [f"{number:.8f}" for number in normal]),
                }
            ),
        )
        content = BytesIO()
        image.save_as(content, enforce_file_format=True)
        name = f"{2 * self._run - 1 + delivery.copy:03d}_{delivery.number + 1:06d}.dcm"
        return name, content.getvalue()


def csa_header(values: dict[str, tuple[str, list[str]]]) -> bytes:
    """Return values in the form of Siemens' own header (``SV10``): each text in its own item.

    Parameters
    ----------
    values : dict of str to (str, list of str)
        By name: the type of value and its texts.
    """
    parts = [struct.pack("<4s4sII", b"SV10", b"\x04\x03\x02\x01", len(values), 77)]
    for name, (kind, texts) in values.items():
        n_items = max(6, len(texts))
        parts.append(
            struct.pack("<64si4siii", name.encode(), len(texts), kind.encode(), 0, n_items, 77)
        )
        for i in range(n_items):
            text = texts[i].encode() + b"\0" if i < len(texts) else b""
            parts.append(struct.pack("<4i", len(text), len(text), 77, len(text)))
            parts.append(text + bytes(-len(text) % 4))
    content = b"".join(parts)
    return content + bytes(len(content) % 2)


def mosaic(voxels: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """Return the slices of a volume side by side, row by row, in a square of squares.

    Parameters
    ----------
    voxels : ndarray, shape (x, y, z)
        The volume.

    Returns
    -------
    ndarray, shape (n * y, n * x)
        Rows and columns; what no slice covers is 0.
    """
    n_columns, n_rows, n_slices = voxels.shape
    n_side = math.ceil(math.sqrt(n_slices))
    tiles = np.zeros((n_side * n_side, n_rows, n_columns), voxels.dtype)
    tiles[:n_slices] = voxels.transpose(2, 1, 0)
    grid = tiles.reshape(n_side, n_side, n_rows, n_columns).swapaxes(1, 2)
    return grid.reshape(n_side * n_rows, n_side * n_columns)


def _add_voxels(image: object, voxels: npt.NDArray[np.generic]) -> None:
    """Write voxels as whole numbers of 16 bits, scaled where they are not such numbers."""
    from pydicom.dataset import Dataset

    assert isinstance(image, Dataset), "an image is a data set"
    numbers, slope, inter = _whole(voxels)
    pixels = mosaic(numbers)
    image.SamplesPerPixel = 1
    image.PhotometricInterpretation = "MONOCHROME2"
    image.Rows, image.Columns = pixels.shape
    image.BitsAllocated = image.BitsStored = 16
    image.HighBit = 15
    image.PixelRepresentation = 0
    if (slope, inter) != (1.0, 0.0):
        image.RescaleSlope, image.RescaleIntercept = f"{slope:.9g}", f"{inter:.9g}"
    image.PixelData = pixels.astype("<u2").tobytes()


def _whole(voxels: npt.NDArray[np.generic]) -> tuple[npt.NDArray[np.generic], float, float]:
    if voxels.dtype.kind in "iu" and voxels.min() >= 0 and voxels.max() <= 0xFFFF:
        return voxels, 1.0, 0.0
    values = np.nan_to_num(voxels.astype(np.float64))
    inter = float(f"{values.min():.9g}")
    slope = float(f"{max(float(np.ptp(values)), 1e-6) / MAX_VALUE:.9g}")
    return np.clip(np.rint((values - inter) / slope), 0, 0xFFFF), slope, inter


def _add_place(image: object, shape: tuple[int, ...], affine: FloatArray) -> None:
    """Write where slices lie; the corner is that of the mosaic as if it were one slice."""
    from pydicom.dataset import Dataset

    assert isinstance(image, Dataset), "an image is a data set"
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    along, down = (LPS * affine[:3, axis] / sizes[axis] for axis in (0, 1))
    n_side = math.ceil(math.sqrt(shape[2]))
    corner = LPS * affine[:3, 3]
    corner = corner - along * sizes[0] * (n_side - 1) * shape[0] / 2
    corner = corner - down * sizes[1] * (n_side - 1) * shape[1] / 2
    image.PixelSpacing = [f"{sizes[1]:.9g}", f"{sizes[0]:.9g}"]
    image.SliceThickness = image.SpacingBetweenSlices = f"{sizes[2]:.9g}"
    image.ImageOrientationPatient = [f"{number:.9g}" for number in (*along, *down)]
    image.ImagePositionPatient = [f"{number:.9g}" for number in corner]


def _time_of_day(seconds: float) -> str:
    whole = int(seconds // 1)
    micro = min(999_999, round((seconds - whole) * 1e6))
    return f"{whole // 3600 % 24:02d}{whole // 60 % 60:02d}{whole % 60:02d}.{micro:06d}"
