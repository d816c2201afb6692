"""What a decoder says of a window."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

from rtaffect.core.window import Flag


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """Calibrated probabilities of one target's classes.

    Parameters
    ----------
    classes : tuple of str
        Class names, in order.
    probabilities : tuple of float
        One a class, summing to 1.
    edges : tuple of float
        ``len(classes) + 1`` edges in [-1, 1] for an ordered target (valence, arousal): class i
        speaks for the interval ``[edges[i], edges[i + 1])``. Empty for categories.
    """

    classes: tuple[str, ...]
    probabilities: tuple[float, ...]
    edges: tuple[float, ...] = ()

    @property
    def expected(self) -> float:
        """Mean of the distribution over [-1, 1], uniform within a class; NaN for categories."""
        if not self.edges:
            return math.nan
        return math.fsum(
            p * (low + high) / 2
            for p, low, high in zip(self.probabilities, self.edges, self.edges[1:], strict=False)
        )

    @property
    def spread(self) -> float:
        """Standard deviation of the distribution over [-1, 1]; NaN for categories."""
        if not self.edges:
            return math.nan
        mean = self.expected
        second = math.fsum(
            p * (low * low + low * high + high * high) / 3
            for p, low, high in zip(self.probabilities, self.edges, self.edges[1:], strict=False)
        )
        return math.sqrt(max(0.0, second - mean * mean))

    @property
    def certainty(self) -> float:
        """``1 - entropy / log K``: 0 for a uniform distribution, 1 for a certain one."""
        if len(self.probabilities) < 2:
            return 1.0
        entropy = -math.fsum(p * math.log(p) for p in self.probabilities if p > 0)
        return min(1.0, max(0.0, 1.0 - entropy / math.log(len(self.probabilities))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A decoder's estimate of one window; the same on the wire, in files and in tests.

    Parameters
    ----------
    decoder : str
        Name of the decoder.
    t_start, t_end : float
        The newest window's interval, in seconds on the runtime's clock.
    targets : mapping of str to Distribution
        Empty when the decoder cannot answer; the flags then say why.
    confidence : float
        Mean certainty of the targets times the mean coverage of the modalities that were used.
    coverage : mapping of str to float
        By modality: the fraction of samples present, settled and clean.
    flags : tuple of (str, Flag)
        Sorted pairs of modality and word.
    contributions : mapping of str to float
        By decoder: its weight in the answer. ``{decoder: 1.0}`` for a decoder's own estimate, the
        weights of the rule for a fused one, empty without an answer. Inside a joint model no honest
        share of one modality can be given, so none is.
    n_slices : int
        How many windows the answer rests on (the decoder's T); 0 without an answer.
    bundle_digest : str
        sha256 of the bundle's manifest.
    lag_s : float
        The answer speaks of the window so many seconds earlier: of ``[t_start - lag_s,
        t_end - lag_s)``. Above 0 where blood flow is what was measured.
    """

    decoder: str
    t_start: float
    t_end: float
    targets: Mapping[str, Distribution]
    confidence: float
    coverage: Mapping[str, float]
    flags: tuple[tuple[str, Flag], ...]
    contributions: Mapping[str, float]
    n_slices: int
    bundle_digest: str
    lag_s: float = 0.0

    def canonical(self) -> bytes:
        """Return the bytes that define "the same estimate": sorted JSON, shortest exact floats."""
        text = json.dumps(as_jsonable(self), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return text.encode()


def as_jsonable(estimate: Estimate) -> dict[str, object]:
    """Return an estimate as plain JSON types, with the derived numbers readers ask for."""
    return {
        "decoder": estimate.decoder,
        "t_start": estimate.t_start,
        "t_end": estimate.t_end,
        "targets": {
            name: {
                "classes": list(target.classes),
                "probabilities": list(target.probabilities),
                "edges": list(target.edges),
                "expected": target.expected if target.edges else None,
                "spread": target.spread if target.edges else None,
            }
            for name, target in estimate.targets.items()
        },
        "confidence": estimate.confidence,
        "coverage": dict(estimate.coverage),
        "flags": [[modality, flag.value] for modality, flag in estimate.flags],
        "contributions": dict(estimate.contributions),
        "n_slices": estimate.n_slices,
        "bundle_digest": estimate.bundle_digest,
        "lag_s": estimate.lag_s,
    }
