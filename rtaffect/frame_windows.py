"""The chain for what a scanner acquires: every frame closes a window that ends at the frame.

No grid, and nothing is waited for: a frame is late as it is. Frames that do not come are told by
windows that hold nothing, so that whoever listens hears of a silent scanner.
"""

import math
from collections.abc import Iterator, Mapping

from rtaffect.chain import LEAP_S, Chain, nothing
from rtaffect.core.errors import BundleError
from rtaffect.core.scanner_report import REPORT_MODALITY, tells_of_a_run
from rtaffect.core.spec import AcquiredSpec, WindowSpec
from rtaffect.core.spec_checks import window_problems
from rtaffect.core.streams import Chunk, Event, StreamInfo
from rtaffect.core.window import Flag, ModalityWindow, Window
from rtaffect.signal.acquired import AcquiredTrack


class FrameChain(Chain[AcquiredTrack]):
    """Turns events into the windows of one decoder of fMRI.

    A window's index is its number since the start. A frame closes its window even where it was
    given up before: ``t_end`` may then be earlier than that of the window that told so.

    Parameters
    ----------
    spec : WindowSpec
        The windows; `spec.closes` names the modality whose frames close them.
    infos : mapping of str to StreamInfo
        The streams at hand, by modality; a modality of the spec without a stream is missing.

    Raises
    ------
    BundleError
        The spec contradicts itself.
    MontageError, StreamError
        A stream's regions or its TR do not serve.
    """

    def __init__(self, spec: WindowSpec, infos: Mapping[str, StreamInfo]) -> None:
        if problems := window_problems(spec):
            msg = f"A bundle's windows must fit each other; {'; '.join(problems)}."
            raise BundleError(msg)
        self._wanted: dict[str, AcquiredSpec] = {
            modality: wanted
            for modality, wanted in spec.modalities.items()
            if isinstance(wanted, AcquiredSpec)
        }
        super().__init__(
            spec,
            {
                modality: AcquiredTrack(
                    wanted, infos[modality], window_s=spec.window_s, hop_s=spec.hop_s
                )
                for modality, wanted in self._wanted.items()
                if modality in infos
            },
        )
        self._index = 0
        self._t_due = math.nan  # when the next frame is expected

    def push(self, event: Event) -> list[Window]:
        """Take one event; return the windows that it closes, in order.

        What the scanner process says beside its frames, where the session listens to it, tells of
        runs that follow each other too soon to be known by their silence.
        """
        if isinstance(event, Chunk) and event.modality == REPORT_MODALITY and tells_of_a_run(event):
            for track in self._tracks.values():
                track.expect_run()
        return super().push(event)

    def _begin(self, now: float) -> None:
        self._t_due = now + self.spec.hop_s

    def _advance(self) -> Iterator[Window]:
        """Give up frames that are overdue; of a very long silence, the first and those to come."""
        if self._now - self._t_due > LEAP_S:
            yield self._without_frame()
            n_over = math.floor((self._now - self.spec.max_wait_s - self._t_due) / self.spec.hop_s)
            self._t_due += n_over * self.spec.hop_s
        while self._now >= self._t_due + self.spec.max_wait_s:
            yield self._without_frame()

    def _reached(self, modality: str) -> Iterator[Window]:
        if modality != self.spec.closes:
            return
        t_end = self._tracks[modality].t_newest
        # Frames that come later than they may, but come: the next has two hops from now.
        patient = self._now - self.spec.max_wait_s + self.spec.hop_s
        self._t_due = max(t_end, patient) + self.spec.hop_s
        parts = {
            name: self._tracks[name].window(t_end, silent=self._is_silent(name))
            if name in self._tracks
            else nothing(wanted, self.spec.window_s, ())
            for name, wanted in self._wanted.items()
        }
        yield self._window(t_end, parts)

    def _without_frame(self) -> Window:
        """Return the window of a frame that did not come."""
        t_end = self._t_due
        self._t_due += self.spec.hop_s
        return self._window(
            t_end, {name: self._nothing(name, wanted) for name, wanted in self._wanted.items()}
        )

    def _nothing(self, modality: str, wanted: AcquiredSpec) -> ModalityWindow:
        track = self._tracks.get(modality)
        if track is None:
            return nothing(wanted, self.spec.window_s, ())
        flags = track.standing_flags(self._t_due - self.spec.window_s, self._t_due)
        flags.add(Flag.STALE if self._is_silent(modality) else Flag.LATE)
        return nothing(wanted, self.spec.window_s, flags, t_newest=track.t_newest)

    def _window(self, t_end: float, parts: Mapping[str, ModalityWindow]) -> Window:
        index, self._index = self._index, self._index + 1
        return Window(index, t_end - self.spec.window_s, t_end, self._now, parts)
