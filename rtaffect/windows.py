"""The one chain from chunks to windows: live, in replay and in training.

A window ``[t_end - window_s, t_end)`` closes when every stream that it waits for has passed
``t_end``, or when ``max_wait_s`` ran out. Nothing here reads a clock: time is what the events say,
so the same events give the same windows, bit for bit.
"""

import math
from collections.abc import Collection, Iterator, Mapping

import numpy as np

from rtaffect.core.errors import BundleError
from rtaffect.core.health import StreamHealth
from rtaffect.core.spec import FrameSpec, ModalitySpec, SignalSpec, WindowSpec
from rtaffect.core.streams import (
    Chunk,
    ClockOffset,
    Event,
    Source,
    StreamEvent,
    StreamInfo,
    StreamState,
    Tick,
)
from rtaffect.core.window import Flag, ModalityWindow, Window
from rtaffect.signal.blocks import BLOCKS_PER_S
from rtaffect.signal.frames import FrameTrack
from rtaffect.signal.signals import SignalTrack
from rtaffect.signal.timeline import Break
from rtaffect.signal.track import Track

LEAP_S = 600.0  # nobody asks for every window of a longer silence: a machine slept, a file pauses


class WindowChain:
    """Turns events into the windows of one decoder.

    Parameters
    ----------
    spec : WindowSpec
        The windows, from the bundle's manifest.
    infos : mapping of str to StreamInfo
        The streams at hand, by modality; a modality of the spec without a stream is missing.
    interpolate : collection of str
        Modalities whose missing channels may be rebuilt, up to the bundle's limit.

    Raises
    ------
    BundleError
        The spec's lengths and rates do not fit each other.
    MontageError, UnitError
        A stream's channels or units do not serve.
    """

    def __init__(
        self,
        spec: WindowSpec,
        infos: Mapping[str, StreamInfo],
        *,
        interpolate: Collection[str] = (),
    ) -> None:
        check_spec(spec)
        self.spec = spec
        self._keep_s = spec.window_s + spec.max_wait_s + spec.stale_s + 1.0
        self._tracks: dict[str, Track] = {}
        for modality, wanted in spec.modalities.items():
            if modality in infos:
                self._tracks[modality] = _track(
                    wanted,
                    infos[modality],
                    keep_s=self._keep_s,
                    hop_s=spec.hop_s,
                    interpolate=modality in interpolate,
                )
        self._state: dict[str, StreamState | None] = dict.fromkeys(self._tracks)
        self._t_heard: dict[str, float] = {}
        self._index: int | None = None
        self._now = -math.inf

    def push(self, event: Event) -> list[Window]:
        """Take one event; return the windows that it closes, in order."""
        now = max(self._now, event.t_received)
        self._now = now
        if self._index is None:
            self._index = math.floor(now / self.spec.hop_s) + 1
            self._t_heard = dict.fromkeys(self._tracks, now)
        windows = self._leap() if now - self._index * self.spec.hop_s > LEAP_S else []
        windows += self._close()
        if isinstance(event, Tick) or (track := self._tracks.get(event.modality)) is None:
            return windows
        match event:
            case Chunk():
                self._t_heard[event.modality] = now
                for _ in track.push(event):
                    windows += self._close()
            case ClockOffset():
                track.offset(event)
            case StreamEvent(state=StreamState.LOST | StreamState.REFUSED as state):
                self._state[event.modality] = state
                track.interrupt(Break.LOST)
            case StreamEvent(state=StreamState.RECOVERED):
                self._state[event.modality] = None
                self._t_heard[event.modality] = now
        windows += self._close()
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

    def _leap(self) -> list[Window]:
        """Return the first window of a long silence, and go on behind the last."""
        assert self._index is not None
        first = self._window(self._index, self._index * self.spec.hop_s)
        self._index = math.floor((self._now - self.spec.max_wait_s) / self.spec.hop_s)
        return [first]

    def _close(self) -> Iterator[Window]:
        while self._index is not None:
            t_end = self._index * self.spec.hop_s
            if self._now < t_end or not self._is_complete(t_end):
                return
            yield self._window(self._index, t_end)
            self._index += 1

    def _is_complete(self, t_end: float) -> bool:
        if self._now >= t_end + self.spec.max_wait_s:
            return True
        return all(
            track.m_reached >= round(t_end * track.sfreq) or self._is_silent(modality)
            for modality, track in self._tracks.items()
        )

    def _is_silent(self, modality: str) -> bool:
        return (
            self._state[modality] is not None
            or self._now - self._t_heard[modality] > self.spec.stale_s
        )

    def _window(self, index: int, t_end: float) -> Window:
        t_start = t_end - self.spec.window_s
        parts: dict[str, ModalityWindow] = {}
        for modality, wanted in self.spec.modalities.items():
            track = self._tracks.get(modality)
            if track is None:
                n_times = round(self.spec.window_s * wanted.sfreq)
                nothing = np.full((wanted.n_rows, n_times), np.nan, dtype=np.float32)
                flags = frozenset({Flag.MISSING})
                parts[modality] = ModalityWindow(nothing, False, 0.0, flags, math.nan)
            else:
                parts[modality] = track.window(t_start, t_end, silent=self._is_silent(modality))
        return Window(index, t_start, t_end, self._now, parts)

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


def open_windows(
    source: Source, spec: WindowSpec, *, interpolate: Collection[str] = ()
) -> Iterator[Window]:
    """Yield every window of a source.

    Parameters
    ----------
    source : Source
        An open source; its events are consumed.
    spec : WindowSpec
        The windows.
    interpolate : collection of str
        See `WindowChain`.

    Yields
    ------
    Window
        In order of ``t_end``, one every hop from the source's first event on.
    """
    chain = WindowChain(spec, source.infos, interpolate=interpolate)
    for event in source.events():
        yield from chain.push(event)


def check_spec(spec: WindowSpec) -> None:
    """Check that lengths are whole numbers of hops, grid samples and blocks.

    Raises
    ------
    BundleError
        They are not; the message says which.
    """
    lengths = {
        "window_s / hop_s": spec.window_s / spec.hop_s,
        f"hop_s * {BLOCKS_PER_S}": spec.hop_s * BLOCKS_PER_S,
    }
    for modality, wanted in spec.modalities.items():
        lengths[f"hop_s * sfreq of {modality}"] = spec.hop_s * wanted.sfreq
        lengths[f"sfreq / {BLOCKS_PER_S} of {modality}"] = wanted.sfreq / BLOCKS_PER_S
    wrong = [f"{what} = {value:g}" for what, value in lengths.items() if not _is_whole(value)]
    if wrong:
        msg = (
            "A bundle's windows must be whole numbers of hops, samples and blocks; "
            f"got {'; '.join(wrong)}."
        )
        raise BundleError(msg)


def _is_whole(value: float) -> bool:
    return value >= 1 and abs(value - round(value)) < 1e-9


def _track(
    spec: ModalitySpec, info: StreamInfo, *, keep_s: float, hop_s: float, interpolate: bool
) -> Track:
    match spec:
        case SignalSpec():
            return SignalTrack(spec, info, keep_s=keep_s, hop_s=hop_s, interpolate=interpolate)
        case FrameSpec():
            return FrameTrack(spec, info, keep_s=keep_s)
