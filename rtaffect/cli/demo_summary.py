"""What the demo says at its end: agreement with the truth, the same without coupling, latency."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from rtaffect.core.fused import FUSED_NAMES

if TYPE_CHECKING:
    import numpy.typing as npt

    from rtaffect import wire
    from rtaffect.core.estimate import Estimate
    from rtaffect.simulate.agreement import Agreement
    from rtaffect.simulate.source import SimulatedSource
    from rtaffect.wire import EstimateMessage

BUNDLES = {"eeg-face": "prior-dfcn-eeg-face", "fmri": "roi-simulated"}
"""By name of the decoder."""
TARGETS = ("valence", "arousal")
T_START = 1000.0
"""Of the session without coupling, on its own clock."""


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

    estimates = [message.estimate for message in seen.estimates]
    console = Console(highlight=False)
    console.print()
    if not any(_settled(estimate) for estimate in estimates):
        console.print("The session was too short for an estimate after warm-up.")
        return
    truth = np.array(seen.truth).reshape(-1, 3)
    live = _agreement(estimates, lambda t: _interpolated(truth, t))
    off = _without_coupling(seed, estimates[-1].t_end - estimates[0].t_end)
    table = Table(title="Agreement with the truth, after warm-up", title_justify="left", box=None)
    for heading in ("", "", "r", "same side", "n", "effective n", "r uncoupled"):
        table.add_column(heading, justify="right" if heading else "left")
    for name in (*BUNDLES, *FUSED_NAMES):
        for target in TARGETS:
            one, other = live[name, target], off[name, target]
            table.add_row(
                name,
                target,
                *(("-", "-") if math.isnan(one.r) else (f"{one.r:+.2f}", f"{one.same_sign:.0%}")),
                str(one.n),
                f"{one.n_effective:.0f}",
                "-" if math.isnan(other.r) else f"{other.r:+.2f} ({other.n_effective:.0f})",
            )
    console.print(table)
    console.print(
        "Each estimate is compared with the truth of the moment that it speaks of: that of fMRI, "
        "and of what is paired with it, lies some seconds before its frame. Uncoupled: the same "
        "person, whose signals show nothing of the truth (effective n). A - stands where one of "
        "the two does not move."
    )
    p50, p99 = np.percentile(np.asarray(seen.latencies_s) * 1e3, [50, 99])
    gaps = ", ".join(f"{modality} {n}" for modality, n in seen.n_gaps.items())
    console.print(
        f"latency from the closing sample to here: p50 {p50:.1f} ms, p99 {p99:.1f} ms "
        f"({len(seen.latencies_s)} estimates); gaps seen: {gaps}; dropped: {seen.n_dropped}"
    )
    console.print("Simulated: these numbers say that the chain works, nothing about people.")


def _agreement(
    estimates: "Iterable[Estimate | wire.Estimate]",
    truth_at: "Callable[[npt.NDArray[np.float64]], Mapping[str, npt.NDArray[np.float64]]]",
) -> "Mapping[tuple[str, str], Agreement]":
    """Return the agreement of every decoder and target."""
    from rtaffect.simulate.agreement import agreement

    found: dict[tuple[str, str], Agreement] = {}
    kept = [estimate for estimate in estimates if _settled(estimate)]
    for name in (*BUNDLES, *FUSED_NAMES):
        # Two members of the same time call for two fused estimates of it: the last one counts.
        mine = {e.t_end: e for e in kept if e.decoder == name}.values()
        moments = np.array([_moment(estimate) for estimate in mine])
        truth = truth_at(moments)
        for target in TARGETS:
            said = [_expected(estimate.targets[target].expected) for estimate in mine]
            found[name, target] = agreement(said, truth[target].tolist())
    return found


def _without_coupling(seed: int, duration_s: float) -> "Mapping[tuple[str, str], Agreement]":
    """Decode the same person in the same mood whose signals carry nothing of it."""
    from rtaffect.simulate.bold import BoldSettings
    from rtaffect.simulate.participant import Participant
    from rtaffect.simulate.source import SimulatedSource

    participant = Participant(seed, coupling=0.0)
    source = SimulatedSource(
        participant, duration_s, chunk_s=0.25, t_start=T_START, bold=BoldSettings()
    )

    def truth_at(t: "npt.NDArray[np.float64]") -> "Mapping[str, npt.NDArray[np.float64]]":
        return dict(zip(TARGETS, participant.course.at(t - T_START), strict=True))

    return _agreement(_decoded(source), truth_at)


def _decoded(source: "SimulatedSource") -> "Iterator[Estimate]":
    """Yield what the demo's decoders say of a source, and what is fused of it."""
    from rtaffect.bundle import find_bundle, load_bundle
    from rtaffect.cli.opening import open_fusion
    from rtaffect.config.fusion import FusionSettings
    from rtaffect.decode.decoder import Decoder
    from rtaffect.windows import open_chain

    decoders = [
        Decoder(load_bundle(find_bundle(bundle)), name=name, infos=source.infos)
        for name, bundle in BUNDLES.items()
    ]
    lanes = [(each, open_chain(each.bundle.manifest.windows, source.infos)) for each in decoders]
    fusion = open_fusion(decoders, FusionSettings())
    assert fusion is not None
    for event in source.events():
        for decoder, chain in lanes:
            for window in chain.push(event):
                estimate = decoder.decode(window).estimate
                yield estimate
                yield from fusion.push(estimate)


def _interpolated(
    truth: "npt.NDArray[np.float64]", t: "npt.NDArray[np.float64]"
) -> "Mapping[str, npt.NDArray[np.float64]]":
    """Return what the stream of the truth said at some times, each row (t, valence, arousal)."""
    if not len(truth):
        return {target: np.full(len(t), np.nan) for target in TARGETS}
    columns = enumerate(TARGETS, start=1)
    return {target: np.interp(t, truth[:, 0], truth[:, column]) for column, target in columns}


def _moment(estimate: "Estimate | wire.Estimate") -> float:
    """Return the time that an estimate speaks of."""
    if estimate.lag_s > 0:
        return estimate.t_end - estimate.lag_s
    return (estimate.t_start + estimate.t_end) / 2


def _settled(estimate: "Estimate | wire.Estimate") -> bool:
    return bool(estimate.targets) and all(word != "warmup" for _, word in estimate.flags)


def _expected(value: float | None) -> float:
    return float("nan") if value is None else value
