"""The line at the bottom of the terminal while a session or a replay runs."""

import time
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from rtaffect.core.estimate import Estimate
from rtaffect.core.fused import LATEST
from rtaffect.core.health import Health
from rtaffect.core.sinks import Matrix, Timing
from rtaffect.core.streams import Event, StreamEvent

REFRESH_S = 0.1


class _Screen:
    """A sink that only shows things; nothing is shown where nobody looks."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)

    def on_event(self, event: Event) -> None:
        """Say what became of a stream."""
        if isinstance(event, StreamEvent):
            self._console.print(f"{event.modality} {event.state}: {event.detail}", markup=False)

    def on_estimate(self, estimate: Estimate, timing: Timing) -> None:
        """Nothing yet."""

    def on_health(self, health: Health) -> None:
        """Nothing yet."""

    def wants_matrices(self, decoder: str) -> bool:  # noqa: ARG002  the protocol's signature
        """Never."""
        return False

    def on_matrix(self, matrix: Matrix) -> None:
        """Nothing to show of it."""

    def close(self) -> None:
        """Nothing to let go."""


class StatusLine(_Screen):
    """The newest estimate and the streams' health, once a second, on a terminal."""

    def __init__(self) -> None:
        super().__init__()
        self._text = Text("waiting for the first window ...")
        self._values = ""
        self._is_fused = False
        self._live = Live(self._text, console=self._console, auto_refresh=False, transient=True)
        if self._console.is_terminal:
            self._live.start()

    def on_estimate(self, estimate: Estimate, timing: Timing) -> None:  # noqa: ARG002
        """Remember the newest values; where estimates are fused, the fused ones."""
        self._is_fused |= estimate.decoder == LATEST
        if self._is_fused and estimate.decoder != LATEST:
            return
        values = [f"{name} {t.expected:+.2f}" for name, t in estimate.targets.items() if t.edges]
        self._values = "  ".join([*(values or ["no answer"]), f"({estimate.confidence:.2f})"])

    def on_health(self, health: Health) -> None:
        """Show."""
        if not self._console.is_terminal:
            return
        streams = "  ".join(
            f"{modality} {stream.state} {stream.sfreq_hz:.1f} Hz, {stream.n_gaps} gaps"
            for modality, stream in health.streams.items()
        )
        compute = health.stages.get("compute")
        latency = f"{compute.p50_ms:.1f}/{compute.p99_ms:.1f} ms" if compute else ""
        self._live.update(Text(f"{self._values}   {streams}   {latency}"), refresh=True)

    def close(self) -> None:
        """Take the line away."""
        self._live.stop()


class ProcessLine:
    """Where a process beside the session is, on a terminal.

    Parameters
    ----------
    waits_for : str
        What it says before there is anything to show.
    quiet : bool
        Nothing is shown; what is told still is.
    """

    def __init__(self, waits_for: str, *, quiet: bool) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._is_shown = self._console.is_terminal and not quiet
        self._t_shown = 0.0
        self._live = Live(
            Text(f"waiting for {waits_for} ..."),
            console=self._console,
            auto_refresh=False,
            transient=True,
        )

    def tell(self, text: str) -> None:
        """Say something above the line."""
        self._console.print(text, markup=False, soft_wrap=True)

    def show(self, progress: object) -> None:
        """Show what the progress is in words, at most ten times a second."""
        now = time.monotonic()
        if self._is_shown and now - self._t_shown >= REFRESH_S:
            self._t_shown = now
            self._live.update(Text(str(progress)), refresh=True)

    def __enter__(self) -> Self:
        """Show the line."""
        if self._is_shown:
            self._live.start(refresh=True)
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Take the line away."""
        self._live.stop()


class ReplayBar(_Screen):
    """How far a replay is.

    Parameters
    ----------
    t_first, duration_s : float
        Where the recording begins, and its length, in seconds of its own time.
    """

    def __init__(self, t_first: float, duration_s: float) -> None:
        super().__init__()
        self._t_first = t_first
        self._t_drawn = 0.0
        self._progress = Progress(
            TextColumn("replay"),
            BarColumn(),
            TextColumn("{task.completed:.0f} of {task.total:.0f} s"),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            auto_refresh=False,
            disable=not self._console.is_terminal,
        )
        self._task = self._progress.add_task("replay", total=max(duration_s, 1e-3))
        self._progress.start()

    def on_estimate(self, estimate: Estimate, timing: Timing) -> None:  # noqa: ARG002
        """Move on, at most ten times a second."""
        now = time.monotonic()
        if now - self._t_drawn > REFRESH_S:
            self._t_drawn = now
            self._progress.update(
                self._task, completed=estimate.t_end - self._t_first, refresh=True
            )

    def close(self) -> None:
        """Take the bar away."""
        self._progress.stop()


class RestBar:
    """How far a rest is, and how many clean windows there are.

    Parameters
    ----------
    begin, end : float
        Of the rest, in seconds on the source's clock.
    """

    def __init__(self, begin: float, end: float) -> None:
        self._begin = begin
        console = Console(stderr=True, highlight=False)
        self._progress = Progress(
            TextColumn("rest"),
            BarColumn(),
            TextColumn(
                "{task.completed:.0f} of {task.total:.0f} s, {task.fields[n]} clean windows"
            ),
            console=console,
            transient=True,
            auto_refresh=False,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("rest", total=end - begin, n=0)

    def on_window(self, t_end: float, n_clean: int) -> None:
        """Move on."""
        self._progress.update(self._task, completed=t_end - self._begin, n=n_clean, refresh=True)

    def __enter__(self) -> Self:
        """Show."""
        self._progress.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Take the bar away."""
        self._progress.stop()
