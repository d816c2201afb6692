"""Recordings as a source: files opened, streams chosen, everything in event-time order."""

import heapq
import logging
import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from rtaffect.core.clock import Clock, monotonic
from rtaffect.core.errors import RecordingError
from rtaffect.core.streams import Event, StreamChoice, StreamInfo, Tick
from rtaffect.sources.mne_recording import READERS, MneRecording
from rtaffect.sources.openface import OpenFaceRecording
from rtaffect.sources.recorded import RecordedFile, RecordedStream
from rtaffect.sources.recorded_choice import ChosenStream, choose, guess
from rtaffect.sources.roi_table import RoiTableRecording, is_roi_table
from rtaffect.sources.session_recording import SessionRecording, is_session_recording
from rtaffect.sources.xdf_file import is_xdf, read_xdf
from rtaffect.sources.xdf_recording import XdfRecording

logger = logging.getLogger(__name__)

MAX_SILENCE_S = 3600.0  # ticks leap over a longer pause, which no session has
_BESIDE = {".fdt": ".set", ".eeg": ".vhdr", ".vmrk": ".vhdr"}  # data files, and what names them
_READABLE = f".xdf, {', '.join(READERS)}, OpenFace's .csv, and ROI tables as .csv or .tsv"


@dataclass(frozen=True, slots=True)
class _Part:
    """A file, which of its streams are played under which key, and by how much it is moved."""

    file: RecordedFile
    modalities: Mapping[int, str]
    shift_s: float

    @property
    def chosen(self) -> list[RecordedStream]:
        return [self.file.streams[i] for i in self.modalities]


class RecordingSource:
    """A `Source` of recorded events; made by `open_recording`.

    Parameters
    ----------
    parts : sequence of _Part
        The files and what is chosen of them.
    infos : mapping of str to StreamInfo
        The chosen streams, by modality.
    speed : float or "max"
        How many recorded seconds pass in one; ``"max"`` waits for nothing.
    tick_s : float
        Distance of ticks, on the multiples of it, in seconds.
    delay_s : float
        How long after its stamp a sample is taken to have arrived, in seconds.
    clock : callable
        What `speed` is measured by, in seconds.
    wait : callable or None
        Waits for a time in seconds; None waits so that `close` ends it.
    """

    def __init__(
        self,
        parts: Sequence[_Part],
        infos: Mapping[str, StreamInfo],
        *,
        speed: float | Literal["max"],
        tick_s: float,
        delay_s: float,
        clock: Clock = monotonic,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        self._parts = tuple(parts)
        self._infos = dict(infos)
        self._speed = math.inf if speed == "max" else speed
        self._tick_s = tick_s
        self._delay_s = delay_s
        self._clock = clock
        self._closed = threading.Event()
        self._wait = self._closed.wait if wait is None else wait

    @property
    def infos(self) -> Mapping[str, StreamInfo]:
        """The streams, by modality."""
        return self._infos

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know of how the files were read."""
        return tuple(note for part in self._parts for note in part.file.notes)

    @property
    def bundles(self) -> dict[str, str]:
        """Names of the bundles that decoded the session live, by digest, of our recordings."""
        own = [part.file for part in self._parts if isinstance(part.file, SessionRecording)]
        return {digest: name for file in own for digest, name in file.bundles.items()}

    @property
    def baselines(self) -> dict[str, Any]:
        """Baselines that decoders of the session had, by name, of our own recordings, as JSON."""
        own = [part.file for part in self._parts if isinstance(part.file, SessionRecording)]
        return {name: told for file in own for name, told in file.baselines.items()}

    @property
    def settings(self) -> dict[str, Any]:
        """What our own recording says of the session's settings, as JSON; empty if nothing."""
        own = [part.file for part in self._parts if isinstance(part.file, SessionRecording)]
        return next((file.settings for file in own if file.settings), {})

    @property
    def digests(self) -> dict[str, str]:
        """Digests of the bundles that decoded the session live, by decoder."""
        own = [part.file for part in self._parts if isinstance(part.file, SessionRecording)]
        return {name: digest for file in own for name, digest in file.digests.items()}

    @property
    def n_waiting(self) -> int:
        """Nothing waits: a recording is read when it is asked for."""
        return 0

    @property
    def t_first(self) -> float:
        """Time of the first sample, in seconds on the recording's clock."""
        firsts = (s.t_first + p.shift_s for p in self._parts for s in p.chosen)
        return min(firsts, default=0.0)

    @property
    def t_last(self) -> float:
        """Time of the last sample, in seconds on the recording's clock."""
        lasts = (s.t_last + p.shift_s for p in self._parts for s in p.chosen)
        return max(lasts, default=0.0)

    @property
    def duration_s(self) -> float:
        """Length of the recording in seconds."""
        return self.t_last - self.t_first

    def span(self, modality: str) -> tuple[float, float]:
        """Return the times of one stream's first and last sample, in seconds."""
        (found,) = (
            (part.file.streams[i], part.shift_s)
            for part in self._parts
            for i, name in part.modalities.items()
            if name == modality
        )
        stream, shift_s = found
        return stream.t_first + shift_s, stream.t_last + shift_s

    def events(self) -> Iterator[Event]:
        """Yield everything that was recorded, in the order of its arrival."""
        played = heapq.merge(
            *(
                part.file.play(part.modalities, shift_s=part.shift_s, delay_s=self._delay_s)
                for part in self._parts
            ),
            key=lambda event: event.t_received,
        )
        has_ticks = any(part.file.is_session for part in self._parts)
        timed = played if has_ticks else _with_ticks(played, self._tick_s)
        for event in self._paced(timed):
            if self._closed.is_set():
                return
            yield event

    def close(self) -> None:
        """End `events`."""
        self._closed.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _paced(self, events: Iterator[Event]) -> Iterator[Event]:
        """Hold each event back until its time has come."""
        began: tuple[float, float] | None = None
        for event in events:
            if math.isfinite(self._speed):
                if began is None:
                    began = (self._clock(), event.t_received)
                due = began[0] + (event.t_received - began[1]) / self._speed
                left_s = due - self._clock()
                if left_s > 0:
                    self._wait(left_s)
            yield event


def open_recording(
    paths: Sequence[Path],
    choices: Sequence[StreamChoice] | None = None,
    *,
    speed: float | Literal["max"] = "max",
    tick_s: float = 0.25,
    delay_s: float = 0.0,
    face_offset_s: float = 0.0,
    roi_offset_s: float = 0.0,
    tr_s: float | None = None,
    clock: Clock = monotonic,
    wait: Callable[[float], object] | None = None,
) -> RecordingSource:
    """Open one or more files that were recorded together.

    Parameters
    ----------
    paths : sequence of Path
        XDF files, an EEG file that MNE reads, an OpenFace CSV, a table of ROI frames, in any
        combination. A file whose times count from its own start is laid at the start of the first
        file.
    choices : sequence of StreamChoice or None
        Which stream is which modality; None takes the EEG stream, and the face and marker streams
        where there is one of each. Our own recordings keep their descriptions as they were live.
    speed : float or "max"
        How many recorded seconds pass in one; ``"max"`` waits for nothing.
    tick_s : float
        Distance of ticks where the files bring none, in seconds: the hop of the windows.
    delay_s : float
        How long after its stamp a sample is taken to have arrived, where the files do not tell.
    face_offset_s : float
        When an OpenFace video began after the EEG, in seconds.
    roi_offset_s : float
        When the first volume of a table of ROI frames began after the EEG, in seconds.
    tr_s : float, optional
        Repetition time of a table of ROI frames that has no other way to say it, in seconds.
    clock, wait : callable
        Time and waiting for `speed`; tests step their own.

    Returns
    -------
    RecordingSource
        The source.

    Raises
    ------
    RecordingError
        A file is none, or a stream that is wanted is not in it.
    StreamError
        Several streams fit a choice, or the description of one contradicts it.
    """
    if speed != "max" and not (math.isfinite(speed) and speed > 0):
        msg = f'speed must be "max" or a number above 0, got {speed}.'
        raise RecordingError(msg)
    if not paths:
        msg = f"At least one file is needed: {_READABLE}."
        raise RecordingError(msg)
    files = [open_file(path, tr_s=tr_s) for path in paths]
    for file in files:
        for note in file.notes:
            logger.info("%s", note)
    chosen = guess(files) if choices is None else choose(files, choices)
    start_s = _start(files, chosen)
    parts = []
    for at, file in enumerate(files):
        modalities = {one.i: one.info.modality for one in chosen if one.at == at}
        shift_s = start_s if file.is_relative else 0.0
        if isinstance(file, OpenFaceRecording):
            shift_s += face_offset_s
        elif isinstance(file, RoiTableRecording):
            shift_s += roi_offset_s
        parts.append(_Part(file, modalities, shift_s))
    return RecordingSource(
        parts,
        {one.info.modality: one.info for one in chosen},
        speed=speed,
        tick_s=tick_s,
        delay_s=delay_s,
        clock=clock,
        wait=wait,
    )


def open_file(path: Path, *, tr_s: float | None = None) -> RecordedFile:
    """Open one file by what it is.

    Parameters
    ----------
    path : Path
        The file.
    tr_s : float, optional
        Repetition time of a table of ROI frames that has no other way to say it, in seconds.

    Returns
    -------
    RecordedFile
        Its streams, before anybody chose.

    Raises
    ------
    RecordingError
        It is missing, empty, or none that can be read.
    """
    if path.is_dir():
        msg = f"{path} is a folder; a recording is one file: {_READABLE}."
        raise RecordingError(msg)
    try:
        size = path.stat().st_size
        if size == 0:
            msg = f"{path} is empty: it has zero bytes."
            raise RecordingError(msg)
        if is_xdf(path):
            streams, notes = read_xdf(path)
            own = is_session_recording(streams)
            return (SessionRecording if own else XdfRecording)(path, streams, notes)
        if is_roi_table(path, tr_s=tr_s):
            return RoiTableRecording(path, tr_s=tr_s)
        if path.suffix.lower() == ".csv":
            return OpenFaceRecording(path)
    except OSError as error:
        msg = f"{path} cannot be opened: {error.strerror or error}."
        raise RecordingError(msg) from error
    if path.name.lower().endswith(tuple(READERS)):
        return MneRecording(path)
    beside = _BESIDE.get(path.suffix.lower())
    hint = f" Give the {beside} file beside it instead." if beside else ""
    msg = f"{path} is not a recording that can be read: {_READABLE}.{hint}"
    raise RecordingError(msg)


def _start(files: Sequence[RecordedFile], chosen: Sequence[ChosenStream]) -> float:
    """Return when the first file on a shared clock begins, 0.0 if all count from their start."""
    for at, file in enumerate(files):
        if not file.is_relative:
            return min((one.stream.t_first for one in chosen if one.at == at), default=0.0)
    return 0.0


def _with_ticks(events: Iterator[Event], tick_s: float) -> Iterator[Event]:
    """Put a tick at every multiple of `tick_s` between events, after what arrived until then."""
    index: int | None = None
    for event in events:
        leap = math.ceil(event.t_received / tick_s)
        if index is None or (leap - index) * tick_s > MAX_SILENCE_S:
            index = leap
        while index * tick_s < event.t_received:
            yield Tick(index * tick_s)
            index += 1
        yield event
