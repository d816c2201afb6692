"""Functional MRI of a simulated participant: one mean a region and volume, in scanner units."""

from dataclasses import dataclass, field, replace

import numpy as np

from rtaffect.core.atlas import brainnetome
from rtaffect.core.streams import StreamInfo
from rtaffect.simulate.course import Course
from rtaffect.simulate.hrf import Hrf
from rtaffect.simulate.participant import Participant
from rtaffect.simulate.processes import (
    FloatArray,
    Occurrences,
    Stream,
    generator,
    normals,
    smooth_noise,
)

MOTION_NAMES = ("dx", "dy", "dz", "roll", "pitch", "yaw")
"""Columns of the head's motion: millimetres and degrees."""

_BRAINS_SEED = 20_246
"""What the brains of all participants have in common."""

_N_FACTORS = 6
_MEMORY = 1e-6  # what an autoregressive process has forgotten
_STEPS_PER_TR = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class BoldSettings:
    """Every number of the simulated scan that somebody may want to turn.

    Sizes are percent of a region's baseline.

    Parameters
    ----------
    n_regions : int
        How many regions of interest.
    tr_s : float
        Repetition time in seconds.
    start_s : float
        When the first volume begins, in seconds since the session's start.
    hrf : Hrf
        The response of the blood.
    hrf_delay_s : float
        How people differ in the delay of that response (standard deviation in seconds).
    coupling : float
        How much of the participant's coupling reaches the blood: 1 as set, 0 none of it.
    effect : float
        Change of a typical responding region per unit of valence or arousal.
    responding : float
        Share of the regions that respond to valence, and of those that respond to arousal.
    between_loading, between_effect : float
        How people differ: a region's response relative to the typical size of one (standard
        deviation), the log size of everybody's effects (standard deviation).
    spontaneous, spontaneous_own : float
        Standard size of what has nothing to do with the course, in units of it: what moves the
        rhythms of the EEG, too, and what only the blood knows.
    noise, memory : float
        Noise of each region (standard deviation) and how much of it stays from frame to frame.
    shared_noise : float
        Standard size of slow waves that many regions have in common.
    drift, drift_s : float
        Size of a region's slow wandering and the time that it takes, in seconds.
    breath, pulse : float
        Amplitude of breathing and heartbeat in the average region.
    breath_hz, pulse_hz : float
        How often.
    motion_mm, motion_s : float
        How far the head wanders (millimetres and degrees), and in what time, in seconds.
    motion_effect : float
        What a millimetre or degree does to the average region.
    spike, spike_interval_s : float
        Size of a disturbed frame in the average region, and the mean distance of them. The head
        moves in such a frame.
    spike_mm : float
        How far it moves then.
    baseline, baseline_between : float
        Mean value of a region in the scanner's units, and how regions differ.
    delay_s, delay_jitter_s : float
        How long after the middle of its acquisition a frame arrives, at the least, and how much
        later it may be.
    burst_s : float
        The scanner's reconstruction starts up: nothing arrives before so many seconds of a run,
        then all that waited at once.
    """

    n_regions: int = 246
    tr_s: float = 2.0
    start_s: float = 0.0
    hrf: Hrf = field(default_factory=Hrf)
    hrf_delay_s: float = 0.3
    coupling: float = 1.0
    effect: float = 0.3
    responding: float = 0.3
    between_loading: float = 0.5
    between_effect: float = 0.2
    spontaneous: float = 0.4
    spontaneous_own: float = 0.5
    noise: float = 0.6
    memory: float = 0.35
    shared_noise: float = 0.35
    drift: float = 0.8
    drift_s: float = 90.0
    breath: float = 0.15
    pulse: float = 0.1
    breath_hz: float = 0.27
    pulse_hz: float = 1.1
    motion_mm: float = 0.12
    motion_s: float = 30.0
    motion_effect: float = 0.4
    spike: float = 4.0
    spike_interval_s: float = 120.0
    spike_mm: float = 0.8
    baseline: float = 9500.0
    baseline_between: float = 2000.0
    delay_s: float = 2.0
    delay_jitter_s: float = 0.2
    burst_s: float = 6.0

    def __post_init__(self) -> None:
        sound = self.n_regions >= 1 and self.tr_s > 0 and self.start_s >= 0
        if not sound or not 0 <= self.memory < 1:
            msg = (
                "A scan has n_regions >= 1, tr_s > 0, start_s >= 0 and memory in [0, 1), got "
                f"{self.n_regions}, {self.tr_s}, {self.start_s} and {self.memory}."
            )
            raise ValueError(msg)


class SimulatedBold:
    """The scan of one participant's session.

    The truth is ``participant.course``; what a frame shows of it is what was felt some seconds
    before, as `BoldSettings.hrf` says.

    Parameters
    ----------
    participant : Participant
        Whose.
    settings : BoldSettings
        What the scan is like.
    """

    def __init__(self, participant: Participant, settings: BoldSettings | None = None) -> None:
        self.participant = participant
        self.settings = settings = settings or BoldSettings()
        self.ch_names = region_names(settings.n_regions)
        self._brain = _Brain(participant, settings)
        self._step_s = settings.tr_s / _STEPS_PER_TR
        self._own = Course(
            (*participant.key(Stream.BOLD), 1), period_s=9.0, transition_s=5.0, strength=(0.1, 1.0)
        )
        late = settings.hrf_delay_s * self._brain.delay
        hrf = settings.hrf
        weights = replace(
            hrf, peak_s=hrf.peak_s + late, undershoot_s=hrf.undershoot_s + late
        ).weights(self._step_s)
        self._weights = weights[::-1]  # the oldest moment first
        n_kept = 1
        while settings.memory**n_kept > _MEMORY:
            n_kept += 1
        self._kept = settings.memory ** np.arange(n_kept)
        self._kept /= np.sqrt(np.sum(self._kept**2))
        self._spikes = Occurrences(
            (*participant.key(Stream.HEAD_MOTION), 1), settings.spike_interval_s
        )

    def times(self, start: int, stop: int) -> FloatArray:
        """Return the middles of volumes `start` to `stop`, in seconds since the session's start."""
        numbers = np.arange(start, stop, dtype=np.float64)
        times: FloatArray = self.settings.start_s + (numbers + 0.5) * self.settings.tr_s
        return times

    def frames(self, start: int, stop: int) -> FloatArray:
        """Return the means of all regions in volumes `start` to `stop`.

        Returns
        -------
        ndarray, shape (n_regions, stop - start)
            In the scanner's own units.
        """
        shape = (self.settings.n_regions, max(0, stop - start))
        frames = np.empty(shape)
        for column, number in enumerate(range(start, stop)):
            frames[:, column] = self._frame(number)
        return frames

    def motion(self, start: int, stop: int) -> FloatArray:
        """Return where the head is in volumes `start` to `stop`, relative to its place of rest.

        Returns
        -------
        ndarray, shape (6, stop - start)
            `MOTION_NAMES`.
        """
        motion = np.empty((len(MOTION_NAMES), max(0, stop - start)))
        for column, number in enumerate(range(start, stop)):
            motion[:, column] = self._motion(number)
        return motion

    def response(self, start: int, stop: int) -> FloatArray:
        """Return what reaches the blood without any noise: valence and arousal as it sees them.

        Returns
        -------
        ndarray, shape (2, stop - start)
            The drive, convolved with the response of this participant's blood.
        """
        response = np.empty((2, max(0, stop - start)))
        for column, number in enumerate(range(start, stop)):
            response[:, column] = self._response(number)
        return response

    def _response(self, number: int) -> FloatArray:
        steps = np.arange(1 - len(self._weights), 1, dtype=np.float64)
        t = self.times(number, number + 1) + steps * self._step_s
        felt = np.zeros((2, len(t)))
        now = t >= 0  # before the session nothing moves
        felt[:, now] = self._drive(t[now])
        seen: FloatArray = np.sum(felt * self._weights, axis=1)
        return seen

    def _drive(self, t: FloatArray) -> FloatArray:
        settings = self.settings
        course = np.stack(self.participant.course.at(t))
        also = np.stack(self.participant.distraction(t))
        own = np.stack(self._own.at(t))
        coupling = settings.coupling * self.participant.coupling
        drive: FloatArray = (
            coupling * course + settings.spontaneous * also + settings.spontaneous_own * own
        )
        return drive

    def _frame(self, number: int) -> FloatArray:
        brain, settings = self._brain, self.settings
        percent = brain.loadings @ self._response(number)
        percent += self._noise(number)
        percent += self._physiology(number)
        percent += settings.motion_effect * (brain.motion @ self._motion(number))
        for index in self._spikes_in(number):
            percent += settings.spike * normals((*self._spikes.key, 1), settings.n_regions, index)
        frame: FloatArray = brain.baseline * (1.0 + percent / 100.0)
        return frame

    def _noise(self, number: int) -> FloatArray:
        settings, n_regions = self.settings, self.settings.n_regions
        key = self.participant.key(Stream.BOLD_NOISE)
        t = self.times(number, number + 1)
        drift = smooth_noise((*key, 1), n_regions, t, interval_s=settings.drift_s)[:, 0]
        waves = smooth_noise((*key, 2), _N_FACTORS, t, interval_s=8.0)[:, 0]
        noise = settings.drift * drift + settings.shared_noise * (self._brain.factors @ waves)
        for age, kept in enumerate(self._kept.tolist()):
            # A volume before the first one has a number, too: the process is stationary.
            fresh = normals((*key, 0), n_regions, number - age + len(self._kept))
            noise += settings.noise * kept * fresh
        return noise

    def _physiology(self, number: int) -> FloatArray:
        settings, brain = self.settings, self._brain
        key = self.participant.key(Stream.BOLD_NOISE)
        t = self.times(number, number + 1)
        wander = smooth_noise((*key, 3), 2, t, interval_s=5.0)[:, 0]
        rates = np.array([settings.breath_hz, settings.pulse_hz])
        phase = 2 * np.pi * rates * t[0] + wander + brain.phase  # (n_regions, 2)
        felt: FloatArray = (brain.physiology * np.sin(phase)) @ np.array(
            [settings.breath, settings.pulse]
        )
        return felt

    def _motion(self, number: int) -> FloatArray:
        settings = self.settings
        key = (*self.participant.key(Stream.HEAD_MOTION), 0)
        t = self.times(number, number + 1)
        slow = smooth_noise(key, len(MOTION_NAMES), t, interval_s=settings.motion_s)[:, 0]
        motion: FloatArray = settings.motion_mm * slow
        for index in self._spikes_in(number):
            motion += settings.spike_mm * normals((*self._spikes.key, 2), len(MOTION_NAMES), index)
        return motion

    def _spikes_in(self, number: int) -> list[int]:
        start = self.settings.start_s + number * self.settings.tr_s
        found = self._spikes.near(start, start + self.settings.tr_s, lasting_s=0.0)
        return [index for _, index in found]


class _Brain:
    """What sets one participant's blood apart from the next one's, and what all share."""

    def __init__(self, participant: Participant, settings: BoldSettings) -> None:
        n_regions = settings.n_regions
        everybody = np.random.default_rng((_BRAINS_SEED, n_regions))
        person = generator((participant.seed, int(Stream.BOLD)), 0)
        shared = everybody.normal(size=(n_regions, 2))
        shared *= everybody.random((n_regions, 2)) < settings.responding
        between = settings.between_loading * person.normal(size=(n_regions, 2)) * (shared != 0)
        overall = np.exp(person.normal(scale=settings.between_effect))
        self.loadings: FloatArray = settings.effect * overall * (shared + between)
        spread = everybody.normal(size=n_regions) + 0.3 * person.normal(size=n_regions)
        self.baseline: FloatArray = np.maximum(
            settings.baseline + settings.baseline_between * spread / np.sqrt(1.09),
            0.1 * settings.baseline,
        )
        self.factors: FloatArray = everybody.normal(size=(n_regions, _N_FACTORS))
        self.factors /= np.linalg.norm(self.factors, axis=1, keepdims=True)
        self.physiology: FloatArray = np.abs(everybody.normal(scale=1.25, size=(n_regions, 2)))
        self.phase: FloatArray = person.uniform(0.0, 2 * np.pi, size=(n_regions, 2))
        self.motion: FloatArray = person.normal(size=(n_regions, len(MOTION_NAMES)))
        self.delay = float(np.clip(person.normal(), -2.0, 2.0))


def region_names(n_regions: int) -> tuple[str, ...]:
    """Return names for regions: those of the Brainnetome atlas where there are as many."""
    atlas = brainnetome()
    if n_regions == atlas.n_regions:
        return atlas.names
    return tuple(f"region-{number:03d}" for number in range(1, n_regions + 1))


def roi_stream_info(participant: Participant, settings: BoldSettings) -> StreamInfo:
    """Describe the ROI frames of a simulated participant, as docs/roi-stream.md asks."""
    names = region_names(settings.n_regions)
    return StreamInfo(
        modality="roi",
        name="Simulated fMRI",
        stype="fMRI",
        source_id=f"rtaffect-simulated-{participant.seed}-roi",
        ch_names=names,
        sfreq=0.0,
        units=("",) * len(names),
        simulated=True,
        about={
            "acquisition.tr_s": f"{settings.tr_s:g}",
            "acquisition.n_dummy": "0",
            "acquisition.time_reference": "mid",
            "acquisition.time_source": "simulated",
            "atlas.name": "simulated",  # Brainnetome's names, and nobody's anatomy
            "processing.motion_correction": "none",
            "processing.detrend": "none",
            "processing.despike": "none",
            "processing.normalisation": "none",
            "processing.causal": "1",
        },
    )
