"""What the benchmarks share: words for the machine, tables, a process meter, processes, bundles."""

import hashlib
import os
import platform
import signal
import socket
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import psutil  # type: ignore[import-untyped]
import yaml

from rtaffect.bundle import Bundle, find_bundle, load_bundle, write_bundle
from rtaffect.publish.recorder import Recorder
from rtaffect.simulate.participant import Participant
from rtaffect.simulate.source import SimulatedSource

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
LIVE_BUNDLE = "prior-dfcn-eeg-face"
SFREQ, N_EEG, HOP_S, WINDOW_S = 512, 32, 0.25, 3.0

ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA")}


def machine() -> str:
    """Return words for this machine and the date, without its name."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [x for x in info.read_text().splitlines() if x.startswith(("model name", "flags"))]
        models = [x.split(":", 1)[1].strip() for x in lines if x.startswith("model name")]
        cpu = models[0] if models else cpu
        cpu += " (virtual machine)" if any(" hypervisor" in x for x in lines) else ""
    words = f"{os.cpu_count()} cores of {cpu}, {platform.system()}, Python "
    return f"{words}{platform.python_version()}; {time.strftime('%Y-%m-%d', time.gmtime())}"


def p50_p99(values: Sequence[float] | npt.NDArray[np.float64], digits: int = 2) -> str:
    """Return the median and the 99th percentile, as ``"p50 / p99"``."""
    if len(values) == 0:
        return "- / -"
    p50, p99 = np.percentile(np.asarray(values), [50, 99])
    return f"{p50:.{digits}f} / {p99:.{digits}f}"


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def say(text: str) -> None:
    """Tell the user what goes on, beside the tables on standard output."""
    print(text, file=sys.stderr, flush=True)


@dataclass(frozen=True, slots=True)
class Use:
    """What a process tree used: percent of one core, and the most memory in MB."""

    cpu_percent: float
    rss_mb: float


class ProcessMeter:
    """Measures a process and its children from its making to `read`."""

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self._t_0, self._cpu_0 = time.monotonic(), self._cpu_s()
        self._rss = 0.0
        self.sample()

    def sample(self) -> None:
        """Look at the memory."""
        self._rss = max(self._rss, sum(p.memory_info().rss for p in self._tree()))

    def read(self) -> Use:
        """Return what was used so far."""
        self.sample()
        elapsed = time.monotonic() - self._t_0
        return Use(100 * (self._cpu_s() - self._cpu_0) / elapsed, self._rss / 1e6)

    def _tree(self) -> list[psutil.Process]:
        return [self._root, *self._root.children(recursive=True)]

    def _cpu_s(self) -> float:
        return sum(sum(p.cpu_times()[:2]) for p in self._tree())


@contextmanager
def started(
    *arguments: str | Path, python: Path | None = None, quiet: bool = True
) -> Iterator[subprocess.Popen[str]]:
    """Run a Python program in a process group of its own; whatever happens, none is left."""
    process = subprocess.Popen(
        [str(python or sys.executable), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL if quiet else None,
        text=True,
        start_new_session=True,
        cwd=ROOT,
        env={**os.environ, **ONE_THREAD},
    )
    try:
        yield process
    finally:
        end(process)


def end(process: "subprocess.Popen[str]", patience_s: float = 10.0) -> None:
    """Ask a process to end, then make it and its children."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience_s)
    kill(process)


def kill(process: "subprocess.Popen[str]") -> None:
    """Kill a process group at once."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def first_line(process: "subprocess.Popen[str]") -> str:
    """Wait for what a process says first."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        msg = f"{process.args!r} ended before it said anything."
        raise RuntimeError(msg)
    return line.strip()


def free_address() -> str:
    """Return an address on loopback that nobody uses right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{probe.getsockname()[1]}"


def peer_python(name: str, requirements: Sequence[str]) -> Path | None:
    """Return the interpreter of a peer's own environment; None (and why) where pip has it not."""
    folder = ROOT / f".venv-bench-{name}"
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    complete = folder / "complete"
    if complete.exists():
        return python
    say(f"Installing {', '.join(requirements)} into {folder.name} ...")
    venv.create(folder, with_pip=True, clear=True)
    done = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", *requirements],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        say(f"Skipped {name}: pip cannot get it here ({last}).")
        return None
    complete.touch()
    return python


def open_bundle(name: str) -> Bundle:
    """Return a shipped bundle by name, or one by path."""
    return load_bundle(find_bundle(name))


def headless(bundle: Bundle, folder: Path) -> Bundle:
    """Write and return the same bundle with a head that only averages: everything but the head."""
    from onnx import TensorProto, helper

    manifest = bundle.manifest
    outputs = {name: len(target.classes) for name, target in manifest.targets.items()}
    nodes = [
        helper.make_node("ReduceMean", ["slices"], ["mean_4d"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("Reshape", ["mean_4d", "column"], ["mean"]),
    ]
    constants = [helper.make_tensor("column", TensorProto.INT64, [2], [1, 1])]
    for name, n in outputs.items():
        nodes.append(helper.make_node("MatMul", ["mean", f"{name}_weights"], [f"{name}_logits"]))
        nodes.append(helper.make_node("Softmax", [f"{name}_logits"], [name], axis=1))
        constants.append(
            helper.make_tensor(f"{name}_weights", TensorProto.FLOAT, [1, n], list(range(n)))
        )
    shape: list[int | str | None] = [1, "T", *manifest.slices.shape]
    graph = helper.make_graph(
        nodes,
        "mean",
        [helper.make_tensor_value_info("slices", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(k, TensorProto.FLOAT, [1, n]) for k, n in outputs.items()],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    data = model.SerializeToString()
    head = manifest.graphs.head.model_copy(update={"sha256": hashlib.sha256(data).hexdigest()})
    files = {
        manifest.graphs.encoder.file: bundle.read_graph(manifest.graphs.encoder),
        head.file: data,
    }
    graphs = manifest.graphs.model_copy(update={"head": head})
    changed = manifest.model_copy(update={"graphs": graphs, "name": "headless"})
    return write_bundle(folder / "headless", changed, files)


def session_file(
    folder: Path, bundle: Bundle, *, source_id: str, address: str, record: Path | None = None
) -> Path:
    """Write a session file that decodes a sender's EEG and face on the CPU."""
    path = folder / "session.yaml"
    content: Mapping[str, object] = {
        "streams": {
            "eeg": {"source_id": f"{source_id}-eeg"},
            "face": {"source_id": f"{source_id}-face"},
        },
        "decoders": [{"bundle": str(bundle.path), "name": "bench"}],
        "publish": {"address": address},
        "provider": "cpu",
        "record": None if record is None else {"path": str(record)},
    }
    path.write_text(yaml.safe_dump(content))
    return path


def record_simulated(path: Path, seconds: float) -> None:
    """Write a recording of a simulated participant: 32 channels at 512 Hz, and the face."""
    source = SimulatedSource(Participant(7), seconds, chunk_s=1 / 64)
    recorder = Recorder(path, source.infos, session={})
    for event in source.events():
        recorder.on_event(event)
    recorder.close()


def cpu_s() -> float:
    """Return what this process and its children that have ended computed so far, in seconds.

    Other processes that share the cores lengthen every duration, but this much less.
    """
    own = os.times()
    return own.user + own.system + own.children_user + own.children_system


def one_core() -> None:
    """Keep this process on one core, where the system allows to ask for it."""
    if sys.platform == "linux":
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def timed_ms(work: Callable[[], object], n: int) -> npt.NDArray[np.float64]:
    """Return how long each of `n` runs took, in milliseconds, after some that do not count."""
    for _ in range(max(3, n // 10)):
        work()
    took = np.empty(n)
    for i in range(n):
        began = time.perf_counter()
        work()
        took[i] = (time.perf_counter() - began) * 1e3
    return took
