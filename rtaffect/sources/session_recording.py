"""Our own recording, lived through again: the same events in the same order, bit for bit."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rtaffect.core.arrivals import (
    ARRIVAL_CHANNELS,
    ARRIVALS_STYPE,
    EVENTS_STYPE,
    FORMAT,
    SESSION_STYPE,
    ArrivalKind,
)
from rtaffect.core.errors import RecordingError
from rtaffect.core.streams import (
    Chunk,
    ClockOffset,
    Event,
    StreamEvent,
    StreamInfo,
    StreamState,
    Tick,
)
from rtaffect.core.volume_message import VOLUME_MODALITY
from rtaffect.sources.recorded import RecordedStream
from rtaffect.sources.volume_files import RecordedVolumes
from rtaffect.sources.xdf_file import XdfStream


def is_session_recording(streams: Sequence[XdfStream]) -> bool:
    """Return whether an XDF file says in which order everything reached the engine."""
    return any(stream.stype == ARRIVALS_STYPE for stream in streams)


class SessionRecording:
    """A file that `rtaffect.publish.recorder.Recorder` wrote.

    Parameters
    ----------
    path : Path
        The file.
    streams : sequence of XdfStream
        What was read of it.
    notes : sequence of str
        What is to be said of the reading.

    Raises
    ------
    RecordingError
        The file lacks what the recorder writes, or a later version wrote it.

    Notes
    -----
    What follows the last row of the arrivals stream (the recorder's process died) is not played: in
    which order the engine got it is not known. That is at most about a second.
    """

    is_relative = False
    is_session = True

    def __init__(self, path: Path, streams: Sequence[XdfStream], notes: Sequence[str]) -> None:
        self.path = path
        self.notes = tuple(notes)
        own = {stream.stype: stream for stream in streams}
        by_number = {stream.number: stream for stream in streams}
        try:
            about = json.loads(own[SESSION_STYPE].data[0, 0])
            if about["format"] > FORMAT:
                msg = (
                    f"{path} has layout {about['format']} (rtaffect {about['rtaffect']}); "
                    f"this version reads layouts up to {FORMAT}. Update rtaffect."
                )
                raise RecordingError(msg)
            self.session: Mapping[str, Any] = about["session"]
            self._infos = {one["number"]: _info(one) for one in about["streams"]}
            self._rows = _rows(own[ARRIVALS_STYPE])
            self._details = [_detail(json.loads(text)) for text in own[EVENTS_STYPE].data[0]]
        except (KeyError, IndexError, ValueError, TypeError) as error:
            msg = f"{path} lacks what a recording of rtaffect holds ({error!r}). Is it damaged?"
            raise RecordingError(msg) from error
        self._volumes = RecordedVolumes(path)
        self._streams = {number: by_number.get(number) for number in self._infos}
        self._check_rows()
        t_received = self._rows["t_received"]
        first, last = (
            (float(t_received[0]), float(t_received[-1])) if len(t_received) else (0.0, 0.0)
        )
        self.streams = tuple(
            _recorded(info, self._streams[number], first, last)
            for number, info in self._infos.items()
        )

    @property
    def settings(self) -> dict[str, Any]:
        """What the recording says of the session's settings, as JSON; empty if nothing."""
        told = self.session.get("settings") if isinstance(self.session, dict) else None
        return dict(told) if isinstance(told, dict) else {}

    @property
    def digests(self) -> dict[str, str]:
        """Digests of the bundles that decoded the session live, by decoder; empty if unsaid."""
        told = self.session.get("bundles") if isinstance(self.session, dict) else None
        return {str(n): str(d) for n, d in told.items()} if isinstance(told, dict) else {}

    @property
    def bundles(self) -> dict[str, str]:
        """Names of the bundles that decoded the session live, by digest; empty if unsaid."""
        told, entries = self.digests, self.settings.get("decoders")
        names = (
            [entry.get("bundle") for entry in entries if isinstance(entry, dict)]
            if isinstance(entries, list) and len(entries) == len(told)
            else []
        )
        if len(names) < len(told):  # an older recording: it says what its decoders were called
            names = list(told)
        return {d: str(name) for name, d in zip(names, told.values(), strict=True)}

    @property
    def baselines(self) -> dict[str, Any]:
        """Baselines of the session's decoders by their names, as JSON; empty where it has none."""
        told = self.session.get("baselines") if isinstance(self.session, dict) else None
        return dict(told) if isinstance(told, dict) else {}

    def play(
        self,
        modalities: Mapping[int, str],
        *,
        shift_s: float,  # noqa: ARG002 - the arrivals are known
        delay_s: float,  # noqa: ARG002 - the arrivals are known
    ) -> Iterator[Event]:
        """Yield what the engine got; streams that nobody chose are left out."""
        numbers = list(self._infos)
        chosen = {numbers[i]: modality for i, modality in modalities.items()}
        recorded = {info.modality: number for number, info in self._infos.items()}
        details = iter(self._details)
        at = dict.fromkeys(self._infos, 0)
        for kind, number, n_samples, t_received, value in zip(
            *(self._rows[name].tolist() for name in ARRIVAL_CHANNELS), strict=True
        ):
            key = int(number)
            match ArrivalKind(int(kind)):
                case ArrivalKind.TICK:
                    yield Tick(t_received)
                case ArrivalKind.STREAM_EVENT:
                    was, state, detail = next(details)
                    modality = chosen.get(recorded.get(was, 0))
                    if modality is not None:
                        yield StreamEvent(modality, state, t_received, detail)
                case ArrivalKind.OFFSET:
                    if key in chosen:
                        yield ClockOffset(chosen[key], value, t_received)
                case ArrivalKind.CHUNK:
                    start, at[key] = at[key], at[key] + int(n_samples)
                    if key in chosen:
                        yield self._chunk(key, start, at[key], chosen[key], t_received)

    def _chunk(self, number: int, start: int, stop: int, modality: str, t_received: float) -> Chunk:
        stream = self._streams[number]
        assert stream is not None
        if self._infos[number].modality == VOLUME_MODALITY:
            volume = self._volumes.read(stream.data[0, start], t_received)
            return replace(volume, modality=modality, stamps_s=stream.stamps_s[start:stop])
        samples = np.ascontiguousarray(stream.data[:, start:stop])
        return Chunk(modality, samples, stream.stamps_s[start:stop], t_received)

    def _check_rows(self) -> None:
        """Refuse a file whose arrivals speak of what it does not hold, or run backward."""
        kinds, numbers, counts = (self._rows[name] for name in ("kind", "stream", "n_samples"))
        of_streams = np.isin(kinds, (ArrivalKind.CHUNK, ArrivalKind.OFFSET))
        holds = [
            np.isin(kinds, list(ArrivalKind)).all(),
            np.isin(numbers[of_streams], list(self._infos)).all(),
            (kinds == ArrivalKind.STREAM_EVENT).sum() <= len(self._details),
            (counts >= 0).all() and (counts % 1 == 0).all(),
            (np.diff(self._rows["t_received"]) >= 0).all(),
        ]
        for number, stream in self._streams.items():
            arrived = counts[(kinds == ArrivalKind.CHUNK) & (numbers == number)]
            if stream is None:
                holds.append(len(arrived) == 0)
            else:
                holds.append(arrived.sum() <= len(stream.stamps_s))
                is_volume = self._infos[number].modality == VOLUME_MODALITY
                n_channels = 1 if is_volume else self._infos[number].n_channels
                holds.append(len(stream.data) == n_channels)
                holds.append(not is_volume or (arrived == 1).all())
        if not all(holds):
            msg = f"{self.path} is damaged: its arrivals do not fit what else is in it."
            raise RecordingError(msg)


def _detail(one: Mapping[str, Any]) -> tuple[str, StreamState, str]:
    return str(one["modality"]), StreamState(one["state"]), str(one["detail"])


def _info(one: Mapping[str, Any]) -> StreamInfo:
    fields = {key: value for key, value in one.items() if key != "number"}
    fields["ch_names"] = tuple(fields["ch_names"])
    fields["units"] = tuple(fields["units"])
    fields["about"] = {str(key): str(text) for key, text in dict(fields.get("about", {})).items()}
    factors = dict(fields.get("factors", {}))
    fields["factors"] = {str(key): float(factor) for key, factor in factors.items()}
    return StreamInfo(**fields)


def _rows(arrivals: XdfStream) -> dict[str, npt.NDArray[np.float64]]:
    if arrivals.data.shape[0] != len(ARRIVAL_CHANNELS):
        msg = f"{len(ARRIVAL_CHANNELS)} arrival channels, got {arrivals.data.shape[0]}"
        raise ValueError(msg)
    return dict(zip(ARRIVAL_CHANNELS, arrivals.data, strict=True))


def _recorded(
    info: StreamInfo, stream: XdfStream | None, first: float, last: float
) -> RecordedStream:
    n_times = 0 if stream is None else len(stream.stamps_s)
    dtype = "text" if info.is_text or stream is None else stream.data.dtype.name
    if info.modality == VOLUME_MODALITY:
        dtype = "volumes"
    return RecordedStream(
        name=info.name,
        stype=info.stype,
        source_id=info.source_id,
        n_channels=max(1, info.n_channels),  # volumes have none, and one sample each
        sfreq=info.sfreq,
        dtype=dtype,
        ch_names=info.ch_names,
        units=info.units,
        simulated=info.simulated,
        about=info.about,
        n_times=n_times,
        t_first=first,
        t_last=last,
        has_identity=True,
        live=info,
    )
