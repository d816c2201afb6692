"""``rtaffect demo``: a simulated participant, decoded live, beside what the participant felt."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rtaffect.program import INTERRUPTED

if TYPE_CHECKING:
    from rtaffect.cli.demo_summary import Seen
    from rtaffect.cli.view import View
    from rtaffect.client import Subscriber
    from rtaffect.sources.lsl_inlet import Inlet

SEED = 90_001
"""The demo's participant: seeds from 1000 on are never trained on."""

START_S = 20.0
LOOK_S = 0.1
REFRESH_HZ = 10


def demo(
    duration: Annotated[
        float, typer.Option(min=30.0, max=600.0, help="Length of the session in seconds.")
    ] = 60.0,
    seed: Annotated[int, typer.Option(min=0, help="Who is simulated.")] = SEED,
) -> None:
    """See it work: a simulated participant is decoded live, with the truth beside the estimates.

    Example: rtaffect demo

    Four processes, as in a lab: a sender of EEG and face (LSL) and of volumes (as Pyneal's scanner
    side), the scanner process that makes regions of them, the decoder (LSL in, ZeroMQ out), and
    this view, which subscribes like any other application. It ends by itself with a summary; Ctrl-C
    ends it at any time.
    """
    from rtaffect.cli.demo_summary import tell_agreement
    from rtaffect.cli.running import tell

    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="rtaffect-demo-") as folder, _interruptible() as stop:
        tell(f"Starting simulated participant {seed} and the decoder ...")
        source_id = f"rtaffect-demo-{os.getpid()}"
        address, scanner = (f"tcp://127.0.0.1:{port}" for port in _free_ports(2))
        labels = Path(folder) / "labels.nii.gz"
        session = Path(folder) / "session.yaml"
        session.write_text(_session(source_id, address, scanner, labels), encoding="utf-8")
        sender = ["simulate", "--seed", str(seed), "--source-id", source_id]
        sender += ["--scanner", "pyneal", "--to", scanner, "--labels", str(labels)]
        with (
            _child(
                [*sender, "--duration", f"{duration + START_S:g}"], Path(folder) / "simulate.log"
            ) as participant,
            _written(labels, participant, stop),
            _child(
                ["live", str(session), "--quiet", "--duration", f"{duration:g}"],
                Path(folder) / "live.log",
            ) as decoder,
        ):
            seen = _watch(
                address, f"{source_id}-truth", decoder, Path(folder) / "live.log", stop=stop
            )
    if stop.is_set():
        raise typer.Exit(INTERRUPTED)
    tell_agreement(seen, seed=seed)
    tell(f"Took {time.monotonic() - started:.0f} s. Next: rtaffect --help")


def _watch(
    address: str,
    truth_id: str,
    decoder: "subprocess.Popen[bytes]",
    log: Path,
    *,
    stop: threading.Event,
) -> "Seen":
    """Show estimates beside the truth until the decoder ends, or somebody ends the demo."""
    from rich.console import Console
    from rich.live import Live

    from rtaffect.cli.demo_summary import Seen
    from rtaffect.cli.view import View
    from rtaffect.client import Subscriber

    seen = Seen()
    view = View(address)
    truth: Inlet | None = None
    console = Console(highlight=False)
    shown = Live(view, console=console, refresh_per_second=REFRESH_HZ)
    with Subscriber(address) as subscriber, shown if console.is_terminal else nullcontext():
        while decoder.poll() is None and not stop.is_set():
            if truth is None:
                truth = _truth(truth_id)
            else:
                _take_truth(truth, seen, view)
            _take(subscriber, seen, view)
        seen.n_dropped = sum(subscriber.n_dropped.values())
        if truth is not None:
            truth.close()
    if not stop.is_set() and (decoder.returncode != 0 or not seen.estimates):
        typer.echo(log.read_text(encoding="utf-8", errors="replace"), err=True)
        raise typer.Exit(1)
    return seen


def _take(subscriber: "Subscriber", seen: "Seen", view: "View") -> None:
    from rtaffect.sources.lsl_inlet import local_clock
    from rtaffect.wire import EstimateMessage, HealthMessage

    try:
        message = subscriber.receive(timeout_s=1 / REFRESH_HZ)
    except TimeoutError:
        return
    now = local_clock()
    view.take(message)
    if isinstance(message, EstimateMessage):
        seen.estimates.append(message)
        seen.latencies_s.append(now - message.t_closed)
    elif isinstance(message, HealthMessage):
        seen.n_gaps = {m: stream.n_gaps for m, stream in message.health.streams.items()}


def _truth(source_id: str) -> "Inlet | None":
    """Open the stream of the truth, once it is there. No session file can select it."""
    from rtaffect.sources.lsl_inlet import Inlet, resolve

    for found in resolve(0.2):
        if found.source_id == source_id:
            inlet = Inlet(found)
            inlet.open(2.0)
            return inlet
    return None


def _take_truth(inlet: "Inlet", seen: "Seen", view: "View") -> None:
    data, stamps = inlet.pull(0.0)
    if len(stamps):
        seen.truth += zip(stamps.tolist(), data[0].tolist(), data[1].tolist(), strict=True)
        view.truth = {"valence": float(data[0, -1]), "arousal": float(data[1, -1])}


def _session(source_id: str, address: str, scanner: str, labels: Path) -> str:
    from rtaffect.cli.demo_summary import BUNDLES
    from rtaffect.config import Session, dump_session
    from rtaffect.simulate.scanner_link import DELAY_S

    streams = {m: {"source_id": f"{source_id}-{m}"} for m in ("eeg", "face", "markers", "roi")}
    session = Session.model_validate(
        {
            "streams": streams,
            "decoders": tuple({"bundle": bundle, "name": name} for name, bundle in BUNDLES.items()),
            "mr": "corrected",  # what is simulated is EEG as it is behind the correction
            "scanner": {
                "input": {"kind": "pyneal", "address": scanner},
                "labels": {"image": str(labels), "names": "brainnetome"},
                "time": {"kind": "arrival", "delay_s": DELAY_S},
                "tr_s": 2.0,
                "start": True,
                "simulated": True,
                "source_id": f"{source_id}-roi",
            },
            "publish": {"address": address, "lsl": False},
        }
    )
    return dump_session(session)


def _free_ports(n: int) -> list[int]:
    """Return ports that were free, and differ."""
    with ExitStack() as probes:
        ports: list[int] = []
        for _ in range(n):
            probe = probes.enter_context(socket.socket())
            probe.bind(("127.0.0.1", 0))
            ports.append(probe.getsockname()[1])
        return ports


@contextmanager
def _written(
    path: Path, writer: "subprocess.Popen[bytes]", stop: threading.Event
) -> Iterator[None]:
    """Wait until a child has written a file, or ended, or somebody ends the demo."""
    while not path.exists() and writer.poll() is None and not stop.wait(LOOK_S):
        pass
    yield


@contextmanager
def _child(arguments: list[str], log: Path) -> "Iterator[subprocess.Popen[bytes]]":
    """Run a verb in a process of its own; whatever happens, it is gone at the end."""
    command = [sys.executable, "-m", "rtaffect", *arguments]
    with log.open("wb") as file:
        process = subprocess.Popen(  # noqa: S603  our own program
            command,
            stdout=file,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is this process's to handle
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(5.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """Yield what Ctrl-C and SIGTERM set; an exception at any line could leave a child behind."""
    stop = threading.Event()
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
