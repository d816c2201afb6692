"""Volumes from the scanner process's socket to estimates of a 3D-CNN: latency, and memory.

The network has fresh weights: it is here for its size. Volumes are sent every 40 ms instead of
every two seconds, by a process of its own; everything is recorded, a NIfTI file a volume.
"""

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import psutil  # type: ignore[import-untyped]
from shared import free_address, machine, one_core, p50_p99, say, table

from rtaffect.bundle import load_bundle
from rtaffect.core.estimate import Estimate
from rtaffect.core.health import Health
from rtaffect.core.sinks import Matrix, Timing
from rtaffect.core.spec import VolumeSpec, WindowSpec
from rtaffect.core.streams import Event, StreamInfo, VolumeChunk
from rtaffect.core.volume_message import VOLUME_MODALITY, VOLUME_STYPE, VolumeMessage
from rtaffect.decode.decoder import Decoder
from rtaffect.engine import Engine
from rtaffect.publish.recorder import Recorder
from rtaffect.publish.volumes import VolumePublisher
from rtaffect.sources.lsl_inlet import local_clock
from rtaffect.sources.volumes import VolumeSource

SHAPE = (64, 64, 36)
AFFINE = np.array([[3.0, 0, 0, -96], [0, 3, 0, -96], [0, 0, 3.5, -60], [0, 0, 0, 1]])
EVERY_S = 0.1
N_DIFFERENT = 16
WARM_UP = 0.2


def export(folder: Path, grid: tuple[int, int, int]) -> None:
    """Write a 3D-CNN with fresh weights on a grid (in a process of its own: torch is large)."""
    import torch

    from offline.export import export_bundle
    from offline.models.cnn3d import CNN3DSettings
    from offline.models.contract import Shapes
    from rtaffect.manifest import DataSet, Target, Training

    spec = VolumeSpec(shape=grid, sfreq=1 / EVERY_S)
    windows = WindowSpec(
        window_s=EVERY_S,
        hop_s=EVERY_S,
        max_wait_s=5.0,
        stale_s=5.0,
        closes=VOLUME_MODALITY,
        modalities={VOLUME_MODALITY: spec},
    )
    emotions = ("happiness", "fear", "sadness", "love", "anger")
    shapes = Shapes(windows=windows, targets={"emotion": len(emotions)})
    torch.manual_seed(0)
    training = Training(
        command="none: fresh weights, for their speed",
        recipe={},
        versions={},
        participants={"train": (), "validation": (), "test": ()},
        n_sequences={"train": 0, "validation": 0, "test": 0},
        metrics={"emotion": {}},
        data=DataSet(kind="none", title="nothing", simulated=True),
    )
    export_bundle(
        CNN3DSettings().build(shapes),
        folder,
        shapes=shapes,
        name="cnn3d",
        title="3D-CNN",
        summary="Fresh weights.",
        choices=(),
        t_min=1,
        t_max=1,
        targets={
            "emotion": Target(
                classes=emotions, edges=(), prior=(0.2,) * 5, skill=0.0, temperature=1.0
            )
        },
        training=training,
        examples={VOLUME_MODALITY: torch.randn(2, spec.n_rows, 1)},
    )


def send(address: str, n: int) -> None:
    """Publish volumes, after whoever listens is there; say when each left."""
    info = StreamInfo(
        modality=VOLUME_MODALITY,
        name="bench",
        stype=VOLUME_STYPE,
        source_id="bench",
        ch_names=(),
        sfreq=0.0,
        simulated=True,
        about={"acquisition.tr_s": f"{EVERY_S:g}"},
    )
    rng = np.random.default_rng(0)
    data = [rng.normal(900.0, 40.0, SHAPE).astype(np.int16) for _ in range(N_DIFFERENT)]
    publisher = VolumePublisher(address, info=info, clock=local_clock)
    _serve_until_asked(publisher)
    t_next = local_clock()
    for index in range(n):
        t_next += EVERY_S
        time.sleep(max(0.0, t_next - local_clock()))
        publisher.publish(
            VolumeMessage(
                data=data[index % N_DIFFERENT],
                affine=AFFINE,
                index=index,
                run="1",
                stamp_s=local_clock(),
            )
        )
    time.sleep(1.0)
    publisher.close()


def _serve_until_asked(publisher: VolumePublisher) -> None:
    """Serve until a line on standard input says that the listener is there."""
    asked = threading.Event()

    def listen() -> None:
        sys.stdin.readline()
        asked.set()

    threading.Thread(target=listen, daemon=True).start()
    while not asked.wait(0.05):
        publisher.serve()


class Watch:
    """A sink that notes when what came, and this process's memory."""

    def __init__(self, source: VolumeSource, n: int) -> None:
        self._source = source
        self._n = n
        self._process = psutil.Process()
        self.n_volumes = 0
        self.arrival: list[float] = []  # ms from the socket's other end to this one
        self.answer: list[float] = []  # and to the estimate
        self.memory_mb: list[tuple[int, float]] = []

    def on_event(self, event: Event) -> None:
        """Note a volume."""
        if isinstance(event, VolumeChunk):
            self.n_volumes += 1
            self.arrival.append(1e3 * (event.t_received - float(event.stamps_s[0])))
            if self.n_volumes % 20 == 0:
                self.memory_mb.append((self.n_volumes, self._process.memory_info().rss / 1e6))
            if event.index == self._n - 1:
                self._source.close()

    def on_estimate(self, estimate: Estimate, timing: Timing) -> None:
        """Note how old an answer's volume is."""
        if estimate.targets:
            self.answer.append(1e3 * (timing.t_decoded - estimate.t_end))

    def on_health(self, health: Health) -> None:
        """Ignore."""

    def wants_matrices(self, decoder: str) -> bool:  # noqa: ARG002
        """Return False."""
        return False

    def on_matrix(self, matrix: Matrix) -> None:
        """Ignore."""

    def close(self) -> None:
        """Do nothing."""


def measure(bundle: Path, n: int, folder: Path) -> Watch:
    """Run the engine on volumes from another process."""
    address = free_address()
    command = [sys.executable, __file__, "--send", address, "--volumes", str(n)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, text=True) as sender:
        assert sender.stdin is not None, "asked for above"
        source = VolumeSource(address, wait_s=30.0, clock=local_clock).open()
        decoder = Decoder(load_bundle(bundle), infos=source.infos, provider="cpu")
        recorder = Recorder(folder / "bench.xdf", source.infos, session={})
        watch = Watch(source, n)
        sender.stdin.write("go\n")
        sender.stdin.flush()
        patience = threading.Timer(EVERY_S * n + 60.0, source.close)
        patience.start()
        summary = Engine(source, [decoder], [watch, recorder], clock=local_clock).run()
        patience.cancel()
        for failure in summary.failures:
            say(failure)
    return watch


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--volumes", type=int, default=2000)
    parser.add_argument("--grid", type=int, nargs=3, default=(32, 32, 18))
    parser.add_argument("--export", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--send", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.send:
        send(args.send, args.volumes)
        return
    if args.export:
        export(args.export, tuple(args.grid))
        return
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "cnn3d"
        grid = [str(side) for side in args.grid]
        subprocess.run(
            [sys.executable, __file__, "--export", str(bundle), "--grid", *grid], check=True
        )
        one_core()
        watch = measure(bundle, args.volumes, Path(folder))
    print(machine(), end="\n\n")
    print(
        f"{watch.n_volumes} volumes of {' x '.join(map(str, SHAPE))} (int16), one each "
        f"{1e3 * EVERY_S:.0f} ms; 3D-CNN on {' x '.join(grid)} voxels, one core, recorded.\n"
    )
    rows = [
        ("publication to arrival in the runtime", p50_p99(watch.arrival)),
        ("publication to estimate", p50_p99(watch.answer)),
    ]
    print(f"{table(('what', 'ms, p50 / p99'), rows)}\n")
    memory: npt.NDArray[np.float64] = np.array(watch.memory_mb)
    settled = memory[int(WARM_UP * len(memory)) :]
    slope = np.polyfit(settled[:, 0], settled[:, 1], 1)[0]
    print(
        f"Memory: {memory[0, 1]:.0f} MB after {memory[0, 0]:.0f} volumes, {settled[0, 1]:.1f} MB "
        f"after {settled[0, 0]:.0f}, {settled[-1, 1]:.1f} MB at the last; slope "
        f"{1000 * slope:+.2f} MB per 1000 volumes."
    )


if __name__ == "__main__":
    main()
