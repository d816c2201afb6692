"""Estimates as people read them in a terminal."""

import time
from collections.abc import Iterator, Mapping

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from rtaffect.text import LEAKY, printable
from rtaffect.wire import (
    Estimate,
    EstimateMessage,
    Event,
    EventMessage,
    Health,
    HealthMessage,
    Message,
    Session,
    SessionMessage,
    StageLatency,
    Target,
)

BAR = 41  # characters from -1 to 1; odd, so that 0 has one of its own
SILENT_S = 2.0
N_EVENTS = 3


class View:
    """The newest estimate of each decoder, how the runtime does, and what happened last.

    Parameters
    ----------
    address : str
        Where it comes from.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.truth: Mapping[str, float] = {}
        self.n_dropped = 0
        self._estimates: dict[str, EstimateMessage] = {}
        self._health: Health | None = None
        self._events: list[Event] = []
        self._simulated = False
        self._leaky: list[str] = []
        self._t_heard = time.monotonic()
        self._heard = False

    def take(self, message: Message | None) -> None:
        """Take a message, or None when none came."""
        if message is None:
            return
        self._heard, self._t_heard = True, time.monotonic()
        if isinstance(message, SessionMessage):
            self._simulated = message.session.simulated
            self._leaky = leaky_decoders(message.session)
            self._estimates.clear()
        elif isinstance(message, EstimateMessage):
            self._estimates[message.estimate.decoder] = message
        elif isinstance(message, HealthMessage):
            self._health = message.health
        elif isinstance(message, EventMessage):
            self._events = [*self._events, message.event][-N_EVENTS:]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw everything as it is now."""
        parts = [_decoder(message, self.truth) for message in self._estimates.values()]
        yield Group(*parts, *self._footer())

    def _footer(self) -> Iterator[Text]:
        silent_s = time.monotonic() - self._t_heard
        if not self._heard:
            waiting = f"Waiting for {self.address} ({silent_s:.0f} s). Is `rtaffect live` running?"
            yield Text(waiting, style="yellow")
        elif silent_s > SILENT_S:
            yield Text(f"Nothing from {self.address} for {silent_s:.0f} s.", style="bold yellow")
        if self._health is not None:
            yield _streams(self._health)
            for note in self._health.notes:
                yield Text(f"  {note}", style="yellow")
        for event in self._events:
            what = f"{event.kind} {event.modality} {event.state} {event.text}"
            yield Text("  " + printable(" ".join(what.split())), style="dim")
        if self.n_dropped:
            yield Text(f"{self.n_dropped} messages did not arrive here.", style="yellow")
        if self.truth:
            yield Text("O estimate, --- its spread, T the truth now", style="dim")
        for line in self._leaky:
            yield Text(line, style="bold red")
        if self._simulated:
            yield Text("SIMULATED: nobody is measured here.", style="bold magenta")


def leaky_decoders(session: Session) -> list[str]:
    """Return a line for each decoder of a session that nobody should believe."""
    return [
        f"{printable(name)} is {LEAKY}" for name, info in session.decoders.items() if info.leaky
    ]


def one_line(message: EstimateMessage) -> str:
    """Return an estimate as one line of plain text."""
    estimate = message.estimate
    values = " ".join(f"{name} {_value(target)}" for name, target in estimate.targets.items())
    flags = ",".join(f"{modality}:{word}" for modality, word in estimate.flags)
    weights = " ".join(f"{name} {w:.2f}" for name, w in _weights(estimate).items())
    return printable(
        f"{estimate.t_end:.3f} {estimate.decoder} {values or 'no answer'} "
        f"confidence {estimate.confidence:.2f} age {message.age_s * 1e3:.0f} ms "
        f"{f'lag {estimate.lag_s:g} s ' if estimate.lag_s > 0 else ''}"
        f"flags {flags or '-'}{' weights ' if weights else ''}{weights}"
    )


def _weights(estimate: Estimate) -> Mapping[str, float]:
    """Return the members' weights of a fused estimate; nothing of a decoder's own."""
    return {} if set(estimate.contributions) <= {estimate.decoder} else estimate.contributions


def _value(target: Target) -> str:
    if target.expected is not None:
        return f"{target.expected:+.2f}"
    best = max(range(len(target.classes)), key=target.probabilities.__getitem__)
    return f"{target.classes[best]} {target.probabilities[best]:.2f}"


def _decoder(message: EstimateMessage, truth: Mapping[str, float]) -> Panel:
    estimate = message.estimate
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1))
    for name, target in estimate.targets.items():
        table.add_row(
            printable(name),
            _bar(target, truth.get(name)),
            Text(printable(_value(target))),
            _classes(target),
        )
    if not estimate.targets:
        table.add_row(Text("no answer", style="yellow"), Text("the flags say why", style="dim"))
    coverage = "  ".join(f"{m} {share:4.0%}" for m, share in estimate.coverage.items())
    flags = "  ".join(f"{modality} {word}" for modality, word in estimate.flags)
    facts = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1))
    facts.add_row("confidence", f"{estimate.confidence:.2f}  from {estimate.n_slices} windows")
    if estimate.lag_s > 0:
        facts.add_row("speaks of", f"{estimate.lag_s:g} s before the window: blood flow is slow")
    facts.add_row("coverage", Text(printable(coverage)))
    facts.add_row("flags", Text(printable(flags) or "none", style="yellow" if flags else "green"))
    if weights := _weights(estimate):
        shares = "  ".join(f"{name} {weight:.2f}" for name, weight in weights.items())
        facts.add_row("weights", Text(printable(shares)))
    facts.add_row(
        "latency", f"compute {message.compute_s * 1e3:.1f} ms   age {message.age_s * 1e3:.0f} ms"
    )
    title = f"{estimate.decoder}  #{message.seq}"
    return Panel(
        Group(table, facts), title=Text(printable(title)), title_align="left", expand=False
    )


def _bar(target: Target, truth: float | None) -> Text:
    """Return the scale from -1 to 1: the value, its spread, and the truth where it is known."""
    if target.expected is None or target.spread is None:
        return Text("")
    cells = [" "] * BAR
    cells[BAR // 2] = "|"
    low, high = _cell(target.expected - target.spread), _cell(target.expected + target.spread)
    cells[low : high + 1] = "-" * (high + 1 - low)
    cells[_cell(target.expected)] = "O"
    bar = Text("[" + "".join(cells) + "]")
    bar.stylize("cyan", low + 1, high + 2)
    bar.stylize("bold cyan", _cell(target.expected) + 1, _cell(target.expected) + 2)
    if truth is not None:
        at = _cell(truth) + 1
        bar = bar[:at] + Text("T", style="bold green") + bar[at + 1 :]
    return bar


def _cell(value: float) -> int:
    return round((min(1.0, max(-1.0, value)) + 1) / 2 * (BAR - 1))


def _classes(target: Target) -> Text:
    pairs = zip(target.classes, target.probabilities, strict=True)
    return Text(printable("  ".join(f"{name} {p:.2f}" for name, p in pairs)), style="dim")


def _streams(health: Health) -> Text:
    text = Text()
    for modality, stream in health.streams.items():
        style = "green" if stream.state == "ok" else "bold yellow"
        rate = f" {stream.sfreq_hz:.1f} Hz" if stream.sfreq_hz is not None else ""
        words = f"{modality} {stream.state}{rate}, {stream.n_gaps} gaps   "
        text.append(printable(words), style=style)
    compute = health.stages.get("compute")
    if compute is not None:
        text.append(_latency(compute), style="dim")
    return text


def _latency(stage: StageLatency) -> str:
    if stage.p50_ms is None or stage.p99_ms is None:
        return ""
    return f"compute p50 {stage.p50_ms:.1f} ms, p99 {stage.p99_ms:.1f} ms"
