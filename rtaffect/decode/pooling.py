"""The rule by which distributions of several decoders become one, target by target.

A weighted logarithmic pool (Genest & Zidek 1986, doi:10.1214/ss/1177013825) with the prior as the
expert that has the weight left over: ``log p = log prior + sum_i w_i (log p_i - log prior)`` up to
normalisation, ``sum_i w_i <= 1``. Agreeing decoders hence never say more than the surest of them:
nobody knows how much of what they saw was the same.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from rtaffect.manifest import Target

Floats = npt.NDArray[np.float64]

SAME_EDGE = 1e-5
"""Edges that lie no further apart are one edge."""

LEAST_P = 1e-6
"""No class is impossible to anybody: else two decoders could leave nothing possible at all."""


@dataclass(frozen=True, slots=True, eq=False)
class TargetPool:
    """One target, and what each member's answer is multiplied by to be on the common scale.

    Parameters
    ----------
    classes : tuple of str
        Of the common scale: the names of the member that has this scale, else the intervals.
    edges : tuple of float
        Union of the members' class edges; empty for categories.
    prior : ndarray of float64, shape (n_classes,)
        Mean of the members' priors on the common scale.
    skills : mapping of str to float
        By member, sorted by name; all above 0.
    onto : mapping of str to ndarray of float64, shape (n_classes, n_classes of the member)
        Shares of each class of a member that fall into each common class; columns sum to 1.
    """

    classes: tuple[str, ...]
    edges: tuple[float, ...]
    prior: Floats
    skills: Mapping[str, float]
    onto: Mapping[str, Floats]

    def pooled(
        self, answers: Mapping[str, Sequence[float]], weights: Mapping[str, float]
    ) -> Floats:
        """Return the pooled distribution.

        Parameters
        ----------
        answers : mapping of str to sequence of float
            By member: its probabilities, on its own scale.
        weights : mapping of str to float
            Of the same members; their sum is at most 1.
        """
        log_prior = np.log(self.prior)
        log_p = log_prior.copy()
        for name in sorted(answers):
            given = _possible(self.onto[name] @ np.asarray(answers[name], dtype=np.float64))
            log_p += weights[name] * (np.log(given) - log_prior)
        p = np.exp(log_p - log_p.max())
        return np.asarray(p / p.sum(), dtype=np.float64)


def pool_of(targets: Mapping[str, Target]) -> TargetPool | None:
    """Return how one target is pooled; None where fewer than two members can be.

    Decoders without skill have no part. Ordered scales pool with each other, categories only over
    the same label set; of several such groups the one with the most skill is pooled.

    Parameters
    ----------
    targets : mapping of str to Target
        By decoder: the target as its manifest declares it.
    """
    groups: dict[frozenset[str], dict[str, Target]] = {}
    for name, target in sorted(targets.items()):
        if target.skill > 0:
            labels = frozenset[str]() if target.edges else frozenset(target.classes)
            groups.setdefault(labels, {})[name] = target
    shared = [group for group in groups.values() if len(group) > 1]
    if not shared:
        return None
    group = max(shared, key=lambda g: math.fsum(target.skill for target in g.values()))
    edges = union_edges([target.edges for target in group.values()])
    classes = _classes(group, edges)
    onto = {
        name: rebinning(target.edges, edges) if edges else _reordering(target.classes, classes)
        for name, target in group.items()
    }
    priors = [onto[name] @ np.asarray(target.prior) for name, target in group.items()]
    return TargetPool(
        classes=classes,
        edges=edges,
        prior=_possible(np.mean(priors, axis=0)),
        skills={name: target.skill for name, target in group.items()},
        onto=onto,
    )


def member_weights(
    skills: Mapping[str, float],
    coverage: Mapping[str, float],
    age_s: Mapping[str, float],
    *,
    tau_s: float,
) -> dict[str, float]:
    """Return ``w_i = skill_i * coverage_i * exp(-age_i / tau)``, scaled down where they exceed 1.

    Parameters
    ----------
    skills, coverage, age_s : mapping of str to float
        By member; of `skills` only those are looked at that have a coverage.
    tau_s : float
        Age at which a weight has fallen to 1/e, in seconds.
    """
    raw = {
        name: skills[name] * coverage[name] * math.exp(-age_s[name] / tau_s)
        for name in sorted(coverage)
    }
    total = max(1.0, math.fsum(raw.values()))
    return {name: weight / total for name, weight in raw.items()}


def union_edges(scales: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """Return all edges of some scales in rising order, each once; nothing for categories."""
    edges: list[float] = []
    for edge in sorted(edge for scale in scales for edge in scale):
        if not edges or edge - edges[-1] > SAME_EDGE:
            edges.append(edge)
    return tuple(edges)


def rebinning(edges: Sequence[float], onto: Sequence[float]) -> Floats:
    """Return the matrix that brings probabilities of classes to a finer scale.

    Density is uniform inside a class. The outermost classes reach as far as the finer scale does:
    "low" is whatever is lower than the next class.

    Parameters
    ----------
    edges : sequence of float
        Of the classes.
    onto : sequence of float
        Of the finer scale, which has every inner edge of the other.

    Returns
    -------
    ndarray of float64, shape (len(onto) - 1, len(edges) - 1)
        Columns sum to 1: no mass is lost.
    """
    wide = np.array([onto[0], *edges[1:-1], onto[-1]], dtype=np.float64)
    fine = np.asarray(onto, dtype=np.float64)
    low = np.maximum(fine[:-1, np.newaxis], wide[np.newaxis, :-1])
    high = np.minimum(fine[1:, np.newaxis], wide[np.newaxis, 1:])
    return np.asarray(np.maximum(high - low, 0.0) / np.diff(wide), dtype=np.float64)


def _reordering(given: Sequence[str], wanted: Sequence[str]) -> Floats:
    return np.array([[float(a == b) for b in given] for a in wanted])


def _classes(group: Mapping[str, Target], edges: tuple[float, ...]) -> tuple[str, ...]:
    """Return the names of the first member that has the common scale, else the intervals."""
    for target in group.values():
        if len(target.edges) == len(edges):
            return target.classes
    return tuple(f"{low:g}..{high:g}" for low, high in pairwise(edges))


def _possible(p: Floats) -> Floats:
    """Return probabilities of which none is 0."""
    raised = np.maximum(p, LEAST_P)
    return np.asarray(raised / raised.sum(), dtype=np.float64)
