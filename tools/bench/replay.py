"""Replay at full speed on one core: how many times real time, and what takes it."""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from shared import LIVE_BUNDLE, machine, one_core, open_bundle, record_simulated, say, table

from rtaffect.core.window import Window
from rtaffect.decode.decoder import Decoder
from rtaffect.engine import Engine
from rtaffect.publish.estimate_file import EstimateFile
from rtaffect.sources.recording import open_recording
from rtaffect.windows import open_chain


def best_of(n: int, work: Callable[[], object]) -> float:
    """Return the shortest time of `n` runs in seconds: other processes only ever add."""
    took = []
    for _ in range(n):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return min(took)


def main() -> None:
    """Record a simulated participant, replay it, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=180.0, help="length of the recording")
    parser.add_argument("--repeats", type=int, default=3, help="the best counts")
    parser.add_argument("--bundle", default=LIVE_BUNDLE, help="name or folder")
    args = parser.parse_args()
    one_core()
    bundle = open_bundle(args.bundle)
    with tempfile.TemporaryDirectory() as scratch:
        recording = Path(scratch) / "session.xdf"
        say(f"Recording {args.seconds:g} s of a simulated participant ...")
        record_simulated(recording, args.seconds)
        source = open_recording([recording])
        events = list(source.events())
        windows: list[Window] = []
        runs = iter(range(args.repeats))

        def chain() -> None:
            windows.clear()
            made = open_chain(bundle.manifest.windows, source.infos)
            for event in events:
                windows.extend(made.push(event))

        def decode() -> None:
            decoder = Decoder(bundle, infos=source.infos, provider="cpu")
            for window in windows:
                decoder.decode(window)

        def whole() -> None:
            again = open_recording([recording])
            decoder = Decoder(bundle, infos=again.infos, provider="cpu")
            out = Path(scratch) / f"estimates-{next(runs)}.jsonl"
            Engine(again, [decoder], [EstimateFile(out, {decoder.name: bundle})]).run()

        stages = {
            "read the file": best_of(
                args.repeats, lambda: list(open_recording([recording]).events())
            ),
            "events to windows": best_of(args.repeats, chain),
            "load the model, windows to estimates": best_of(args.repeats, decode),
            "all of it, estimates into a file": best_of(args.repeats, whole),
        }
    rows = [
        (name, f"{took / args.seconds * 1e3:.2f}", f"{args.seconds / took:.0f}")
        for name, took in stages.items()
    ]
    print(f"### Replay, one core ({args.seconds:g} s, {len(windows)} windows)\n\n{machine()}\n")
    print(table(("stage", "ms per second of EEG", "x real time"), rows), "\n")


if __name__ == "__main__":
    main()
