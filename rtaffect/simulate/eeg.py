"""EEG of a simulated participant: rhythms on a 1/f background, mixed by a head, with artifacts.

A frame of coloured noise is two seconds long, made in the frequency domain (complex normal numbers
times the square root of the wanted spectrum), tapered by half a sine wave and laid over its
neighbours by half. Squared half sines one half apart sum to 1, so the power is the spectrum's at
any time while the spectrum follows the course; and since a frame depends on its number alone, any
second can be made without the seconds before it.
"""

from collections import OrderedDict

import numpy as np
import numpy.typing as npt

from rtaffect.core.montages import EEG_32
from rtaffect.simulate.head import EYES, POSITIONS, nearness, sites
from rtaffect.simulate.participant import BANDS, Participant
from rtaffect.simulate.processes import FloatArray, Occurrences, Stream, generator, smooth_noise

BLOCK_S = 1
"""Length of a block in seconds; a frame is two of them."""

_LOWEST_HZ = 0.5
_MUSCLE_HZ = 20.0
_BLINK_S = 0.4
_BURST_S = 1.2
_KEEP = 4


class SimulatedEeg:
    """EEG of one participant at one sampling rate.

    Parameters
    ----------
    participant : Participant
        Whose.
    sfreq : float
        Sampling rate in Hz; a whole number.
    """

    def __init__(self, participant: Participant, sfreq: float = 512.0) -> None:
        if not (sfreq >= 64 and float(sfreq).is_integer()):
            msg = (
                f"The simulated EEG's rate must be a whole number of Hz, at least 64, got {sfreq}."
            )
            raise ValueError(msg)
        self.participant = participant
        self.sfreq = float(sfreq)
        self.n_block = int(sfreq) * BLOCK_S
        phase = (np.arange(2 * self.n_block) + 0.5) / (2 * self.n_block)
        self._taper = np.sin(np.pi * phase).astype(np.float32)
        self._frames: OrderedDict[int, npt.NDArray[np.float32]] = OrderedDict()
        self._blocks: OrderedDict[int, npt.NDArray[np.float32]] = OrderedDict()
        self._muscle = Occurrences(
            participant.key(Stream.MUSCLE), participant.settings.muscle_interval_s
        )
        self._prepare_spectra()
        self._prepare_regions()

    def samples(self, start: int, stop: int) -> npt.NDArray[np.float32]:
        """Return the samples numbered ``start`` to ``stop - 1`` since the start of the session.

        Returns
        -------
        ndarray of float32, shape (32, stop - start)
            Microvolts, in the order of `EEG_32`; the same whatever was asked for before.
        """
        first, last = start // self.n_block, max(start, stop - 1) // self.n_block
        blocks = [self.block(index) for index in range(first, last + 1)]
        data = blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=1)
        return data[:, start - first * self.n_block : stop - first * self.n_block]

    def block(self, index: int) -> npt.NDArray[np.float32]:
        """Return second number `index`, shape (32, sfreq), read-only, in microvolts."""
        if index not in self._blocks:
            self._blocks[index] = self._make_block(index)
            self._blocks[index].flags.writeable = False
            if len(self._blocks) > _KEEP:
                self._blocks.popitem(last=False)
        return self._blocks[index]

    def _prepare_spectra(self) -> None:
        traits = self.participant.traits
        n_frame = 2 * self.n_block
        frequency = np.fft.rfftfreq(n_frame, 1.0 / self.sfreq)
        width = self.sfreq / n_frame
        shape = np.zeros_like(frequency)
        audible = frequency >= _LOWEST_HZ
        shape[audible] = frequency[audible] ** -traits.slope
        centres = np.array([6.0, traits.alpha_hz, 20.0, 38.0])
        spreads = np.array([1.0, 0.9, 4.0, 5.0])
        bumps = np.exp(-0.5 * ((frequency - centres[:, None]) / spreads[:, None]) ** 2)
        bumps[:, ~audible] = 0.0
        # One-sided densities P of 1 uV^2: the irfft of complex normals times
        # n_frame / 2 * sqrt(P df) has the variance sum(P df).
        scale = width * (n_frame / 2) ** 2
        self._background = (scale * shape / (shape.sum() * width)).astype(np.float32)
        self._bumps = (scale * bumps / (bumps.sum(axis=1, keepdims=True) * width)).astype(
            np.float32
        )
        self._n_frequencies = len(frequency)

    def _prepare_regions(self) -> None:
        settings, traits = self.participant.settings, self.participant.traits
        occiput = sites("O1", "Oz", "O2", "PO3", "PO4", width=0.6)
        frontal = sites("F3", "F4", "AF3", "AF4", "F7", "F8", "FC5", "FC6", width=0.3)
        temporal = sites("T7", "T8", "F7", "F8", "Fp1", "Fp2", width=0.3)
        amplitude = np.array(
            [settings.theta_uv, settings.alpha_uv, settings.beta_uv, settings.gamma_uv]
        )
        rest = np.repeat(2.0 * np.log(amplitude)[:, None], len(EEG_32), axis=1) + traits.band_gain
        theta, alpha, beta, gamma = range(len(BANDS))
        rest[alpha] += 2.0 * np.log(settings.frontal_alpha + (1 - settings.frontal_alpha) * occiput)
        self._rest = rest
        size = self.participant.traits.effect_gain
        # By arousal, valence and expression: log power of each rhythm at each site.
        self._arousal = np.zeros_like(rest)
        self._arousal[theta] = size[0] * settings.theta_arousal * sites("Fz", width=0.5)
        self._arousal[alpha] = size[1] * settings.alpha_arousal * occiput
        self._arousal[beta] = size[2] * settings.beta_arousal
        self._arousal[gamma] = size[3] * settings.gamma_arousal
        self._valence = np.zeros_like(rest)
        side = np.sign(POSITIONS[:, 0])
        self._valence[alpha] = size[4] * settings.alpha_valence / 2 * side * frontal
        self._valence[theta] = size[8] * settings.theta_valence * sites("Fz", width=0.5)
        self._expression = np.zeros_like(rest)
        self._expression[gamma] = size[5] * settings.expression_gamma * temporal
        # Two networks whose sites share part of some rhythms.
        in_front = np.maximum(frontal, temporal) > 0.4
        self._network = np.where(in_front, 1, 0)
        self._shared_bands = np.array([[0.0, 0.0, 1.0, 1.0], [1.0, 0.0, 1.0, 0.0]])[self._network]
        self._sharing_effect = np.array(
            [size[6] * settings.sharing_arousal, size[7] * settings.sharing_valence]
        )
        self._blink_field = nearness(POSITIONS, EYES, width=0.33).sum(axis=1)
        self._blink_field /= self._blink_field.max()
        self._burst_fields = np.stack([sites("T7", "F7"), sites("T8", "F8"), sites("O1", "O2")])

    def _frame(self, index: int) -> npt.NDArray[np.float32]:
        """Return frame `index`, tapered and mixed: seconds ``[index - 1, index + 1)``."""
        if index in self._frames:
            return self._frames[index]
        participant, settings = self.participant, self.participant.settings
        now = np.array([float(index * BLOCK_S)])
        valence, arousal = (float(drive[0]) for drive in participant.brain_drive(now))
        smile, frown, _ = participant.expression(now)
        moved = participant.coupling * participant.face_coupling
        expression = moved * float(smile[0] + frown[0])
        rng = generator(participant.key(Stream.BRAIN), index)
        share = settings.sharing + self._sharing_effect * np.array([arousal, valence])
        share = np.clip(share, 0.0, 0.9)[self._network]
        together, alone = rng.standard_normal((2, *self._rest.shape))
        jitter = np.sqrt(share) * together[:, self._network] + np.sqrt(1.0 - share) * alone
        power = np.exp(
            self._rest
            + arousal * self._arousal
            + valence * self._valence
            + expression * self._expression
            + settings.band_jitter * jitter
        )
        shared = power.T * self._shared_bands * share[:, None]
        private = power.T - shared
        n_sites = len(EEG_32)
        noise = rng.standard_normal((n_sites + 2, self._n_frequencies, 2), dtype=np.float32)
        normal = noise.view(np.complex64)[..., 0]
        own = (
            settings.background_uv**2 * self._background + private.astype(np.float32) @ self._bumps
        )
        spectrum = np.sqrt(own) * normal[:n_sites]
        spectrum += (
            np.sqrt(shared.astype(np.float32) @ self._bumps) * normal[n_sites:][self._network]
        )
        spectrum *= np.float32(participant.traits.amplitude)
        mixed = participant.traits.mixing.astype(np.float32) @ spectrum
        frame = np.fft.irfft(mixed, n=2 * self.n_block, axis=1).astype(np.float32, copy=False)
        frame *= self._taper
        self._frames[index] = frame
        if len(self._frames) > _KEEP:
            self._frames.popitem(last=False)
        return frame

    def _make_block(self, index: int) -> npt.NDArray[np.float32]:
        participant, settings = self.participant, self.participant.settings
        t = index * BLOCK_S + np.arange(self.n_block) / self.sfreq
        rng = generator(participant.key(Stream.SENSOR), index)
        data = self._frame(index)[:, self.n_block :] + self._frame(index + 1)[:, : self.n_block]
        data += np.float32(settings.sensor_noise_uv) * rng.standard_normal(
            data.shape, dtype=np.float32
        )
        drift = smooth_noise(participant.key(Stream.DRIFT), len(data), t, interval_s=8.0)
        data += (settings.drift_uv * drift).astype(np.float32)
        if settings.line_uv:
            hum = np.sin(2 * np.pi * settings.line_hz * t)
            data += np.outer(settings.line_uv * participant.traits.hum, hum).astype(np.float32)
        blinks = settings.blink_uv * blink_waves(participant, t)
        data += np.outer(self._blink_field, blinks).astype(np.float32)
        data += self._bursts(t)
        return data

    def _bursts(self, t: FloatArray) -> npt.NDArray[np.float32]:
        """Return muscle activity at the block's times `t`, shape (32, n_times)."""
        total = np.zeros((len(EEG_32), len(t)), dtype=np.float32)
        n_burst = int(_BURST_S * self.sfreq)
        for onset, number in self._muscle.near(t[0], t[-1], lasting_s=_BURST_S):
            rng = generator(self._muscle.key, number)
            noise = rng.standard_normal(n_burst)
            spectrum = np.fft.rfft(noise)
            spectrum[np.fft.rfftfreq(n_burst, 1.0 / self.sfreq) < _MUSCLE_HZ] = 0.0
            wave = np.fft.irfft(spectrum, n=n_burst) * np.hanning(n_burst)
            height = self.participant.settings.muscle_uv * rng.uniform(0.5, 1.5)
            field = height * self._burst_fields[rng.integers(len(self._burst_fields))]
            first = round((onset - t[0]) * self.sfreq)
            inside = slice(max(0, first), min(len(t), first + n_burst))
            part = wave[max(0, -first) : max(0, -first) + inside.stop - inside.start]
            total[:, inside] += np.outer(field, part).astype(np.float32)
        return total


def blink_waves(participant: Participant, t: FloatArray) -> FloatArray:
    """Return how far the lids are closed at non-decreasing times `t`, about 0 to 1."""
    total = np.zeros_like(t)
    for onset, number in participant.blinks.near(t[0], t[-1], lasting_s=_BLINK_S):
        height, length = generator(participant.blinks.key, number).uniform([0.7, 0.6], [1.3, 1.0])
        phase = np.clip((t - onset) / (length * _BLINK_S), 0.0, 1.0)
        # Lids close faster than they open: a squared sine, skewed towards its beginning.
        total += height * np.sin(np.pi * phase**0.7) ** 2
    return total
