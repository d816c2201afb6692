"""Heartbeats in a signal as it comes: when each was, said a fixed time after it."""

import math
from collections import deque
from dataclasses import dataclass

import numpy as np
from scipy import signal

from rtaffect.signal.filters import CausalFilter
from rtaffect.signal.timeline import Floats


@dataclass(frozen=True, slots=True)
class Beat:
    """What a heartbeat looks like in a signal.

    Parameters
    ----------
    band_hz : tuple of float
        Where it is largest against everything else.
    energy_hz : float
        How quickly the energy in that band is followed.
    side_s : float
        The energy's peak is higher than everything so long before and after it.
    """

    band_hz: tuple[float, float]
    energy_hz: float
    side_s: float


IN_ECG = Beat((5.0, 25.0), energy_hz=15.0, side_s=0.03)
"""The R wave, against T waves, breath and what gradients leave (Pan & Tompkins 1985,
doi:10.1109/TBME.1985.325532)."""

IN_FIELD = Beat((1.5, 6.0), energy_hz=2.5, side_s=0.2)
"""The pulse artifact itself, all its waves as one, against alpha and drift."""

GRID_HZ = 250.0  # how finely peaks are looked for, before a parabola refines them
SETTLE_S = 0.3  # after which the filters have forgotten how the signal began
START_S = 2.0  # watched before the first beat is said, to know how high beats are
LEAST_HEIGHT = 0.3  # of the last beats' median
N_HEIGHTS = 8


class BeatDetector:
    """Finds beats in the energy of one or more channels.

    What it says of a beat does not depend on how samples are cut into pieces.

    Parameters
    ----------
    n_channels : int
        Channels whose energies are added.
    sfreq : float
        Sampling rate in Hz.
    beat : Beat
        What to look for.
    shortest_s, longest_s : float
        Bounds of the distance of two beats in seconds.
    """

    def __init__(
        self,
        n_channels: int,
        *,
        sfreq: float,
        beat: Beat,
        shortest_s: float,
        longest_s: float,
    ) -> None:
        band = signal.butter(2, beat.band_hz, "bandpass", fs=sfreq, output="sos")
        low = signal.butter(2, beat.energy_hz, "lowpass", fs=sfreq, output="sos")
        self._band = CausalFilter(np.asarray(band), n_channels)
        self._energy = CausalFilter(np.asarray(low), 1)
        self._step = max(1, round(sfreq / GRID_HZ))
        self._side = math.ceil(beat.side_s * sfreq / self._step)
        self.delay = (self._side + 1) * self._step
        """Samples from a beat until it is said, at most."""
        self._shortest, self._longest = shortest_s * sfreq, longest_s * sfreq
        self._n_start = round(START_S * sfreq)
        self._heights: deque[float] = deque(maxlen=N_HEIGHTS)
        self._seen: deque[float] = deque(maxlen=2 * self._side + 1)
        self._n_settle = round(SETTLE_S * sfreq)
        self._n_settled = self._n_settle
        self._highest, self._watched_from = 0.0, self._n_settle
        self._n = 0
        self._last = -1

    def push(self, data: Floats) -> list[int]:
        """Take finite samples, shape (n_channels, n_times); return numbers of samples with beats.

        Numbers count from the first sample; a beat is `delay` samples back, or less.
        """
        banded = self._band.process(data)
        power = np.add.accumulate(banded**2, axis=0)[-1:]
        energy = self._energy.process(power)[0]
        first = -self._n % self._step
        beats = []
        for i, value in enumerate(energy[first :: self._step].tolist()):
            beat = self._look(self._n + first + i * self._step, value)
            if beat is not None:
                beats.append(beat)
        self._n += data.shape[1]
        return beats

    def skip(self, n: int) -> None:
        """Leave out samples: filters begin anew, what beats are like is remembered."""
        self._n += n
        self._band.reset()
        self._energy.reset()
        self._seen.clear()
        self._n_settled = self._watched_from = self._n + self._n_settle

    def _look(self, number: int, energy: float) -> int | None:
        """Take the energy at one place of the grid; return the beat that it completes."""
        if number < self._n_settled:
            return None
        self._seen.append(energy)
        if len(self._seen) <= 2 * self._side:
            return None
        before, top, after = (self._seen[self._side + i] for i in (-1, 0, 1))
        if top < max(self._seen) or top <= before:
            return None
        peak = number - self._side * self._step
        if self._heights and peak - max(self._last, self._watched_from) > 2.0 * self._longest:
            self._heights.clear()  # none is that high any more
            self._highest, self._watched_from = 0.0, peak
        if not self._heights:
            self._highest = max(self._highest, top)
            if peak - self._watched_from < self._n_start:
                return None
            self._heights.append(self._highest)
        heights = sorted(self._heights)
        if top < LEAST_HEIGHT * heights[len(heights) // 2] or peak - self._last < self._shortest:
            return None
        self._heights.append(top)
        bend = before - 2.0 * top + after
        self._last = peak + (round(0.5 * (before - after) / bend * self._step) if bend < 0.0 else 0)
        return self._last
