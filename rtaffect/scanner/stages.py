"""How long each stage of the scanner process takes."""

from enum import StrEnum

from rtaffect.core.health import LatencyMeter, StageLatency


class Stage(StrEnum):
    """What is measured, from arrival to publication."""

    RECEIVE = "receive"
    MEANS = "means"
    CLEAN = "clean"
    PUBLISH = "publish"
    VOLUME = "volume"
    ARRIVAL_TO_PUBLISH = "arrival_to_publish"
    ACQUISITION_TO_PUBLISH = "acquisition_to_publish"


class Stages:
    """The last latencies of each stage."""

    def __init__(self) -> None:
        self._meters = {stage: LatencyMeter() for stage in Stage}

    def add(self, stage: Stage, seconds: float) -> None:
        """Record one run of a stage, in seconds."""
        self._meters[stage].add(seconds)

    def report(self) -> dict[str, StageLatency]:
        """Return percentiles of the stages that ran."""
        return {stage: meter.summary() for stage, meter in self._meters.items() if meter.n}

    def lines(self) -> tuple[str, ...]:
        """Return the report for people, a line a stage."""
        return tuple(
            f"{stage}: p50 {one.p50_ms:.2f}, p95 {one.p95_ms:.2f}, p99 {one.p99_ms:.2f} ms "
            f"({one.n} volumes)"
            for stage, one in self.report().items()
        )
