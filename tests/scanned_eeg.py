"""EEG with a gradient artifact of known size, made here and not by the simulator."""

from dataclasses import dataclass, field

import numpy as np

SFREQ = 5000.0
N_CHANNELS = 4


@dataclass(frozen=True, kw_only=True)
class Scan:
    """A stretch of scanning, times in seconds."""

    start: float
    n_volumes: int
    tr: float = 0.4
    size: float = 2000.0
    seed: int = 1

    @property
    def begins(self) -> np.ndarray:
        return self.start + self.tr * np.arange(self.n_volumes)

    @property
    def stop(self) -> float:
        return self.start + self.tr * self.n_volumes

    def artifact(self, t: np.ndarray) -> np.ndarray:
        """Return a sum of sinusoids of whole periods a volume, 40 to 700 Hz."""
        rng = np.random.default_rng(self.seed)
        number = np.arange(round(40 * self.tr), round(700 * self.tr), 7)
        waves = rng.normal(size=(N_CHANNELS, len(number), 2)) @ np.array([1.0, 1j])
        angle = np.outer(number, 2 * np.pi * (t - self.start) / self.tr)
        wave = np.real(waves @ np.exp(1j * angle))
        on = (t >= self.start) & (t < self.stop)
        return np.where(on, self.size * wave / np.ptp(wave, axis=1).max(), 0.0)


@dataclass(frozen=True, kw_only=True)
class Scanned:
    """Samples of a session, with and without the artifact, and its markers."""

    scans: tuple[Scan, ...]
    duration: float
    seed: int = 0
    clean: np.ndarray = field(init=False)
    raw: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        t = np.arange(round(self.duration * SFREQ)) / SFREQ
        clean = eeg(self.seed, len(t))
        object.__setattr__(self, "clean", clean)
        object.__setattr__(self, "raw", clean + sum(scan.artifact(t) for scan in self.scans))

    @property
    def markers(self) -> list[float]:
        """When each volume begins, in seconds."""
        return [float(t) for scan in self.scans for t in scan.begins]

    def during(self, start: float, stop: float) -> slice:
        return slice(round(start * SFREQ), round(stop * SFREQ))


def eeg(seed: int, n: int) -> np.ndarray:
    """Return noise whose power falls with frequency, and an alpha rhythm; about 15 microvolts."""
    rng = np.random.default_rng(seed)
    hz = np.fft.rfftfreq(n, 1 / SFREQ)
    spectrum = rng.normal(size=(N_CHANNELS, len(hz), 2)) @ np.array([1.0, 1j])
    shape = np.where(hz > 0.5, 1.0, 0.0) / np.maximum(hz, 1.0) + 0.3 * np.exp(-((hz - 10) ** 2))
    x = np.fft.irfft(spectrum * shape * (hz < 200), n=n)
    return 15.0 * x / x.std(axis=1, keepdims=True)


def band_power(x: np.ndarray, low_hz: float, high_hz: float) -> float:
    """Return the power of a signal within a band, over all channels."""
    hz = np.fft.rfftfreq(x.shape[1], 1 / SFREQ)
    spectrum = np.abs(np.fft.rfft(x * np.hanning(x.shape[1]))) ** 2
    return float(spectrum[:, (hz >= low_hz) & (hz < high_hz)].sum())


def in_db(power: float, reference: float) -> float:
    return 10.0 * float(np.log10(power / reference))
