"""The one chain from chunks to windows: live, in replay and in training.

A window ``[t_end - window_s, t_end)`` closes when every stream that it waits for has passed
``t_end``, or when ``max_wait_s`` ran out. What a scanner acquires has a chain of its own, see
`rtaffect.frame_windows`; `open_chain` makes the one that a spec asks for.
"""

import math
from collections.abc import Collection, Iterator, Mapping

from rtaffect.chain import LEAP_S, Chain, nothing
from rtaffect.core.conditioner import Conditioner
from rtaffect.core.errors import BundleError
from rtaffect.core.spec import (
    GRID,
    AcquiredSpec,
    FrameSpec,
    SignalSpec,
    WindowSpec,
)
from rtaffect.core.streams import Source, StreamInfo
from rtaffect.core.window import Window
from rtaffect.frame_windows import FrameChain
from rtaffect.signal.blocks import BLOCKS_PER_S
from rtaffect.signal.frames import FrameTrack
from rtaffect.signal.signals import SignalTrack
from rtaffect.signal.track import GridTrack


class WindowChain(Chain[GridTrack]):
    """Turns events into the windows of one decoder, on the absolute grid.

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
        keep_s = spec.window_s + spec.max_wait_s + spec.stale_s + 1.0
        super().__init__(
            spec,
            {
                modality: _track(
                    wanted,
                    infos[modality],
                    keep_s=keep_s,
                    hop_s=spec.hop_s,
                    interpolate=modality in interpolate,
                )
                for modality, wanted in spec.modalities.items()
                if modality in infos and isinstance(wanted, SignalSpec | FrameSpec)
            },
        )
        self._index = 0

    def _begin(self, now: float) -> None:
        self._index = math.floor(now / self.spec.hop_s) + 1

    def _advance(self) -> Iterator[Window]:
        """Close what is complete; of a very long silence, the first window and the last."""
        if self._now - self._index * self.spec.hop_s > LEAP_S:
            yield self._window(self._index, self._index * self.spec.hop_s)
            self._index = math.floor((self._now - self.spec.max_wait_s) / self.spec.hop_s)
        yield from self._close()

    def _reached(self, modality: str) -> Iterator[Window]:  # noqa: ARG002 - any may be the last
        return self._close()

    def _close(self) -> Iterator[Window]:
        t_end = self._index * self.spec.hop_s
        while self._now >= t_end and self._is_complete(t_end):
            yield self._window(self._index, t_end)
            self._index += 1
            t_end = self._index * self.spec.hop_s

    def _is_complete(self, t_end: float) -> bool:
        if self._now >= t_end + self.spec.max_wait_s:
            return True
        return all(
            track.m_reached >= round(t_end * track.sfreq) or self._is_silent(modality)
            for modality, track in self._tracks.items()
        )

    def _window(self, index: int, t_end: float) -> Window:
        t_start = t_end - self.spec.window_s
        parts = {
            modality: self._tracks[modality].window(
                t_start, t_end, silent=self._is_silent(modality)
            )
            if modality in self._tracks
            else nothing(wanted, self.spec.window_s, ())
            for modality, wanted in self.spec.modalities.items()
        }
        return Window(index, t_start, t_end, self._now, parts)


def open_chain(
    spec: WindowSpec, infos: Mapping[str, StreamInfo], *, interpolate: Collection[str] = ()
) -> WindowChain | FrameChain:
    """Return the chain that makes such windows, as `WindowChain` and `FrameChain` describe it."""
    if spec.closes == GRID:
        return WindowChain(spec, infos, interpolate=interpolate)
    return FrameChain(spec, infos)


def open_windows(
    source: Source,
    spec: WindowSpec,
    *,
    interpolate: Collection[str] = (),
    conditioner: Conditioner | None = None,
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
    conditioner : Conditioner or None
        What every event passes first.

    Yields
    ------
    Window
        In order: one every hop from the source's first event on, or one every frame.
    """
    chain = open_chain(spec, source.infos, interpolate=interpolate)
    for event in source.events():
        yield from chain.push(event if conditioner is None else conditioner.push(event))


def check_spec(spec: WindowSpec) -> None:
    """Check that lengths are whole numbers of hops, grid samples and blocks.

    Raises
    ------
    BundleError
        They are not, the message says which; or there is a modality that needs a `FrameChain`.
    """
    for modality, wanted in spec.modalities.items():
        if isinstance(wanted, AcquiredSpec):
            msg = (
                f"windows.closes must name {modality!r}, whose frames close windows, got {GRID!r}."
            )
            raise BundleError(msg)
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
    spec: SignalSpec | FrameSpec,
    info: StreamInfo,
    *,
    keep_s: float,
    hop_s: float,
    interpolate: bool,
) -> GridTrack:
    match spec:
        case SignalSpec():
            return SignalTrack(spec, info, keep_s=keep_s, hop_s=hop_s, interpolate=interpolate)
        case FrameSpec():
            return FrameTrack(spec, info, keep_s=keep_s)
