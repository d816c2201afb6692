"""``rtaffect scanner``: volumes from the scanner become ROI frames on LSL."""

import threading
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rtaffect.cli.ending import end_after, end_with_parent, stopped_by_signals

if TYPE_CHECKING:
    from rtaffect.config.scanner import ScannerSettings
    from rtaffect.core.clock import Clock
    from rtaffect.publish.volumes import VolumePublisher
    from rtaffect.scanner.process import ScannerProcess
    from rtaffect.scanner.timing import TimeSource


def scanner(
    session: Annotated[
        Path, typer.Argument(help="The session file; its key `scanner` says what comes in.")
    ],
    duration: Annotated[
        float | None, typer.Option(min=1.0, help="End after so many seconds; else by Ctrl-C.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No status line.")] = False,
    beside: Annotated[bool, typer.Option("--beside", hidden=True)] = False,
) -> None:
    """Turn volumes that a scanner sends into ROI frames over LSL.

    Example: rtaffect scanner session.yaml, then rtaffect live session.yaml in another terminal

    It is a process of its own: should it die, EEG and face go on.
    """
    from rtaffect.cli.status import ProcessLine
    from rtaffect.config import read_settings
    from rtaffect.config.scanner import ScannerFile
    from rtaffect.scanner.inputs import open_input
    from rtaffect.scanner.process import ScannerProcess
    from rtaffect.sources.lsl_inlet import local_clock

    settings = read_settings(session, ScannerFile).scanner
    stop, line = threading.Event(), ProcessLine("the first volume", quiet=quiet)
    with ExitStack() as open_things:
        source = open_things.enter_context(open_input(settings.input, local_clock))
        process = ScannerProcess(
            settings,
            source,
            _open_time(settings, local_clock, open_things),
            clock=local_clock,
            tell=line.tell,
            volumes=_open_volumes(settings, local_clock, open_things),
        )
        open_things.callback(process.close)
        open_things.enter_context(stopped_by_signals(stop))
        line.tell(f"Ready: {_ways_out(settings)}. Ctrl-C ends.")
        end_after(duration, stop, open_things)
        if beside:
            end_with_parent(stop)
        with line:
            process.run(stop, line.show)
    _tell_summary(process)


def _ways_out(settings: "ScannerSettings") -> str:
    frames = f"frames go out as {settings.name!r} over LSL" if settings.sends_frames else ""
    volumes = f"volumes go out on {settings.volumes}" if settings.volumes else ""
    return ", ".join(filter(None, (frames, volumes)))


def _open_time(settings: "ScannerSettings", clock: "Clock", open_things: ExitStack) -> "TimeSource":
    from rtaffect.config.scanner import TriggerTime
    from rtaffect.scanner.pulses import PulseStream
    from rtaffect.scanner.timing import open_time_source

    time = settings.time_in_force()
    if isinstance(time, TriggerTime):
        return open_things.enter_context(PulseStream(time, clock))
    return open_time_source(time)


def _open_volumes(
    settings: "ScannerSettings", clock: "Clock", open_things: ExitStack
) -> "VolumePublisher | None":
    if settings.volumes is None:
        return None
    from rtaffect.publish.volumes import VolumePublisher
    from rtaffect.scanner.description import describe_volumes

    info = describe_volumes(settings)
    publisher = VolumePublisher(settings.volumes, info=info, clock=clock)
    open_things.callback(publisher.close)
    return publisher


def _tell_summary(process: "ScannerProcess") -> None:
    from rtaffect.cli.running import tell

    progress = process.progress
    dropped = "".join(f", {n} {why}" for why, n in sorted(progress.dropped.items()))
    tell(f"{progress.n_frames} volumes, {progress.n_missing} missing{dropped}.")
    for line in process.stages.lines():
        tell(line)
