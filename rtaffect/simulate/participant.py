"""A person who does not exist: what sets one apart from the next, and what moves brain and face."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rtaffect.core.face_features import FACE_FEATURES
from rtaffect.core.montages import EEG_32
from rtaffect.simulate.clips import ClipPlan
from rtaffect.simulate.course import Course
from rtaffect.simulate.head import POSITIONS, leadfield
from rtaffect.simulate.processes import FloatArray, Key, Occurrences, Stream, generator

BANDS: tuple[str, ...] = ("theta", "alpha", "beta", "gamma")
"""Rhythms that stand on the 1/f background (which fills the delta band by itself)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantSettings:
    """Every number of the simulation that somebody may want to turn.

    Effects are changes of the natural logarithm of a power per unit of course, at ``coupling = 1``.

    Parameters
    ----------
    background_uv, slope, sensor_noise_uv : float
        1/f background of a source (RMS), the exponent of its power spectrum, and white noise of an
        electrode (RMS).
    theta_uv, alpha_uv, beta_uv, gamma_uv : float
        RMS of the rhythms of a source at rest; alpha is that of an occipital one.
    frontal_alpha : float
        Amplitude of alpha far from the occiput, as a fraction.
    source_width, common : float
        Volume conduction, see `rtaffect.simulate.head.leadfield`.
    drift_uv : float
        Slow drift of an electrode (below 0.1 Hz).
    line_uv, line_hz : float
        Mains hum (amplitude at the average electrode) and its frequency.
    blink_uv, blinks_per_minute : float
        Height of a blink beside the eyes, and how often.
    muscle_uv, muscle_interval_s : float
        Height of a burst of jaw or neck muscles, and its mean distance.
    alpha_arousal, beta_arousal, gamma_arousal, theta_arousal : float
        Effect of arousal: posterior alpha (negative: desynchronisation), beta and gamma
        everywhere, frontal midline theta.
    alpha_valence : float
        Effect of valence on alpha power right against left of the midline over frontal sites (each
        side moves by half of it): positive valence goes with less alpha on the left.
    theta_valence : float
        Effect of valence on frontal midline theta.
    sharing, sharing_arousal, sharing_valence : float
        Fraction of beta and gamma power that the sites of the arousal network (central, posterior)
        and of theta and beta power that those of the valence network (frontal, temporal) share at
        rest, and how far arousal and valence move it. The same fraction of `band_jitter` is shared,
        so that band powers, too, go up and down together.
    expression_gamma : float
        Effect of the face's expression (0 to about 1) on gamma at frontal and temporal sites.
    face_lag_s : float
        How long the face follows the course.
    spontaneous_brain, spontaneous_face : float
        Standard size of changes that have nothing to do with the course, in units of it.
    band_jitter : float
        Change of each rhythm at each site from second to second (log power, standard deviation).
    between_gain, between_effect : float
        How people differ: log power of each rhythm and site, log size of each effect (standard
        deviations).
    camera_hz, dropout_interval_s : float
        Rate of the camera; mean distance of moments in which the tracker loses the face.
    """

    background_uv: float = 9.0
    slope: float = 1.2
    sensor_noise_uv: float = 0.7
    theta_uv: float = 2.5
    alpha_uv: float = 9.0
    frontal_alpha: float = 0.4
    beta_uv: float = 2.8
    gamma_uv: float = 1.4
    source_width: float = 0.40
    common: float = 0.12
    drift_uv: float = 6.0
    line_uv: float = 0.8
    line_hz: float = 50.0
    blink_uv: float = 90.0
    blinks_per_minute: float = 14.0
    muscle_uv: float = 18.0
    muscle_interval_s: float = 30.0
    alpha_arousal: float = -0.38
    beta_arousal: float = 0.16
    gamma_arousal: float = 0.22
    theta_arousal: float = 0.15
    alpha_valence: float = 1.0
    theta_valence: float = 0.2
    sharing: float = 0.35
    sharing_arousal: float = 0.2
    sharing_valence: float = 0.2
    expression_gamma: float = 0.35
    face_lag_s: float = 0.3
    spontaneous_brain: float = 0.5
    spontaneous_face: float = 0.6
    band_jitter: float = 0.3
    between_gain: float = 0.35
    between_effect: float = 0.3
    camera_hz: float = 30.0
    dropout_interval_s: float = 35.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Traits:
    """What makes one person, drawn once from the seed.

    Parameters
    ----------
    alpha_hz, slope, amplitude : float
        Individual alpha frequency, exponent of the background, overall gain.
    band_gain : ndarray, shape (4, 32)
        Log power of each rhythm at each site, relative to the average person.
    effect_gain : ndarray, shape (9,)
        Size of each effect relative to the average person.
    mixing : ndarray, shape (32, 32)
        This head's volume conduction.
    hum : ndarray, shape (32,)
        How well each electrode catches the mains.
    expressiveness : float
        How much shows on the face.
    action_unit_gain, action_unit_neutral : ndarray, shape (17,)
        How strongly each action unit moves, and where it stands at rest.
    blinks_per_minute : float
        Blink rate.
    """

    alpha_hz: float
    slope: float
    amplitude: float
    band_gain: FloatArray
    effect_gain: FloatArray
    mixing: FloatArray
    hum: FloatArray
    expressiveness: float
    action_unit_gain: FloatArray
    action_unit_neutral: FloatArray
    blinks_per_minute: float


@dataclass(frozen=True)
class Participant:
    """A simulated person in one session.

    Parameters
    ----------
    seed : int
        Who it is; every random number follows from it.
    coupling : float
        How much of the course reaches brain and face: 1 as set, 0 nothing at all.
    session : int
        Another session of the same person has another course and other noise.
    settings : ParticipantSettings
        Everything else.
    face_coupling : float
        How much the face has to do with the rest: at 1 it follows the course and is distracted when
        the brain is (crossed: what moves the brain's arousal then moves the face's valence, so that
        the face does not give the brain's distraction away), at 0 it goes its own way.
    clips : ClipPlan or None
        An experiment of clips, whose course it then is.
    """

    seed: int
    coupling: float = 1.0
    session: int = 0
    settings: ParticipantSettings = ParticipantSettings()
    face_coupling: float = 1.0
    clips: ClipPlan | None = None

    def __post_init__(self) -> None:
        if self.seed < 0 or self.session < 0:
            msg = f"seed and session must be >= 0, got {self.seed} and {self.session}."
            raise ValueError(msg)

    def key(self, stream: Stream) -> Key:
        """Return what seeds one process of this session."""
        return (self.seed, self.session, int(stream))

    @cached_property
    def course(self) -> Course | ClipPlan:
        """The truth; its time is seconds since the start of the session."""
        return self.clips or Course(self.key(Stream.COURSE))

    @cached_property
    def _spontaneous(self) -> Course:
        return _distraction(self.key(Stream.SPONTANEOUS))

    @cached_property
    def _face_alone(self) -> Course:
        return _distraction(self.key(Stream.FACE_ALONE))

    @cached_property
    def blinks(self) -> Occurrences:
        """When the eyes close; brain and face see the same ones."""
        return Occurrences(self.key(Stream.BLINK), 60.0 / self.traits.blinks_per_minute)

    @cached_property
    def traits(self) -> Traits:
        """What sets this person apart."""
        settings = self.settings
        rng = generator((self.seed, int(Stream.TRAITS)), 0)
        n_sites, n_units = len(EEG_32), sum(name.startswith("AU") for name in FACE_FEATURES)
        sources = POSITIONS + rng.normal(scale=0.06, size=POSITIONS.shape)
        sources /= np.linalg.norm(sources, axis=1, keepdims=True)
        overall = rng.normal(scale=0.6 * settings.between_gain, size=(len(BANDS), 1))
        local = rng.normal(scale=0.8 * settings.between_gain, size=(len(BANDS), n_sites))
        return Traits(
            alpha_hz=float(np.clip(rng.normal(10.0, 0.7), 8.6, 11.6)),
            slope=float(settings.slope + rng.normal(scale=0.12)),
            amplitude=float(np.exp(rng.normal(scale=0.15))),
            band_gain=overall + local,
            effect_gain=np.exp(rng.normal(scale=settings.between_effect, size=9)),
            mixing=leadfield(
                sources,
                width=settings.source_width * float(np.exp(rng.normal(scale=0.08))),
                common=settings.common,
            ),
            hum=np.exp(rng.normal(scale=0.5, size=n_sites)),
            expressiveness=float(np.exp(rng.normal(scale=0.35))),
            action_unit_gain=np.exp(rng.normal(scale=0.3, size=n_units)),
            action_unit_neutral=np.abs(rng.normal(scale=0.25, size=n_units)),
            blinks_per_minute=settings.blinks_per_minute * float(np.exp(rng.normal(scale=0.3))),
        )

    def brain_drive(self, t: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return valence and arousal as the rhythms see them at times `t`: with distraction."""
        valence, arousal = self.course.at(t)
        other_valence, other_arousal = self.distraction(t)
        size = self.settings.spontaneous_brain
        return (
            self.coupling * valence + size * other_valence,
            self.coupling * arousal + size * other_arousal,
        )

    def distraction(self, t: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return valence and arousal at times `t` of what is on one's mind besides the course."""
        return self._spontaneous.at(t)

    def expression(self, t: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return how much the face smiles, frowns and opens at times `t`, each >= 0.

        It follows the course late, is moved by other things too (of which the brain knows nothing
        else), and shows more in some people than in others.
        """
        settings = self.settings
        valence, arousal = self.course.at(np.maximum(t - settings.face_lag_s, 0.0))
        other_arousal, other_valence = self._spontaneous.at(t)
        if self.face_coupling < 1:
            own_valence, own_arousal = self._face_alone.at(t)
            together = self.face_coupling
            other_valence = together * other_valence + (1 - together) * own_valence
            other_arousal = together * other_arousal + (1 - together) * own_arousal
        size, shown = settings.spontaneous_face, self.traits.expressiveness
        coupling = self.coupling * self.face_coupling
        pleasure = coupling * valence + size * other_valence
        activation = coupling * arousal + size * other_arousal
        return (
            shown * np.maximum(pleasure, 0.0),
            shown * np.maximum(-pleasure, 0.0),
            shown * np.maximum(activation, 0.0),
        )


def _distraction(key: Key) -> Course:
    return Course(key, period_s=9.0, transition_s=5.0, strength=(0.1, 1.0))
