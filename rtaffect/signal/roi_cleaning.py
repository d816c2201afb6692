"""Takes drift, motion and spikes out of a series of ROI frames, and normalises it.

Frame by frame, from the past and the present alone: what comes later never changes what was
given out. Regions are independent of each other; one that is missing from a frame (NaN) stays
missing in that frame and spoils nothing else.
"""

import numpy as np
import numpy.typing as npt

from rtaffect.core.spec import CleaningSpec
from rtaffect.signal.timeline import LARGEST, Floats

N_MOTION = 6
FRAMES_PER_REGRESSOR = 4
"""A regressor joins when there are so many frames for each of those that are then in the model."""

MAX_FRAMES = 2048
"""Of the model's window: what a scanner with the shortest TR sends in three minutes."""

SCALE_FROM = 8
"""Frames of a run from which on a region's own spread is known well enough to judge spikes by."""

TINY = 1e-12
"""Of motion, in any unit: less is none at all."""

_CONSTANT = slice(0, 1)
_LINEAR = slice(1, 2)
_MOTION = slice(2, 2 + N_MOTION)

Mask = npt.NDArray[np.bool_]


class RunningMoments:
    """Mean and variance of every row over a run, kept up to date by Welford's recurrence.

    Parameters
    ----------
    n_rows : int
        How many rows.
    """

    def __init__(self, n_rows: int) -> None:
        self.n = np.zeros(n_rows, dtype=np.int64)
        self.mean = np.zeros(n_rows)
        self._squares = np.zeros(n_rows)

    @property
    def variance(self) -> Floats:
        """Mean squared distance from the mean, shape (n_rows,); 0 before the second value."""
        return self._squares / np.maximum(self.n, 1)

    def push(self, values: Floats) -> None:
        """Take one value a row; NaN counts for nothing."""
        there = np.isfinite(values)
        self.n += there
        steps = np.where(there, values - self.mean, 0.0)
        self.mean += steps / np.maximum(self.n, 1)
        self._squares += steps * np.where(there, values - self.mean, 0.0)


class RunningNormaliser:
    """Mean 0 and variance 1 by what a run has shown up to and including the present frame.

    Parameters
    ----------
    n_rows : int
        Regions, or voxels.
    variance_floor : float
        Least variance that is divided by.
    clip : float
        Largest absolute value that comes out.
    """

    def __init__(self, n_rows: int, *, variance_floor: float, clip: float) -> None:
        self._n_rows = n_rows
        self._variance_floor = variance_floor
        self._clip = clip
        self._moments = RunningMoments(n_rows)

    def reset(self) -> None:
        """Begin a new run."""
        self._moments = RunningMoments(self._n_rows)

    def push(self, values: Floats) -> Floats:
        """Return one frame normalised, shape (n_rows,); NaN stays NaN."""
        self._moments.push(values)
        spread = np.sqrt(np.maximum(self._moments.variance, self._variance_floor))
        return np.clip((values - self._moments.mean) / spread, -self._clip, self._clip)


class RoiCleaner:
    """Cleans one run after the other.

    The general linear model is solved anew at every frame, over the frames of the last `window_s`
    (Kopel et al. 2019, NeuroImage 191:421, found such a window to track drift better than a model
    of the whole past). It has a constant; a linear trend and the six motion parameters join as
    frames allow. Spikes are then held back by `SpikeFilter`, and what takes their place is what the
    model's window remembers of them.

    Parameters
    ----------
    n_regions : int
        How many regions.
    spec : CleaningSpec
        What to do.
    """

    def __init__(self, n_regions: int, spec: CleaningSpec) -> None:
        self.spec = spec
        self._n_regions = n_regions
        self.reset()

    def reset(self) -> None:
        """Begin a new run: forget everything."""
        self._window = _Window(self._n_regions, window_s=self.spec.window_s)
        self._spikes = SpikeFilter(
            self._n_regions,
            process=self.spec.despike_process,
            limit_sd=self.spec.despike_limit_sd,
        )

    def push(self, values: Floats, *, stamp_s: float, motion: Floats | None = None) -> Floats:
        """Return one frame cleaned.

        Parameters
        ----------
        values : ndarray of float64, shape (n_regions,)
            One mean a region; NaN, infinite and absurd ones count as missing.
        stamp_s : float
            When the frame was acquired, in seconds; later than the frame before it.
        motion : ndarray of float64, shape (6,), or None
            How the head lay, in any unit; None where nobody knows.

        Returns
        -------
        ndarray of float64, shape (n_regions,)
            Residuals (deviations around 0) where there is a model, else values; NaN where missing.
        """
        given = np.where(np.abs(values) <= LARGEST, values, np.nan)
        level = np.zeros(self._n_regions)
        if self.spec.detrend == "glm":
            self._window.append(given, stamp_s=stamp_s, motion=motion)
            level = self._window.level()
        cleaned = given - level
        if self.spec.despike:
            cleaned = self._spikes.push(cleaned)
            if self.spec.detrend == "glm":
                self._window.correct(cleaned + level)
        return cleaned


class SpikeFilter:
    """Holds back single values that a Kalman filter of a random walk finds impossible.

    After Koush et al. 2012 (NeuroImage 59:478): where the filter would have to step too far for a
    value, its prediction is given instead, for one frame; what comes next is believed, so that a
    true change is late by a frame and not lost. Values that are believed pass as they are: unlike
    the original we do not smooth, which is left to the model.

    Parameters
    ----------
    n_regions : int
        How many regions.
    process : float
        Variance of the walk's step, as a share of the region's variance (OpenNFT: 0.25; the
        measurement's noise is the region's variance).
    limit_sd : float
        Largest step of the filter, in standard deviations of the region (OpenNFT: 0.9; with
        `process` 0.25 a surprise of 2.3 standard deviations).
    """

    def __init__(self, n_regions: int, *, process: float, limit_sd: float) -> None:
        self._process = process
        self._limit_sd = limit_sd
        self._moments = RunningMoments(n_regions)
        self._level = np.zeros(n_regions)
        self._uncertainty = np.ones(n_regions)  # in units of the region's variance
        self._was_held = np.zeros(n_regions, dtype=np.bool_)

    def push(self, values: Floats) -> Floats:
        """Return one frame without spikes, shape (n_regions,); NaN stays NaN."""
        there = np.isfinite(values)
        first = there & (self._moments.n == 0)
        self._level = np.where(first, values, self._level)
        predicted = self._uncertainty + self._process
        gain = predicted / (predicted + 1.0)
        surprise = np.where(there, values - self._level, 0.0)
        limit = self._limit_sd * np.sqrt(self._moments.variance)
        odd = (gain * np.abs(surprise) > limit) & (self._moments.n >= SCALE_FROM)
        held = odd & ~self._was_held
        out = np.where(held, self._level, values)
        gain[odd & self._was_held] = 1.0  # it was no spike: the walk goes on from here
        believed = there & ~held
        self._level = np.where(believed, self._level + gain * surprise, self._level)
        self._uncertainty = np.where(believed, gain, predicted)
        self._was_held = held
        self._moments.push(out)
        return out


class _Window:
    """The frames of the last `window_s`, and the linear model of them."""

    def __init__(self, n_regions: int, *, window_s: float) -> None:
        self._window_s = window_s
        self._stamps_s = np.zeros(0)
        self._values = np.zeros((0, n_regions))
        self._motion = np.zeros((0, N_MOTION))

    def append(self, values: Floats, *, stamp_s: float, motion: Floats | None) -> None:
        """Take one frame and drop those that are too old."""
        kept = self._stamps_s > stamp_s - self._window_s
        kept[: -(MAX_FRAMES - 1)] = False
        row = np.full(N_MOTION, np.nan) if motion is None else motion
        self._stamps_s = np.append(self._stamps_s[kept], stamp_s)
        self._values = np.concatenate([self._values[kept], values[np.newaxis]])
        self._motion = np.concatenate([self._motion[kept], row[np.newaxis]])

    def correct(self, values: Floats) -> None:
        """Put other values in the place of the newest frame's."""
        self._values[-1] = values

    def level(self) -> Floats:
        """Return what the model says of the newest frame, shape (n_regions,).

        That is the newest row of the projection onto the regressors, applied to the window: least
        squares without ever computing a coefficient, whatever depends on what among regressors.
        Regions that lack the same frames share one projection.
        """
        there = np.isfinite(self._values).T  # (n_regions, n_frames)
        level = np.zeros(len(there))
        alike: dict[bytes, list[int]] = {}
        for region, pattern in enumerate(np.packbits(there, axis=1)):
            alike.setdefault(pattern.tobytes(), []).append(region)
        groups = [regions for regions in alike.values() if there[regions[0], -1]]
        if groups:
            weights = self._projections(there[[regions[0] for regions in groups]])
            for regions, row in zip(groups, weights, strict=True):
                frames = there[regions[0]]
                level[regions] = row[frames] @ self._values[frames][:, regions]
        return level

    def _projections(self, patterns: Mask) -> Floats:
        """Return the newest frame's row of the projection, a row a pattern of frames."""
        regressors = self._regressors()  # (n_frames, n_regressors)
        n_frames = np.count_nonzero(patterns, axis=1)
        joins = np.zeros((len(patterns), regressors.shape[1]), dtype=np.bool_)
        for columns in (_CONSTANT, _LINEAR, _MOTION):
            enough = n_frames >= FRAMES_PER_REGRESSOR * columns.stop
            joins[:, columns] = enough[:, np.newaxis]
        joins[:, _CONSTANT] = True
        designs = regressors * patterns[:, :, np.newaxis] * joins[:, np.newaxis, :]
        basis, sizes, _ = np.linalg.svd(designs, full_matrices=False)
        smallest = sizes[:, :1] * max(designs.shape[1:]) * np.finfo(np.float64).eps
        newest = basis[:, -1] * (sizes > smallest)
        rows: Floats = np.einsum("ktp,kp->kt", basis, newest)
        return rows

    def _regressors(self) -> Floats:
        """Return constant, trend and, where it is known throughout, motion."""
        age = (self._stamps_s - self._stamps_s[-1]) / self._window_s
        basic = np.stack([np.ones_like(age), age], axis=1)
        if not np.isfinite(self._motion).all():
            return basic
        moved = self._motion - self._motion.mean(axis=0)
        return np.concatenate([basic, moved / np.maximum(np.abs(moved).max(axis=0), TINY)], axis=1)
