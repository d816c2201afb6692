"""What a scanner does to EEG: gradient and pulse artifacts of known size, an ECG, volume markers.

They are added to a simulated participant's EEG, which is therefore known without them. The
gradient artifact is a sum of sinusoids below the amplifier's own low-pass, so that it can be taken
at any time, between samples too: the scanner's clock need not be the amplifier's.
"""

import math
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rtaffect.core.errors import ConfigError
from rtaffect.core.montages import EEG_32
from rtaffect.simulate.eeg import SimulatedEeg
from rtaffect.simulate.head import POSITIONS
from rtaffect.simulate.participant import Participant
from rtaffect.simulate.processes import (
    FloatArray,
    Stream,
    generator,
    normals,
    smooth_noise,
    smoothstep,
)

ECG = "ECG"
SCANNED_CHANNELS = (*EEG_32, ECG)
"""Channels of an MR amplifier: one electrode is on the back."""

VOLUME_MARKER = "R128"

BLOCKS_PER_S = 10
"""Samples are made in blocks, so that they are the same whatever was asked for before."""

_KEEP = 4
_N_SHAPES = 3  # one for each direction of the gradients
_GRADIENT, _PULSE, _DRIFT, _MARKER, _ECG = range(5)
_BEAT_S = 1.0  # how long a heartbeat shows
_BREATH_HZ, _SLOW_HZ = 0.273, 0.094  # at no multiple of any TR
_RAMP_S = 0.01  # how gently gradients come and go


@dataclass(frozen=True, slots=True, kw_only=True)
class MagnetSettings:
    """Every number of the artifacts.

    Parameters
    ----------
    tr_s : float
        Repetition time in seconds.
    n_slices : int
        Slices of a volume, equally spaced: at 11 a second they are in the midst of alpha.
    pause_s : float
        How long the gradients rest at the end of a volume, in seconds.
    start_s, stop_s : float
        When scanning begins and ends, in seconds since the start of the session. It ends with a
        whole volume.
    gradient_uv : float
        Peak-to-peak of the gradient artifact at the electrode where it is largest.
    bandwidth_hz : float
        The amplifier's own low-pass: there is nothing of it above.
    drift : float
        How far the artifact's amplitude and field wander (a warming coil, a head that sinks), as a
        fraction.
    drift_s : float
        How quickly, in seconds.
    clock_ppm : float
        How much faster the amplifier's clock is than the scanner's, parts per million; 0 where one
        drives the other.
    marker_jitter_s, marker_delay_s : float
        Greatest error of a marker's stamp, and how long after its sample it arrives, in seconds.
    pulse_uv : float
        Peak-to-peak of the pulse artifact at the electrode where it is largest.
    pulse_change : float
        How much its size changes from beat to beat (standard deviation, as a fraction), half of it
        with the breath.
    beats_per_minute : float
        Heart rate; it wanders by some per cent.
    ecg_uv : float
        Height of the R wave.
    """

    tr_s: float = 2.0
    n_slices: int = 22
    pause_s: float = 0.1
    start_s: float = 10.0
    stop_s: float = math.inf
    gradient_uv: float = 8000.0
    bandwidth_hz: float = 800.0
    drift: float = 0.002
    drift_s: float = 60.0
    clock_ppm: float = 0.0
    marker_jitter_s: float = 0.001
    marker_delay_s: float = 0.02
    pulse_uv: float = 80.0
    pulse_change: float = 0.15
    beats_per_minute: float = 67.0
    ecg_uv: float = 1000.0


class ScannedEeg:
    """EEG and ECG of one participant inside a scanner, with and without what the scanner does.

    Parameters
    ----------
    participant : Participant
        Whose.
    sfreq : float
        Sampling rate in Hz, a whole number above twice the artifact's bandwidth.
    settings : MagnetSettings
        The artifacts.

    Raises
    ------
    ConfigError
        The rate is too low.
    """

    def __init__(self, participant: Participant, sfreq: float, settings: MagnetSettings) -> None:
        if not (sfreq > 2.0 * settings.bandwidth_hz and sfreq % BLOCKS_PER_S == 0):
            msg = (
                f"EEG inside a scanner must be sampled more than {2.0 * settings.bandwidth_hz:g} "
                f"times a second, and a multiple of {BLOCKS_PER_S}; got {sfreq:g} Hz."
            )
            raise ConfigError(msg)
        self.settings = settings
        self.sfreq = float(sfreq)
        self._eeg = SimulatedEeg(participant, sfreq)
        self._key = participant.key(Stream.MAGNET)
        self._n_block = round(sfreq / BLOCKS_PER_S)
        self._blocks: OrderedDict[int, tuple[FloatArray, FloatArray]] = OrderedDict()
        self._prepare_gradients()
        self._prepare_pulse()

    def clean(self, start: int, stop: int) -> FloatArray:
        """Return samples without artifacts, shape (33, stop - start), in microvolts."""
        return self._joined(0, start, stop)

    def artifacts(self, start: int, stop: int) -> FloatArray:
        """Return what the scanner adds to them, of the same shape."""
        return self._joined(1, start, stop)

    def samples(self, start: int, stop: int) -> npt.NDArray[np.float32]:
        """Return what the amplifier records, shape (33, stop - start), in microvolts."""
        return (self.clean(start, stop) + self.artifacts(start, stop)).astype(np.float32)

    def _joined(self, which: int, start: int, stop: int) -> FloatArray:
        first, last = start // self._n_block, max(start, stop - 1) // self._n_block
        parts = [self._block(index)[which] for index in range(first, last + 1)]
        begin = first * self._n_block
        return np.concatenate(parts, axis=1)[:, start - begin : stop - begin]

    def _block(self, index: int) -> tuple[FloatArray, FloatArray]:
        """Return block number `index` without artifacts, and its artifacts."""
        if index not in self._blocks:
            start, stop = index * self._n_block, (index + 1) * self._n_block
            t = np.arange(start, stop) / self.sfreq
            ecg = self._ecg(t, generator((*self._key, _ECG), index))
            clean = np.concatenate([self._eeg.samples(start, stop).astype(np.float64), ecg])
            self._blocks[index] = (clean, self.gradient(t) + self.pulse(t))
            if len(self._blocks) > _KEEP:
                self._blocks.popitem(last=False)
        return self._blocks[index]

    def gradient(self, t: FloatArray) -> FloatArray:
        """Return the gradient artifact at increasing times, shape (33, n_times)."""
        settings = self.settings
        since = t - settings.start_s
        on = (since >= 0.0) & (since < self._scan_s)
        out = np.zeros((len(SCANNED_CHANNELS), len(t)))
        if not on.any():
            return out
        shapes = self._shapes(since[on])
        key = (*self._key, _DRIFT)
        wander = smooth_noise(key, 2 * _N_SHAPES, t[on], interval_s=settings.drift_s)
        steady = shapes * (1.0 + settings.drift * wander[:_N_SHAPES])
        moved = shapes * (settings.drift * wander[_N_SHAPES:])
        out[:, on] = self._fields @ steady + self._other_fields @ moved
        return out

    def pulse(self, t: FloatArray) -> FloatArray:
        """Return the pulse artifact at increasing times, shape (33, n_times); none in the ECG."""
        waves = np.zeros((2, len(t)))
        for onset, number in self.beats(t[0] - _BEAT_S, t[-1]):
            waves += self._height(onset, number) * _pulse_waves(t - onset)
        return np.concatenate([self._pulse_fields @ waves, np.zeros((1, len(t)))])

    def beats(self, t_start: float, t_stop: float) -> Iterator[tuple[float, int]]:
        """Yield time and number of the R waves in ``[t_start, t_stop)``."""
        beat_s = 60.0 / self.settings.beats_per_minute
        for number in range(math.floor(t_start / beat_s) - 1, math.ceil(t_stop / beat_s) + 2):
            even = number * beat_s
            slow = 0.06 * math.sin(2 * math.pi * _SLOW_HZ * even + 1.0)
            breath = 0.03 * math.sin(2 * math.pi * _BREATH_HZ * even)
            own = normals((*self._key, _PULSE), 2, abs(number))
            onset = even + slow + breath + 0.006 * float(own[0])
            if t_start <= onset < t_stop:
                yield onset, number

    def markers(self) -> Iterator[tuple[float, float]]:
        """Yield when each volume began, and how its marker is stamped; seconds since the start."""
        number = 0
        while number * self._volume_s < self._scan_s:
            began = self.settings.start_s + number * self._volume_s
            rng = generator((*self._key, _MARKER), number)
            yield began, began + self.settings.marker_jitter_s * float(rng.uniform(-1.0, 1.0))
            number += 1

    def _ecg(self, t: FloatArray, noise: np.random.Generator) -> FloatArray:
        total = np.zeros((1, len(t)))
        for onset, _ in self.beats(t[0] - _BEAT_S, t[-1] + _BEAT_S):
            total[0] += self.settings.ecg_uv * _heartbeat(t - onset)
        return total + noise.normal(scale=5.0, size=total.shape)

    def _height(self, onset: float, number: int) -> float:
        own = float(normals((*self._key, _PULSE), 2, abs(number))[1])
        breath = math.sqrt(2.0) * math.sin(2 * math.pi * _BREATH_HZ * onset)
        return 1.0 + self.settings.pulse_change * math.sqrt(0.5) * (own + breath)

    def _prepare_gradients(self) -> None:
        settings = self.settings
        rng = generator(self._key, _GRADIENT)
        self._volume_s = settings.tr_s * (1.0 + settings.clock_ppm * 1e-6)
        n_volumes = (settings.stop_s - settings.start_s) / self._volume_s
        whole = math.floor(n_volumes) if math.isfinite(n_volumes) else n_volumes
        self._scan_s = whole * self._volume_s
        slice_hz = settings.n_slices / self._volume_s
        self._n_waves = math.floor(settings.bandwidth_hz / slice_hz)
        frequency = slice_hz * np.arange(1, self._n_waves + 1)
        size = np.exp(-((frequency / settings.bandwidth_hz) ** 2))
        phases = rng.uniform(0.0, 2 * np.pi, size=(_N_SHAPES, self._n_waves))
        self._waves = size * np.exp(1j * phases)
        self._slice_hz = slice_hz
        self._volume_phases = rng.uniform(0.0, 2 * np.pi, size=_N_SHAPES)
        fields = rng.normal(size=(2, len(SCANNED_CHANNELS), _N_SHAPES))
        fields[:, :-1] += 1.5 * POSITIONS  # a field's gradient is larger the further out
        volume = np.linspace(0.0, self._volume_s, round(self._volume_s * 10_000), endpoint=False)
        largest = np.ptp(fields[0] @ self._shapes(volume), axis=1).max()
        self._fields, self._other_fields = settings.gradient_uv * fields / largest

    def _shapes(self, since: FloatArray) -> FloatArray:
        """Return what each gradient induces at times since the scan began, shape (3, n_times)."""
        turn = np.exp(2j * np.pi * self._slice_hz * since)
        power = np.ones_like(turn)
        shapes = np.zeros((_N_SHAPES, len(since)))
        for wave in self._waves.T:
            power *= turn
            shapes += np.real(wave[:, None] * power)
        volume = 2 * np.pi * since / self._volume_s
        shapes *= 1.0 + 0.2 * np.cos(volume + self._volume_phases[:, None])
        into = since % self._volume_s
        left = self._volume_s - self.settings.pause_s - into
        return shapes * smoothstep(np.minimum(into, left) / _RAMP_S)

    def _prepare_pulse(self) -> None:
        rng = generator(self._key, _PULSE)
        # Blood that rushes into the head nods it: one side goes up as the other goes down.
        fields = np.stack([POSITIONS[:, 0] + 0.4 * POSITIONS[:, 1], POSITIONS[:, 1]], axis=1)
        fields += 0.3 * rng.normal(size=fields.shape)
        waves = _pulse_waves(np.linspace(0.0, _BEAT_S, 1000))
        largest = np.ptp(fields @ waves, axis=1).max()
        self._pulse_fields = self.settings.pulse_uv * fields / largest


def _bump(t: FloatArray, at_s: float, width_s: float) -> FloatArray:
    return np.asarray(np.exp(-0.5 * ((t - at_s) / width_s) ** 2))


def _heartbeat(t: FloatArray) -> FloatArray:
    """Return an electrocardiogram at times since its R wave, of height 1."""
    waves = 0.1 * _bump(t, -0.16, 0.025) - 0.1 * _bump(t, -0.03, 0.01) + _bump(t, 0.0, 0.01)
    return np.asarray(waves - 0.2 * _bump(t, 0.03, 0.012) + 0.25 * _bump(t, 0.28, 0.05))


def _pulse_waves(t: FloatArray) -> FloatArray:
    """Return the two waves of the pulse artifact at times since the R wave, shape (2, n_times)."""
    first = np.sin(2 * np.pi * 4.5 * (t - 0.12)) * _bump(t, 0.27, 0.07)
    second = 0.5 * _bump(t, 0.55, 0.06) - _bump(t, 0.38, 0.05)
    return np.stack([first, second])
