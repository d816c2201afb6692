"""Latency live: sender, consumer and subscriber in three processes, 32 channels at 512 Hz.

Measures the runtime without and with the live bundle's head, and in the same run the floor (bare
pylsl, Pearson in numpy, bare ZeroMQ) and two peers, each in an environment of its own.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from shared import (
    HERE,
    LIVE_BUNDLE,
    ProcessMeter,
    Use,
    end,
    first_line,
    free_address,
    headless,
    machine,
    open_bundle,
    p50_p99,
    peer_python,
    say,
    session_file,
    started,
    table,
)

SOURCE_ID = "rtaffect-bench"
SETTLE_S = 6.0  # after the first message: filters, the chain's first windows
START_S = 25.0
REQUIREMENTS = {
    "ezmsg": ("ezmsg-lsl", "pyzmq"),
    "mne-lsl": ("mne-lsl", "pyzmq"),
}
STAGES = ("queue", "windows", "decode", "publish", "compute")
REASONS = {"gap", "stale", "late", "missing", "warmup", "artifact"}
HEADER = (
    "consumer",
    "push",
    "compute ms, p50 / p99",
    "push to subscriber ms, p50 / p99",
    "age ms, p50 / p99",
    "CPU %",
    "RSS MB",
    "windows",
    "with a flagged gap",
    "with an unflagged gap",
)


@dataclass(frozen=True, slots=True)
class Run:
    """What one consumer did: the subscriber's notes, the sender's log, what was used."""

    notes: dict[str, list[Any]]
    log: npt.NDArray[np.float64]
    use: Use


def observe(
    command: Sequence[str | Path], *, python: Path | None, kind: str, push: str, seconds: float
) -> Run:
    """Run one consumer between a sender and a subscriber.

    Parameters
    ----------
    command : sequence of str or Path
        The consumer's arguments; ``{address}`` is replaced.
    python : Path or None
        Its interpreter; None is ours.
    kind : {"ours", "peer"}
        What it publishes.
    push : {"sample", "chunk"}
        How the sender pushes.
    seconds : float
        How long it is measured.
    """
    with tempfile.TemporaryDirectory() as scratch:
        log, out = Path(scratch) / "log.npy", Path(scratch) / "notes.json"
        address = command[command.index("--address") + 1] if kind == "peer" else command[-1]
        arguments = command if kind == "peer" else command[:-1]
        length = ("--seconds", str(seconds + SETTLE_S + START_S))
        sending = (HERE / "sender.py", "--source-id", SOURCE_ID, "--push", push, "--log", log)
        receiving = (HERE / "subscriber.py", "--address", address, "--kind", kind, "--out", out)
        with (
            started(*sending, *length) as sender,
            started(*receiving) as subscriber,
        ):
            first_line(sender)
            with started(*arguments, python=python) as consumer:
                first_line(subscriber)
                time.sleep(SETTLE_S)
                meter = ProcessMeter(consumer.pid)
                for _ in range(round(seconds)):
                    time.sleep(1.0)
                    meter.sample()
                use = meter.read()
                end(subscriber)
            end(sender)
        return Run(json.loads(out.read_text()), np.load(log), use)


def row_of_ours(name: str, push: str, run: Run) -> tuple[object, ...]:
    """Return the runtime's row."""
    began = run.notes["estimates"][0]["t"] + SETTLE_S
    estimates = [e for e in run.notes["estimates"] if e["t"] >= began]
    answers = [e for e in estimates if e["n_slices"]]  # the others cost less
    t = np.array([e["t"] for e in answers])
    t_closed = np.array([e["t_closed"] for e in answers])
    pushed = run.log[np.searchsorted(run.log[:, 1], t_closed, side="right") - 1, 1]
    n_lost = lost_samples(run)
    incomplete = [e for e in estimates if e["coverage"] < 1.0 and not REASONS & set(e["flags"])]
    unflagged = len(incomplete) if n_lost == 0 else f"{len(incomplete)} ({n_lost} samples lost)"
    return (
        name,
        push,
        p50_p99((t - t_closed) * 1e3),
        p50_p99((t - pushed) * 1e3),
        p50_p99(np.array([e["age_s"] for e in answers]) * 1e3, 0),
        f"{run.use.cpu_percent:.1f}",
        f"{run.use.rss_mb:.0f}",
        len(estimates),
        sum("gap" in e["flags"] for e in estimates),
        unflagged,
    )


def stages_of(name: str, push: str, run: Run) -> tuple[object, ...]:
    """Return what the runtime itself reports of its stages, at the end."""
    stages = run.notes["health"][-1]["stages"]
    cells = (f"{p50:.2f} / {p99:.2f}" for p50, p99 in (stages[key] for key in STAGES))
    return (name, push, *cells)


def lost_samples(run: Run) -> int:
    """Return how many samples the runtime did not get between its first and last report.

    Every report says how many samples came until then; the sender's log how many were pushed. The
    smallest difference of the first reports (nothing was on its way) must be that of the last ones.
    """
    t = np.array([h["t"] for h in run.notes["health"]])
    n_received = np.array([h["n_samples"] for h in run.notes["health"]])
    at = np.searchsorted(run.log[:, 1], t, side="right") - 1
    behind = run.log[at, 0] + 1 - n_received
    half = len(behind) // 2
    return int(behind[half:].min() - behind[:half].min())


def row_of_peer(name: str, push: str, run: Run) -> tuple[object, ...]:
    """Return a peer's row; its compute latency counts from its own sight of the closing sample."""
    began = run.notes["estimates"][0]["t"] + SETTLE_S
    estimates = [e for e in run.notes["estimates"] if e["t"] >= began]
    t = np.array([e["t"] for e in estimates])
    pushed = run.log[np.searchsorted(run.log[:, 0], [e["counter"] for e in estimates]), 1]
    return (
        name,
        push,
        p50_p99((t - np.array([e["t_arrival"] for e in estimates])) * 1e3),
        p50_p99((t - pushed) * 1e3),
        p50_p99((np.array([e["t_published"] for e in estimates]) - pushed) * 1e3, 0),
        f"{run.use.cpu_percent:.1f}",
        f"{run.use.rss_mb:.0f}",
        len(estimates),
        "-",
        sum(e["n_jumps"] > 0 for e in estimates),
    )


def main() -> None:
    """Run every consumer and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=75.0, help="measured time of each")
    parser.add_argument("--bundle", default=LIVE_BUNDLE, help="name or folder")
    parser.add_argument(
        "--push", nargs="+", choices=("sample", "chunk"), default=["sample", "chunk"]
    )
    parser.add_argument("--no-peers", action="store_true", help="only the floor beside us")
    args = parser.parse_args()
    bundle = open_bundle(args.bundle)
    rows: list[tuple[object, ...]] = []
    stages: list[tuple[object, ...]] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        ours = {
            "rtaffect without the head": headless(bundle, folder),
            f"rtaffect, {bundle.manifest.name}": bundle,
        }
        peers: dict[str, tuple[Path | None, str]] = {
            "floor: bare pylsl, Pearson, zmq": (None, "peer_pylsl.py")
        }
        if not args.no_peers:
            for name, file in (("ezmsg", "peer_ezmsg.py"), ("mne-lsl", "peer_mne_lsl.py")):
                if python := peer_python(name, REQUIREMENTS[name]):
                    label = {"ezmsg": "ezmsg-lsl", "mne-lsl": "mne-lsl callback"}[name]
                    peers[label] = (python, file)
        for push in args.push:
            for name, (python, file) in peers.items():
                say(f"{name}, push by {push}")
                command = (HERE / file, "--source-id", SOURCE_ID, "--address", free_address())
                run = observe(command, python=python, kind="peer", push=push, seconds=args.seconds)
                rows.append(row_of_peer(name, push, run))
            for name, model in ours.items():
                say(f"{name}, push by {push}")
                address = free_address()
                session = session_file(folder, model, source_id=SOURCE_ID, address=address)
                live = ("-m", "rtaffect", "live", session, "--quiet", address)
                run = observe(live, python=None, kind="ours", push=push, seconds=args.seconds)
                rows.append(row_of_ours(name, push, run))
                stages.append(stages_of(name, push, run))
    print(f"### Latency, live ({args.seconds:g} s each)\n\n{machine()}\n\n{table(HEADER, rows)}\n")
    print("Stages as the runtime reports them (ms, p50 / p99; queue: every event):\n")
    print(table(("consumer", "push", *STAGES), stages), "\n")


if __name__ == "__main__":
    main()
