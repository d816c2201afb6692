"""How the runtime itself is doing: counters and latencies, never silently dropped."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamHealth:
    """One stream at one moment.

    Parameters
    ----------
    state : str
        ``"waiting"`` (nothing came yet), ``"ok"``, ``"stale"``, ``"lost"`` or ``"refused"``.
    n_samples : int
        Samples received since the start.
    sfreq_hz : float
        Measured rate; NaN before it is known.
    drift_ppm : float
        Measured rate against the nominal one, parts per million; NaN for irregular streams.
    offset_s : float
        Newest clock offset; NaN before the first.
    n_gaps, n_missing : int
        Breaks in the stream, and samples that should have been in them.
    n_backward : int
        Stamps that went back and were moved forward or dropped.
    n_nonfinite : int
        Samples that held NaN or infinity.
    age_s : float
        Time since the newest sample; NaN before the first.
    """

    state: str
    n_samples: int
    sfreq_hz: float
    drift_ppm: float
    offset_s: float
    n_gaps: int
    n_missing: int
    n_backward: int
    n_nonfinite: int
    age_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StageLatency:
    """Latency of one stage over its last runs, in milliseconds."""

    p50_ms: float
    p95_ms: float
    p99_ms: float
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What goes out on ``health/`` once a second."""

    t: float
    streams: Mapping[str, StreamHealth]
    stages: Mapping[str, StageLatency]
    queues: Mapping[str, int]
    provider: str
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class LatencyMeter:
    """The last latencies of one stage.

    Parameters
    ----------
    n_last : int
        How many runs the percentiles look back.
    """

    n_last: int = 1000
    _values_s: deque[float] = field(init=False)

    def __post_init__(self) -> None:
        self._values_s = deque(maxlen=self.n_last)

    def add(self, seconds: float) -> None:
        """Record one run, in seconds."""
        self._values_s.append(seconds)

    @property
    def n(self) -> int:
        """How many runs the percentiles rest on."""
        return len(self._values_s)

    def summary(self) -> StageLatency:
        """Return percentiles over the last runs (NaN before the first)."""
        if not self._values_s:
            nothing = float("nan")
            return StageLatency(p50_ms=nothing, p95_ms=nothing, p99_ms=nothing, n=0)
        ordered = np.sort(np.array(self._values_s)) * 1e3
        p50, p95, p99 = (float(ordered[len(ordered) * p // 100]) for p in (50, 95, 99))
        return StageLatency(p50_ms=p50, p95_ms=p95, p99_ms=p99, n=len(ordered))
