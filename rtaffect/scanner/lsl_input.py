"""Means of regions that another tool streams over LSL, one sample a volume."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Self

import numpy as np

from rtaffect.config.scanner_inputs import LslRoiSettings
from rtaffect.core.clock import Clock, monotonic
from rtaffect.core.errors import ScannerError, StreamError, UnitError
from rtaffect.core.streams import Chunk, ClockOffset, Event, StreamChoice, StreamEvent, StreamState
from rtaffect.scanner.acquired import Acquired, Refused, RoiMeans, RunEnd, read_tr
from rtaffect.scanner.notes import Notes
from rtaffect.sources.lsl import LslSource

MODALITY = "roi"
TICK_S = 0.05  # how often we look whether to end
TR = "acquisition.tr_s"
REFERENCE = "acquisition.time_reference"


class LslInput:
    """Receives another tool's stream, see `rtaffect.scanner.acquired.ScannerInput`.

    A sample is a frame: LSL tells neither its number, so they are counted, nor runs, so all is one
    until the sender is lost and comes back. A sample's stamp is, on the runtime's own clock, the
    middle or the start of an acquisition where the stream or the settings say so (docs/
    roi-stream.md); stamps that nobody explains are of no use, and `t_acq` is NaN.

    Parameters
    ----------
    settings : LslRoiSettings
        Which stream, and what its sender did not say.
    clock : callable
        The runtime's clock, LSL's own.

    Raises
    ------
    ScannerError
        There is no such stream, or several, or its description contradicts itself.
    """

    def __init__(self, settings: LslRoiSettings, clock: Clock) -> None:
        choice = StreamChoice(
            modality=MODALITY,
            stype=settings.type,
            name=settings.name,
            source_id=settings.source_id,
            ch_names=settings.ch_names,
        )
        self._source = LslSource(
            [choice], tick_s=TICK_S, resolve_timeout_s=settings.wait_s, clock=clock
        )
        try:
            self._source.open()
            if self._source.infos[MODALITY].is_text:
                msg = "This one sends text: choose another by name or source_id."
                raise StreamError(msg)
        except (StreamError, UnitError) as error:
            self._source.close()
            text = str(error).replace(f"streams: {MODALITY}:", "scanner: input:")
            msg = f"The scanner's input must be a stream of regions. {text}"
            raise ScannerError(msg) from None
        self._events: Iterator[Event] = self._source.events()
        self._offset_s = 0.0
        self._run, self._n_in_run = 1, 0
        self._notes = Notes()
        about = self._source.infos[MODALITY].about
        told_tr = about.get(TR, "")
        self._tr_s = settings.tr_s if settings.tr_s is not None else _tr_s(told_tr)
        if math.isnan(self._tr_s):
            self._notes.say("The stream does not say its TR; set tr_s.")
        stamps: str = settings.stamps
        if stamps == "described":
            stamps = {"mid": "mid", "start": "start"}.get(about.get(REFERENCE, ""), "sent")
        self._shift_s = {"mid": 0.0, "start": self._tr_s / 2}.get(stamps, math.nan)
        if stamps == "sent":
            self._notes.say(
                "The stream does not say what its stamps mean; frames are timed by their arrival. "
                "Set stamps: mid or start where that is what they are."
            )

    @property
    def ch_names(self) -> tuple[str, ...]:
        """The regions, in the order of `RoiMeans.values`."""
        return self._source.infos[MODALITY].ch_names

    @property
    def about(self) -> Mapping[str, str]:
        """What else the sender declares, by dotted key."""
        return self._source.infos[MODALITY].about

    @property
    def simulated(self) -> bool:
        """Whether the sender declares that nobody was measured."""
        return self._source.infos[MODALITY].simulated

    @property
    def notes(self) -> tuple[str, ...]:
        """What the stream does not say."""
        return self._source.notes + self._notes.texts

    def receive(self, timeout_s: float) -> Sequence[Acquired]:
        """Return what arrived, in order; see `ScannerInput.receive`."""
        deadline = monotonic() + timeout_s
        arrived: list[Acquired] = []
        try:
            for event in self._events:
                match event:
                    case Chunk():
                        arrived = self._frames(event)
                    case ClockOffset():
                        self._offset_s = event.offset_s
                    case StreamEvent():
                        arrived = self._told(event)
                if arrived or monotonic() >= deadline:
                    break
        except StreamError as error:
            msg = f"The scanner's input broke: {error}"
            raise ScannerError(msg) from None
        return arrived

    def close(self) -> None:
        """Disconnect."""
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _frames(self, chunk: Chunk) -> list[Acquired]:
        frames: list[Acquired] = []
        values = np.asarray(chunk.data, dtype=np.float64)
        for column, stamp_s in enumerate(chunk.stamps_s):
            frames.append(
                RoiMeans(
                    values=values[:, column],
                    motion=None,
                    index=self._n_in_run,
                    run=str(self._run),
                    tr_s=self._tr_s,
                    t_acq=float(stamp_s) + self._offset_s + self._shift_s,
                    t_arrival=chunk.t_received,
                )
            )
            self._n_in_run += 1
        return frames

    def _told(self, event: StreamEvent) -> list[Acquired]:
        match event.state:
            case StreamState.RECOVERED:
                ended = RunEnd(run=str(self._run), t_arrival=event.t_received)
                self._run, self._n_in_run = self._run + 1, 0
                return [ended]
            case _:
                return [Refused(reason=event.detail, t_arrival=event.t_received)]


def _tr_s(text: str) -> float:
    try:
        return read_tr(float(text))
    except ValueError:
        return math.nan
