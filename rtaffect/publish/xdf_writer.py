"""A writer of XDF 1.0 files, the container of LabRecorder (https://github.com/sccn/xdf/wiki).

Every sample carries its own stamp, so that a reader has nothing to deduce; a file that ends without
its footers (the process died) still reads up to its last complete chunk.
"""

import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, BinaryIO
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt

MAGIC = b"XDF:"
BOUNDARY_UUID = bytes.fromhex("43a546dccbf5410fb30ed5467383cbe4")
"""The mark from which a reader finds its way again after damage."""

_FORMATS = {
    "f4": "float32",
    "f8": "double64",
    "i1": "int8",
    "i2": "int16",
    "i4": "int32",
    "i8": "int64",
}
_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_XML_NAME = re.compile("[A-Za-z_][A-Za-z0-9_-]*")


class _Tag(IntEnum):
    FILE_HEADER = 1
    STREAM_HEADER = 2
    SAMPLES = 3
    CLOCK_OFFSET = 4
    BOUNDARY = 5
    STREAM_FOOTER = 6


def channel_format(dtype: npt.DTypeLike) -> str:
    """Return XDF's name of a sample type; text (object or unicode) is ``"string"``.

    Raises
    ------
    ValueError
        XDF cannot hold the type.
    """
    kind = np.dtype(dtype)
    if kind.kind in "OU":
        return "string"
    try:
        return _FORMATS[f"{kind.kind}{kind.itemsize}"]
    except KeyError:
        msg = f"XDF holds {', '.join(_FORMATS.values())} and text, not {kind}."
        raise ValueError(msg) from None


@dataclass(slots=True)
class _Written:
    """What a stream's footer will say, and how its samples are laid out."""

    layout: np.dtype[Any] | None  # None for text
    n_channels: int
    n_samples: int = 0
    first_stamp_s: float = 0.0
    last_stamp_s: float = 0.0
    offsets: list[tuple[float, float]] = field(default_factory=list)


class XdfWriter:
    """Writes chunks to a binary file; does not own, flush or close it.

    Parameters
    ----------
    file : binary file
        Open for writing, at its start.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._streams: dict[int, _Written] = {}
        file.write(MAGIC)
        root = ET.Element("info")
        _add(root, "version", "1.0")
        self._chunk(_Tag.FILE_HEADER, _xml(root))

    def add_stream(
        self,
        number: int,
        *,
        name: str,
        stype: str,
        dtype: npt.DTypeLike,
        ch_names: Sequence[str],
        units: Sequence[str] = (),
        sfreq: float = 0.0,
        source_id: str = "",
        simulated: bool = False,
        about: Mapping[str, str] | None = None,
    ) -> None:
        """Describe a stream, before anything of it is written.

        Parameters
        ----------
        number : int
            The stream's number in this file.
        name, stype, source_id : str
            As in LSL.
        dtype : data type
            Type of its samples; object for text.
        ch_names, units : sequence of str
            One label a channel, and one unit a channel or none.
        sfreq : float
            Nominal rate in Hz, 0 for irregular.
        simulated : bool
            Say that nobody was measured.
        about : mapping of str to str, optional
            What else is to be said of it, by dotted key.
        """
        if number in self._streams:
            msg = f"Stream {number} was described already."
            raise ValueError(msg)
        fmt = channel_format(dtype)
        layout = None
        if fmt != "string":
            samples = np.dtype(dtype).newbyteorder("<")
            layout = np.dtype([("n", "u1"), ("stamp", "<f8"), ("x", samples, (len(ch_names),))])
        self._streams[number] = _Written(layout, len(ch_names))
        root = ET.Element("info")
        _add(root, "name", name)
        _add(root, "type", stype)
        _add(root, "channel_count", str(len(ch_names)))
        _add(root, "nominal_srate", repr(float(sfreq)))
        _add(root, "channel_format", fmt)
        _add(root, "source_id", source_id)
        desc = _add(root, "desc")
        if simulated:
            _add(desc, "simulated", "true")
        for key, text in (about or {}).items():
            *groups, leaf = key.split(".")
            if all(_XML_NAME.fullmatch(part) for part in (*groups, leaf)):
                _add(_descend(desc, groups), leaf, text)
        channels = _add(desc, "channels")
        for i, label in enumerate(ch_names):
            channel = _add(channels, "channel")
            _add(channel, "label", label)
            if units:
                _add(channel, "unit", units[i])
        self._chunk(_Tag.STREAM_HEADER, _xml(root), number)

    def samples(
        self, number: int, stamps_s: npt.NDArray[np.float64], data: npt.NDArray[Any]
    ) -> None:
        """Write samples of a stream.

        Parameters
        ----------
        number : int
            The stream's number.
        stamps_s : ndarray of float64, shape (n_times,)
            Raw stamps in seconds.
        data : ndarray, shape (n_channels, n_times)
            Samples of the type that `add_stream` declared.
        """
        stream = self._streams[number]
        if data.shape != (stream.n_channels, len(stamps_s)):
            msg = f"Samples must be {(stream.n_channels, len(stamps_s))}, got {data.shape}."
            raise ValueError(msg)
        if len(stamps_s) == 0:
            return
        if stream.n_samples == 0:
            stream.first_stamp_s = float(stamps_s[0])
        stream.last_stamp_s = float(stamps_s[-1])
        stream.n_samples += len(stamps_s)
        body = (
            _text(stamps_s, data)
            if stream.layout is None
            else _packed(stream.layout, stamps_s, data)
        )
        self._chunk(_Tag.SAMPLES, _length(len(stamps_s)) + body, number)

    def clock_offset(self, number: int, *, t_collected: float, offset_s: float) -> None:
        """Write a clock measurement: ``time of the recorder = stamp + offset_s``.

        Parameters
        ----------
        number : int
            The stream's number.
        t_collected : float
            When it was made, on the sender's clock, in seconds.
        offset_s : float
            What must be added to a stamp, in seconds.
        """
        self._streams[number].offsets.append((t_collected, offset_s))
        self._chunk(_Tag.CLOCK_OFFSET, struct.pack("<dd", t_collected, offset_s), number)

    def boundary(self) -> None:
        """Write a mark from which a reader can go on if what is before it is damaged."""
        self._chunk(_Tag.BOUNDARY, BOUNDARY_UUID)

    def footers(self) -> None:
        """Write every stream's footer; nothing may follow."""
        for number, stream in self._streams.items():
            root = ET.Element("info")
            _add(root, "first_timestamp", repr(stream.first_stamp_s))
            _add(root, "last_timestamp", repr(stream.last_stamp_s))
            _add(root, "sample_count", str(stream.n_samples))
            offsets = _add(root, "clock_offsets")
            for t_collected, offset_s in stream.offsets:
                offset = _add(offsets, "offset")
                _add(offset, "time", repr(t_collected))
                _add(offset, "value", repr(offset_s))
            self._chunk(_Tag.STREAM_FOOTER, _xml(root), number)

    def _chunk(self, tag: _Tag, content: bytes, number: int | None = None) -> None:
        head = struct.pack("<H", tag) + (b"" if number is None else struct.pack("<I", number))
        # One write a chunk: a process that dies between two calls leaves whole chunks behind.
        self._file.write(_length(len(head) + len(content)) + head + content)


def _packed(
    layout: np.dtype[Any], stamps_s: npt.NDArray[np.float64], data: npt.NDArray[Any]
) -> bytes:
    if data.dtype != layout["x"].base:
        msg = f"Samples must be {layout['x'].base}, got {data.dtype}."
        raise ValueError(msg)
    rows = np.empty(len(stamps_s), dtype=layout)
    rows["n"] = 8
    rows["stamp"] = stamps_s
    rows["x"] = data.T
    return rows.tobytes()


def _text(stamps_s: npt.NDArray[np.float64], data: npt.NDArray[Any]) -> bytes:
    parts: list[bytes] = []
    for stamp_s, sample in zip(stamps_s, data.T, strict=True):
        parts.append(struct.pack("<Bd", 8, stamp_s))
        for value in sample:
            encoded = str(value).encode("utf-8", "backslashreplace")
            parts += (_length(len(encoded)), encoded)
    return b"".join(parts)


def _length(n: int) -> bytes:
    """Return a length as XDF's variable-length integer."""
    if n < 1 << 8:
        return struct.pack("<BB", 1, n)
    if n < 1 << 32:
        return struct.pack("<BI", 4, n)
    return struct.pack("<BQ", 8, n)


def _add(parent: ET.Element, tag: str, text: str | None = None) -> ET.Element:
    element = ET.SubElement(parent, tag)
    if text is not None:
        element.text = _NOT_XML.sub("\ufffd", text)
    return element


def _descend(element: ET.Element, names: Sequence[str]) -> ET.Element:
    """Return the element at the end of a path, made where there is none."""
    for name in names:
        child = element.find(name)
        element = _add(element, name) if child is None else child
    return element


def _xml(root: ET.Element) -> bytes:
    text: bytes = ET.tostring(root, encoding="utf-8")
    return b'<?xml version="1.0"?>' + text
