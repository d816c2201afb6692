"""A sink that keeps what it gets."""

from rtaffect.core.estimate import Estimate
from rtaffect.core.health import Health
from rtaffect.core.sinks import Matrix, Timing
from rtaffect.core.streams import Event


class Kept:
    """Keeps everything, in order; looks at the matrices of some decoders."""

    def __init__(self, *watched: str) -> None:
        self.watched = watched
        self.events: list[Event] = []
        self.estimates: list[Estimate] = []
        self.timings: list[Timing] = []
        self.healths: list[Health] = []
        self.matrices: list[Matrix] = []
        self.n_closed = 0

    def on_event(self, event: Event) -> None:
        self.events.append(event)

    def on_estimate(self, estimate: Estimate, timing: Timing) -> None:
        assert timing.t_decoded >= timing.t_closed
        self.estimates.append(estimate)
        self.timings.append(timing)

    def on_health(self, health: Health) -> None:
        self.healths.append(health)

    def wants_matrices(self, decoder: str) -> bool:
        return decoder in self.watched

    def on_matrix(self, matrix: Matrix) -> None:
        self.matrices.append(matrix)

    def close(self) -> None:
        self.n_closed += 1
