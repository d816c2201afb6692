"""Reads XDF files, whole or cut off, of any recorder. pyxdf parses; its guesses are switched off.

Stamps stay raw and clock offsets separate: pyxdf's own synchronisation and dejitter look at the
whole file at once, which nobody can do live.
"""

import gzip
import io
import logging
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from xml.etree.ElementTree import ParseError

import numpy as np
import numpy.typing as npt

from rtaffect.core.errors import RecordingError
from rtaffect.sources.offered import MAX_ABOUT_DEPTH, kept_about

MAGIC = b"XDF:"
BOUNDARY_UUID = bytes.fromhex("43a546dccbf5410fb30ed5467383cbe4")
_LENGTHS = {1: "<B", 4: "<I", 8: "<Q"}
_WITH_STREAM = (2, 3, 4, 6)
_FOREIGN = (
    *(ValueError, KeyError, IndexError, TypeError, AttributeError, RuntimeError, OverflowError),
    *(struct.error, ParseError, EOFError, OSError, MemoryError),
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class XdfStream:
    """One stream as the file holds it.

    Parameters
    ----------
    number : int
        Its number in the file.
    name, stype, source_id : str
        As in LSL.
    sfreq : float
        Nominal rate in Hz.
    ch_names, units : tuple of str
        Labels and units as described, one a described channel.
    simulated : bool
        The sender declared that nobody was measured.
    about : mapping of str to str
        What else it declared, by dotted key.
    stamps_s : ndarray of float64, shape (n_times,)
        Raw stamps in seconds.
    data : ndarray, shape (n_channels, n_times)
        Samples of the sender's own type, object for text.
    offset_times_s, offset_values_s : ndarray of float64, shape (n_offsets,)
        When offsets were collected (sender's clock), and what must be added to a stamp.
    """

    number: int
    name: str
    stype: str
    source_id: str
    sfreq: float
    ch_names: tuple[str, ...]
    units: tuple[str, ...]
    simulated: bool
    about: Mapping[str, str]
    stamps_s: npt.NDArray[np.float64]
    data: npt.NDArray[Any]
    offset_times_s: npt.NDArray[np.float64]
    offset_values_s: npt.NDArray[np.float64]


def is_xdf(path: Path) -> bool:
    """Return whether a file is XDF by its name or its first bytes."""
    if _is_zipped(path) or path.suffix.lower() == ".xdf":
        return True
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def read_xdf(path: Path) -> tuple[list[XdfStream], list[str]]:
    """Read every stream of an XDF file.

    Parameters
    ----------
    path : Path
        The file, gzipped or not.

    Returns
    -------
    streams : list of XdfStream
        In the order of the file, empty ones included.
    notes : list of str
        What was lost or odd.

    Raises
    ------
    RecordingError
        It is no XDF file, or nothing in it can be read.
    """
    import pyxdf

    try:
        with path.open("rb") as plain:
            file: Any = io.BytesIO(gzip.decompress(plain.read())) if _is_zipped(path) else plain
            sound, notes = _sound_part(path, file)
            # pyxdf divides by a stream's duration, which may be zero; we do not use the result.
            with _said_by("pyxdf") as said, np.errstate(all="ignore"):
                loaded, _ = pyxdf.load_xdf(
                    sound,
                    synchronize_clocks=False,
                    dejitter_timestamps=False,
                    handle_clock_resets=False,
                )
        streams = [_stream(one) for one in loaded]
    except _FOREIGN as error:
        msg = f"{path} cannot be read as XDF ({type(error).__name__}: {error}). Is it damaged?"
        raise RecordingError(msg) from error
    notes += [f"While {path.name} was read: {line}" for line in said]
    if not notes and not all("footer" in one for one in loaded):
        notes.append(
            f"{path.name} was not closed: its recorder died, its last samples may be lost."
        )
    if not streams:
        msg = f"{path} is an XDF file without a single stream ({'; '.join(notes) or 'whole'})."
        raise RecordingError(msg)
    return streams, notes


def _sound_part(path: Path, file: BinaryIO) -> tuple[BinaryIO, list[str]]:
    """Return the file, or a copy of its complete chunks where it is cut off or damaged."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    if file.read(len(MAGIC)) != MAGIC:
        msg = f"{path} is not an XDF file: it must begin with {MAGIC.decode()!r}."
        raise RecordingError(msg)
    pieces: list[tuple[int, int]] = []
    notes: list[str] = []
    start = at = len(MAGIC)
    while at < size:
        end = _chunk_end(file, at)
        if end is not None and end <= size:
            at = end
            continue
        pieces.append((start, at))
        found = _next_boundary(file, at)
        lost = f"{(found or size) - at} bytes from byte {at} on"
        if found is None:
            notes.append(f"{path.name} is cut off: {lost} are no complete chunk and are lost.")
            break
        notes.append(f"{path.name} is damaged: {lost} are skipped.")
        start = at = found
    else:
        if not pieces:
            file.seek(0)
            return file, notes
        pieces.append((start, at))
    sound = io.BytesIO()
    sound.write(MAGIC)
    for first, last in pieces:
        file.seek(first)
        sound.write(file.read(last - first))
    sound.seek(0)
    return sound, notes


def _chunk_end(file: BinaryIO, at: int) -> int | None:
    """Return where the chunk at a position ends; None if there is no chunk."""
    file.seek(at)
    head = file.read(15)  # the longest length field, tag and stream number
    fmt = _LENGTHS.get(head[0]) if head else None
    if fmt is None or len(head) < 1 + struct.calcsize(fmt) + 2:
        return None
    n_head = 1 + struct.calcsize(fmt)
    (length,) = struct.unpack_from(fmt, head, 1)
    (tag,) = struct.unpack_from("<H", head, n_head)
    if not 1 <= tag <= 6 or length < (6 if tag in _WITH_STREAM else 2):
        return None
    return at + n_head + int(length)


def _next_boundary(file: BinaryIO, at: int) -> int | None:
    """Return the position after the next boundary chunk; None if there is none."""
    file.seek(at)
    kept = b""
    while block := file.read(1 << 20):
        window = kept + block
        found = window.find(BOUNDARY_UUID)
        if found >= 0:
            return file.tell() - len(window) + found + len(BOUNDARY_UUID)
        kept = window[-(len(BOUNDARY_UUID) - 1) :]
    return None


def _stream(loaded: dict[str, Any]) -> XdfStream:
    info = loaded["info"]
    fmt = info["channel_format"][0]
    n_channels = int(info["channel_count"][0])
    stamps_s = np.asarray(loaded["time_stamps"], dtype=np.float64)
    if fmt == "string":
        samples = np.empty((len(stamps_s), n_channels), dtype=object)
        for i, sample in enumerate(loaded["time_series"]):
            samples[i] = sample
    else:
        # pyxdf forgets the type of a stream without samples
        dtype = "float64" if fmt == "double64" else fmt
        samples = np.asarray(loaded["time_series"], dtype=dtype)
    desc = (info.get("desc") or [None])[0]
    channels = _children(_child(desc, "channels"), "channel")
    return XdfStream(
        number=info["stream_id"],
        name=_text(info, "name"),
        stype=_text(info, "type"),
        source_id=_text(info, "source_id"),
        sfreq=float(info["nominal_srate"][0]),
        ch_names=tuple(_text(channel, "label") for channel in channels),
        units=tuple(_text(channel, "unit") for channel in channels),
        simulated=_text(desc, "simulated").lower() == "true",
        about=kept_about(_leaves(desc, ())),
        stamps_s=stamps_s,
        data=samples.T,
        offset_times_s=np.asarray(loaded["clock_times"], dtype=np.float64),
        offset_values_s=np.asarray(loaded["clock_values"], dtype=np.float64),
    )


def _leaves(element: object, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield every text below an element, with the names that lead there."""
    for name, children in element.items() if isinstance(element, dict) else ():
        for child in children if isinstance(children, list) else ():
            if isinstance(child, str):
                yield (*path, name), child.strip()
            elif name != "channels" and len(path) < MAX_ABOUT_DEPTH:
                yield from _leaves(child, (*path, name))


def _children(element: object, tag: str) -> list[Any]:
    """Return the children of a tag; of XML, pyxdf makes dicts of lists, and text at the leaves."""
    return list(element.get(tag, [])) if isinstance(element, dict) else []


def _child(element: object, tag: str) -> object:
    children = _children(element, tag)
    return children[0] if children else None


def _text(element: object, tag: str) -> str:
    text = _child(element, tag)
    return text.strip() if isinstance(text, str) else ""


def _is_zipped(path: Path) -> bool:
    return path.name.lower().endswith((".xdfz", ".xdf.gz"))


class _Collector(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@contextmanager
def _said_by(name: str) -> Iterator[list[str]]:
    """Collect what a library logs as a warning or worse, instead of letting it on the screen."""
    library = logging.getLogger(name)
    collector = _Collector()
    propagates = library.propagate
    library.addHandler(collector)
    library.propagate = False
    try:
        yield collector.lines
    finally:
        library.removeHandler(collector)
        library.propagate = propagates
