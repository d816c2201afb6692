"""Volumes between two processes of this machine: a ZeroMQ message each, checked before it is used.

A message has the frames *topic*, *header* (JSON) and, for a volume, *voxels* (raw bytes in C
order). ``info/`` describes the stream; it is sent again and again, so that whoever comes late, and
whoever waits, knows that the sender lives. ``volume/`` carries one volume.
"""

import contextlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from rtaffect.core.errors import ScannerError
from rtaffect.core.streams import StreamInfo, VolumeChunk
from rtaffect.core.voxels import DTYPES, check_header

SCHEMA = 1
VOLUME_MODALITY = "volume"
VOLUME_STYPE = "fMRI volumes"
"""Type of a stream of whole volumes; none of LSL's, which is not made for volumes."""

INFO_TOPIC, VOLUME_TOPIC = b"info/", b"volume/"
MAX_HEADER_BYTES = 1 << 16
MAX_INDEX = 1 << 31
MAX_ABOUT = 64
"""A description has no more keys than this."""

_MAX_TEXT = 1024


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VolumeMessage:
    """One volume on its way to the runtime.

    Parameters
    ----------
    data : ndarray, shape (x, y, z)
        Voxels.
    affine : ndarray of float64, shape (4, 4)
        Voxel to world (RAS+), in millimetres.
    index : int
        Number of the volume in its run, from 0.
    run : str
        Which run.
    stamp_s : float
        Middle of the acquisition on the runtime's clock, in seconds.
    """

    data: npt.NDArray[np.generic]
    affine: npt.NDArray[np.float64]
    index: int
    run: str
    stamp_s: float

    def chunk(self, t_received: float) -> VolumeChunk:
        """Return the volume as what arrived at a time on the runtime's clock."""
        shape = self.data.shape
        return VolumeChunk(
            modality=VOLUME_MODALITY,
            data=self.data.reshape(-1, 1),
            stamps_s=np.array([self.stamp_s]),
            t_received=t_received,
            shape=(shape[0], shape[1], shape[2]),
            affine=self.affine,
            index=self.index,
        )


def encode_info(info: StreamInfo) -> list[bytes]:
    """Return the frames that describe a stream of volumes."""
    content = {
        "schema": SCHEMA,
        "name": info.name,
        "stype": info.stype,
        "source_id": info.source_id,
        "simulated": info.simulated,
        "about": dict(info.about),
    }
    return [INFO_TOPIC, json.dumps(content).encode()]


def encode_volume(volume: VolumeMessage) -> list[bytes]:
    """Return the frames of one volume."""
    header = describe_volume(volume).encode()
    return [VOLUME_TOPIC, header, np.ascontiguousarray(volume.data).tobytes()]


def describe_volume(volume: VolumeMessage, **also: str) -> str:
    """Return the header of one volume, as JSON, with what else is to be said of it."""
    content = {
        "schema": SCHEMA,
        "index": volume.index,
        "run": volume.run,
        "stamp_s": volume.stamp_s,
        "shape": volume.data.shape,
        "dtype": volume.data.dtype.str,
        "affine": volume.affine.tolist(),
        **also,
    }
    return json.dumps(content, allow_nan=False)


def decode(frames: Sequence[bytes]) -> VolumeMessage | StreamInfo:
    """Return what the frames of a message say.

    Parameters
    ----------
    frames : sequence of bytes
        As they came.

    Returns
    -------
    VolumeMessage or StreamInfo
        A volume, or the stream's description. The voxels are those of the frame, read-only and not
        copied.

    Raises
    ------
    ScannerError
        It is no such message.
    """
    if len(frames) == 2 and frames[0] == INFO_TOPIC:
        return _info(_header(frames[1]))
    if len(frames) == 3 and frames[0] == VOLUME_TOPIC:
        return _volume(_header(frames[1]), frames[2])
    sizes = [len(frame) for frame in frames[:4]]
    msg = (
        f"A message on volumes is {INFO_TOPIC.decode()} with one frame or {VOLUME_TOPIC.decode()} "
        f"with two, got {len(frames)} frames of {sizes} bytes. Does something else send there?"
    )
    raise ScannerError(msg)


def _header(frame: bytes) -> dict[str, Any]:
    if len(frame) > MAX_HEADER_BYTES:
        msg = f"A header has at most {MAX_HEADER_BYTES} bytes, got {len(frame)}."
        raise ScannerError(msg)
    try:
        content = json.loads(frame, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        msg = f"The header of a volume must be JSON: {str(error)[:100]}."
        raise ScannerError(msg) from error
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        schema = content.get("schema") if isinstance(content, dict) else None
        msg = (
            f"The header of a volume must be an object of schema {SCHEMA}, got schema "
            f"{str(schema)[:20]}. Run the same version of rtaffect on both sides."
        )
        raise ScannerError(msg)
    return content


def _info(header: dict[str, Any]) -> StreamInfo:
    about = header.get("about")
    if not isinstance(about, dict) or len(about) > MAX_ABOUT:
        raise _wrong("about", f"an object of at most {MAX_ABOUT} keys", about)
    if not isinstance(header.get("simulated"), bool):
        raise _wrong("simulated", "true or false", header.get("simulated"))
    return StreamInfo(
        modality=VOLUME_MODALITY,
        name=_text(header, "name"),
        stype=_text(header, "stype"),
        source_id=_text(header, "source_id"),
        ch_names=(),
        sfreq=0.0,
        simulated=header["simulated"],
        about={key: _text(about, key) for key in about},
    )


def _volume(header: dict[str, Any], voxels: bytes) -> VolumeMessage:
    index = header.get("index")
    if type(index) is not int or not 0 <= index < MAX_INDEX:
        raise _wrong("index", f"a whole number from 0 to {MAX_INDEX - 1}", index)
    shape = header.get("shape")
    if not isinstance(shape, list) or not all(type(side) is int for side in shape):
        raise _wrong("shape", "three whole numbers", shape)
    dtype = _dtype(header.get("dtype"))
    check_header(shape, dtype, n_bytes=len(voxels))
    data = np.frombuffer(voxels, dtype).reshape(shape)
    return VolumeMessage(
        data=data.astype(dtype.newbyteorder("="), copy=False),
        affine=_affine(header.get("affine")),
        index=index,
        run=_text(header, "run"),
        stamp_s=_seconds(header.get("stamp_s")),
    )


def _seconds(value: object) -> float:
    if isinstance(value, float) or type(value) is int:
        with contextlib.suppress(OverflowError):  # a whole number beyond every float
            if math.isfinite(value):
                return float(value)
    raise _wrong("stamp_s", "a time in seconds", value)


def _dtype(value: object) -> np.dtype[np.generic]:
    # Compared with the few that there are: numpy would read a text of any kind as a type.
    if isinstance(value, str) and value[:1] in ("<", ">", "|") and value[1:] in DTYPES:
        return np.dtype(value)
    raise _wrong("dtype", f"a byte order and one of {', '.join(sorted(DTYPES))}", value)


def _affine(value: object) -> npt.NDArray[np.float64]:
    if isinstance(value, list) and len(value) == 4:
        numbers = [n for row in value if isinstance(row, list) and len(row) == 4 for n in row]
        if len(numbers) == 16 and all(type(n) in (int, float) for n in numbers):
            with contextlib.suppress(OverflowError):
                affine = np.array(numbers, dtype=np.float64).reshape(4, 4)
                if np.isfinite(affine).all():
                    return affine
    raise _wrong("affine", "4 x 4 finite numbers", value)


def _text(header: dict[str, Any], key: str) -> str:
    value = header.get(key)
    if not isinstance(value, str) or len(value) > _MAX_TEXT:
        raise _wrong(key[:40], f"a text of at most {_MAX_TEXT} characters", value)
    return value


def _wrong(key: str, wanted: str, got: object) -> ScannerError:
    return ScannerError(f"{key} of a volume must be {wanted}, got {str(got)[:60]}.")


def _refuse(constant: str) -> NoReturn:
    msg = f"{constant} is not JSON"
    raise ValueError(msg)
