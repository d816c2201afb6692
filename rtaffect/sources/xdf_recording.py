"""An XDF file of LabRecorder or others, played in event time with its own clock offsets."""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rtaffect.core.errors import RecordingError
from rtaffect.core.streams import ClockOffset, Event
from rtaffect.sources.recorded import RecordedStream, arrivals, chunk_events
from rtaffect.sources.xdf_clock import newest_offsets
from rtaffect.sources.xdf_file import XdfStream

Floats = npt.NDArray[np.float64]


class XdfRecording:
    """An XDF file that nobody of ours recorded.

    Parameters
    ----------
    path : Path
        The file.
    streams : sequence of XdfStream
        What was read of it.
    notes : sequence of str
        What is to be said of the reading.

    Notes
    -----
    The file does not tell when the recorder got each sample: a sample is taken to have arrived a
    declared delay after its corrected stamp, and offsets to hold from when they were collected.
    """

    is_relative = False
    is_session = False

    def __init__(self, path: Path, streams: Sequence[XdfStream], notes: Sequence[str]) -> None:
        self.path = path
        self._xdf = tuple(streams)
        self.streams = tuple(_recorded(stream) for stream in streams)
        without = [s.name for s in streams if len(s.stamps_s) and not len(s.offset_times_s)]
        self.notes = (
            *notes,
            *(f"{n!r} has no clock offsets; its stamps are taken as they are." for n in without),
        )

    def play(
        self, modalities: Mapping[int, str], *, shift_s: float, delay_s: float
    ) -> Iterator[Event]:
        """Yield the events of the chosen streams, see `RecordedFile`."""
        each = [
            _events(modality, self._xdf[i], shift_s=shift_s, delay_s=delay_s)
            for i, modality in modalities.items()
        ]
        return heapq.merge(*each, key=lambda event: event.t_received)


def _recorded(stream: XdfStream) -> RecordedStream:
    stamps_s = stream.stamps_s
    if not np.isfinite(stamps_s).all():
        msg = (
            f"Stamps must be finite numbers; {stream.name!r} has some that are not. Is it damaged?"
        )
        raise RecordingError(msg)
    first = last = 0.0
    if len(stamps_s):
        times, values = _offsets(stream)
        arrived = arrivals(
            stamps_s + values[newest_offsets(stamps_s, times, values)], period_s=_period_s(stream)
        )
        first, last = float(arrived[0]), float(arrived[-1])
    return RecordedStream(
        name=stream.name,
        stype=stream.stype,
        source_id=stream.source_id,
        n_channels=len(stream.data),
        sfreq=stream.sfreq,
        dtype="text" if stream.data.dtype == object else stream.data.dtype.name,
        ch_names=stream.ch_names,
        units=stream.units,
        simulated=stream.simulated,
        about=stream.about,
        n_times=len(stamps_s),
        t_first=first,
        t_last=last,
        has_identity=True,
    )


def _events(modality: str, stream: XdfStream, *, shift_s: float, delay_s: float) -> Iterator[Event]:
    stamps_s = stream.stamps_s
    times, values = _offsets(stream)
    index = newest_offsets(stamps_s + delay_s, times, values)
    times_s = stamps_s + values[index] + shift_s
    arrived = arrivals(times_s, period_s=_period_s(stream)) + delay_s
    changes = np.flatnonzero(np.diff(index)) + 1
    n_delivered = 0
    n_samples = 0
    t = float(arrived[0]) if len(arrived) else 0.0
    for chunk in chunk_events(modality, stamps_s, stream.data, arrived, breaks=changes):
        for i in range(n_delivered, int(index[n_samples]) + 1):
            collected = times[i] + values[i] + shift_s
            t = float(min(max(t, collected), chunk.t_received))
            yield ClockOffset(modality, float(values[i]) + shift_s, t)
        n_delivered = max(n_delivered, int(index[n_samples]) + 1)
        n_samples += len(chunk.stamps_s)
        t = chunk.t_received
        yield chunk


def _offsets(stream: XdfStream) -> tuple[Floats, Floats]:
    """Return when finite offsets were collected, and these; one of zero where there is none."""
    finite = np.isfinite(stream.offset_times_s) & np.isfinite(stream.offset_values_s)
    if not finite.any():
        return np.zeros(1), np.zeros(1)
    return stream.offset_times_s[finite], stream.offset_values_s[finite]


def _period_s(stream: XdfStream) -> float:
    return 1.0 / stream.sfreq if stream.sfreq > 0 else 0.0
