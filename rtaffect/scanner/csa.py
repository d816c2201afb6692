"""The header that Siemens keeps inside a DICOM element: names with lists of short texts."""

import struct
from collections.abc import Collection

from rtaffect.core.errors import ScannerError

MAGIC = b"SV10"
HEAD = struct.Struct("<4s4sII")
TAG = struct.Struct("<64si4sii4s")
ITEM = struct.Struct("<4i")
MAX_TAGS = 1024
MAX_ITEMS = 4096


def csa_values(raw: bytes, names: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Return some of the header's values; of what is not asked for, nothing is read.

    Parameters
    ----------
    raw : bytes
        Value of the element (0029,1010).
    names : collection of str
        What to return.

    Returns
    -------
    dict of str to tuple of str
        The values of those that are there and are not empty.

    Raises
    ------
    ScannerError
        It is cut short or damaged.
    """
    if not raw.startswith(MAGIC):
        return {}
    found: dict[str, tuple[str, ...]] = {}
    try:
        _, _, n_tags, _ = HEAD.unpack_from(raw, 0)
        place = HEAD.size
        for _ in range(min(n_tags, MAX_TAGS)):
            name, _, _, _, n_items, _ = TAG.unpack_from(raw, place)
            place += TAG.size
            values: list[str] = []
            wanted = _text(name) in names
            for _ in range(_within(n_items, MAX_ITEMS)):
                size = _within(ITEM.unpack_from(raw, place)[1], len(raw))
                place += ITEM.size
                if wanted and size:
                    values.append(_text(raw[place : place + size]))
                place += (size + 3) // 4 * 4
            if any(values):
                found[_text(name)] = tuple(value for value in values if value)
    except (struct.error, ValueError):
        msg = "The Siemens header (0029,1010) must be whole, and is damaged or cut short."
        raise ScannerError(msg) from None
    return found


def _within(number: int, limit: int) -> int:
    if not 0 <= number <= limit:
        raise ValueError(number)
    return number


def _text(raw: bytes) -> str:
    return raw.split(b"\0", 1)[0].decode("latin-1").strip()
