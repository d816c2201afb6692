"""``rtaffect doctor``: is everything in place on this machine, and what to do where it is not."""

import os
import platform
import socket
import sys
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Literal

import typer

from rtaffect.core.errors import RtaffectError
from rtaffect.text import printable

OLDEST_LSL = (1, 18)
SELF_TEST_S = 5.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report.

    Parameters
    ----------
    state : {"ok", "warn", "fail"}
        With a warning rtaffect works, with less; with a failure it does not.
    what : str
        What was looked at and found.
    advice : str
        What to do; empty when all is well.
    """

    state: Literal["ok", "warn", "fail"]
    what: str
    advice: str = ""


def doctor(
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="The port that estimates will go out on.")
    ] = 5577,
) -> None:
    """Check this machine: libraries, LSL, models, the port; say what to do.

    Example: rtaffect doctor

    It opens an LSL stream of its own for a moment and looks for it. Exit code 1 when something
    keeps rtaffect from working.
    """
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    styles = {"ok": "green", "warn": "yellow", "fail": "bold red"}
    n_failures = 0
    for finding in _findings(port):
        n_failures += finding.state == "fail"
        console.print(
            Text(f"{finding.state:5}", style=styles[finding.state]) + printable(finding.what)
        )
        for line in finding.advice.splitlines():
            console.print(Text("      " + line, style="dim"))
    if n_failures:
        console.print(f"{n_failures} to repair before rtaffect works here.", style="bold red")
        raise typer.Exit(1)
    console.print("rtaffect works here.", style="green")


def _findings(port: int) -> Iterator[Finding]:
    yield from _python()
    yield from _threads()
    for check in (_lsl, _duplicates, _frames, _models, _faces):
        yield from _guarded(check)
    yield from _port(port)


def _guarded(check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """Yield a check's findings; an error of ours is one of them."""
    try:
        yield from check()
    except RtaffectError as error:
        first, _, rest = str(error).partition("\n")
        yield Finding("fail", first, rest)


def _python() -> Iterator[Finding]:
    libc = " ".join(platform.libc_ver())
    where = f"{platform.system()} {platform.machine()}{f', {libc}' if libc.strip() else ''}"
    yield Finding("ok", f"Python {platform.python_version()} on {where}")
    versions = {}
    for name in ("rtaffect", "numpy", "scipy", "mne", "pylsl", "pyzmq"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            yield Finding(
                "fail", f"{name} is not installed", f"{sys.executable} -m pip install {name}"
            )
    yield Finding("ok", ", ".join(f"{name} {number}" for name, number in versions.items()))


def _threads() -> Iterator[Finding]:
    counts = {
        name: os.environ.get(name, "unset") for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")
    }
    shown = ", ".join(f"{name}={count}" for name, count in counts.items())
    if set(counts.values()) == {"1"}:
        yield Finding("ok", f"One thread for linear algebra ({shown})")
    else:
        advice = (
            "More than one costs processor time and latency here; unset both and rtaffect sets 1."
        )
        yield Finding("warn", f"Linear algebra may use several threads ({shown})", advice)


def _lsl() -> Iterator[Finding]:
    import time

    import numpy as np

    from rtaffect.core.streams import Chunk, StreamInfo
    from rtaffect.publish.lsl import LslSender
    from rtaffect.sources.lsl_inlet import FoundStream, Inlet, library_version, resolve_again

    if tuple(map(int, library_version().split("."))) < OLDEST_LSL:
        advice = "Older than 1.18 it finds only some of several local streams: update pylsl."
        yield Finding("warn", f"liblsl {library_version()}", advice)
    else:
        yield Finding("ok", f"liblsl {library_version()}")
    name = f"rtaffect-doctor-{uuid.uuid4().hex[:8]}"
    info = StreamInfo(
        modality="test", name=name, stype="Test", source_id=name, ch_names=("a",), sfreq=0.0
    )
    wanted = FoundStream(
        name=name,
        stype="Test",
        source_id=name,
        hostname="",
        uid="",
        n_channels=1,
        sfreq=0.0,
        dtype="float32",
    )
    with closing(LslSender((info,))) as sender:
        started = time.monotonic()
        found = resolve_again(wanted, but=frozenset(), timeout_s=SELF_TEST_S)
        took_s = time.monotonic() - started
        if found is None:
            yield Finding(
                "fail",
                f"LSL does not find a stream of this very machine within {SELF_TEST_S:g} s",
                "A firewall or VPN may block UDP 16571 to 16604 on loopback: allow Python there,\n"
                "or put into lsl_api.cfg: [lab] KnownPeers = {127.0.0.1}",
            )
            return
        with closing(Inlet(found)) as inlet:
            inlet.open(SELF_TEST_S)
            stamps_s = np.array([time.monotonic()])
            sender.push(Chunk("test", np.ones((1, 1), np.float32), stamps_s, 0.0))
            _, received_s = inlet.pull(SELF_TEST_S)
    if len(received_s):
        yield Finding(
            "ok", f"LSL finds a local stream in {took_s * 1e3:.1f} ms and receives from it"
        )
    else:
        advice = "A firewall may block TCP 16572 to 16604 on loopback: allow Python there."
        yield Finding("fail", "LSL finds a local stream, and no sample arrives", advice)


def _duplicates() -> Iterator[Finding]:
    from rtaffect.sources.lsl_inlet import resolve

    found = resolve(1.0)
    counts = Counter(stream.source_id for stream in found if stream.source_id)
    for source_id, count in counts.items():
        if count > 1:
            advice = (
                "Give each sender its own, or stop the copies; a session cannot tell them apart."
            )
            yield Finding("warn", f"{count} streams have the source_id {source_id!r}", advice)
    for stream in found:
        if not stream.source_id:
            advice = "Without one it cannot be found again for sure after a restart."
            yield Finding("warn", f"{stream} has no source_id", advice)
    yield Finding("ok", f"{len(found)} LSL streams on the network (`rtaffect streams`)")


def _frames() -> Iterator[Finding]:
    """Look at streams of fMRI, which no two senders describe alike: see docs/roi-stream.md."""
    from rtaffect.sources.lsl_inlet import discover

    for stream in (found for found in discover(1.0) if found.stype == "fMRI"):
        lacks = []
        if "acquisition.tr_s" not in stream.about:
            lacks.append("acquisition/tr_s: nobody can tell whether its TR suits a model")
        if not any(stream.ch_names):
            lacks.append("channels/channel/label: regions are matched by their names")
        if stream.sfreq > 0:
            lacks.append("a nominal rate of 0 (irregular): others would move stamps that are right")
        if lacks:
            advice = "\n".join(f"It should declare {lack}" for lack in lacks)
            yield Finding("warn", f"{stream} is not described as docs/roi-stream.md asks", advice)
        else:
            tr_s = stream.about["acquisition.tr_s"]
            yield Finding("ok", f"{stream.name!r}: {stream.n_channels} regions, TR {tr_s} s")


def _models() -> Iterator[Finding]:
    from rtaffect.bundle import load_bundle, shipped_bundles
    from rtaffect.decode.session import GraphRunner

    bundles = shipped_bundles()
    if not bundles:
        yield Finding("fail", "No model ships with this copy", "Install rtaffect again.")
    for name, path in bundles.items():
        bundle = load_bundle(path)
        runners = [
            GraphRunner(bundle.read_graph(graph), name=graph.file, provider="auto")
            for graph in bundle.manifest.graphs.by_role.values()
        ]
        yield Finding("ok", f"{name}: files as signed, runs on {runners[0].provider}")


def _faces() -> Iterator[Finding]:
    """Look for ways to find a face in a picture: only `rtaffect face` needs one."""
    from importlib.util import find_spec

    if missing := [name for name in ("cv2", "platformdirs") if find_spec(name) is None]:
        advice = "Only `rtaffect face` needs them: pip install 'rtaffect[face]'"
        yield Finding("warn", f"Without {' and '.join(missing)} no face is tracked here", advice)
        return
    from rtaffect.face.backends import survey
    from rtaffect.face.models import SET_UP

    reasons = survey()
    works = [name for name, reason in reasons.items() if not reason]
    told = "\n".join(f"{name}: {reason}" for name, reason in reasons.items() if reason)
    if works:
        others = f" (also {', '.join(works[1:])})" if works[1:] else ""
        yield Finding("ok", f"Faces are found by {works[0]}{others}")
    else:
        yield Finding("warn", "No way to find a face works here", f"{told}\n{SET_UP}")


def _port(port: int) -> Iterator[Finding]:
    with closing(socket.socket()) as probe:
        if sys.platform != "win32":  # as the publisher binds: a port that was just let go is free
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            advice = (
                "A session may be running. Stop it, or set publish.address in the session file."
            )
            yield Finding("warn", f"Port {port} is taken ({error.strerror})", advice)
        else:
            yield Finding("ok", f"Port {port} on 127.0.0.1 is free")
