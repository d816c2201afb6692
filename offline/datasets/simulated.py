"""Simulated participants as a data set: the truth is known, and nobody was measured."""

from collections.abc import Iterator
from functools import partial
from typing import Literal

import numpy as np
from pydantic import Field

from offline.datasets.contract import About, Recording, Trial
from offline.datasets.simulated_people import PeopleSettings, SimulatedPeople, course_of, seed_of
from rtaffect.core.montages import EEG_32
from rtaffect.simulate.clips import ClipPlan
from rtaffect.simulate.participant import Participant
from rtaffect.simulate.source import SimulatedSource

ABOUT = About(
    kind="simulated",
    title="Simulated participants with a known valence and arousal",
    reference="rtaffect.simulate",
    licence="BSD-3-Clause",
    how_to_get="nothing to get: it is computed",
    modalities=("eeg", "face"),
    tried_on="itself; nobody was measured",
    simulated=True,
)

_T_START = 999.0
"""Of every session on its own clock: a whole number of windows of any usual length."""


class SimulatedSettings(PeopleSettings):
    """Who takes part, what they are shown and for how long.

    Parameters
    ----------
    kind : "simulated"
        Name of the data set.
    n_subjects, first_seed : int
        See `offline.datasets.simulated_people.PeopleSettings`.
    design : {"free", "clips"}
        ``"free"`` lets valence and arousal wander, as in a demonstration; a trial is then an
        excerpt, and its stimulus nobody else's. ``"clips"`` shows everybody the same clips in an
        order of their own, with rest before each.
    n_trials : int
        Excerpts or clips a participant.
    trial_s, rest_s : float
        Length of a trial, and of the rest before it (clips only), in seconds.
    coupling, face_coupling : float
        See `rtaffect.simulate.participant.Participant`.
    sfreq : float
        Rate of the simulated amplifier in Hz.
    """

    kind: Literal["simulated"] = "simulated"
    design: Literal["free", "clips"] = "clips"
    n_trials: int = Field(default=10, ge=1)
    trial_s: float = Field(default=30.0, gt=0)
    rest_s: float = Field(default=6.0, ge=0)
    coupling: float = Field(default=1.0, ge=0)
    face_coupling: float = Field(default=1.0, ge=0, le=1)
    sfreq: float = Field(default=512.0, ge=128)

    def open(self) -> "Simulated":
        """Return the data set."""
        return Simulated(self)


class Simulated(SimulatedPeople):
    """Participants with electrodes and a camera."""

    settings: SimulatedSettings
    about = ABOUT

    @property
    def ch_names(self) -> tuple[str, ...]:
        """The 32 electrodes."""
        return EEG_32

    def recordings(self, subject: str) -> Iterator[Recording]:
        """Yield the subject's one recording."""
        settings, seed = self.settings, seed_of(subject)
        plan = None
        if settings.design == "clips":
            plan = ClipPlan(
                seed=seed,
                n_clips=settings.n_trials,
                clip_s=settings.trial_s,
                rest_s=settings.rest_s,
            )
        person = Participant(
            seed,
            coupling=settings.coupling,
            face_coupling=settings.face_coupling,
            clips=plan,
        )
        # Where the grids of windows and samples fall in a session is another matter for everybody;
        # with clips it is what windows are cut by, as in an experiment.
        shift_s = 0.0 if plan else float(np.random.default_rng(seed).uniform(0.0, 3.0))
        t_start = _T_START + shift_s
        rest_s = settings.rest_s if plan else 0.0
        duration_s = settings.n_trials * (settings.trial_s + rest_s)
        yield Recording(
            subject=subject,
            session="1",
            open=partial(
                SimulatedSource,
                person,
                duration_s + 1.0,  # the last window waits for the samples after it
                sfreq=settings.sfreq,
                chunk_s=0.25,
                t_start=t_start,
            ),
            trials=tuple(_trials(settings, person, plan, t_start=t_start, rest_s=rest_s)),
            course=None if plan else course_of(person, t_start),
        )


def _trials(
    settings: SimulatedSettings,
    person: Participant,
    plan: ClipPlan | None,
    *,
    t_start: float,
    rest_s: float,
) -> Iterator[Trial]:
    for number in range(settings.n_trials):
        start = t_start + number * (settings.trial_s + rest_s) + rest_s
        if plan:
            valence, arousal = plan.felt(number)
            values = {"valence": valence, "arousal": arousal}
        else:
            times = start + (np.arange(round(settings.trial_s * 8)) + 0.5) / 8
            courses = course_of(person, t_start)(times)
            values = {name: float(course.mean()) for name, course in courses.items()}
        yield Trial(
            name=f"{number + 1:02d}",
            stimulus=f"clip-{plan.clip(number):02d}" if plan else "",
            t_start=start,
            t_end=start + settings.trial_s,
            values=values,
            rest=(start - rest_s, start) if rest_s else None,
        )
