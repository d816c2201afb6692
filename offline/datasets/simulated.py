"""Simulated participants as a data set: the truth is known, and nobody was measured."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

import rtaffect.simulate
from offline.datasets.array_source import ArraySource, Segment
from offline.datasets.contract import About, Course, Finding, Floats, Label, Recording, Trial
from offline.datasets.frames import VolumeSource
from rtaffect.core.montages import EEG_32
from rtaffect.core.streams import Source
from rtaffect.scanner.acquired import Volume
from rtaffect.simulate.bold import BoldSettings, SimulatedBold, region_names, roi_stream_info
from rtaffect.simulate.clips import ClipPlan
from rtaffect.simulate.participant import Participant
from rtaffect.simulate.source import SimulatedSource
from rtaffect.simulate.volumes import PaintedBold, volume_stream_info

FIRST_RESERVED_SEED = 1000
"""Participants from this seed on are never trained nor tuned on: they are for demonstrations."""

LABELS: Mapping[str, Label] = {
    name: Label(classes=("low", "high"), edges=(-1.0, 0.0, 1.0)) for name in ("valence", "arousal")
}

CODE_DIGEST = hashlib.sha256(
    b"".join(p.read_bytes() for p in sorted(Path(rtaffect.simulate.__path__[0]).glob("*.py")))
).hexdigest()
"""Of the simulator, as it was loaded."""

_AFTER_SCAN_S = 20.0

_T_START = 999.0
"""Of every session on its own clock: a whole number of windows of any usual length."""


class SimulatedSettings(BaseModel):
    """Who takes part, what they are shown and for how long.

    Parameters
    ----------
    kind : "simulated"
        Name of the data set.
    n_subjects : int
        Participants; their seeds follow one another from `first_seed`.
    first_seed : int
        Seed of the first one.
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
    scan : {"none", "roi", "volume"}
        ``"roi"``: they lie in a scanner, and what is recorded is ROI frames instead of EEG and
        face; ``"volume"``: volumes painted from these.
    tr_s : float
        Repetition time of the scan in seconds.
    n_regions : int
        Regions of the scan; 246 are called as in the Brainnetome atlas.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["simulated"] = "simulated"
    n_subjects: int = Field(ge=1)
    first_seed: int = Field(default=0, ge=0)
    design: Literal["free", "clips"] = "clips"
    n_trials: int = Field(default=10, ge=1)
    trial_s: float = Field(default=30.0, gt=0)
    rest_s: float = Field(default=6.0, ge=0)
    coupling: float = Field(default=1.0, ge=0)
    face_coupling: float = Field(default=1.0, ge=0, le=1)
    sfreq: float = Field(default=512.0, ge=128)
    scan: Literal["none", "roi", "volume"] = "none"
    tr_s: float = Field(default=2.0, gt=0)
    n_regions: int = Field(default=246, ge=1)

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

    def open(self) -> "Simulated":
        """Return the data set."""
        return Simulated(self)


class Simulated:
    """Participants who do not exist.

    Parameters
    ----------
    settings : SimulatedSettings
        Who and what.
    """

    def __init__(self, settings: SimulatedSettings) -> None:
        self.settings = settings

    @property
    def about(self) -> About:
        """What to know of it."""
        return ABOUT

    @property
    def labels(self) -> Mapping[str, Label]:
        """Valence and arousal in [-1, 1]; "high" is above 0."""
        return LABELS

    @property
    def ch_names(self) -> tuple[str, ...]:
        """The 32 electrodes, or the regions of the scan."""
        match self.settings.scan:
            case "roi":
                return region_names(self.settings.n_regions)
            case "volume":
                return ()
            case _:
                return EEG_32

    @property
    def subjects(self) -> tuple[str, ...]:
        """Everybody, in the order of their seeds."""
        first = self.settings.first_seed
        return tuple(f"simulated-{first + i:04d}" for i in range(self.settings.n_subjects))

    def recordings(self, subject: str) -> Iterator[Recording]:
        """Yield the subject's one recording."""
        settings, seed = self.settings, int(subject.removeprefix("simulated-"))
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
        # The last window waits for the samples after it, and blood for what follows the last trial.
        length_s = duration_s + (1.0 if settings.scan == "none" else _AFTER_SCAN_S)
        opened: Callable[[], Source] = partial(
            SimulatedSource,
            person,
            length_s,
            sfreq=settings.sfreq,
            chunk_s=0.25,
            t_start=t_start,
        )
        if settings.scan != "none":
            opened = partial(_scanned, settings, person, length_s, t_start)
        yield Recording(
            subject=subject,
            session="1",
            open=opened,
            trials=tuple(_trials(settings, person, plan, t_start=t_start, rest_s=rest_s)),
            course=None if plan else course_of(person, t_start),
        )

    def fingerprint(self, subject: str) -> str:
        """Return a digest of the settings and of the code that simulates: they are all there is."""
        kept = self.settings.model_dump_json(exclude={"n_subjects", "first_seed"})
        return hashlib.sha256(f"{subject} {kept} {CODE_DIGEST}".encode()).hexdigest()

    def check(self) -> Iterator[Finding]:
        """Nothing can be wrong with it."""
        return iter(())


ABOUT = About(
    kind="simulated",
    title="Simulated participants with a known valence and arousal",
    reference="rtaffect.simulate",
    licence="BSD-3-Clause",
    how_to_get="nothing to get: it is computed",
    modalities=("eeg", "face", "roi", "volume"),
    tried_on="itself; nobody was measured",
    simulated=True,
)


def _scanned(
    settings: SimulatedSettings, person: Participant, length_s: float, t_start: float
) -> Source:
    """Return what a scanner acquires of a participant."""
    scan = BoldSettings(tr_s=settings.tr_s, n_regions=settings.n_regions)
    bold = SimulatedBold(person, scan)
    stamps = (
        t_start + (np.arange(int(length_s / settings.tr_s), dtype=np.float64) + 0.5) * settings.tr_s
    )
    if settings.scan == "roi":
        frames = Segment(modality="roi", data=bold.frames(0, len(stamps)), stamps_s=stamps)
        return ArraySource({"roi": roi_stream_info(person, scan)}, [frames])
    info = volume_stream_info(person, tr_s=settings.tr_s)
    return VolumeSource(info, partial(_painted, bold, stamps), tr_s=settings.tr_s)


def _painted(bold: SimulatedBold, stamps: Floats) -> Iterator[Volume]:
    painted = PaintedBold(bold)
    for number, stamp in enumerate(stamps.tolist()):
        yield Volume(
            data=painted.volume(number),
            affine=painted.parcellation.affine,
            index=number,
            run="1",
            tr_s=bold.settings.tr_s,
            t_acq=stamp,
            t_arrival=stamp,
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


def course_of(person: Participant, t_start: float) -> Course:
    """Return what somebody feels, by times on the clock of a session that began at `t_start`."""
    return partial(_course_at, person, t_start)


def _course_at(person: Participant, t_start: float, t: Floats) -> Mapping[str, Floats]:
    valence, arousal = person.course.at(np.maximum(t - t_start, 0.0))
    return {"valence": valence, "arousal": arousal}
