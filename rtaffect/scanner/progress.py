"""How far the scanner process is."""

import math
from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class Progress:
    """Where the process is, for a line on a terminal.

    Parameters
    ----------
    run, index : int
        Of the newest volume in order, used or refused; 0 and -1 before the first.
    n_frames, n_missing : int
        Since the start: frames that were used, and volumes that should have come and did not.
    dropped : Counter of str
        How many arrivals were not used, by reason.
    valid : bool
        The newest frame's run has settled.
    latency_ms : float
        From its arrival to its publication; NaN before the first.
    """

    run: int = 0
    index: int = -1
    n_frames: int = 0
    n_missing: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    valid: bool = False
    latency_ms: float = math.nan

    def __str__(self) -> str:
        if not self.run:
            return "waiting for the first volume ..."
        state = "valid" if self.valid else "settling"
        latency = f"{self.latency_ms:.1f} ms  " if math.isfinite(self.latency_ms) else ""
        dropped = "".join(f"  {n} {why}" for why, n in sorted(self.dropped.items()))
        return (
            f"run {self.run}  volume {self.index}  {state}  {latency}"
            f"{self.n_missing} missing{dropped}"
        )
