"""Volumes by the protocol that Pyneal's scanner side speaks.

A ZeroMQ PAIR: the receiver binds, the scanner side connects. It says hello in one string and waits
for the same string; then it sends a volume in two frames, a header in JSON and the voxels, and
waits for a string before the next one. A reply with ``STOP`` in it would end the sender.
"""

import json
import math
import re
import reprlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import zmq

from rtaffect.config.scanner_inputs import PynealSettings
from rtaffect.core.clock import Clock
from rtaffect.core.errors import ScannerError
from rtaffect.scanner.acquired import (
    MAX_BYTES,
    Acquired,
    Floats,
    Refused,
    RunEnd,
    Volume,
    check_header,
    read_tr,
)
from rtaffect.scanner.listener import Listener
from rtaffect.scanner.notes import Notes, exposure
from rtaffect.scanner.one_peer import OnePeer

MAX_HELLO = 1024
MAX_HEADER = 1 << 16
MAX_INDEX = 1_000_000
DTYPE = re.compile(r"[<>=|]?[iuf][1248]|u?int(8|16|32)|float(32|64)")
"""NumPy's names of plain numbers; its parser of type names is not for strangers."""


class PynealInput(Listener):
    """Receives volumes from Pyneal's scanner side, see `rtaffect.scanner.acquired.ScannerInput`.

    Indices are passed on as they come: out of order and twice is for others to judge. The protocol
    knows no end of a run; a hello after which indices begin anew is a new run.

    Parameters
    ----------
    settings : PynealSettings
        Where to listen.
    clock : callable
        The runtime's clock.

    Raises
    ------
    ScannerError
        The address cannot be bound.
    """

    def __init__(self, settings: PynealSettings, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        try:
            self._peer = OnePeer(settings.address, max_bytes=MAX_BYTES)
        except zmq.ZMQError as error:
            msg = (
                f"The address for Pyneal's scanner side must be free and of this machine, got "
                f"{settings.address}: {error}. Does another program listen there? End it, or give "
                "another address to both sides."
            )
            raise ScannerError(msg) from None
        self.address = self._peer.address
        host = re.fullmatch(r"tcp://(.+):[0-9]+", self.address)
        told = "" if host is None else exposure(host[1])
        self._notes = Notes(f"Waits for Pyneal's scanner side on {self.address}.{told}")
        self._run = 1
        self._newest = -1
        self._greeted = False

    @property
    def notes(self) -> tuple[str, ...]:
        """Where it listens, and what the sender left unclear."""
        return self._notes.texts

    def _look(self, timeout_s: float) -> list[Acquired]:
        return self._take() if self._peer.poll(timeout_s) else []

    def _let_go(self) -> None:
        self._peer.close()

    def _take(self) -> list[Acquired]:
        """Return what one message is, after a reply that lets its sender go on."""
        frames = self._peer.receive()
        t_arrival = self._clock()
        if len(frames) == 1 and len(frames[0]) <= MAX_HELLO:
            self._peer.reply(frames[0].bytes)
            self._greeted = True
            return []
        try:
            if len(frames) != 2 or len(frames[0]) > MAX_HEADER:
                msg = (
                    f"A volume must be two frames, a header of at most {MAX_HEADER} bytes and the "
                    f"voxels; got {', '.join(str(len(frame)) for frame in frames)} bytes."
                )
                raise ScannerError(msg)
            header = read_header(frames[0].bytes)
            data = voxels_of(header, frames[1].buffer)
        except ScannerError as error:
            self._peer.reply(b"refused")
            return [Refused(reason=f"From Pyneal's scanner side: {error}", t_arrival=t_arrival)]
        self._peer.reply(f"received volIdx {header.index}".encode())
        if header.tr_s < header.tr:
            self._notes.say(
                f"Pyneal's scanner side gives a TR of {header.tr:g}, which no scanner has in "
                f"seconds: taken as milliseconds, {header.tr_s:g} s."
            )
        ended = self._begin_run_at(header.index, t_arrival)
        volume = Volume(
            data=data,
            affine=header.affine,
            index=header.index,
            run=str(self._run),
            tr_s=header.tr_s,
            t_acq=math.nan,
            t_arrival=t_arrival,
        )
        return [*ended, volume]

    def _begin_run_at(self, index: int, t_arrival: float) -> list[Acquired]:
        """Count runs: return the end of the last one where a new one begins."""
        begins = self._greeted and index <= self._newest
        ended: list[Acquired] = []
        if begins:
            ended = [RunEnd(run=str(self._run), t_arrival=t_arrival)]
            self._run += 1
        self._newest = index if begins else max(self._newest, index)
        self._greeted = False
        return ended


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Header:
    """What the first frame says of a volume; `tr` as it was sent, `tr_s` in seconds."""

    index: int
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    affine: Floats
    tr: float
    tr_s: float


def read_header(frame: bytes) -> Header:
    """Read the first frame of a volume.

    Parameters
    ----------
    frame : bytes
        JSON; the affine may be a list, or a list in JSON once more, as Pyneal's senders have it.

    Raises
    ------
    ScannerError
        Something is missing, or of another kind than it must be.
    """
    fields = _parsed(frame, "The header")
    if not isinstance(fields, dict):
        msg = f"The header must be a JSON object, got {type(fields).__name__}."
        raise ScannerError(msg)
    missing = [key for key in ("volIdx", "dtype", "shape", "affine") if key not in fields]
    if missing:
        msg = f"The header must have {', '.join(missing)}, which this one lacks."
        raise ScannerError(msg)
    index, shape, dtype = fields["volIdx"], fields["shape"], fields["dtype"]
    if type(index) is not int or not 0 <= index < MAX_INDEX:
        msg = f"volIdx must be a whole number from 0 to {MAX_INDEX - 1}, got {_short(index)}."
        raise ScannerError(msg)
    if not isinstance(shape, list) or not all(type(side) is int for side in shape):
        msg = f"shape must be a list of whole numbers, got {_short(shape)}."
        raise ScannerError(msg)
    if not isinstance(dtype, str) or not DTYPE.fullmatch(dtype):
        msg = f"dtype must be a plain number type like int16 or float64, got {_short(dtype)}."
        raise ScannerError(msg)
    tr = _number(fields.get("TR", math.nan))
    return Header(
        index=index,
        shape=tuple(shape),
        dtype=np.dtype(dtype),
        affine=_affine(fields["affine"]),
        tr=tr,
        tr_s=read_tr(tr),
    )


def voxels_of(header: Header, frame: bytes | memoryview) -> npt.NDArray[np.generic]:
    """Return the second frame as a volume, without a copy where the byte order is native.

    Raises
    ------
    ScannerError
        Shape and type are impossible or too large, or the frame has another size.
    """
    check_header(header.shape, header.dtype, n_bytes=len(frame))
    data = np.frombuffer(frame, dtype=header.dtype).reshape(header.shape)
    return data.astype(header.dtype.newbyteorder("="), copy=False)


def _affine(value: Any) -> Floats:
    rows = _parsed(value, "affine") if isinstance(value, str) else value
    try:
        affine = np.array(rows, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        affine = np.empty(0)
    if affine.shape != (4, 4) or not np.isfinite(affine).all():
        msg = f"affine must be four rows of four finite numbers, got {_short(value)}."
        raise ScannerError(msg)
    return affine


def _parsed(text: bytes | str, what: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        msg = f"{what} must be JSON, got {_short(text)}."
        raise ScannerError(msg) from None


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _short(value: object) -> str:
    text = reprlib.repr(value)  # of a stranger's nested lists no more than the first levels
    return text if len(text) <= 60 else text[:57] + "..."
