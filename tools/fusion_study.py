"""Does fusion know more than its best member? On simulated participants, whose truth is known.

python tools/fusion_study.py                     the table of docs/fusion.md (about ten minutes)
python tools/fusion_study.py --subjects 4        a quick look

Every participant is simulated with EEG, face and fMRI, decoded by the shipped models, and fused by
the runtime's own engine; once as is, and once with each modality turned to noise. Answers are
compared with the truth at the moment that they speak of. Participants are of seeds that no shipped
model was trained, selected or tested on.
"""

import argparse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from offline.metrics.intervals import Difference, paired_difference
from rtaffect.bundle import Bundle, find_bundle, load_bundle
from rtaffect.config.fusion import FusionSettings
from rtaffect.core.estimate import Estimate
from rtaffect.core.face_features import FACE_FEATURES
from rtaffect.core.fused import ALIGNED, LATEST
from rtaffect.core.health import Health
from rtaffect.core.sinks import Matrix, Timing
from rtaffect.core.streams import Event
from rtaffect.decode.decoder import Decoder
from rtaffect.decode.fusion import Fusion
from rtaffect.decode.membership import membership_of
from rtaffect.engine import Engine
from rtaffect.simulate.bold import BoldSettings
from rtaffect.simulate.fault import Fault
from rtaffect.simulate.participant import Participant
from rtaffect.simulate.sample_faults import Absent, ChannelFault, NotANumber
from rtaffect.simulate.source import SimulatedSource

FIRST_SEED = 5000
T_START = 1000.0
SETTLED_S = 40.0
"""Before that filters, norms and the first window of fMRI are not settled; nothing is scored."""

LEAST_P = 1e-6
NOISE_UV = 200.0
MAX_INTENSITY = 5.0
"""Of an action unit."""

BUNDLES = {
    "eeg": "prior-dfcn-eeg",
    "face": "face-simulated",
    "eeg-face": "prior-dfcn-eeg-face",
    "fmri": "roi-simulated",
}
SESSIONS = {
    "EEG + face + fMRI": ("eeg", "face", "fmri"),
    "EEG + fMRI": ("eeg", "fmri"),
    "EEG with face + fMRI": ("eeg-face", "fmri"),
}
CONDITIONS = {
    "clean": "",
    "EEG is noise": "eeg",
    "fMRI is noise": "roi",
    "no face": "face",
    "face is nonsense": "face",
}
"""By name, which modality is not what it should be."""

TARGETS = ("valence", "arousal")


@dataclass(frozen=True, kw_only=True)
class Noise(ChannelFault):
    """Electrodes that touch nobody: white noise, and nothing else."""

    def shown(self, data: np.ndarray, stamps_s: np.ndarray) -> np.ndarray:
        rng = np.random.default_rng(int(stamps_s[0] * 1e6))
        return rng.normal(scale=NOISE_UV, size=data.shape).astype(data.dtype)


@dataclass(frozen=True, kw_only=True)
class Nonsense(ChannelFault):
    """A tracker that is as confident as ever, and whose features are any numbers."""

    modality: str = "face"
    channels: tuple[str, ...] = FACE_FEATURES

    def shown(self, data: np.ndarray, stamps_s: np.ndarray) -> np.ndarray:
        rng = np.random.default_rng(int(stamps_s[0] * 1e6))
        return rng.uniform(0.0, MAX_INTENSITY, size=data.shape).astype(data.dtype)


def faults_of(condition: str, duration_s: float) -> tuple[Fault, ...]:
    """What is wrong in a condition, from the first to the last second."""
    match condition:
        case "EEG is noise":
            return (Noise(start_s=0.0, duration_s=duration_s),)
        case "fMRI is noise":
            return (NotANumber(start_s=0.0, duration_s=duration_s, modality="roi", channels=()),)
        case "no face":
            return (Absent(start_s=0.0, duration_s=duration_s),)
        case "face is nonsense":
            return (Nonsense(start_s=0.0, duration_s=duration_s),)
        case _:
            return ()


@dataclass(frozen=True)
class Answers:
    """P(high) by target, and the truth, at the moments of one output; one participant."""

    truth: Mapping[str, np.ndarray]
    of: Mapping[str, Mapping[str, np.ndarray]]  # decoder or output -> target -> P(high)


@dataclass(frozen=True)
class Lived:
    """One participant in one condition: all that was estimated, in order."""

    participant: Participant
    estimates: Sequence[Estimate]


def live(seed: int, condition: str, duration_s: float, bundles: Mapping[str, Bundle]) -> Lived:
    participant = Participant(seed)
    source = SimulatedSource(
        participant, duration_s, chunk_s=0.25, t_start=T_START, bold=BoldSettings(),
        faults=faults_of(condition, duration_s),
    )  # fmt: skip
    decoders = [
        Decoder(bundle, name=name, infos=source.infos, provider="cpu")
        for name, bundle in bundles.items()
    ]
    kept = Kept()
    Engine(source, decoders, [kept]).run()
    return Lived(participant, kept.estimates)


class Kept:
    """A sink that keeps estimates."""

    def __init__(self) -> None:
        self.estimates: list[Estimate] = []

    def on_event(self, event: Event) -> None:
        pass

    def on_estimate(self, estimate: Estimate, timing: Timing) -> None:  # noqa: ARG002
        self.estimates.append(estimate)

    def on_health(self, health: Health) -> None:
        pass

    def wants_matrices(self, decoder: str) -> bool:  # noqa: ARG002
        return False

    def on_matrix(self, matrix: Matrix) -> None:
        pass

    def close(self) -> None:
        pass


def p_high(estimate: Estimate | None, target: str) -> float:
    """P(high), nothing being impossible; one half without an answer."""
    if estimate is None or target not in estimate.targets:
        return 0.5
    distribution = estimate.targets[target]
    assert distribution.edges == (-1.0, 0.0, 1.0)
    return min(max(distribution.probabilities[1], LEAST_P), 1 - LEAST_P)


def fused_answers(
    lived: Lived, bundles: Mapping[str, Bundle], settings: FusionSettings
) -> tuple[dict[str, Answers], list[Estimate]]:
    """Fuse as the engine does; return answers by output, and the fused estimates."""
    membership = membership_of(bundles, settings)
    assert membership is not None
    fusion = Fusion(membership, settings)
    newest: dict[str, Estimate] = {}
    told: dict[str, list[Estimate]] = {name: [] for name in bundles}
    rows: dict[str, dict[float, dict[str, dict[str, float]]]] = {LATEST: {}, ALIGNED: {}}
    every: list[Estimate] = []
    for estimate in lived.estimates:
        if estimate.decoder not in bundles:
            continue
        newest[estimate.decoder] = estimate
        told[estimate.decoder].append(estimate)
        for fused in fusion.push(estimate):
            if fused.t_end - T_START < SETTLED_S:
                continue
            every.append(fused)
            if fused.decoder == ALIGNED:
                moment = fused.t_end - fused.lag_s
                singles = {
                    name: p_of_moment(told[name], moment) if name != estimate.decoder
                    else {t: p_high(estimate, t) for t in TARGETS}
                    for name in bundles
                }  # fmt: skip
            elif estimate.decoder != "fmri" and fused.t_end % 2 == 0:
                moment = (fused.t_start + fused.t_end) / 2
                singles = {n: {t: p_high(newest.get(n), t) for t in TARGETS} for n in bundles}
            else:
                continue
            # Of several decoders of one window the last to answer has the last word.
            own = {t: p_high(fused, t) for t in TARGETS}
            rows[fused.decoder][moment] = {**singles, fused.decoder: own}
    return {name: _collected(lived.participant, one) for name, one in rows.items()}, every


def p_of_moment(estimates: Sequence[Estimate], moment: float) -> dict[str, float]:
    """What one decoder alone says of a moment: the mean over its windows about it."""
    about = [e for e in estimates if abs((e.t_start + e.t_end) / 2 - moment) <= 1 and e.targets]
    if not about:
        return dict.fromkeys(TARGETS, 0.5)
    found = {}
    for target in TARGETS:
        logits = [np.log(p / (1 - p)) for e in about for p in [p_high(e, target)]]
        found[target] = float(1 / (1 + np.exp(-np.mean(logits))))
    return found


def _collected(
    participant: Participant, rows: Mapping[float, dict[str, dict[str, float]]]
) -> Answers:
    moments = np.array(list(rows)) - T_START
    valence, arousal = participant.course.at(moments)
    said = list(rows.values())
    return Answers(
        truth={"valence": valence > 0, "arousal": arousal > 0},
        of={n: {t: np.array([row[n][t] for row in said]) for t in TARGETS} for n in said[0]},
    )


def balanced_accuracy(p: np.ndarray, truth: np.ndarray) -> float:
    """Mean over the two classes of the share that is answered right; a tie is half right."""
    right = np.where(p == 0.5, 0.5, (p > 0.5) == truth)
    return float(np.mean([right[truth].mean(), right[~truth].mean()]))


def nll(p: np.ndarray, truth: np.ndarray) -> float:
    """Mean of minus the logarithm of what was given to what is true."""
    return float(-np.mean(np.log(np.where(truth, p, 1 - p))))


SCORES = {"balanced accuracy": (balanced_accuracy, 1.0), "NLL": (nll, -1.0)}
"""By name: the score, and whether more of it is better."""


@dataclass(frozen=True)
class Row:
    """One line of the table: every single decoder, the fused output, and the difference."""

    session: str
    condition: str
    output: str
    target: str
    score: str
    singles: Mapping[str, float]
    fused: float
    best: str
    gain: Difference
    """Fused minus the best single, above 0 where fused is better."""


def compared(
    session: str, condition: str, output: str, by_subject: Mapping[str, Answers]
) -> Iterator[Row]:
    names = [name for name in next(iter(by_subject.values())).of if name != output]
    for target in TARGETS:
        for score, (measure, sign) in SCORES.items():
            scores = {
                name: {
                    subject: sign * measure(answers.of[name][target], answers.truth[target])
                    for subject, answers in by_subject.items()
                }
                for name in (*names, output)
            }
            means = {name: float(np.mean(list(each.values()))) for name, each in scores.items()}
            best = max(names, key=means.__getitem__)
            yield Row(
                session, condition, output, target, score,
                {name: sign * means[name] for name in names}, sign * means[output], best,
                paired_difference(scores[output], scores[best], seed=0),
            )  # fmt: skip


def study(
    bundles: Mapping[str, Bundle],
    *,
    n_subjects: int,
    duration_s: float,
    settings: FusionSettings,
    conditions: Iterable[str] = CONDITIONS,
) -> tuple[list[Row], dict[tuple[str, str], dict[str, float]]]:
    """Return all rows, and by session and condition mean coverage and weights."""
    rows: list[Row] = []
    facts: dict[tuple[str, str], dict[str, float]] = {}
    for condition in conditions:
        lived = {}
        for seed in range(FIRST_SEED, FIRST_SEED + n_subjects):
            lived[str(seed)] = live(seed, condition, duration_s, bundles)
            print(f"{condition}: {seed}", flush=True)
        for session, members in SESSIONS.items():
            chosen = {name: bundles[name] for name in members}
            heard = {m for one in chosen.values() for m in one.manifest.windows.modalities}
            if CONDITIONS[condition] and CONDITIONS[condition] not in heard:
                continue
            found = {s: fused_answers(one, chosen, settings) for s, one in lived.items()}
            for output in (LATEST, ALIGNED):
                by_subject = {subject: answers[output] for subject, (answers, _) in found.items()}
                rows += compared(session, condition, output, by_subject)
            every = [e for _, estimates in found.values() for e in estimates]
            facts[session, condition] = _facts(every, members)
    return rows, facts


def _facts(estimates: Sequence[Estimate], members: Sequence[str]) -> dict[str, float]:
    modalities = sorted({m for e in estimates for m in e.coverage})
    coverage = {f"coverage {m}": np.mean([e.coverage[m] for e in estimates]) for m in modalities}
    weights = {
        f"weight {m}": np.mean([e.contributions.get(m, 0.0) for e in estimates]) for m in members
    }
    return {name: float(value) for name, value in (coverage | weights).items()}


def table(rows: Sequence[Row], facts: Mapping[tuple[str, str], Mapping[str, float]]) -> str:
    """Return the tables as Markdown: a line for both scores of a target."""
    lines = [
        "| decoders | condition | output | target | balanced accuracy of each alone | fused | "
        "gain [95 % CI] | gain in NLL [95 % CI] |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row, other in zip(rows[::2], rows[1::2], strict=True):
        assert (row.score, other.score) == tuple(SCORES)
        alone = ", ".join(f"{name} {value:.3f}" for name, value in row.singles.items())
        lines.append(
            f"| {row.session} | {row.condition} | {row.output.removeprefix('fused-')} | "
            f"{row.target} | {alone} | {row.fused:.3f} | {_gain(row)} | {_gain(other)} |"
        )
    lines += ["", "| decoders | condition | coverage | weights |", "|---|---|---|---|"]
    for (session, condition), values in facts.items():
        parts = {
            what: ", ".join(
                f"{name.removeprefix(what)} {value:.2f}"
                for name, value in values.items()
                if name.startswith(what)
            )
            for what in ("coverage ", "weight ")
        }
        lines.append(f"| {session} | {condition} | {parts['coverage ']} | {parts['weight ']} |")
    return "\n".join(lines) + "\n"


def _gain(row: Row) -> str:
    gain = row.gain.value
    return f"{gain.value:+.3f} [{gain.ci_low:+.3f}, {gain.ci_high:+.3f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--subjects", type=int, default=12)
    parser.add_argument("--duration", type=float, default=200.0, help="seconds a session")
    parser.add_argument("--roi", default=BUNDLES["fmri"], help="bundle of the fMRI decoder")
    parser.add_argument("--tau", type=float, default=FusionSettings().tau_s)
    parser.add_argument("--out", type=Path, help="write the tables there, too")
    arguments = parser.parse_args()
    names = {**BUNDLES, "fmri": arguments.roi}
    bundles = {name: load_bundle(find_bundle(given)) for name, given in names.items()}
    rows, facts = study(
        bundles,
        n_subjects=arguments.subjects,
        duration_s=arguments.duration,
        settings=FusionSettings(tau_s=arguments.tau),
    )
    text = table(rows, facts)
    print(text)
    if arguments.out is not None:
        arguments.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
