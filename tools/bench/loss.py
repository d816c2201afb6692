"""Loss: the sender is killed and comes back 5 s later under the same source_id.

How long until the loss is flagged, how long until samples and usable windows are back, and how many
windows splice samples from before and after. Peers go through the same, one after the other.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared import (
    HERE,
    LIVE_BUNDLE,
    first_line,
    free_address,
    kill,
    machine,
    open_bundle,
    peer_python,
    say,
    session_file,
    started,
    table,
)
from shared import end as end_process

from rtaffect.core.streams import Chunk
from rtaffect.sources.recording import open_recording

SOURCE_ID = "rtaffect-bench-loss"
BEFORE_S, AWAY_S, AFTER_S = 8.0, 5.0, 14.0
ABSENCE = {"gap", "stale", "late", "missing"}
HEADER = (
    "consumer",
    "flagged after s",
    "first sample back after s",
    "first usable window after s",
    "samples lost at the start",
    "spliced windows",
)


@dataclass(frozen=True, slots=True)
class Loss:
    """What happened, and when: the subscriber's notes, the kill, the first push after it."""

    notes: dict[str, list[Any]]
    t_killed: float
    t_back: float


def lose(arguments: Sequence[str | Path], *, python: Path | None, kind: str, address: str) -> Loss:
    """Kill and restart the sender under one consumer."""
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "notes.json"
        sending = (HERE / "sender.py", "--source-id", SOURCE_ID, "--seconds", "60")
        receiving = (HERE / "subscriber.py", "--address", address, "--kind", kind, "--out", out)
        with started(*receiving) as subscriber, started(*sending) as sender:
            first_line(sender)
            with started(*arguments, python=python) as consumer:
                first_line(subscriber)
                time.sleep(BEFORE_S)
                t_killed = time.monotonic()  # LSL's clock on Linux and macOS
                kill(sender)
                time.sleep(AWAY_S)
                with started(*sending) as again:
                    t_back = float(first_line(again))
                    time.sleep(AFTER_S)
                    end_process(subscriber)
                    end_process(consumer)
        return Loss(json.loads(out.read_text()), t_killed, t_back)


def row_of_ours(name: str, loss: Loss, recording: Path) -> tuple[object, ...]:
    """Return the runtime's row; the recording tells when samples came, by their counter."""
    estimates = [e for e in loss.notes["estimates"] if e["t"] > loss.t_killed]
    flagged = next(e["t"] for e in estimates if ABSENCE & set(e["flags"]))
    answers = [e for e in estimates if e["n_slices"]]
    usable = next(e["t"] for e in answers if e["t_start"] >= loss.t_back)
    spliced = [
        e
        for e in answers
        if e["t_end"] > loss.t_killed
        and e["t_end"] - 3.0 * e["n_slices"] < loss.t_back
        and not ABSENCE & set(e["flags"])
        and e["t_end"] > loss.t_back
    ]
    with open_recording([recording]) as source:
        chunk = next(
            event
            for event in source.events()
            if isinstance(event, Chunk)
            and event.modality == "eeg"
            and event.t_received > loss.t_killed + 1.0
        )
    return (
        name,
        f"{flagged - loss.t_killed:.2f}",
        f"{chunk.t_received - loss.t_back:.2f}",
        f"{usable - loss.t_back:.2f}",
        int(chunk.data[-1, 0]),
        len(spliced),
    )


def row_of_peer(name: str, loss: Loss) -> tuple[object, ...]:
    """Return a peer's row: it sends windows only, each with the jumps of the counter in it."""
    after = [e for e in loss.notes["estimates"] if e["t"] > loss.t_back]
    if not after:
        return (name, "never", "never", "never", "-", "-")
    clean = [e["t"] for e in after if not e["n_jumps"]]
    return (
        name,
        "never",
        f"< {after[0]['t'] - loss.t_back:.2f}",
        f"{clean[0] - loss.t_back:.2f}" if clean else "never",
        f"< {after[0]['counter'] + 1}",
        sum(e["n_jumps"] > 0 for e in after),
    )


def main() -> None:
    """Run every consumer and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", default=LIVE_BUNDLE, help="name or folder")
    parser.add_argument("--no-peers", action="store_true", help="only ours")
    args = parser.parse_args()
    bundle = open_bundle(args.bundle)
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        folder, address = Path(scratch), free_address()
        recording = folder / "session.xdf"
        session = session_file(
            folder, bundle, source_id=SOURCE_ID, address=address, record=recording
        )
        say("rtaffect")
        live = ("-m", "rtaffect", "live", session, "--quiet")
        loss = lose(live, python=None, kind="ours", address=address)
        rows.append(row_of_ours("rtaffect", loss, recording))
    peers: list[tuple[str, Path | None, tuple[str, ...]]] = [
        ("pylsl, recover=True", None, ("peer_pylsl.py", "--recover"))
    ]
    for name, file in (("ezmsg", "peer_ezmsg.py"), ("mne-lsl", "peer_mne_lsl.py")):
        requirements = (f"{name}-lsl" if name == "ezmsg" else name, "pyzmq")
        if not args.no_peers and (python := peer_python(name, requirements)):
            peers.append((requirements[0], python, (file,)))
    for name, python, (file, *options) in () if args.no_peers else peers:
        say(name)
        address = free_address()
        command: tuple[str | Path, ...] = (
            HERE / file,
            "--source-id",
            SOURCE_ID,
            "--address",
            address,
            *options,
        )
        loss = lose(command, python=python, kind="peer", address=address)
        rows.append(row_of_peer(name, loss))
    print(
        f"### Loss: sender killed, back after {AWAY_S:g} s\n\n{machine()}\n\n{table(HEADER, rows)}"
    )
    print(
        "\nPeers say nothing of a loss in their data; `<` bounds by their first window after it.\n"
    )


if __name__ == "__main__":
    main()
