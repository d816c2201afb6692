"""Receive what a consumer publishes, note when, and write it as JSON when told to end."""

import argparse
import json
import signal
import sys
from pathlib import Path
from typing import Any

import pylsl
import zmq

from rtaffect import wire
from rtaffect.client import Subscriber


def receive_ours(address: str, notes: dict[str, list[Any]]) -> None:
    """Note estimates, health and events of the runtime, each once it is decoded."""
    with Subscriber(address, topics=("estimate/", "health/", "event/")) as subscriber:
        for message in subscriber:
            t = pylsl.local_clock()
            if isinstance(message, wire.EstimateMessage):
                if not notes["estimates"]:
                    print("first", flush=True)
                estimate = message.estimate
                notes["estimates"].append(
                    {
                        "t": t,
                        "t_closed": message.t_closed,
                        "t_start": estimate.t_start,
                        "t_end": estimate.t_end,
                        "age_s": message.age_s,
                        "n_slices": estimate.n_slices,
                        "coverage": estimate.coverage["eeg"],
                        "flags": [word for modality, word in estimate.flags if modality == "eeg"],
                    }
                )
            elif isinstance(message, wire.HealthMessage):
                eeg = message.health.streams["eeg"]
                stages = {k: (v.p50_ms, v.p99_ms) for k, v in message.health.stages.items()}
                notes["health"].append(
                    {"t": message.health.t, "n_samples": eeg.n_samples, "stages": stages}
                )
            elif isinstance(message, wire.EventMessage):
                event = message.event
                notes["events"].append({"t": t, "modality": event.modality, "state": event.state})


def receive_peer(address: str, notes: dict[str, list[Any]]) -> None:
    """Note what `peer.PearsonPublisher` sends."""
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.SUB)
    socket.subscribe(b"")
    socket.connect(address)
    while True:
        header, _ = socket.recv_multipart()
        note = json.loads(header)
        note["t"] = pylsl.local_clock()
        if not notes["estimates"]:
            print("first", flush=True)
        notes["estimates"].append(note)


def main() -> None:
    """Receive until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", required=True)
    parser.add_argument("--kind", choices=("ours", "peer"), required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    notes: dict[str, list[Any]] = {"estimates": [], "health": [], "events": []}

    def finish(*_: object) -> None:
        args.out.write_text(json.dumps(notes))
        sys.exit(0)

    signal.signal(signal.SIGTERM, finish)
    (receive_ours if args.kind == "ours" else receive_peer)(args.address, notes)


if __name__ == "__main__":
    main()
