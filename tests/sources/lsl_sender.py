"""An LSL sender in a process of its own that can be killed: the sample's index is in channel 0."""

import json
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class Sender:
    """Runs `send` in a process; settings as of `send`."""

    def __init__(self, **settings: Any) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).resolve()), json.dumps(settings)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline().strip() == "ready"

    def kill(self) -> None:
        """End it as kill -9 does."""
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        if self.process.stdout is not None:
            self.process.stdout.close()


def send(
    *,
    source_id: str,
    stype: str,
    name: str = "rtaffect-test",
    labels: tuple[str, ...] = ("Fz", "Cz", "Pz"),
    unit: str = "uV",
    sfreq: float = 250.0,
    dtype: str = "float32",
    first: int = 0,
    simulated: bool = False,
) -> None:
    """Send samples ``[index, 1, 2, ...]`` at the nominal rate for ever (10 Hz when irregular)."""
    import pylsl

    info = pylsl.StreamInfo(name, stype, len(labels), sfreq, dtype, source_id)
    channels = info.desc().append_child("channels")
    for label in labels:
        channel = channels.append_child("channel")
        channel.append_child_value("label", label)
        channel.append_child_value("unit", unit)
    if simulated:
        info.desc().append_child_value("simulated", "true")
    outlet = pylsl.StreamOutlet(info)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    index, t_next = first, time.perf_counter()
    while True:
        sample = [index, *range(1, len(labels))]
        outlet.push_sample([f"événement {v}" for v in sample] if dtype == "string" else sample)
        index += 1
        t_next += 1 / (sfreq or 10.0)
        time.sleep(max(0.0, t_next - time.perf_counter()))


if __name__ == "__main__":
    send(**json.loads(sys.argv[1]))
