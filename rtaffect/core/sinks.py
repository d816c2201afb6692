"""Where things go: what a publisher or a recorder must be able to do."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from rtaffect.core.estimate import Estimate
from rtaffect.core.health import Health
from rtaffect.core.streams import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """When an estimate came to be, on the runtime's clock, in seconds.

    Parameters
    ----------
    t_closed : float
        Arrival of the sample (or tick) that closed the window.
    t_decoded : float
        The estimate was ready.
    """

    t_closed: float
    t_decoded: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Matrix:
    """A named array that the model exposed of one window, for monitors.

    Parameters
    ----------
    decoder : str
        Name of the decoder.
    name : str
        Name of the graph's output: ``"connectivity"``, ``"prior"``, ``"band_power"``, ``"slice"``.
    t_end : float
        End of the window in seconds.
    data : ndarray
        The values, C-contiguous.
    ch_names : tuple of str
        Labels of the first axis (and of the second where the array is square).
    """

    decoder: str
    name: str
    t_end: float
    data: npt.NDArray[np.float32]
    ch_names: tuple[str, ...]


class Sink(Protocol):
    """Receives everything, in engine order, on the engine's thread; none of it may block.

    A sink ignores what it has no use for. After `close` nothing is called.
    """

    def on_event(self, event: Event) -> None:
        """Take one event of the source, before it is decoded."""

    def on_estimate(self, estimate: Estimate, timing: Timing) -> None:
        """Take one estimate."""

    def on_health(self, health: Health) -> None:
        """Take the report that is made once a second."""

    def wants_matrices(self, decoder: str) -> bool:
        """Return whether anybody looks at the decoder's matrices right now."""

    def on_matrix(self, matrix: Matrix) -> None:
        """Take one matrix; called only after `wants_matrices` said yes."""

    def close(self) -> None:
        """Flush and let go."""
