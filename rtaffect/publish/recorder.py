"""Writes a session to an XDF file, completely enough to live through it again bit for bit."""

import dataclasses
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from rtaffect.core.arrivals import (
    ARRIVAL_CHANNELS,
    ARRIVALS_STYPE,
    ESTIMATES_STYPE,
    EVENTS_STYPE,
    FORMAT,
    SESSION_STYPE,
    ArrivalKind,
)
from rtaffect.core.errors import RecordingError
from rtaffect.core.estimate import Estimate, as_jsonable
from rtaffect.core.health import Health
from rtaffect.core.sinks import Matrix, Timing
from rtaffect.core.streams import (
    Chunk,
    ClockOffset,
    Event,
    StreamEvent,
    StreamInfo,
    VolumeChunk,
)
from rtaffect.core.volume_message import VOLUME_MODALITY
from rtaffect.publish.volume_files import VolumeFiles
from rtaffect.publish.xdf_writer import XdfWriter
from rtaffect.version import __version__

FLUSH_S = 1.0  # of engine time: what a crash can lose
BUFFER_BYTES = 1 << 20


class Recorder:
    """A sink that keeps everything a source said, and what was made of it.

    Raw samples with raw stamps and the sender's own sample type; clock offsets, so that every XDF
    reader aligns the streams; the order and time in which everything reached the engine (see
    `rtaffect.core.arrivals`); estimates and stream events as JSON. Volumes go to a folder beside
    the file, as NIfTI.

    Parameters
    ----------
    path : Path
        File to write; it must not exist, its folder must.
    infos : mapping of str to StreamInfo
        The source's streams.
    session : mapping
        What else a reader should know, as JSON types: settings, digests of the bundles. Put nothing
        personal in it.

    Raises
    ------
    RecordingError
        The file or the folder of its volumes exists or cannot be written. Also raised, once, by the
        call at which a disk fails: what was flushed until then remains readable, and later calls
        write nothing.

    Notes
    -----
    Writes go to a buffer that is handed to the operating system about once a second, which does not
    wait for the disk.
    """

    def __init__(
        self, path: Path, infos: Mapping[str, StreamInfo], *, session: Mapping[str, object]
    ) -> None:
        self.path = path
        self._infos = dict(infos)
        self._volumes = VolumeFiles(path) if VOLUME_MODALITY in infos else None
        self._numbers = {modality: i for i, modality in enumerate(infos, start=1)}
        own = range(len(infos) + 1, len(infos) + 5)
        self._session, self._arrivals, self._events, self._estimates = own
        self._about = json.dumps(
            {
                "format": FORMAT,
                "rtaffect": __version__,
                "streams": [
                    {"number": self._numbers[modality], **dataclasses.asdict(info)}
                    for modality, info in infos.items()
                ],
                "session": dict(session),
            }
        )
        self._described: dict[str, np.dtype[Any]] = {}
        self._early_offsets: dict[str, list[ClockOffset]] = {modality: [] for modality in infos}
        self._rows: list[tuple[float, ...]] = []
        self._t_flushed: float | None = None
        self._failed = False
        try:
            self._file = path.open("xb", buffering=BUFFER_BYTES)
        except FileExistsError:
            msg = f"{path} exists and is not overwritten: move it away or choose another name."
            raise RecordingError(msg) from None
        except OSError as error:
            msg = (
                f"{path} cannot be written ({error.strerror}): its folder must exist and allow it."
            )
            raise RecordingError(msg) from error
        with self._disk():
            self._xdf = XdfWriter(self._file)
            self._describe_own()

    def on_event(self, event: Event) -> None:
        """Keep one event: its content in its stream, its arrival in the arrivals stream."""
        if self._failed:
            return
        with self._disk():
            self._begin(event.t_received)
            match event:
                case VolumeChunk():
                    self._on_chunk(self._on_disk(event))
                case Chunk():
                    self._on_chunk(event)
                case ClockOffset():
                    self._on_offset(event)
                case StreamEvent():
                    self._on_stream_event(event)
                case _:
                    self._arrived(ArrivalKind.TICK, event.t_received)
            self._flush_if_due(event.t_received)

    def on_estimate(self, estimate: Estimate, timing: Timing) -> None:
        """Keep one estimate, stamped with its ``t_end``."""
        if self._failed:
            return
        with self._disk():
            self._begin(timing.t_decoded)
            self._write_json(
                self._estimates,
                estimate.t_end,
                {
                    "estimate": as_jsonable(estimate),
                    "t_closed": timing.t_closed,
                    "t_decoded": timing.t_decoded,
                },
            )

    def on_health(self, health: Health) -> None:
        """Ignore: health follows from what is recorded."""

    def wants_matrices(self, decoder: str) -> bool:  # noqa: ARG002 - the protocol's signature
        """Return False: matrices follow from what is recorded."""
        return False

    def on_matrix(self, matrix: Matrix) -> None:
        """Ignore, as `wants_matrices` said."""

    def close(self) -> None:
        """Write the footers and close the file."""
        if self._file.closed:
            return
        if self._failed:
            self._abandon()
            return
        with self._disk():
            self._begin(0.0)
            for modality, info in self._infos.items():
                if modality not in self._described:  # never delivered: described all the same
                    is_text = info.is_text or modality == VOLUME_MODALITY
                    self._describe(modality, np.dtype(object if is_text else np.float32))
            self._flush()
            self._xdf.footers()
            self._file.close()

    def _on_disk(self, volume: VolumeChunk) -> Chunk:
        """Write a volume to its file, and return what its stream says of it."""
        self._number(volume.modality)
        assert self._volumes is not None, "volumes come under one modality"
        kept = np.array([[self._volumes.write(volume)]], dtype=object)
        return Chunk(volume.modality, kept, volume.stamps_s, volume.t_received)

    def _on_chunk(self, chunk: Chunk) -> None:
        number = self._number(chunk.modality)
        dtype = np.dtype(object) if chunk.data.dtype.kind == "U" else chunk.data.dtype
        described = self._described.get(chunk.modality)
        if described is None:
            self._describe(chunk.modality, dtype)
        elif described != dtype:
            msg = (
                f"The samples of {chunk.modality!r} must keep their type: it was {described} and "
                f"became {dtype}. Start another recording."
            )
            raise RecordingError(msg)
        self._xdf.samples(number, chunk.stamps_s, chunk.data)
        self._arrived(
            ArrivalKind.CHUNK, chunk.t_received, stream=number, n_samples=len(chunk.stamps_s)
        )

    def _on_offset(self, offset: ClockOffset) -> None:
        number = self._number(offset.modality)
        if offset.modality in self._described:
            self._write_offset(offset)
        else:  # XDF wants the header first, and the header wants the sample type
            self._early_offsets[offset.modality].append(offset)
        self._arrived(ArrivalKind.OFFSET, offset.t_received, stream=number, value=offset.offset_s)

    def _on_stream_event(self, event: StreamEvent) -> None:
        content = {"modality": event.modality, "state": event.state.value, "detail": event.detail}
        self._write_json(self._events, event.t_received, content)
        number = self._numbers.get(event.modality, 0)
        self._arrived(ArrivalKind.STREAM_EVENT, event.t_received, stream=number)

    def _number(self, modality: str) -> int:
        try:
            return self._numbers[modality]
        except KeyError:
            msg = f"The recording was opened for {sorted(self._numbers)}, and {modality!r} arrived."
            raise RecordingError(msg) from None

    def _arrived(
        self,
        kind: ArrivalKind,
        t_received: float,
        *,
        stream: int = 0,
        n_samples: int = 0,
        value: float = 0.0,
    ) -> None:
        self._rows.append((kind, stream, n_samples, t_received, value))

    def _describe(self, modality: str, dtype: np.dtype[Any]) -> None:
        info = self._infos[modality]
        if modality == VOLUME_MODALITY:
            info = dataclasses.replace(info, ch_names=("json",), units=("",))
        self._xdf.add_stream(
            self._numbers[modality],
            name=info.name,
            stype=info.stype,
            dtype=dtype,
            ch_names=info.ch_names,
            units=info.units,
            sfreq=info.sfreq,
            source_id=info.source_id,
            simulated=info.simulated,
            about=info.about,
        )
        self._described[modality] = dtype
        for offset in self._early_offsets[modality]:
            self._write_offset(offset)

    def _describe_own(self) -> None:
        for number, stype, ch_names, dtype in (
            (self._session, SESSION_STYPE, ("json",), object),
            (self._arrivals, ARRIVALS_STYPE, ARRIVAL_CHANNELS, np.float64),
            (self._events, EVENTS_STYPE, ("json",), object),
            (self._estimates, ESTIMATES_STYPE, ("json",), object),
        ):
            self._xdf.add_stream(number, name=stype, stype=stype, dtype=dtype, ch_names=ch_names)

    def _write_offset(self, offset: ClockOffset) -> None:
        self._xdf.clock_offset(
            self._numbers[offset.modality],
            t_collected=offset.t_received - offset.offset_s,
            offset_s=offset.offset_s,
        )

    def _write_json(self, number: int, stamp_s: float, content: Mapping[str, object]) -> None:
        self._write_text(number, stamp_s, json.dumps(content))

    def _write_text(self, number: int, stamp_s: float, text: str) -> None:
        self._xdf.samples(number, np.array([stamp_s]), np.array([[text]], dtype=object))

    def _begin(self, t: float) -> None:
        """Write what the session is, stamped with the first time that we learn."""
        if self._t_flushed is None:
            self._t_flushed = t
            self._write_text(self._session, t, self._about)
            self._file.flush()

    def _flush_if_due(self, t: float) -> None:
        assert self._t_flushed is not None
        if t - self._t_flushed >= FLUSH_S:
            self._flush()
            self._t_flushed = t

    def _flush(self) -> None:
        """Hand everything to the operating system; arrivals come after what they speak of."""
        if self._rows:
            rows = np.array(self._rows, dtype=np.float64).T  # (n_channels, n_events)
            self._xdf.samples(self._arrivals, rows[ARRIVAL_CHANNELS.index("t_received")], rows)
            self._rows.clear()
        self._xdf.boundary()
        self._file.flush()

    @contextmanager
    def _disk(self) -> Iterator[None]:
        """Turn what the disk says into an error of ours, once."""
        try:
            yield
        except OSError as error:
            self._failed = True
            msg = (
                f"{self.path} cannot be written any more ({error.strerror}): what was flushed "
                "remains readable, later events are not in it. Make room and start another."
            )
            raise RecordingError(msg) from error

    def _abandon(self) -> None:
        """Close after a failure that was reported; the rest of the buffer cannot be written."""
        with suppress(OSError):
            self._file.close()
