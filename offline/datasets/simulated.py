"""Simulated participants as a data set: the truth is known, and nobody was measured."""

import multiprocessing
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from offline.datasets.participant import Participant, read_participant
from rtaffect.core.spec import WindowSpec
from rtaffect.simulate.participant import Participant as Simulated
from rtaffect.simulate.source import SimulatedSource

FIRST_RESERVED_SEED = 1000
"""Participants from this seed on are never trained nor tuned on: they are for demonstrations."""

ROLES = ("train", "validation", "test")


class SimulatedSettings(BaseModel):
    """Who takes part, and for how long.

    Parameters
    ----------
    kind : "simulated"
        Name of the data set.
    n_train, n_validation, n_test : int
        Participants in each role. Seeds follow one another from `first_seed`, so nobody has two
        roles.
    first_seed : int
        Seed of the first one.
    duration_s : float
        Length of a session in seconds.
    hop_s : float
        Distance of training windows in seconds.
    n_workers : int
        Processes that simulate side by side; the result does not depend on it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["simulated"] = "simulated"
    n_train: int = Field(ge=1)
    n_validation: int = Field(ge=1)
    n_test: int = Field(ge=1)
    first_seed: int = Field(default=0, ge=0)
    duration_s: float = Field(default=180.0, gt=0)
    hop_s: float = Field(default=1.5, gt=0)
    n_workers: int = Field(default=2, ge=1)

    @model_validator(mode="after")
    def _leaves_the_reserved_seeds(self) -> Self:
        last = self.first_seed + self.n_train + self.n_validation + self.n_test - 1
        if last >= FIRST_RESERVED_SEED:
            msg = (
                f"seeds from {FIRST_RESERVED_SEED} on are for demonstrations and never trained on; "
                f"these participants would reach {last}"
            )
            raise ValueError(msg)
        return self

    def seeds(self) -> dict[str, range]:
        """Return the participants of each role."""
        ends = np.cumsum([self.first_seed, self.n_train, self.n_validation, self.n_test]).tolist()
        return {role: range(ends[i], ends[i + 1]) for i, role in enumerate(ROLES)}


def read_simulated(
    settings: SimulatedSettings, spec: WindowSpec, seeds: Sequence[int]
) -> Iterator[Participant]:
    """Yield participants in the order of their seeds.

    Parameters
    ----------
    settings : SimulatedSettings
        How long, how dense.
    spec : WindowSpec
        The bundle's windows.
    seeds : sequence of int
        Who.
    """
    read = partial(_read_one, settings, spec)
    if settings.n_workers == 1 or len(seeds) == 1:
        yield from map(read, seeds)
        return
    # Not forked: torch's threads do not survive it.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(settings.n_workers, mp_context=context) as pool:
        yield from pool.map(read, seeds)


def _read_one(settings: SimulatedSettings, spec: WindowSpec, seed: int) -> Participant:
    simulated = Simulated(seed)
    # Where grids of windows and samples fall within a session is another matter for everybody.
    t_start = 1000.0 + float(np.random.default_rng(seed).uniform(0.0, spec.window_s))

    def truth(t: npt.NDArray[np.float64]) -> Mapping[str, npt.NDArray[np.float64]]:
        valence, arousal = simulated.course.at(np.maximum(t - t_start, 0.0))
        return {"valence": valence, "arousal": arousal}

    with SimulatedSource(simulated, settings.duration_s, chunk_s=0.25, t_start=t_start) as source:
        return read_participant(
            source, spec, truth, name=f"simulated-{seed:04d}", hop_s=settings.hop_s
        )
