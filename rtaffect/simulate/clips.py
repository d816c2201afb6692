"""What a simulated participant is shown in an experiment of clips, and what each clip does."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from rtaffect.simulate.processes import FloatArray, Stream, generator, smoothstep

_CLIPS_SEED = 20_231
"""What the clips are; the same for everybody who is shown that many."""


@dataclass(frozen=True)
class ClipPlan:
    """Clips in one person's order, with rest before each, as a course of valence and arousal.

    Half the clips are meant to please and half are meant to stir, crossed. People agree on a clip
    mostly, not always: what one feels is the clip's value and something of one's own.

    Parameters
    ----------
    seed : int
        Who is shown them: order and feelings follow from it.
    n_clips : int
        How many.
    clip_s, rest_s : float
        Length of a clip, and of the rest before it, in seconds.
    own : float
        Standard deviation of what is one's own.
    transition_s : float
        How long a feeling takes to come and to go, in seconds.
    """

    seed: int
    n_clips: int
    clip_s: float
    rest_s: float
    own: float = 0.35
    transition_s: float = 2.0

    @cached_property
    def _order(self) -> npt.NDArray[np.int64]:
        return generator((self.seed, int(Stream.CLIPS)), 0).permutation(self.n_clips)

    @cached_property
    def _felt(self) -> FloatArray:
        """Valence and arousal of each presentation, shape (2, n_clips)."""
        rng = np.random.default_rng((_CLIPS_SEED, self.n_clips))
        number = np.arange(self.n_clips)
        signs = np.stack([np.where(number % 2, 1.0, -1.0), np.where(number // 2 % 2, 1.0, -1.0)])
        meant = signs * rng.uniform(0.4, 1.0, size=signs.shape)
        own = generator((self.seed, int(Stream.CLIPS)), 1).normal(scale=self.own, size=signs.shape)
        return np.clip(meant + own, -1.0, 1.0)[:, self._order]

    def clip(self, number: int) -> int:
        """Return which clip is shown at presentation `number`."""
        return int(self._order[number])

    def felt(self, number: int) -> tuple[float, float]:
        """Return the valence and arousal felt at presentation `number`."""
        valence, arousal = self._felt[:, number]
        return float(valence), float(arousal)

    def at(self, t: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Return valence and arousal.

        Parameters
        ----------
        t : array_like
            Times since the start of the session in seconds, >= 0, in any order.

        Returns
        -------
        valence, arousal : ndarray
            Of the shape of `t`; 0 at rest and after the last clip.
        """
        times = np.asarray(t, dtype=np.float64)
        if not np.all(np.isfinite(times) & (times >= 0)):
            msg = "A course needs finite times >= 0, in seconds since the start of the session."
            raise ValueError(msg)
        period_s = self.rest_s + self.clip_s
        number = np.floor(times / period_s).astype(np.int64)
        shown = number < self.n_clips
        since = times - number * period_s - self.rest_s  # negative at rest
        rise = smoothstep(np.clip(since / self.transition_s, 0.0, 1.0))
        fall = smoothstep(np.clip((self.clip_s - since) / self.transition_s, 0.0, 1.0))
        size = np.where(shown & (since >= 0), np.minimum(rise, fall), 0.0)
        felt = self._felt[:, np.minimum(number, self.n_clips - 1)]
        return felt[0] * size, felt[1] * size
