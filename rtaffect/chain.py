"""What both chains from events to windows share: the streams of a decoder and how they are doing.

Nothing here reads a clock: time is what the events say, so the same events give the same windows,
bit for bit.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

import numpy as np

from rtaffect.core.health import StreamHealth
from rtaffect.core.spec import ModalitySpec, WindowSpec
from rtaffect.core.streams import (
    Chunk,
    ClockOffset,
    Event,
    StreamEvent,
    StreamState,
    Tick,
)
from rtaffect.core.window import Flag, ModalityWindow, Window
from rtaffect.signal.timeline import Break
from rtaffect.signal.track import Track

LEAP_S = 600.0
"""Nobody asks for every window of a longer silence: a machine slept, a file pauses."""

Tracks = TypeVar("Tracks", bound=Track)


class Chain(ABC, Generic[Tracks]):
    """Turns events into the windows of one decoder.

    Parameters
    ----------
    spec : WindowSpec
        The windows, from the bundle's manifest.
    tracks : mapping of str to Track
        The streams at hand, by modality; a modality of the spec without one is missing.
    """

    def __init__(self, spec: WindowSpec, tracks: Mapping[str, Tracks]) -> None:
        self.spec = spec
        self._tracks = dict(tracks)
        self._state: dict[str, StreamState | None] = dict.fromkeys(tracks)
        self._t_heard: dict[str, float] = {}
        self._now = -math.inf

    def push(self, event: Event) -> list[Window]:
        """Take one event; return the windows that it closes, in order."""
        now = max(self._now, event.t_received)
        if self._now == -math.inf:
            self._t_heard = dict.fromkeys(self._tracks, now)
            self._begin(now)
        self._now = now
        windows = [*self._advance()]
        if isinstance(event, Tick) or (track := self._tracks.get(event.modality)) is None:
            return windows
        match event:
            case Chunk():
                self._t_heard[event.modality] = now
                for _ in track.push(event):
                    windows += self._reached(event.modality)
            case ClockOffset():
                track.offset(event)
            case StreamEvent(state=StreamState.LOST | StreamState.REFUSED as state):
                self._state[event.modality] = state
                track.interrupt(Break.LOST)
            case StreamEvent(state=StreamState.RECOVERED):
                self._state[event.modality] = None
                self._t_heard[event.modality] = now
        windows += self._advance()
        return windows

    def health(self, now: float) -> dict[str, StreamHealth]:
        """Return how each stream of this decoder is doing at `now` (runtime clock)."""
        return {name: self._stream_health(name, now) for name in self._tracks}

    def notes(self) -> tuple[str, ...]:
        """Return what is wrong with single channels right now, in words."""
        return tuple(
            f"{modality}: {', '.join(track.faults)}"
            for modality, track in self._tracks.items()
            if track.faults
        )

    @abstractmethod
    def _begin(self, now: float) -> None:
        """Take the time of the first event."""

    @abstractmethod
    def _advance(self) -> Iterable[Window]:
        """Return the windows that close because time, or what is known of a stream, moved on."""

    @abstractmethod
    def _reached(self, modality: str) -> Iterable[Window]:
        """Return the windows that close because a stream has come further."""

    def _is_silent(self, modality: str) -> bool:
        return (
            self._state[modality] is not None
            or self._now - self._t_heard[modality] > self.spec.stale_s
        )

    def _stream_health(self, modality: str, now: float) -> StreamHealth:
        track = self._tracks[modality]
        state = self._state[modality]
        if state is not None:
            word = state.value
        elif math.isnan(track.t_newest):
            word = "waiting"
        else:
            word = "stale" if self._is_silent(modality) else "ok"
        sfreq_hz, nominal_hz = track.measured_sfreq, track.info.sfreq
        drift = (sfreq_hz / nominal_hz - 1.0) * 1e6 if nominal_hz > 0 else math.nan
        counts = track.counts
        return StreamHealth(
            state=word,
            n_samples=counts.n_samples,
            sfreq_hz=sfreq_hz,
            drift_ppm=drift,
            offset_s=track.offset_s,
            n_gaps=counts.n_gaps,
            n_missing=counts.n_missing,
            n_backward=counts.n_backward,
            n_nonfinite=counts.n_nonfinite,
            age_s=now - track.t_newest,
        )


def nothing(
    spec: ModalitySpec, window_s: float, flags: Iterable[Flag], *, t_newest: float = math.nan
) -> ModalityWindow:
    """Return a modality's part of a window to which it contributes nothing.

    Parameters
    ----------
    spec : ModalitySpec
        What the modality would look like.
    window_s : float
        The window's length in seconds.
    flags : iterable of Flag
        Why; `Flag.MISSING` is added.
    t_newest : float
        Stamp of the stream's newest sample, if there is one.
    """
    data = np.full((spec.n_rows, round(window_s * spec.sfreq)), np.nan, dtype=np.float32)
    return ModalityWindow(data, False, 0.0, frozenset({*flags, Flag.MISSING}), t_newest)
