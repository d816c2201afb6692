"""Live streams over the Lab Streaming Layer: raw stamps, own clock offsets, own recovery.

One thread a stream owns its connection from the first sample to the last: it waits for samples,
asks LSL for the clock offset now and then (LSL measures it in the background), notices that the
sender is gone, looks for its return and connects again. Nobody else touches an inlet, hence none
is destroyed while somebody is inside.
"""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from rtaffect.core.clock import Clock
from rtaffect.core.errors import StreamError, UnitError
from rtaffect.core.streams import (
    Chunk,
    ClockOffset,
    StreamChoice,
    StreamEvent,
    StreamInfo,
    StreamState,
)
from rtaffect.sources.event_queue import EventQueue
from rtaffect.sources.live import LiveSource
from rtaffect.sources.lsl_inlet import (
    FoundStream,
    Inlet,
    SenderLostError,
    SenderTimeoutError,
    discover,
    local_clock,
    resolve,
    resolve_again,
)
from rtaffect.sources.stream_choice import describe, differences, not_found, select

__all__ = ["FoundStream", "LslSource", "discover"]

logger = logging.getLogger(__name__)
T = TypeVar("T")

PULL_S = 0.1  # the longest time in LSL's hands before a thread looks whether it should end
ANSWER_S = 5.0  # a sender that does not answer for so long is as good as gone
LISTEN_S = 1.0  # all streams on the network answer within this
REPLACED_S = 1.0  # a signal that is silent for so long may come from a new run of its sender
REPLACED_IRREGULAR_S = 10.0  # markers are silent by nature


class LslSource(LiveSource):
    """Live LSL streams as one sequence of events, see `rtaffect.core.streams.Source`.

    A sender that dies is reported as lost, looked for by its name, type and source_id, and reported
    as recovered when it is back with the same channels, labels, rate and units; with others it is
    refused. A sender that hangs says nothing at all: ticks go on, and reveal it.

    Parameters
    ----------
    choices : sequence of StreamChoice
        Which streams to open, one a modality.
    tick_s : float
        Distance of ticks in seconds.
    offset_interval_s : float
        How often a sender's clock offset is reported, in seconds.
    resolve_timeout_s : float
        How long to look for streams at the start, in seconds.
    clock : callable
        The runtime's clock; LSL's own is the one to which its offsets lead.
    """

    def __init__(
        self,
        choices: Sequence[StreamChoice],
        *,
        tick_s: float = 0.25,
        offset_interval_s: float = 5.0,
        resolve_timeout_s: float = 5.0,
        clock: Clock = local_clock,
    ) -> None:
        modalities = [choice.modality for choice in choices]
        if not modalities or len(set(modalities)) < len(modalities):
            msg = f"Each modality needs one choice of a stream, got {modalities or 'none'}."
            raise StreamError(msg)
        super().__init__(EventQueue(clock, tick_s=tick_s))
        self._choices = tuple(choices)
        self._offset_interval_s = offset_interval_s
        self._resolve_timeout_s = resolve_timeout_s

    def _begin(self) -> None:
        inlets: list[Inlet] = []
        receivers: list[_Receiver] = []
        try:
            for choice, found in self._find():
                inlet = Inlet(found)
                inlets.append(inlet)
                info = describe(inlet.describe(ANSWER_S), choice)
                inlet.open(ANSWER_S)
                receivers.append(
                    _Receiver(choice, info, self._queue, offset_interval_s=self._offset_interval_s)
                )
        except BaseException:
            for inlet in inlets:
                inlet.close()
            raise
        self._infos = {receiver.info.modality: receiver.info for receiver in receivers}
        self._queue.run(self._queue.tick, name="ticks")
        for receiver, inlet in zip(receivers, inlets, strict=True):
            self._queue.run(partial(receiver.run, inlet), name=f"lsl-{receiver.info.modality}")

    def _find(self) -> list[tuple[StreamChoice, FoundStream]]:
        """Return the chosen streams; wait for those that are required, up to the limit."""
        deadline = local_clock() + self._resolve_timeout_s
        while True:
            found = resolve(LISTEN_S)
            chosen = [(choice, select(choice, found)) for choice in self._choices]
            missing = [choice for choice, stream in chosen if stream is None]
            nothing_at_all = len(missing) == len(chosen)
            needed = [choice for choice in missing if choice.required or nothing_at_all]
            if not needed or local_clock() >= deadline:
                break
        if needed:
            raise not_found(needed[0], found, waited_s=self._resolve_timeout_s)
        for choice in missing:
            self._note(f"{choice.modality}: absent, and the session goes on without it.")
        taken: dict[str, str] = {}
        for choice, stream in chosen:
            if stream is None:
                continue
            if stream.uid in taken:
                msg = f"{taken[stream.uid]} and {choice.modality} cannot both be {stream}."
                raise StreamError(msg)
            taken[stream.uid] = choice.modality
            if not stream.source_id:
                self._note(
                    f"{choice.modality}: {stream} has no source_id; should it die, any stream of "
                    "its name and type will be taken for its return."
                )
        return [(choice, stream) for choice, stream in chosen if stream is not None]


class _Receiver:
    """What the thread of one stream does.

    Parameters
    ----------
    choice : StreamChoice
        Which stream it is.
    info : StreamInfo
        Its first description, to which it has to come back.
    queue : EventQueue
        Where events go.
    offset_interval_s : float
        How often the clock offset is reported, in seconds.
    """

    def __init__(
        self,
        choice: StreamChoice,
        info: StreamInfo,
        queue: EventQueue,
        *,
        offset_interval_s: float,
    ) -> None:
        self._choice = choice
        self.info = info
        self._queue = queue
        self._offset_interval_s = offset_interval_s
        self._replaced_s = REPLACED_S if info.sfreq else REPLACED_IRREGULAR_S
        self._refused: set[str] = set()  # runs of the sender that came back changed

    def run(self, inlet: Inlet | None) -> None:
        """Receive until the queue is closed."""
        while inlet is not None:
            found = inlet.found
            try:
                self._deliver(inlet)
                return
            except (SenderLostError, SenderTimeoutError) as error:
                self._tell(StreamState.LOST, str(error))
            finally:
                inlet.close()
            inlet = self._connect_again(found)

    def _deliver(self, inlet: Inlet) -> None:
        """Hand on samples; the first offset goes before the first of them."""
        modality, clock = self._choice.modality, self._queue.clock
        offset_s = self._patiently(inlet.offset)
        t_offset = t_sample = clock()
        if offset_s is not None:
            self._queue.put(partial(ClockOffset, modality, offset_s))
        while not self._queue.closed.is_set():
            data, stamps_s = inlet.pull(PULL_S)
            if len(stamps_s):
                self._queue.put(partial(Chunk, modality, data, stamps_s))
            now = clock()
            if len(stamps_s):
                t_sample = now
            elif now - t_sample > self._replaced_s:
                t_sample = now
                self._look_for_replacement(inlet.found)
            if now - t_offset > self._offset_interval_s:
                t_offset = now
                self._queue.put(partial(ClockOffset, modality, inlet.offset(PULL_S)))

    def _look_for_replacement(self, found: FoundStream) -> None:
        """Raise when a silent sender runs anew: a machine without power never says goodbye."""
        but = frozenset({found.uid, *self._refused})
        if found.source_id and resolve_again(found, but=but, timeout_s=PULL_S) is not None:
            msg = f"{found} went silent, and another run of it is there."
            raise SenderLostError(msg)

    def _connect_again(self, lost: FoundStream) -> Inlet | None:
        """Return a connection to the sender's next run, or None when the queue was closed."""
        t_lost = self._queue.clock()
        while not self._queue.closed.is_set():
            found = resolve_again(lost, but=frozenset(self._refused), timeout_s=PULL_S)
            if found is None:
                continue
            inlet = Inlet(found)
            try:
                self._patiently(inlet.open)
                described = self._patiently(inlet.describe)
                if described is None:
                    inlet.close()
                    return None
                again = describe(described, self._choice)
            except (SenderLostError, SenderTimeoutError):  # gone again, or still starting
                inlet.close()
                self._queue.closed.wait(PULL_S)
                continue
            except (StreamError, UnitError) as error:
                changes = [str(error)]
            else:
                changes = differences(self.info, again)
            if not changes:
                away_s = self._queue.clock() - t_lost
                self._tell(StreamState.RECOVERED, f"{found} is back after {away_s:.1f} s.")
                return inlet
            inlet.close()
            self._refused.add(found.uid)
            self._tell(
                StreamState.REFUSED,
                f"{found} came back changed: {'; '.join(changes)}. Set it as it was, or start the "
                "session anew.",
            )
        return None

    def _patiently(self, ask: Callable[[float], T]) -> T | None:
        """Return the sender's answer, however long it takes within reason; None once closed."""
        deadline = self._queue.clock() + ANSWER_S
        while not self._queue.closed.is_set():
            try:
                return ask(PULL_S)
            except SenderTimeoutError:
                if self._queue.clock() > deadline:
                    raise
        return None

    def _tell(self, state: StreamState, detail: str) -> None:
        logger.info("%s %s: %s", self._choice.modality, state.value, detail)
        self._queue.put(partial(StreamEvent, self._choice.modality, state, detail=detail))
