"""The bytes that AFNI's realtime plugin sends to a receiver, whatever pieces they arrive in.

A connection is a run. It begins with ``ab cd ef`` and ``ab + version``; versions 1 to 4 add one or
two counts (int32). Each TR is six numbers of motion (float32) and, by version:

==  ==========================  =====================================================
1   ROI_means, Motion_Only      N means of regions; N may be 0
2   All_Data                    N voxels of eight numbers: 1D index, i, j, k, x, y, z, value
3   All_Data_light              N values of voxels, in the order of the mask
4   ROIs_and_data               N means of regions, then M values of voxels
==  ==========================  =====================================================

Version 0 has motion alone. ``de ad de ad`` in the place of a TR ends the run. Nothing says the byte
order, the number of a TR, its time, or which regions there are.
"""

import struct
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rtaffect.core.errors import ScannerError
from rtaffect.scanner.acquired import MAX_BYTES, Floats

HELLO = b"\xab\xcd\xef"
FIRST_VERSION = 0xAB
N_COUNTS = (0, 1, 1, 1, 2)
"""How many counts follow the hello, by version."""

BYE = (b"\xde\xad\xde\xad", b"\xad\xde\xad\xde")
"""As bytes, and as a number on a little-endian machine; no motion in mm is either."""

N_MOTION = 6
N_PER_VOXEL = 8
MAX_REGIONS = 4096

MOTION_RANGE = (1e-12, 1e3)
"""What motion other than none has for a size; numbers in the wrong byte order are far outside."""

ByteOrder = Literal["<", ">"]
ORDER_NAMES: dict[ByteOrder, str] = {"<": "little", ">": "big"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Record:
    """One TR.

    Parameters
    ----------
    motion : ndarray of float64, shape (6,)
        dx, dy, dz in mm and roll, pitch, yaw in degrees; as AFNI has them, along and about the
        axes inferior-superior, right-left and anterior-posterior.
    means : ndarray of float64, shape (n_regions,)
        Means of regions, as AFNI made them.
    voxels : ndarray of float64, shape (n_voxels, 8) or (n_voxels, 1)
        All that is said of each voxel; the value is last.
    """

    motion: Floats
    means: Floats
    voxels: Floats


class AfniDecoder:
    """Makes records of one connection's bytes.

    Parameters
    ----------
    byte_order : {"<", ">"}
        Of the sender's machine: little or big.
    """

    def __init__(self, byte_order: ByteOrder) -> None:
        self._order: ByteOrder = byte_order
        self._other: ByteOrder = "<" if byte_order == ">" else ">"
        self._bytes = bytearray()
        self._counts: tuple[int, ...] | None = None
        self.version = -1
        self.ended = False

    @property
    def greeted(self) -> bool:
        """Whether the hello and its counts are complete."""
        return self._counts is not None

    @property
    def n_pending(self) -> int:
        """How many bytes of an unfinished record are here."""
        return len(self._bytes)

    @property
    def contents(self) -> str:
        """What each TR holds, in words."""
        n_means, n_numbers = self._n_values
        n_voxels = n_numbers // (N_PER_VOXEL if self.version == 2 else 1)
        return f"motion, {n_means} regions and {n_voxels} voxels (version {self.version})"

    @property
    def record_size(self) -> int:
        """How many bytes a TR has."""
        return 4 * (N_MOTION + sum(self._n_values))

    def feed(self, data: bytes) -> list[Record]:
        """Take what arrived and return the TRs that it completes.

        Raises
        ------
        ScannerError
            These are not bytes of the protocol, or their counts are impossible; the connection is
            of no more use.
        """
        if self.ended:
            return []
        self._bytes += data
        if self._counts is None:
            self._counts = self._read_hello()
        records: list[Record] = []
        if self._counts is None:
            return records
        while len(self._bytes) >= 4:
            if bytes(self._bytes[:4]) in BYE:
                self._bytes.clear()
                self.ended = True
                break
            if len(self._bytes) < self.record_size:
                break
            records.append(self._read_record())
        return records

    @property
    def _n_values(self) -> tuple[int, int]:
        """Numbers of means, and of what is said of voxels, in a TR."""
        counts = self._counts or ()
        match self.version:
            case 1:
                return counts[0], 0
            case 2:
                return 0, counts[0] * N_PER_VOXEL
            case 3:
                return 0, counts[0]
            case 4:
                return counts[0], counts[1]
        return 0, 0

    def _read_hello(self) -> tuple[int, ...] | None:
        head = bytes(self._bytes[:4])
        if not HELLO.startswith(head[:3]):
            msg = f"AFNI must begin with the bytes {HELLO.hex(' ')}, got {head[:3].hex(' ')}."
            raise ScannerError(msg)
        if len(head) < 4:
            return None
        self.version = head[3] - FIRST_VERSION
        if not 0 <= self.version < len(N_COUNTS):
            msg = (
                f"AFNI must speak version 0 to {len(N_COUNTS) - 1} of its protocol, got "
                f"{self.version}."
            )
            raise ScannerError(msg)
        size = 4 * (1 + N_COUNTS[self.version])
        if len(self._bytes) < size:
            return None
        raw = bytes(self._bytes[4:size])
        counts = struct.unpack(f"{self._order}{len(raw) // 4}i", raw)
        if not self._possible(counts):
            msg = (
                f"AFNI must announce 0 to {MAX_REGIONS} regions, and voxels that fit into "
                f"{MAX_BYTES} bytes a TR; it announced {_listed(counts)}."
            )
            swapped = struct.unpack(f"{self._other}{len(raw) // 4}i", raw)
            if self._possible(swapped):
                msg += f" In the other byte order that is {_listed(swapped)}: {self._advice}"
            raise ScannerError(msg)
        del self._bytes[:size]
        return counts

    @property
    def _advice(self) -> str:
        return f"set byte_order: {ORDER_NAMES[self._other]}."

    def _possible(self, counts: tuple[int, ...]) -> bool:
        n_regions = counts[:1] if self.version in (1, 4) else ()
        n_voxels = counts[-1:] if self.version in (2, 3, 4) else ()
        numbers = N_PER_VOXEL if self.version == 2 else 1
        return all(0 <= n <= MAX_REGIONS for n in n_regions) and all(
            0 <= n <= (MAX_BYTES // 4 - MAX_REGIONS - N_MOTION) // numbers for n in n_voxels
        )

    def _read_record(self) -> Record:
        raw = bytes(self._bytes[: self.record_size])
        del self._bytes[: len(raw)]
        values = _numbers(raw, self._order)
        motion = values[:N_MOTION]
        if not _plausible(motion) and _plausible(_numbers(raw[: 4 * N_MOTION], self._other)):
            msg = (
                f"Motion must be in mm and degrees, got {_listed(tuple(motion))}, and "
                f"credible numbers in the other byte order: {self._advice}"
            )
            raise ScannerError(msg)
        n_means, _ = self._n_values
        wide = N_PER_VOXEL if self.version == 2 else 1
        return Record(
            motion=motion,
            means=values[N_MOTION : N_MOTION + n_means],
            voxels=values[N_MOTION + n_means :].reshape(-1, wide),
        )


def _numbers(raw: bytes, order: ByteOrder) -> Floats:
    return np.frombuffer(raw, dtype=np.dtype("f4").newbyteorder(order)).astype(np.float64)


def _plausible(motion: Floats) -> bool:
    sizes = np.abs(motion[motion != 0.0])
    return bool(((sizes >= MOTION_RANGE[0]) & (sizes <= MOTION_RANGE[1])).all())


def _listed(numbers: tuple[float, ...]) -> str:
    return ", ".join(f"{n:g}" if isinstance(n, float) else str(n) for n in numbers)
