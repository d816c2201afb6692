"""DICOM files packed by hand from the standard: explicit VR, little or big endian, or implicit."""

import math
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

EXPLICIT, IMPLICIT, BIG = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2"
DEFLATED, JPEG = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.70"
LONG = {b"OB", b"OW", b"SQ", b"UN", b"OF"}

Elements = Mapping[tuple[int, int], tuple[str, Any]]


def text(value: object) -> bytes:
    values = value if isinstance(value, list | tuple) else [value]
    packed = "\\".join(str(one) for one in values).encode()
    return packed + b" " * (len(packed) % 2)


def element(
    tag: tuple[int, int], vr: str, value: Any, *, implicit: bool = False, order: str = "<"
) -> bytes:
    packing = {"implicit": implicit, "order": order}
    if vr == "SQ":
        packed = b""
        for item in value:
            inside = elements(item, **packing)
            packed += struct.pack(order + "HHI", 0xFFFE, 0xE000, len(inside)) + inside
    elif vr in ("US", "FD", "SL"):
        values = value if isinstance(value, list | tuple) else [value]
        code = {"US": "H", "FD": "d", "SL": "i"}[vr]
        packed = struct.pack(f"{order}{len(values)}{code}", *values)
    elif isinstance(value, bytes):
        packed = value + b"\0" * (len(value) % 2)
    else:
        packed = text(value)
    if implicit:
        return struct.pack(order + "HHI", *tag, len(packed)) + packed
    head = struct.pack(order + "HH", *tag) + vr.encode()
    if vr.encode() in LONG:
        return head + struct.pack(order + "HI", 0, len(packed)) + packed
    return head + struct.pack(order + "H", len(packed)) + packed


def elements(content: Elements, **packing: Any) -> bytes:
    return b"".join(element(tag, *content[tag], **packing) for tag in sorted(content))


def dicom(content: Elements, syntax: str = EXPLICIT) -> bytes:
    uid = syntax.encode() + b"\0" * (len(syntax) % 2)
    meta = element((2, 0x10), "UI", uid)
    meta = element((2, 0), "UL", struct.pack("<I", len(meta))) + meta
    body = elements(content, implicit=syntax == IMPLICIT, order=">" if syntax == BIG else "<")
    return b"\0" * 128 + b"DICM" + meta + body


def plain(
    *,
    series: str = "1.2.3",
    number: int = 5,
    instance: int = 1,
    kinds: Sequence[str] = ("ORIGINAL", "PRIMARY", "M"),
    tr_ms: float = 2000,
    **extra: tuple[str, Any],
) -> dict[tuple[int, int], tuple[str, Any]]:
    """What every image says; `extra` as t0008_0032=("TM", ...)."""
    content: dict[tuple[int, int], tuple[str, Any]] = {
        (0x0008, 0x0008): ("CS", list(kinds)),
        (0x0010, 0x0010): ("PN", "Doe^Jane"),
        (0x0010, 0x0020): ("LO", "MRN-424242"),
        (0x0010, 0x0030): ("DA", "19700101"),
        (0x0018, 0x0080): ("DS", tr_ms),
        (0x0020, 0x000E): ("UI", series.encode()),
        (0x0020, 0x0011): ("IS", number),
        (0x0020, 0x0012): ("IS", instance),
        (0x0020, 0x0013): ("IS", instance),
    }
    return content | extras(extra)


def extras(settings: Mapping[str, Any]) -> dict[tuple[int, int], tuple[str, Any]]:
    """Elements among the settings of a file; they have the last word."""
    return {
        (int(key[1:5], 16), int(key[6:], 16)): value
        for key, value in settings.items()
        if key[0] == "t" and key[5:6] == "_"
    }


def pixels(frames: np.ndarray) -> dict[tuple[int, int], tuple[str, Any]]:
    """Image elements of frames, shape (n, rows, columns) or (rows, columns)."""
    rows, columns = frames.shape[-2:]
    return {
        (0x0028, 0x0002): ("US", 1),
        (0x0028, 0x0010): ("US", rows),
        (0x0028, 0x0011): ("US", columns),
        (0x0028, 0x0100): ("US", 8 * frames.itemsize),
        (0x0028, 0x0103): ("US", int(frames.dtype.kind == "i")),
        (0x7FE0, 0x0010): ("OW", frames.tobytes()),
    }


ORIENTATION = (1.0, 0.0, 0.0, 0.0, math.cos(0.2), -math.sin(0.2))
NORMAL = np.cross(ORIENTATION[:3], ORIENTATION[3:])
CORNER = np.array([-90.0, -80.0, -40.0])
SPACING = (3.5, 3.0)  # between rows, between columns
GAP = 4.2


def world_ras(column: int, row: int, slice_: int) -> np.ndarray:
    """Where a voxel lies, from DICOM's equation C.7.6.2.1-1, turned from LPS to RAS."""
    at = CORNER + slice_ * GAP * NORMAL
    at = at + column * SPACING[1] * np.array(ORIENTATION[:3])
    at = at + row * SPACING[0] * np.array(ORIENTATION[3:])
    return np.asarray(at * [-1, -1, 1])


def slice_file(plane: np.ndarray, place: int, *, syntax: str = EXPLICIT, **settings: Any) -> bytes:
    """A classic single slice, number `place` of its volume."""
    content = plain(**settings) | pixels(plane)
    content[0x0020, 0x0032] = ("DS", [f"{x:.6f}" for x in CORNER + place * GAP * NORMAL])
    content[0x0020, 0x0037] = ("DS", [f"{x:.8f}" for x in ORIENTATION])
    content[0x0028, 0x0030] = ("DS", list(SPACING))
    return dicom(content | extras(settings), syntax)


def mosaic_file(volume: np.ndarray, *, syntax: str = EXPLICIT, **settings: Any) -> bytes:
    """A mosaic of a volume of shape (slices, rows, columns), with Siemens' private elements."""
    n, rows, columns = volume.shape
    side = math.ceil(math.sqrt(n))
    image = np.zeros((side * rows, side * columns), volume.dtype)
    for k in range(n):
        top, left = k // side * rows, k % side * columns
        image[top : top + rows, left : left + columns] = volume[k]
    # the corner is that of one slice as large as the mosaic, with the same middle
    corner = CORNER - np.array(ORIENTATION[:3]) * SPACING[1] * (side - 1) * columns / 2
    corner = corner - np.array(ORIENTATION[3:]) * SPACING[0] * (side - 1) * rows / 2
    kinds = settings.pop("kinds", ("ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"))
    content = plain(kinds=kinds, **settings) | pixels(image)
    content |= {
        (0x0018, 0x0088): ("DS", GAP),
        (0x0019, 0x0010): ("LO", "SIEMENS MR HEADER"),
        (0x0019, 0x100A): ("US", n),
        (0x0020, 0x0032): ("DS", [f"{x:.6f}" for x in corner]),
        (0x0020, 0x0037): ("DS", [f"{x:.8f}" for x in ORIENTATION]),
        (0x0028, 0x0030): ("DS", list(SPACING)),
    }
    return dicom(content | extras(settings), syntax)


def csa(values: Mapping[str, Sequence[object]]) -> bytes:
    """Siemens' own header, version SV10."""
    packed = b"SV10\4\3\2\1" + struct.pack("<II", len(values), 77)
    for name, items in values.items():
        packed += struct.pack("<64si4siii", name.encode(), len(items), b"FD", 4, len(items), 77)
        for item in items:
            raw = str(item).encode() + b"\0"
            packed += struct.pack("<4i", len(raw), len(raw), 77, len(raw))
            packed += raw + b"\0" * (-len(raw) % 4)
    return packed


def enhanced_file(
    volumes: np.ndarray,
    *,
    order: Sequence[int] | None = None,
    times: Sequence[str] = (),
    slope: float = 1.0,
    syntax: str = EXPLICIT,
    **settings: Any,
) -> bytes:
    """An enhanced image of volumes, shape (volumes, slices, rows, columns), frames in any order."""
    n_volumes, n_slices = volumes.shape[:2]
    frames = [(t, k) for t in range(n_volumes) for k in range(n_slices)]
    frames = [frames[i] for i in order] if order is not None else frames
    groups = []
    for t, k in frames:
        content: dict[tuple[int, int], tuple[str, Any]] = {(0x0020, 0x9128): ("UL", _ul(t + 1))}
        if times:
            content[0x0018, 0x9074] = ("DT", times[t * n_slices + k])
        groups.append(
            {
                (0x0020, 0x9111): ("SQ", [content]),
                (0x0020, 0x9113): (
                    "SQ",
                    [{(0x20, 0x32): ("DS", [f"{x:.6f}" for x in CORNER + k * GAP * NORMAL])}],
                ),
                (0x0028, 0x9145): (
                    "SQ",
                    [{(0x28, 0x1052): ("DS", 0), (0x28, 0x1053): ("DS", slope)}],
                ),
            }
        )
    shared = {
        (0x0018, 0x9112): ("SQ", [{(0x18, 0x80): ("DS", settings.get("tr_ms", 2000))}]),
        (0x0020, 0x9116): ("SQ", [{(0x20, 0x37): ("DS", [f"{x:.8f}" for x in ORIENTATION])}]),
        (0x0028, 0x9110): (
            "SQ",
            [{(0x18, 0x50): ("DS", GAP), (0x28, 0x30): ("DS", list(SPACING))}],
        ),
    }
    content = plain(**settings) | pixels(np.stack([volumes[t, k] for t, k in frames]))
    del content[0x0018, 0x0080]
    content |= {
        (0x0028, 0x0008): ("IS", len(frames)),
        (0x5200, 0x9229): ("SQ", [shared]),
        (0x5200, 0x9230): ("SQ", groups),
    }
    return dicom(content | extras(settings), syntax)


def _ul(number: int) -> bytes:
    return struct.pack("<I", number)
