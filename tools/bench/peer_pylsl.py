"""The floor: a bare blocking pull of pylsl, Pearson in numpy, bare ZeroMQ."""

import argparse

import pylsl
from peer import PearsonPublisher


def main() -> None:
    """Receive until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source-id", default="rtaffect-bench")
    parser.add_argument("--address", required=True)
    parser.add_argument("--recover", action="store_true", help="LSL's own recovery")
    args = parser.parse_args()
    (found,) = pylsl.resolve_byprop("source_id", f"{args.source_id}-eeg", 1, 10.0)
    inlet = pylsl.StreamInlet(found, 30, recover=args.recover, as_numpy=True)
    publisher = PearsonPublisher(args.address, pylsl.local_clock)
    inlet.open_stream(10.0)
    while True:
        samples, _ = inlet.pull_chunk(timeout=1.0, min_samples=1)
        if len(samples):
            publisher.push(samples, pylsl.local_clock())


if __name__ == "__main__":
    main()
