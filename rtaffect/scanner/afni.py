"""Motion and means of regions from AFNI's realtime plugin, as its realtime_receiver gets them."""

import math
import selectors
import socket
import sys

import numpy as np

from rtaffect.config.scanner_inputs import AfniSettings
from rtaffect.core.clock import Clock
from rtaffect.core.errors import ScannerError
from rtaffect.scanner.acquired import (
    Acquired,
    Floats,
    Refused,
    RoiMeans,
    RunEnd,
    Volume,
    check_header,
)
from rtaffect.scanner.afni_voxels import volume_of
from rtaffect.scanner.afni_wire import AfniDecoder, ByteOrder, Record
from rtaffect.scanner.listener import Listener
from rtaffect.scanner.notes import Notes, exposure

READ_SIZE = 1 << 18
BACKLOG = 32
MAX_CALLERS = 4  # a run's connection, one that comes while it hangs, and some that are strangers

BYTE_ORDERS: dict[str, ByteOrder] = {
    "native": "<" if sys.byteorder == "little" else ">",
    "little": "<",
    "big": ">",
}


class _Run:
    """One connection."""

    def __init__(self, caller: socket.socket, byte_order: ByteOrder) -> None:
        self.caller = caller
        self.decoder = AfniDecoder(byte_order)
        self.name = ""
        self.n_records = 0


class AfniInput(Listener):
    """Receives what AFNI sends, see `rtaffect.scanner.acquired.ScannerInput`.

    Means of regions are taken where AFNI sends any (ROI_means, ROIs_and_data; the voxels of the
    latter are left aside). Of All_Data a volume is made when the settings say how large one is,
    with NaN where AFNI sent nothing; else, and of All_Data_light, each voxel's value is passed on
    as if it were a region, in the order of the mask. Motion_Only has no values.

    AFNI tells neither the number of a TR, so they are counted, nor its time.

    Parameters
    ----------
    settings : AfniSettings
        Where to listen, and in which byte order AFNI sends.
    clock : callable
        The runtime's clock.

    Raises
    ------
    ScannerError
        The address cannot be bound.
    """

    def __init__(self, settings: AfniSettings, clock: Clock) -> None:
        super().__init__()
        self._settings = settings
        self._clock = clock
        self._selector = selectors.DefaultSelector()
        self._callers: list[_Run] = []
        self._n_runs = 0
        try:
            self._listener = socket.create_server((settings.host, settings.port), backlog=BACKLOG)
        except (OSError, UnicodeError) as error:
            self._selector.close()
            msg = (
                f"The address for AFNI must be free and of this machine, got {settings.host}:"
                f"{settings.port}: {error}. Does realtime_receiver.py listen there? End it, or "
                "give another port here and in AFNI_REALTIME_MP_HOST_PORT."
            )
            raise ScannerError(msg) from None
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self.port = int(self._listener.getsockname()[1])
        self._notes = Notes(
            f"Waits for AFNI on {settings.host}:{self.port}; its numbers are read in "
            f"{settings.byte_order} byte order.{exposure(settings.host)}"
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """Where it listens, and what is made of what AFNI sends."""
        return self._notes.texts

    def _look(self, timeout_s: float) -> list[Acquired]:
        arrived: list[Acquired] = []
        for key, _ in self._selector.select(timeout_s):
            if key.data is None:
                self._accept()
            elif key.data in self._callers:  # the one before may have ended it
                arrived += self._read(key.data)
        return arrived

    def _let_go(self) -> None:
        for run in self._callers:
            run.caller.close()
        self._callers.clear()
        self._listener.close()
        self._selector.close()

    def _accept(self) -> None:
        try:
            caller, _ = self._listener.accept()
        except OSError:  # gone again
            return
        if len(self._callers) >= MAX_CALLERS:  # the oldest that has not said hello makes room
            self._drop(next(run for run in self._callers if not run.name))
        caller.setblocking(False)
        run = _Run(caller, BYTE_ORDERS[self._settings.byte_order])
        self._callers.append(run)
        self._selector.register(caller, selectors.EVENT_READ, run)

    def _read(self, run: _Run) -> list[Acquired]:
        """Return what one connection brought; an error in it ends it."""
        try:
            data = run.caller.recv(READ_SIZE)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        t_arrival = self._clock()
        if not data:
            return self._lost(run, t_arrival)
        arrived: list[Acquired] = []
        try:
            records = run.decoder.feed(data)
        except ScannerError as error:
            arrived = [Refused(reason=str(error), t_arrival=t_arrival)]
            return arrived + self._end(run, t_arrival)
        if run.decoder.greeted and not run.name:
            arrived += self._begin(run, t_arrival)
        for record in records:
            arrived.append(self._acquired(run, record, t_arrival))
            run.n_records += 1
        if run.decoder.ended:
            arrived += self._end(run, t_arrival)
        return arrived

    def _begin(self, run: _Run, t_arrival: float) -> list[Acquired]:
        """Give a run its number; another that is still open lost its sender without a word."""
        ended: list[Acquired] = []
        for other in [one for one in self._callers if one.name]:
            ended += self._end(other, t_arrival)
        self._n_runs += 1
        run.name = str(self._n_runs)
        self._notes.say(f"AFNI sends {run.decoder.contents}.")
        if remark := _REMARKS.get(run.decoder.version):
            self._notes.say(remark)
        if run.decoder.version == 2 and self._settings.shape is None:
            self._notes.say(_WITHOUT_SHAPE)
        return ended

    def _lost(self, run: _Run, t_arrival: float) -> list[Acquired]:
        """Return what a connection that ended without goodbye means."""
        arrived: list[Acquired] = []
        if n_bytes := run.decoder.n_pending:
            wanted = f" of {run.decoder.record_size}" if run.decoder.greeted else ""
            msg = (
                f"AFNI must send whole TRs and say goodbye; the connection ended inside TR "
                f"{run.n_records}, after {n_bytes}{wanted} bytes. That TR is lost; AFNI connects "
                "again with its next run."
            )
            arrived = [Refused(reason=msg, t_arrival=t_arrival)]
        return arrived + self._end(run, t_arrival)

    def _end(self, run: _Run, t_arrival: float) -> list[Acquired]:
        self._drop(run)
        return [RunEnd(run=run.name, t_arrival=t_arrival)] if run.name else []

    def _drop(self, run: _Run) -> None:
        self._selector.unregister(run.caller)
        self._callers.remove(run)
        run.caller.close()

    def _acquired(self, run: _Run, record: Record, t_arrival: float) -> Acquired:
        version, shape = run.decoder.version, self._settings.shape
        if version == 2 and shape is not None:
            try:
                check_header(shape, np.dtype(np.float32), n_bytes=4 * math.prod(shape))
                data, affine = volume_of(record.voxels, shape)
            except ScannerError as error:
                return Refused(reason=str(error), t_arrival=t_arrival)
            return Volume(
                data=data,
                affine=affine,
                index=run.n_records,
                run=run.name,
                tr_s=math.nan,
                t_acq=math.nan,
                t_arrival=t_arrival,
            )
        return RoiMeans(
            values=record.voxels[:, -1] if version in (2, 3) else _present(record.means),
            motion=record.motion,
            index=run.n_records,
            run=run.name,
            tr_s=math.nan,
            t_acq=math.nan,
            t_arrival=t_arrival,
        )


def _present(means: Floats) -> Floats:
    """Return means with NaN where AFNI's mask has no voxel of a label: it sends 0 for it."""
    return np.where(means == 0.0, np.nan, means)


_WITHOUT_SHAPE = (
    "Of All_Data each voxel's value is passed on as a region of its own, in the order of "
    "the mask. Give `shape` for volumes, or set AFNI_REALTIME_Mask_Vals to ROI_means."
)
_REMARKS = {
    0: "Motion alone decodes nothing; set AFNI_REALTIME_Mask_Vals to ROI_means.",
    3: "Of All_Data_light each voxel's value is passed on as a region of its own, in the order of "
    "the mask; which voxel it is nobody says.",
    4: "Of ROIs_and_data the means of regions are used, the voxels are left aside.",
}
"""What is made of each version of the protocol, where it is not what it looks like."""
