"""The scanner process: what comes in is put in order, made into frames, and sent."""

import gc
import logging
import math
from collections.abc import Callable
from threading import Event as StopEvent
from typing import Protocol

from rtaffect.config.scanner import ScannerSettings
from rtaffect.core.clock import Clock
from rtaffect.core.errors import ScannerError
from rtaffect.core.volume_message import VolumeMessage
from rtaffect.publish.roi import RoiPublisher
from rtaffect.scanner.acquired import Acquired, ScannerInput, Volume
from rtaffect.scanner.decisions import Decision, Dropped, Frame, RunEnded, RunStarted, Why
from rtaffect.scanner.description import describe
from rtaffect.scanner.frames import FrameMaker
from rtaffect.scanner.lsl_input import LslInput
from rtaffect.scanner.policy import Policy
from rtaffect.scanner.progress import Progress
from rtaffect.scanner.regions import named_regions, open_mean_maker
from rtaffect.scanner.stages import Stage, Stages
from rtaffect.scanner.timing import Stamper, TimeSource

logger = logging.getLogger(__name__)

LOOK_S = 0.1
"""The longest time in the input's hands before the process looks whether to end."""

HEALTH_S = 5.0
TR_TOLERANCE = 0.01
MAX_COUNTED = 10_000


class VolumeSink(Protocol):
    """Where whole volumes go."""

    def publish(self, volume: VolumeMessage) -> None:
        """Send a volume; never waits."""

    def serve(self) -> None:
        """Do what has to be done between volumes."""


class ScannerProcess:
    """Puts everything together.

    Parameters
    ----------
    settings : ScannerSettings
        What the session file says.
    source : ScannerInput
        The open way in; it stays its caller's.
    time : TimeSource
        What knows when a volume was acquired.
    clock : callable
        LSL's clock.
    tell : callable
        Shows a line to people.
    volumes : VolumeSink or None
        Where whole volumes go, too.

    Raises
    ------
    ConfigError
        The label image or the names cannot be read.
    PublishError
        LSL refuses to send.
    """

    def __init__(
        self,
        settings: ScannerSettings,
        source: ScannerInput,
        time: TimeSource,
        *,
        clock: Clock,
        tell: Callable[[str], None],
        volumes: VolumeSink | None = None,
    ) -> None:
        self._settings = settings
        self._source = source
        self._sent = source.about if isinstance(source, LslInput) else {}
        self._clock = clock
        self._tell = tell
        self._volumes = volumes
        self._policy = Policy()
        self._stamper = Stamper(time, delay_s=settings.time_in_force().delay_s)
        self._told: set[str] = set()
        self._t_health = clock()
        self._publisher: RoiPublisher | None = None
        self.stages = Stages()
        self.progress = Progress()
        self._means = open_mean_maker(settings.labels)
        self._frames = self._frame_maker()
        if settings.tr_s is not None:
            self._open(settings.tr_s)
        else:
            self._note(
                "tr_s is not set: the streams open with the first volume, which says the TR. What "
                "is sent before a receiver found them is lost to it."
            )
        self._tell_notes()

    def run(self, stop: StopEvent, on_progress: Callable[[Progress], None] | None = None) -> None:
        """Work until somebody sets `stop`.

        Parameters
        ----------
        stop : threading.Event
            Ends it within a tenth of a second.
        on_progress : callable or None
            Called with `progress` a few times a second.

        Raises
        ------
        ScannerError
            The way in broke for good.
        PublishError
            LSL or ZeroMQ refuses to send.
        """
        gc.collect()
        gc.freeze()  # what start-up made is not looked at again: no long pause in a run
        while not stop.is_set():
            t_before = self._clock()
            items = self._source.receive(LOOK_S)
            for item in items:
                self.take(item)
            if not items:
                self.tick(t_before)
            if on_progress is not None:
                on_progress(self.progress)

    def take(self, item: Acquired) -> None:
        """Do with an arrival what has to be done."""
        self.stages.add(Stage.RECEIVE, self._clock() - item.t_arrival)
        for decision in self._policy.push(item):
            self._act(decision)
        self._serve()

    def tick(self, t: float) -> None:
        """Do what the time `t` asks for: nothing that arrives later may have arrived before it."""
        for decision in self._policy.tick(t):
            self._act(decision)
        self._serve()

    def close(self) -> None:
        """End the run, send the last health, and end the streams."""
        for decision in self._policy.end(self._clock()):
            self._act(decision)
        self._send_health()
        if self._publisher is not None:
            self._publisher.close()

    def _act(self, decision: Decision) -> None:
        match decision:
            case RunStarted():
                self._start_run(decision)
            case Frame():
                self._send_frame(decision)
            case RunEnded():
                self._end_run(decision)
            case Dropped():
                self._say_dropped(decision)

    def _start_run(self, started: RunStarted) -> None:
        tr_s = self._tr_s(started.tr_s)
        if self._publisher is None:
            self._open(tr_s)
        if self._frames is not None:
            self._frames.begin_run()
        if math.isnan(tr_s):
            self._note(
                "What comes does not say its TR (a NIfTI file's counts only with a time unit): set "
                "tr_s, the repetition time in seconds."
            )
        if not abs(tr_s - started.tr_s) <= TR_TOLERANCE * tr_s and math.isfinite(started.tr_s):
            self._note(f"tr_s is {tr_s:g} s in the session file, volumes say {started.tr_s:g} s.")
        self._tell(f"Run {started.run} begins.")
        self._say("run_start", started.t, run=started.run, t_arrival=started.t, tr_s=tr_s)

    def _end_run(self, ended: RunEnded) -> None:
        refused = f", {ended.n_refused} refused" if ended.n_refused else ""
        self._tell(
            f"Run {ended.run} is over: {ended.n_frames} volumes, {ended.n_missing} missing"
            f"{refused}."
        )
        self._say(
            "run_end",
            ended.t,
            run=ended.run,
            t=ended.t,
            n_frames=ended.n_frames,
            n_missing=ended.n_missing,
            n_refused=ended.n_refused,
        )

    def _send_frame(self, frame: Frame) -> None:
        """Send one frame and what is said of it; the volume itself goes last."""
        item = frame.acquired
        t_acq, words = self._stamper.stamp(frame, self._tr_s(item.tr_s))
        self.progress.n_frames += 1
        if self._frames is not None:
            try:
                self._send_means(frame, self._frames, t_acq, words)
            except ScannerError as error:
                self._policy.disown(frame)
                self.progress.n_frames -= 1
                self._say_dropped(
                    Dropped(why=Why.REFUSED, index=item.index, text=str(error), t=item.t_arrival)
                )
        if self._volumes is not None and isinstance(item, Volume):
            t_begin = self._clock()
            self._volumes.publish(
                VolumeMessage(
                    data=item.data,
                    affine=item.affine,
                    index=item.index,
                    run=str(frame.run),
                    stamp_s=t_acq,
                )
            )
            self.stages.add(Stage.VOLUME, self._clock() - t_begin)
        if frame.n_missing:
            self._tell(f"{_missing(frame)} did not come in time.")
        self.progress.run, self.progress.index = frame.run, item.index
        self.progress.n_missing += frame.n_missing

    def _send_means(
        self, frame: Frame, frames: FrameMaker, t_acq: float, words: tuple[str, ...]
    ) -> None:
        item = frame.acquired
        made = frames.make(frame, t_acq=t_acq)
        assert self._publisher is not None
        t_begin = self._clock()
        self._publisher.send(made.values, t_acq=t_acq)
        t_publish = self._clock()
        self._publisher.say(
            "frame",
            t_acq,
            index=item.index,
            run=frame.run,
            t_acq=t_acq,
            t_arrival=item.t_arrival,
            t_publish=t_publish,
            valid=made.valid,
            words=(*words, *made.words),
            displacement_mm=made.displacement_mm,
            n_missing=frame.n_missing,
            n_refused=frame.n_refused,
            n_absent=made.n_absent,
        )
        self.stages.add(Stage.PUBLISH, t_publish - t_begin)
        self.stages.add(Stage.ARRIVAL_TO_PUBLISH, t_publish - item.t_arrival)
        self.stages.add(Stage.ACQUISITION_TO_PUBLISH, t_publish - t_acq)
        self.progress.valid = made.valid
        self.progress.latency_ms = 1e3 * (t_publish - item.t_arrival)
        self._tell_notes()

    def _say_dropped(self, dropped: Dropped) -> None:
        """Count it and send it; tell people the first of each kind, or of each text."""
        self.progress.dropped[dropped.why] += 1
        self._say(
            "dropped", dropped.t, why=str(dropped.why), index=dropped.index, text=dropped.text
        )
        is_useless = dropped.why in (Why.CHANGED, Why.REFUSED)
        key = dropped.text if is_useless else str(dropped.why)
        if key not in self._told and len(self._told) < MAX_COUNTED:
            self._told.add(key)
            which = f"Volume {dropped.index} cannot be used. " if is_useless else ""
            self._tell(f"{which if dropped.index >= 0 else ''}{dropped.text}")

    def _say(self, kind: str, stamp_s: float, **fields: object) -> None:
        if self._publisher is not None:
            self._publisher.say(kind, stamp_s, **fields)

    def _serve(self) -> None:
        if self._volumes is not None:
            self._volumes.serve()
        if self._clock() - self._t_health >= HEALTH_S:
            self._send_health()

    def _send_health(self) -> None:
        self._t_health = now = self._clock()
        logger.info("health: %s", "; ".join(self.stages.lines()) or "nothing came yet")
        self._say(
            "health",
            now,
            t=now,
            n_frames=self.progress.n_frames,
            n_missing=self.progress.n_missing,
            dropped=dict(self.progress.dropped),
            stages=self.stages.report(),
        )

    def _open(self, tr_s: float) -> None:
        """Open the streams; from now on they can be found."""
        regions = self._frames.regions if self._frames is not None else None
        labels = self._settings.labels
        is_fixed = self._means is not None and labels is not None and not labels.resample
        self._publisher = RoiPublisher(
            regions.names if regions is not None else (),
            name=self._settings.name,
            source_id=self._settings.source_id,
            about=describe(self._settings, regions, tr_s=tr_s, sent=self._sent),
            n_voxels=self._means.n_voxels.tolist() if is_fixed and self._means else (),
            simulated=self._settings.simulated
            or (isinstance(self._source, LslInput) and self._source.simulated),
        )

    def _tr_s(self, sent_s: float) -> float:
        """Return the repetition time in force, given what a volume says of it."""
        return sent_s if self._settings.tr_s is None else self._settings.tr_s

    def _frame_maker(self) -> FrameMaker | None:
        regions = (
            self._means.regions
            if self._means is not None
            else named_regions(self._settings, self._source)
        )
        if regions is None:
            return None
        return FrameMaker(
            regions, self._means, self._settings.cleaning, self.stages, about=self._sent
        )

    def _tell_notes(self) -> None:
        for note in (*self._source.notes, *(self._means.notes if self._means else ())):
            self._note(note)

    def _note(self, text: str) -> None:
        """Tell people once."""
        if text not in self._told and len(self._told) < MAX_COUNTED:
            self._told.add(text)
            self._tell(text)
            self._say("note", self._clock(), text=text)


def _missing(frame: Frame) -> str:
    last = frame.acquired.index - 1
    first = last + 1 - frame.n_missing - frame.n_refused
    if frame.n_refused and first != last:
        return f"{frame.n_missing} of the volumes {first} to {last}"
    return f"Volume {first}" if first == last else f"Volumes {first} to {last}"
