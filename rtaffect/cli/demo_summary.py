"""What the demo says at its end: agreement with the truth, the same without coupling, latency."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from rtaffect.simulate.agreement import Agreement
    from rtaffect.wire import EstimateMessage

BUNDLE = "prior-dfcn-eeg-face"
TARGETS = ("valence", "arousal")


class Seen:
    """What the view saw: estimates with the time of their arrival, and the truth."""

    def __init__(self) -> None:
        self.estimates: list[EstimateMessage] = []
        self.latencies_s: list[float] = []
        self.truth: list[tuple[float, float, float]] = []
        self.n_gaps: dict[str, int] = {}
        self.n_dropped = 0


def tell_agreement(seen: Seen, *, seed: int) -> None:
    """Print the summary of a demo."""
    from rich.console import Console
    from rich.table import Table

    live = _live_agreement(seen)
    settled = [m for m in seen.estimates if m.estimate.targets and not _warming(m.estimate.flags)]
    console = Console(highlight=False)
    console.print()
    if not settled:
        console.print("The session was too short for an estimate after warm-up.")
        return
    span_s = seen.estimates[-1].estimate.t_end - seen.estimates[0].estimate.t_end
    off = _without_coupling(seed, span_s)
    table = Table(title="Agreement with the truth, after warm-up", title_justify="left", box=None)
    for heading in ("", "r", "same side of 0", "estimates", "effective n", "r with coupling off"):
        table.add_column(heading, justify="right" if heading else "left")
    for name in TARGETS:
        table.add_row(
            name,
            f"{live[name].r:+.2f}",
            f"{live[name].same_sign:.0%}",
            str(live[name].n),
            f"{live[name].n_effective:.0f}",
            f"{off[name].r:+.2f} (effective n {off[name].n_effective:.0f})",
        )
    console.print(table)
    p50, p99 = np.percentile(np.asarray(seen.latencies_s) * 1e3, [50, 99])
    gaps = ", ".join(f"{modality} {n}" for modality, n in seen.n_gaps.items())
    console.print(
        f"latency from the closing sample to here: p50 {p50:.1f} ms, p99 {p99:.1f} ms "
        f"({len(seen.latencies_s)} estimates); gaps seen: {gaps}; dropped: {seen.n_dropped}"
    )
    console.print("Simulated: these numbers say that the chain works, nothing about people.")


def _live_agreement(seen: Seen) -> "Mapping[str, Agreement]":
    from rtaffect.simulate.agreement import agreement

    truth = np.array(seen.truth).reshape(-1, 3)
    estimates = [
        m.estimate
        for m in seen.estimates
        if m.estimate.targets and not _warming(m.estimate.flags) and len(truth)
    ]
    middles = np.array([(e.t_start + e.t_end) / 2 for e in estimates])
    return {
        name: agreement(
            [_expected(e.targets[name].expected) for e in estimates],
            np.interp(middles, truth[:, 0], truth[:, column]).tolist() if len(truth) else [],
        )
        for column, name in enumerate(TARGETS, start=1)
    }


def _without_coupling(seed: int, duration_s: float) -> "Mapping[str, Agreement]":
    """Decode the same person in the same mood whose signals carry nothing of it."""
    from rtaffect.bundle import find_bundle, load_bundle
    from rtaffect.core.window import Flag
    from rtaffect.decode.decoder import Decoder
    from rtaffect.simulate.agreement import agreement
    from rtaffect.simulate.participant import Participant
    from rtaffect.simulate.source import SimulatedSource
    from rtaffect.windows import open_windows

    participant = Participant(seed, coupling=0.0)
    source = SimulatedSource(participant, duration_s, t_start=1000.0)
    decoder = Decoder(load_bundle(find_bundle(BUNDLE)), infos=source.infos)
    answers = [
        decoder.decode(window).estimate
        for window in open_windows(source, decoder.bundle.manifest.windows)
    ]
    answers = [
        e for e in answers if e.targets and not any(flag is Flag.WARMUP for _, flag in e.flags)
    ]
    middles = np.array([(e.t_start + e.t_end) / 2 for e in answers])
    truth = dict(zip(TARGETS, participant.course.at(middles - 1000.0), strict=True))
    return {
        name: agreement([e.targets[name].expected for e in answers], truth[name].tolist())
        for name in TARGETS
    }


def _warming(flags: object) -> bool:
    assert isinstance(flags, list | tuple)
    return any(word == "warmup" for _, word in flags)


def _expected(value: float | None) -> float:
    return float("nan") if value is None else value
