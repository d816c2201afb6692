"""The scanner's pulses, as an LSL marker stream brings them."""

import threading
from collections import deque
from typing import Self

from rtaffect.config.scanner import TRIGGERS, TriggerTime
from rtaffect.core.clock import Clock
from rtaffect.core.errors import RtaffectError, ScannerError, StreamError
from rtaffect.core.streams import Chunk, ClockOffset
from rtaffect.scanner.decisions import Frame
from rtaffect.scanner.timing import ByTriggers
from rtaffect.signal.timeline import ClockMap
from rtaffect.sources.lsl import LslSource

TICK_S = 1.0


class PulseStream:
    """Listens to pulses while volumes arrive; a `rtaffect.scanner.timing.TimeSource`.

    Parameters
    ----------
    settings : TriggerTime
        Which stream, and which of its markers.
    clock : callable
        LSL's clock.

    Raises
    ------
    StreamError
        The stream is missing or ambiguous, or carries numbers.
    """

    def __init__(self, settings: TriggerTime, clock: Clock) -> None:
        self._text = settings.text
        self._triggers = ByTriggers(settings.delay_s, settings.n_dummy)
        self._arrived: deque[float] = deque()
        self._source = LslSource([settings.choice()], tick_s=TICK_S, clock=clock).open()
        info = self._source.infos[TRIGGERS]
        if not info.is_text:
            self._source.close()
            msg = (
                f"The scanner's pulses must come as text markers, and {info.name!r} carries "
                "numbers; name another stream under scanner: time."
            )
            raise StreamError(msg)
        self.name = info.name
        self._error: RtaffectError | None = None
        self._thread = threading.Thread(target=self._listen, name="pulses", daemon=True)
        self._thread.start()

    def at(self, frame: Frame, tr_s: float) -> float:
        """Return the middle of a frame's acquisition, see `TimeSource`.

        Raises
        ------
        ScannerError
            Pulses cannot be received any more.
        """
        if self._error is not None:
            msg = f"The scanner's pulses must go on, and their stream broke: {self._error}"
            raise ScannerError(msg) from None
        while self._arrived:
            self._triggers.add(self._arrived.popleft())
        return self._triggers.at(frame, tr_s)

    def close(self) -> None:
        """Stop listening."""
        self._source.close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _listen(self) -> None:
        try:
            self._collect()
        except RtaffectError as error:  # said at the next frame
            self._error = error

    def _collect(self) -> None:
        clock_map = ClockMap()
        for event in self._source.events():
            if isinstance(event, ClockOffset):
                clock_map.update(event)
            elif isinstance(event, Chunk):
                stamps_s = clock_map.apply(event).tolist()
                for text, stamp_s in zip(event.data[0], stamps_s, strict=True):
                    if str(text).strip() == self._text:
                        self._arrived.append(stamp_s)
