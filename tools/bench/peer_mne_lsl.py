"""A peer: mne-lsl's StreamLSL with a callback (its default acquisition delay of 1 ms)."""

import argparse
import time
from typing import Any

from mne_lsl.lsl import local_clock  # type: ignore[import-not-found]
from mne_lsl.stream import StreamLSL  # type: ignore[import-not-found]
from peer import PearsonPublisher


def main() -> None:
    """Receive until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source-id", default="rtaffect-bench")
    parser.add_argument("--address", required=True)
    args = parser.parse_args()
    stream = StreamLSL(bufsize=3.0, source_id=f"{args.source_id}-eeg")
    stream.connect(acquisition_delay=0.001, processing_flags=["clocksync"], timeout=10)
    publisher = PearsonPublisher(args.address, local_clock)

    def take(data: Any, stamps: Any, _info: Any) -> tuple[Any, Any]:
        publisher.push(data, local_clock())
        return data, stamps

    stream.add_callback(take)
    while True:
        time.sleep(1.0)


if __name__ == "__main__":
    main()
