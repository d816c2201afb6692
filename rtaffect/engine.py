"""The composition root: events in, windows, decoders, sinks; one thread, one order.

The engine reads no clock to decide anything. What it decides follows from the order and the stamps
of events alone, so that a recording gives the estimates that the session gave.
"""

import gc
import logging
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import ParamSpec

from rtaffect.core.clock import Clock
from rtaffect.core.conditioner import Conditioner
from rtaffect.core.errors import RtaffectError
from rtaffect.core.estimate import Estimate
from rtaffect.core.health import Health, LatencyMeter, StreamHealth
from rtaffect.core.scanner_report import REPORT_MODALITY, ScannerReport
from rtaffect.core.sinks import Matrix, Sink, Timing
from rtaffect.core.streams import Chunk, Event, Source
from rtaffect.core.window import Window
from rtaffect.decode.decoder import Decoded, Decoder
from rtaffect.decode.fusion import Fusion
from rtaffect.frame_windows import FrameChain
from rtaffect.windows import WindowChain, open_chain

logger = logging.getLogger(__name__)

HEALTH_S = 1.0
BEHIND = 2000  # events, some seconds of them: no burst of a healthy sender is as long
P = ParamSpec("P")


@dataclass(slots=True)
class _Lane:
    """One decoder with its windows."""

    decoder: Decoder
    chain: WindowChain | FrameChain


@dataclass(slots=True)
class Summary:
    """What a run did.

    Parameters
    ----------
    n_events, n_windows, n_answers, n_fused : int
        Events taken, windows closed, estimates that carried values, and fused ones that did.
    n_flags : dict of str to int
        Estimates by ``"modality:flag"``.
    failures : list of str
        Sinks that failed and were dropped, in words.
    streams : dict of str to StreamHealth
        How each stream stood at the end.
    stages : dict of str to LatencyMeter
        Latency of each stage.
    """

    n_events: int = 0
    n_windows: int = 0
    n_answers: int = 0
    n_fused: int = 0
    n_flags: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    streams: dict[str, StreamHealth] = field(default_factory=dict)
    stages: dict[str, LatencyMeter] = field(
        default_factory=lambda: {
            name: LatencyMeter()
            for name in ("queue", "condition", "windows", "decode", "fuse", "publish", "compute")
        }
    )


class Engine:
    """Runs decoders over a source until it ends.

    Parameters
    ----------
    source : Source
        An open source.
    decoders : sequence of Decoder
        Each gets its own windows.
    sinks : sequence of Sink
        Each gets everything, in order. A sink that fails is closed, dropped and reported: a full
        disk ends the recording, not the session.
    clock : callable or None
        The runtime's clock of a live session; None in replay, where the time that computing takes
        is added to the event's own.
    interpolate : collection of str
        Names of decoders whose missing channels may be rebuilt from their neighbours.
    fusion : Fusion or None
        Fuses the decoders' estimates; what it makes of one goes to the sinks right after it.
    conditioner : Conditioner or None
        What every chain's events pass first; sinks get what the source sent.
    """

    def __init__(
        self,
        source: Source,
        decoders: Sequence[Decoder],
        sinks: Sequence[Sink],
        *,
        clock: Clock | None = None,
        interpolate: Collection[str] = (),
        fusion: Fusion | None = None,
        conditioner: Conditioner | None = None,
    ) -> None:
        self.source = source
        self.sinks = list(sinks)
        self.summary = Summary()
        self._clock = clock
        self._fusion = fusion
        self._conditioner = conditioner
        self._lanes = [
            _Lane(
                decoder,
                open_chain(
                    decoder.bundle.manifest.windows,
                    source.infos,
                    interpolate=decoder.bundle.manifest.windows.modalities
                    if decoder.name in interpolate
                    else (),
                ),
            )
            for decoder in decoders
        ]
        self._scanner = ScannerReport()
        self._t_health = -float("inf")

    def run(self) -> Summary:
        """Take events until the source ends; close every sink; return what was done."""
        gc.collect()
        gc.freeze()  # what start-up made is not looked at again: no long pause in a session
        try:
            for event in self.source.events():
                self._take(event)
        finally:
            gc.unfreeze()
            self.summary.streams = self._stream_health(self._t_health)
            while self.sinks:
                sink = self.sinks.pop()
                self._guard(sink, sink.close)
        return self.summary

    def _take(self, event: Event) -> None:
        began = time.perf_counter()
        if self._clock is not None:
            self.summary.stages["queue"].add(max(0.0, self._clock() - event.t_received))
        self.summary.n_events += 1
        seen = self._conditioned(event)
        for lane in self._lanes:
            t_0 = time.perf_counter()
            windows = lane.chain.push(seen)
            if windows:
                self.summary.stages["windows"].add(time.perf_counter() - t_0)
            for window in windows:
                self._decode(lane.decoder, window, began)
        if isinstance(event, Chunk) and event.modality == REPORT_MODALITY:
            self._scanner.push(event)
        # The recorder and others see the event after the estimate that it closed went out.
        for sink in list(self.sinks):
            self._guard(sink, sink.on_event, event)
        if event.t_received - self._t_health >= HEALTH_S:
            self._t_health = event.t_received
            health = self._health(event.t_received)
            for sink in list(self.sinks):
                self._guard(sink, sink.on_health, health)

    def _conditioned(self, event: Event) -> Event:
        if self._conditioner is None:
            return event
        t_0 = time.perf_counter()
        seen = self._conditioner.push(event)
        if seen is not event:
            self.summary.stages["condition"].add(time.perf_counter() - t_0)
        return seen

    def _decode(self, decoder: Decoder, window: Window, began: float) -> None:
        watched = any(sink.wants_matrices(decoder.name) for sink in self.sinks)
        t_0 = time.perf_counter()
        decoded = decoder.decode(window, with_matrices=watched)
        t_1 = time.perf_counter()
        self.summary.stages["decode"].add(t_1 - t_0)
        self._count(decoded)
        t_decoded = self._clock() if self._clock else window.t_closed + t_1 - began
        timing = Timing(t_closed=window.t_closed, t_decoded=t_decoded)
        for sink in list(self.sinks):
            self._guard(sink, sink.on_estimate, decoded.estimate, timing)
        t_2 = time.perf_counter()
        self.summary.stages["publish"].add(t_2 - t_1)
        published = self._clock() if self._clock else window.t_closed + t_2 - began
        self.summary.stages["compute"].add(published - window.t_closed)
        self._fuse(decoded.estimate, window, began)
        for matrix in self._matrices(decoder, window, decoded):
            for sink in list(self.sinks):
                if sink.wants_matrices(decoder.name):
                    self._guard(sink, sink.on_matrix, matrix)

    def _fuse(self, estimate: Estimate, window: Window, began: float) -> None:
        if self._fusion is None:
            return
        t_0 = time.perf_counter()
        fused = self._fusion.push(estimate)
        t_1 = time.perf_counter()
        self.summary.stages["fuse"].add(t_1 - t_0)
        t_decoded = self._clock() if self._clock else window.t_closed + t_1 - began
        timing = Timing(t_closed=window.t_closed, t_decoded=t_decoded)
        self.summary.n_fused += sum(bool(each.targets) for each in fused)
        for each in fused:
            for sink in list(self.sinks):
                self._guard(sink, sink.on_estimate, each, timing)

    def _matrices(self, decoder: Decoder, window: Window, decoded: Decoded) -> list[Matrix]:
        manifest = decoder.bundle.manifest
        labels = {name: tensor.labels for name, tensor in manifest.graphs.encoder.outputs.items()}
        names = {modality: spec.ch_names for modality, spec in manifest.windows.modalities.items()}
        return [
            Matrix(
                decoder=decoder.name,
                name=name,
                t_end=window.t_end,
                data=data,
                ch_names=names.get(labels[name], ()),
            )
            for name, data in decoded.matrices.items()
        ]

    def _count(self, decoded: Decoded) -> None:
        self.summary.n_windows += 1
        self.summary.n_answers += bool(decoded.estimate.targets)
        for modality, flag in decoded.estimate.flags:
            word = f"{modality}:{flag}"
            self.summary.n_flags[word] = self.summary.n_flags.get(word, 0) + 1

    def _guard(
        self, sink: Sink, call: Callable[P, None], *args: P.args, **kwargs: P.kwargs
    ) -> None:
        """Call a sink; close and drop it when it fails, and say so."""
        try:
            call(*args, **kwargs)
        except RtaffectError as error:
            words = f"{type(sink).__name__}: {error}"
            logger.error("%s stopped and was dropped: %s", type(sink).__name__, error)
            if words not in self.summary.failures:
                self.summary.failures.append(words)
            if sink in self.sinks:
                self.sinks.remove(sink)
                self._guard(sink, sink.close)

    def _stream_health(self, now: float) -> dict[str, StreamHealth]:
        streams: dict[str, StreamHealth] = {}
        for lane in self._lanes:
            for modality, health in lane.chain.health(now).items():
                streams.setdefault(modality, health)
        return streams

    def _behind(self) -> tuple[str, ...]:
        """Say that the engine is slower than its input. Nothing is dropped: windows grow older."""
        n = self.source.n_waiting
        return (f"{n} events wait: this machine is slower than its streams",) if n > BEHIND else ()

    def _health(self, now: float) -> Health:
        return Health(
            t=now,
            streams=self._stream_health(now),
            stages={
                **{n: meter.summary() for n, meter in self.summary.stages.items() if meter.n},
                **self._scanner.stages,
            },
            queues={"engine": self.source.n_waiting},
            provider=", ".join(sorted({lane.decoder.provider for lane in self._lanes})),
            notes=(
                *self.summary.failures,
                *self._behind(),
                *self._scanner.notes,
                *(self._conditioner.notes() if self._conditioner else ()),
                *dict.fromkeys(note for lane in self._lanes for note in lane.chain.notes()),
            ),
        )
