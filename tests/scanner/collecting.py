"""What an input gives within a time."""

import time

from rtaffect.scanner.acquired import Acquired, ScannerInput

LONG_S = 10.0


def collect(source: ScannerInput, n_items: int) -> list[Acquired]:
    """Receive until so many items are here; fails when they do not come."""
    arrived: list[Acquired] = []
    end = time.monotonic() + LONG_S
    while len(arrived) < n_items:
        assert time.monotonic() < end, f"{len(arrived)} of {n_items} came: {arrived}"
        arrived.extend(source.receive(0.05))
    return arrived


def nothing_more(source: ScannerInput, timeout_s: float = 0.15) -> bool:
    """Return whether nothing comes for a while."""
    return not source.receive(timeout_s)
