"""What every kind of recorded file offers, and how recorded samples become events."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from rtaffect.core.arrivals import OWN_PREFIX
from rtaffect.core.streams import Chunk, ClockOffset, Event, StreamInfo

Floats = npt.NDArray[np.float64]

CHUNKS_PER_S = 32
"""Recorded samples are delivered in chunks of at most 1/32 s, like those of a quick amplifier."""

JUMP_BACK_S = 1.0
"""A step back beyond this is a clock that was set, not jitter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedStream:
    """One stream of a file, before anybody chose it.

    Parameters
    ----------
    name, stype, source_id : str
        As in LSL; of a plain file only the type means anything.
    n_channels : int
        The number of channels.
    sfreq : float
        Nominal rate in Hz; 0.0 means irregular.
    dtype : str
        NumPy's word for the samples, or ``"text"``.
    ch_names, units : tuple of str
        Labels and units as described, one a described channel; empty when nothing is described.
    simulated : bool
        The sender declared that nobody was measured.
    about : mapping of str to str
        What else it declared, by dotted key.
    n_times : int
        How many samples it holds.
    t_first, t_last : float
        Time of the first and the last sample in seconds, clock offsets applied; 0.0 if empty.
    has_identity : bool
        A sender gave name and source_id, so that they may be asked for.
    live : StreamInfo or None
        What the session went by when it recorded this stream; None in files of others.
    """

    name: str
    stype: str
    source_id: str = ""
    n_channels: int
    sfreq: float
    dtype: str
    ch_names: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    simulated: bool = False
    about: Mapping[str, str] = field(default_factory=dict)
    n_times: int
    t_first: float = 0.0
    t_last: float = 0.0
    has_identity: bool = False
    live: StreamInfo | None = None

    @property
    def selectable(self) -> bool:
        """Whether there is anything in it that a decoder may see."""
        return self.n_times > 0 and self.n_channels > 0 and not self.stype.startswith(OWN_PREFIX)

    def __str__(self) -> str:
        rate = f"{self.sfreq:g} Hz" if self.sfreq > 0 else "irregular"
        samples = f"{self.n_times} samples" if self.n_times else "empty"
        identity = f", source_id {self.source_id!r}" if self.source_id else ""
        return (
            f"{self.name!r} (type {self.stype!r}{identity}: {self.n_channels} x {self.dtype}, "
            f"{rate}, {samples})"
        )


class RecordedFile(Protocol):
    """An open file with one or more streams."""

    @property
    def path(self) -> Path:
        """The file."""

    @property
    def streams(self) -> tuple[RecordedStream, ...]:
        """What is in it, the empty ones too."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know of how it was read."""

    @property
    def is_relative(self) -> bool:
        """Whether its times count from the file's own start, not on a clock shared with others."""

    @property
    def is_session(self) -> bool:
        """Whether it is our own recording, which brings its arrivals, ticks and modalities."""

    def play(
        self, modalities: Mapping[int, str], *, shift_s: float, delay_s: float
    ) -> Iterator[Event]:
        """Yield the events of the chosen streams, ``t_received`` never decreasing.

        Parameters
        ----------
        modalities : mapping of int to str
            By index into `streams`: the key under which the session knows it.
        shift_s : float
            Added to the file's times, in seconds.
        delay_s : float
            How long after its stamp a sample is taken to have arrived, in seconds.
        """


def arrivals(times_s: Floats, *, period_s: float) -> Floats:
    """Return when samples can have arrived, given their times: never decreasing.

    Parameters
    ----------
    times_s : ndarray of float64, shape (n_times,)
        Stamps with clock offsets applied, in the order of the file.
    period_s : float
        What is taken to have passed where the clock was set back; 0 for irregular streams.
    """
    if len(times_s) == 0:
        return times_s
    steps = np.diff(times_s)
    set_back = np.where(steps < -JUMP_BACK_S, period_s - steps, 0.0)
    going_on = times_s + np.concatenate([[0.0], np.cumsum(set_back)])
    return np.maximum.accumulate(going_on)


def chunk_events(
    modality: str,
    stamps_s: Floats,
    data: npt.NDArray[Any],
    arrivals_s: Floats,
    *,
    breaks: npt.NDArray[np.intp] | None = None,
) -> Iterator[Chunk]:
    """Cut samples into chunks that end on the multiples of 1/32 s.

    Parameters
    ----------
    modality : str
        Key of the stream.
    stamps_s : ndarray of float64, shape (n_times,)
        Raw stamps in seconds.
    data : ndarray, shape (n_channels, n_times)
        Samples.
    arrivals_s : ndarray of float64, shape (n_times,)
        When each sample arrived; never decreasing. A chunk arrives with its last sample.
    breaks : ndarray of int or None
        Samples at which a new chunk must begin.
    """
    if len(stamps_s) == 0:
        return
    cells = np.floor(arrivals_s * CHUNKS_PER_S)
    edges = np.flatnonzero(np.diff(cells)) + 1
    if breaks is not None:
        edges = np.union1d(edges, breaks[(breaks > 0) & (breaks < len(stamps_s))])
    starts = [0, *edges.tolist()]
    for start, stop in zip(starts, [*starts[1:], len(stamps_s)], strict=True):
        samples = np.ascontiguousarray(data[:, start:stop])
        yield Chunk(modality, samples, stamps_s[start:stop], float(arrivals_s[stop - 1]))


def plain_events(
    modality: str, times_s: Floats, data: npt.NDArray[Any], *, shift_s: float, delay_s: float
) -> Iterator[Event]:
    """Yield the one offset and the chunks of a stream whose clock is the file's own.

    The raw stamps stay the file's; `shift_s` goes out as a clock offset, as it would live.
    """
    if len(times_s) == 0:
        return
    arrived = arrivals(times_s + shift_s, period_s=0.0) + delay_s
    yield ClockOffset(modality, shift_s, float(arrived[0]))
    yield from chunk_events(modality, times_s, data, arrived)
