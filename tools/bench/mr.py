"""EEG inside a scanner: what correcting it costs, and how much of the artifacts is left."""

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import psutil  # type: ignore[import-untyped]
from scipy import signal
from shared import machine, one_core, p50_p99, say, table

from rtaffect.core.mr import GradientSpec, MrSpec
from rtaffect.core.streams import Chunk
from rtaffect.signal.mr import MrCorrector
from rtaffect.simulate.mr import MagnetSettings, ScannedEeg
from rtaffect.simulate.participant import Participant
from rtaffect.simulate.source import SimulatedSource

SFREQ = 5000
N_EEG = 32
Floats = npt.NDArray[np.float64]
BANDS_HZ = {
    "delta": (1, 4),
    "theta": (4, 8),
    "alpha": (8, 13),
    "beta": (13, 30),
    "gamma": (30, 45),
}
SCENES = {
    "one clock": (MagnetSettings(), MrSpec()),
    "one clock, align: sample": (
        MagnetSettings(),
        MrSpec(gradient=GradientSpec(align="sample")),
    ),
    "clocks 20 ppm apart": (MagnetSettings(clock_ppm=20.0), MrSpec()),
    "clocks 20 ppm apart, align: sample": (
        MagnetSettings(clock_ppm=20.0),
        MrSpec(gradient=GradientSpec(align="sample")),
    ),
    "artifact wanders by 2 %": (MagnetSettings(drift=0.02), MrSpec()),
    "no ECG": (MagnetSettings(), MrSpec()),
    "gradients only": (MagnetSettings(pulse_uv=1e-9), MrSpec(pulse=None)),
}


def corrected(
    magnet: MagnetSettings, spec: MrSpec, *, seconds: float, chunk_s: float, with_ecg: bool
) -> tuple[Floats, list[float]]:
    """Correct a simulated session; return the EEG and what each chunk took, in seconds."""
    source = SimulatedSource(Participant(2), seconds, sfreq=SFREQ, chunk_s=chunk_s, magnet=magnet)
    infos = dict(source.infos)
    if not with_ecg:
        names = tuple("AUX" if name == "ECG" else name for name in infos["eeg"].ch_names)
        units = ("uV",) * N_EEG + ("",)
        infos["eeg"] = replace(infos["eeg"], ch_names=names, units=units)
    corrector = MrCorrector(spec, infos)
    out, took = [], []
    for event in source.events():
        began = time.thread_time()
        pushed = corrector.push(event)
        if isinstance(pushed, Chunk) and pushed.modality == "eeg":
            took.append(time.thread_time() - began)
            out.append(pushed.data[:N_EEG])
    return np.concatenate(out, axis=1), took


def powers(x: Floats) -> dict[str, float]:
    """Return the power in each band, over all channels."""
    hz, power = signal.welch(x, SFREQ, nperseg=2 * SFREQ)
    return {name: power[:, (hz >= a) & (hz < b)].sum() for name, (a, b) in BANDS_HZ.items()}


def alpha_course(x: Floats) -> Floats:
    """Return the logarithm of alpha power of each channel and second, each channel's mean off."""
    seconds = x.reshape(len(x), -1, SFREQ)
    hz, power = signal.welch(seconds, SFREQ, nperseg=SFREQ)
    course = np.log(power[..., (hz >= 8) & (hz < 13)].sum(axis=-1))
    return np.asarray(course - course.mean(axis=1, keepdims=True))


def quality(seconds: int) -> list[Sequence[object]]:
    """Return a row a scene: what is left against the clean EEG, over the last half, in dB."""
    rows: list[Sequence[object]] = []
    for name, (magnet, spec) in SCENES.items():
        say(f"{name} ...")
        out, _ = corrected(magnet, spec, seconds=seconds, chunk_s=0.1, with_ecg=name != "no ECG")
        scanned = ScannedEeg(Participant(2), SFREQ, magnet)
        late = range(seconds // 2, seconds)
        there = [s for s in late if np.isfinite(out[:, s * SFREQ : (s + 1) * SFREQ]).all()]
        spans = [(s * SFREQ, (s + 1) * SFREQ) for s in there]
        clean = np.concatenate([scanned.clean(*span)[:N_EEG] for span in spans], axis=1)
        raw = clean + np.concatenate([scanned.artifacts(*span)[:N_EEG] for span in spans], axis=1)
        got = np.concatenate([out[:, slice(*span)] for span in spans], axis=1)
        before, left, wanted = powers(raw - clean), powers(got - clean), powers(clean)
        course = alpha_course(clean).ravel()
        r_raw = np.corrcoef(alpha_course(raw).ravel(), course)[0, 1]
        r_got = np.corrcoef(alpha_course(got).ravel(), course)[0, 1]
        cells = [
            f"{db(before[band], wanted[band]):+.0f} / {db(left[band], wanted[band]):+.1f}"
            for band in BANDS_HZ
        ]
        rows.append((name, *cells, f"{r_raw:.2f} / {r_got:.2f}", f"{len(there) / len(late):.0%}"))
    return rows


def db(power: float, reference: float) -> float:
    """Return a ratio of powers in decibels."""
    return 10.0 * float(np.log10(power / reference))


def speed(seconds: float) -> list[Sequence[object]]:
    """Return a row a chunk length: the share of one core, and how long a chunk takes."""
    rows: list[Sequence[object]] = []
    for chunk_s in (0.004, 0.02, 0.1):
        say(f"chunks of {chunk_s * 1e3:g} ms ...")
        _, took = corrected(
            MagnetSettings(clock_ppm=20.0),
            MrSpec(),
            seconds=seconds,
            chunk_s=chunk_s,
            with_ecg=True,
        )
        ms = 1e3 * np.array(took)
        rows.append(
            (
                f"{chunk_s * 1e3:g}",
                f"{100 * sum(took) / seconds:.1f}",
                f"{seconds / sum(took):.0f}",
                p50_p99(ms),
                f"{ms.max():.1f}",
            )
        )
    return rows


def memory(seconds: float) -> str:
    """Return how memory grows while a session of any length is corrected, in words."""
    source = SimulatedSource(
        Participant(2), seconds, sfreq=SFREQ, chunk_s=0.1, magnet=MagnetSettings(tr_s=1.0)
    )
    corrector = MrCorrector(MrSpec(), source.infos)
    process, seen = psutil.Process(), []
    for event in source.events():
        corrector.push(event)
        seen.append(process.memory_info().rss / 2**20)
    third = len(seen) // 3
    return f"{max(seen[third : 2 * third]):.0f} MB, then {max(seen[2 * third :]):.0f} MB"


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=120, help="length of each session")
    args = parser.parse_args()
    one_core()
    print(f"### EEG inside a scanner ({N_EEG} channels and an ECG, {SFREQ} Hz, TR 2 s)\n")
    print(f"{machine()}\n")
    header = (
        "chunk, ms",
        "% of one core",
        "x real time",
        "p50 / p99 a chunk, ms of the core",
        "most",
    )
    print(table(header, speed(args.seconds)), "\n")
    print(f"Memory of the process, second and last third: {memory(args.seconds)}\n")
    words = "artifact / what is left, dB of the clean EEG"
    columns = ("", *BANDS_HZ, "r of alpha power, before / after", "seconds that came")
    print(f"{words}:\n\n{table(columns, quality(args.seconds))}\n")


if __name__ == "__main__":
    main()
