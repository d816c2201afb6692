"""What every way out of a simulated scanner offers, and how volumes leave in their time."""

import itertools
import math
from collections.abc import Iterator, Sequence
from threading import Event as StopEvent
from typing import Protocol

from rtaffect.core.clock import Clock
from rtaffect.core.errors import ConfigError
from rtaffect.simulate.delivery import Delivery
from rtaffect.simulate.scan import Scan
from rtaffect.simulate.scanner_faults import ScannerFault, apply_scanner_faults

NAN, AFFINE, TR, SHAPE, TIME = (
    "NaN",
    "an affine",
    "a TR of no fixed unit",
    "a shape in each volume",
    "the time of acquisition",
)
"""What a protocol may carry; a fault of something else cannot befall it."""

DELAY_S = 2.0
"""So long after the middle of its acquisition a volume leaves."""

START_UP_S = 6.0
"""Nothing leaves before: a scanner's reconstruction takes its time at the start of a run."""

LOOK_S = 0.1  # the longest time in a library's hands before a link looks whether to end


class ScannerLink(Protocol):
    """One protocol, spoken as a scanner's software does."""

    @property
    def carries(self) -> frozenset[str]:
        """What it tells besides values: some of `NAN`, `AFFINE`, `TR`, `SHAPE`, `TIME`."""

    def begin(self, scan: Scan, t_start: float) -> None:
        """Begin a run whose first volume is acquired from `t_start` (LSL's clock) on.

        Raises
        ------
        ScannerError
            Nobody is there.
        """

    def send(self, delivery: Delivery) -> bool:
        """Send a volume; return False when the other side wants no more.

        Raises
        ------
        ScannerError
            The other side is gone.
        """

    def end(self) -> None:
        """End the run, as far as the protocol knows an end."""

    def close(self) -> None:
        """Let go of sockets and streams."""


def deliveries(
    scan: Scan, *, delay_s: float = DELAY_S, start_up_s: float = START_UP_S
) -> Iterator[Delivery]:
    """Yield the volumes of a run in order, as a scanner without a fault sends them."""
    numbers = itertools.count() if math.isinf(scan.n_volumes) else range(int(scan.n_volumes))
    for number in numbers:
        middle_s = (number + 0.5) * scan.tr_s
        due_s = max(middle_s + delay_s, start_up_s)
        yield Delivery(number=number, middle_s=middle_s, due_s=due_s)


def check_faults(faults: Sequence[ScannerFault], link: ScannerLink) -> None:
    """Refuse faults of what a protocol does not carry.

    Raises
    ------
    ConfigError
        There is one.
    """
    for fault in faults:
        if fault.needs and fault.needs not in link.carries:
            told = ", ".join(sorted(link.carries)) or "nothing"
            msg = (
                f"This fault is one of {fault.needs}, and the protocol carries, besides values, "
                f"{told}. Choose another fault or another protocol."
            )
            raise ConfigError(msg)


def run_scanner(
    scan: Scan,
    link: ScannerLink,
    *,
    stop: StopEvent,
    clock: Clock,
    t_start: float | None = None,
    faults: Sequence[ScannerFault] = (),
    paced: bool = True,
    delay_s: float = DELAY_S,
    start_up_s: float = START_UP_S,
) -> int:
    """Send one run.

    Parameters
    ----------
    scan : Scan
        What is scanned.
    link : ScannerLink
        How it leaves; it stays its caller's to close.
    stop : threading.Event
        Set by anybody who wants it to end.
    clock : callable
        LSL's clock.
    t_start : float or None
        When the run begins on that clock; None is now.
    faults : sequence of ScannerFault
        What goes wrong.
    paced : bool
        False sends each volume as soon as the one before it has left.
    delay_s, start_up_s : float
        How late volumes leave, and before when none does, in seconds.

    Returns
    -------
    int
        How many volumes left.

    Raises
    ------
    ConfigError
        A fault cannot befall this protocol, or the scan does not have what it sends.
    ScannerError
        Nobody is there, or went away.
    """
    check_faults(faults, link)
    t_start = clock() if t_start is None else t_start
    link.begin(scan, t_start)
    n_sent = 0
    try:
        without_fault = deliveries(scan, delay_s=delay_s, start_up_s=start_up_s)
        for delivery in apply_scanner_faults(without_fault, faults):
            wait_s = t_start + delivery.due_s - clock() if paced else 0.0
            if stop.wait(max(0.0, wait_s)) or not link.send(delivery):
                break
            n_sent += 1
    finally:
        link.end()
    return n_sent
