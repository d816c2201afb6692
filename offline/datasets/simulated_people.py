"""Participants who do not exist: what data sets of their sessions and of their scans share."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np
from pydantic import Field, model_validator

import rtaffect.simulate
from offline.datasets.contract import About, Course, Finding, Floats, Label, Recording
from offline.datasets.settings import Settings
from rtaffect.simulate.participant import Participant

FIRST_RESERVED_SEED = 1000
"""Participants from this seed on are never trained nor tuned on: they are for demonstrations."""

LABELS: Mapping[str, Label] = {
    name: Label(classes=("low", "high"), edges=(-1.0, 0.0, 1.0)) for name in ("valence", "arousal")
}

CODE_DIGEST = hashlib.sha256(
    b"".join(p.read_bytes() for p in sorted(Path(rtaffect.simulate.__path__[0]).glob("*.py")))
).hexdigest()
"""Of the simulator, as it was loaded."""

_PREFIX = "simulated-"


class PeopleSettings(Settings):
    """Who takes part.

    Parameters
    ----------
    n_subjects : int
        Participants; their seeds follow one another from `first_seed`.
    first_seed : int
        Seed of the first one.
    """

    n_subjects: int = Field(ge=1)
    first_seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _leaves_the_reserved_seeds(self) -> Self:
        last = self.first_seed + self.n_subjects - 1
        if last >= FIRST_RESERVED_SEED:
            msg = (
                f"seeds from {FIRST_RESERVED_SEED} on are for demonstrations and never trained on; "
                f"these participants would reach {last}"
            )
            raise ValueError(msg)
        return self


class SimulatedPeople(ABC):
    """Participants who do not exist, see `offline.datasets.contract.Dataset`.

    Parameters
    ----------
    settings : PeopleSettings
        Who and what.
    """

    about: About
    """What to know of it."""

    labels = LABELS
    """Valence and arousal in [-1, 1]; "high" is above 0."""

    def __init__(self, settings: PeopleSettings) -> None:
        self.settings = settings

    @property
    def subjects(self) -> tuple[str, ...]:
        """Everybody, in the order of their seeds."""
        first = self.settings.first_seed
        return tuple(f"{_PREFIX}{first + i:04d}" for i in range(self.settings.n_subjects))

    @property
    @abstractmethod
    def ch_names(self) -> tuple[str, ...]:
        """Electrodes or regions that everybody has."""

    @abstractmethod
    def recordings(self, subject: str) -> Iterator[Recording]:
        """Yield the subject's recordings."""

    def fingerprint(self, subject: str) -> str:
        """Return a digest of the settings and of the code that simulates: they are all there is."""
        kept = self.settings.model_dump_json(exclude={"n_subjects", "first_seed"})
        return hashlib.sha256(f"{subject} {kept} {CODE_DIGEST}".encode()).hexdigest()

    def check(self) -> Iterator[Finding]:
        """Nothing can be wrong with it."""
        return iter(())


def seed_of(subject: str) -> int:
    """Return the seed that a participant is made from."""
    return int(subject.removeprefix(_PREFIX))


def course_of(person: Participant, t_start: float) -> Course:
    """Return what somebody feels, by times on the clock of a session that began at `t_start`."""
    return partial(_course_at, person, t_start)


def _course_at(person: Participant, t_start: float, t: Floats) -> Mapping[str, Floats]:
    valence, arousal = person.course.at(np.maximum(t - t_start, 0.0))
    return {"valence": valence, "arousal": arousal}
