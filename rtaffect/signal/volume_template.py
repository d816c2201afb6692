"""What one volume of scanning looks like in EEG: a sliding mean that is ahead of its use."""

import math

import numpy as np

from rtaffect.signal.fractional import HALF, shifted
from rtaffect.signal.ring import GridRing
from rtaffect.signal.timeline import Floats


class Volume:
    """A volume that the template is to take in, without what drifts.

    How the signal drifts is in the means of successive volumes. A line through a single one would
    take part of the artifact with it.

    Parameters
    ----------
    position : float
        Where it began, in samples.
    samples : ndarray of float64, shape (n_channels, n_times)
        Its samples.
    before : Volume or None
        The last one that was taken in.
    """

    def __init__(self, position: float, samples: Floats, before: "Volume | None") -> None:
        self.position = position
        self.mean = samples.mean(axis=1)[:, None]
        self._slope = np.zeros_like(self.mean)
        self._centre = (samples.shape[1] - 1) / 2
        if before is not None:
            self._slope = (self.mean - before.mean) / (position - before.position)

    def phases(self, ring: GridRing, start: int, stop: int) -> Floats:
        """Return phases ``[start, stop)``, from where its samples are kept."""
        base = math.floor(self.position)
        data = ring.read(base + start - HALF + 1, base + stop + HALF)
        drift = self.mean + self._slope * (np.arange(start, stop) - self._centre)
        return np.asarray(shifted(data, self.position - base) - drift)


class VolumeTemplate:
    """The mean of the last volumes, phase by phase.

    A volume is taken in while the next one is under way, each phase of it just before it is needed:
    the work of a volume is spread over one.

    Parameters
    ----------
    n_channels : int
        Channels.
    n_phases : int
        Samples of a volume; `HALF` more at either end are kept, from which what lies between
        samples is made.
    n_volumes : int
        Volumes in the mean.
    """

    def __init__(self, n_channels: int, n_phases: int, n_volumes: int) -> None:
        shape = (n_channels, n_phases + 2 * HALF)
        self.n_phases = n_phases
        self._sum = np.zeros(shape)
        self._kept = np.zeros((n_volumes, *shape), dtype=np.float32)
        self._n_begun = 0
        self._n_taken = shape[1]

    @property
    def n(self) -> int:
        """How many volumes are in the mean."""
        return min(self._n_begun, len(self._kept))

    def begin(self) -> None:
        """Begin to take in another volume; it takes the place of the oldest."""
        assert self._n_taken == self._sum.shape[1], "one volume is taken in whole before another"
        self._n_begun += 1
        self._n_taken = 0

    def wanted(self, stop: int) -> tuple[int, int]:
        """Return which phases must be taken in before phase ``stop - 1`` is used, from -HALF on."""
        first = self._n_taken - HALF
        return first, max(first, min(stop, self.n_phases) + HALF)

    def take(self, phases: Floats) -> None:
        """Take in the next phases of the volume, shape (n_channels, n)."""
        here = slice(self._n_taken, self._n_taken + phases.shape[1])
        kept = self._kept[(self._n_begun - 1) % len(self._kept), :, here]
        new = phases.astype(np.float32)
        self._sum[:, here] += new.astype(np.float64) - kept
        kept[:] = new
        self._n_taken = here.stop

    def between(self, start: int, stop: int) -> Floats:
        """Return the mean from which `fractional.shifted` makes phases ``[start, stop)``."""
        return self._sum[:, start + 1 : stop + 2 * HALF] / self.n
