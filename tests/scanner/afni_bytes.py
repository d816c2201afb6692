"""What AFNI's plugin sends, packed by hand from the protocol's description."""

import struct
from collections.abc import Sequence

BYE = bytes([0xDE, 0xAD, 0xDE, 0xAD])


def hello(version: int, *counts: int, order: str) -> bytes:
    head = bytes([0xAB, 0xCD, 0xEF, 0xAB + version])
    return head + b"".join(struct.pack(order + "i", count) for count in counts)


def floats(numbers: Sequence[float], order: str) -> bytes:
    return b"".join(struct.pack(order + "f", number) for number in numbers)
