"""An hour of accelerated input through engine, publisher and recorder: does memory stay flat?"""

import argparse
import gc
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil  # type: ignore[import-untyped]
from shared import LIVE_BUNDLE, free_address, machine, open_bundle, say, table

from rtaffect.core.streams import Event
from rtaffect.decode.decoder import Decoder
from rtaffect.engine import Engine
from rtaffect.publish.messages import session_body
from rtaffect.publish.recorder import Recorder
from rtaffect.publish.zmq import ZmqPublisher
from rtaffect.simulate.participant import Participant
from rtaffect.simulate.source import SimulatedSource

EVERY_S = 30.0
WARM_UP = 0.2


class WatchedSource(SimulatedSource):
    """A simulated participant that notes this process's memory every half minute of input.

    Without what is mapped from files, where the system tells: libraries come and go with its needs.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(Participant(7), seconds)
        self.notes: list[tuple[float, float]] = []

    def events(self) -> Iterator[Event]:
        """Yield the events."""
        me = psutil.Process()
        t_next = self.t_start
        for event in super().events():
            if event.t_received >= t_next:
                used = me.memory_info()
                mb = (used.rss - getattr(used, "shared", 0)) / 1e6
                self.notes.append((t_next - self.t_start, mb))
                t_next += EVERY_S
            yield event


def main() -> None:
    """Run the hour and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=1.0, help="of input")
    parser.add_argument("--bundle", default=LIVE_BUNDLE, help="name or folder")
    args = parser.parse_args()
    bundle = open_bundle(args.bundle)
    seconds = args.hours * 3600
    source = WatchedSource(seconds)
    decoder = Decoder(bundle, infos=source.infos, provider="cpu")
    bundles = {decoder.name: bundle}
    say(f"{seconds:g} s of input ...")
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "session.xdf"
        publisher = ZmqPublisher(
            free_address(),
            session=session_body(bundles, source.infos),
            session_id="soak",
            clock=None,
        )
        recorder = Recorder(path, source.infos, session={})
        gc.collect()
        summary = Engine(source, [decoder], [publisher, recorder]).run()
        size_mb = path.stat().st_size / 1e6
    took = time.monotonic() - began
    t, memory = np.array(source.notes).T
    settled = t >= WARM_UP * seconds
    slope = np.polyfit(t[settled] / 3600, memory[settled], 1)[0]
    rows = [
        ("input", f"{seconds:g} s, {summary.n_windows} windows, {size_mb:.0f} MB recorded"),
        ("took", f"{took:.0f} s, simulation included"),
        ("memory at the start", f"{memory[0]:.0f} MB"),
        (f"memory after {WARM_UP:.0%}", f"{memory[settled][0]:.0f} MB"),
        ("memory at the end", f"{memory[-1]:.0f} MB"),
        ("slope after that", f"{slope:+.1f} MB per hour of input"),
        ("sinks that failed", len(summary.failures)),
    ]
    print(f"### Soak\n\n{machine()}\n\n{table(('what', 'how much'), rows)}\n")


if __name__ == "__main__":
    main()
