"""Fusion: the estimates of several decoders become one (docs/fusion.md has the rule).

Two outputs. ``fused-latest`` takes the newest estimate of each decoder, whenever one arrives.
``fused-aligned`` waits for fMRI: it pairs a frame with what the others said of the moment that the
frame speaks of, which is some seconds earlier. Time is what the estimates say; no clock is read, so
a replay fuses as the session did, bit for bit.
"""

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from rtaffect.config.fusion import FusionSettings
from rtaffect.core.estimate import Distribution, Estimate
from rtaffect.core.fused import ALIGNED, LATEST
from rtaffect.core.window import Flag
from rtaffect.decode.membership import Member, Membership
from rtaffect.decode.pooling import LEAST_P, member_weights

_SLACK_S = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class _Said:
    """What a member contributes to one fused estimate: one of its estimates, or a mean of some."""

    member: Member
    estimates: Sequence[Estimate]
    age_s: float

    @property
    def coverage(self) -> float:
        """How much of what the decoder listens to is there, settled and clean."""
        return fmean(self.member.coverage_of(e) for e in self.estimates)

    @property
    def n_slices(self) -> int:
        """Windows that it rests on."""
        return max(e.n_slices for e in self.estimates)

    def answer(self, target: str) -> tuple[float, ...] | None:
        """Return probabilities, the normalised mean of logarithms where there are several."""
        given = [e.targets[target].probabilities for e in self.estimates if target in e.targets]
        if len(given) < 2:
            return given[0] if given else None
        p = np.exp(np.mean(np.log(np.maximum(given, LEAST_P)), axis=0))
        return tuple((p / p.sum()).tolist())


class Fusion:
    """Fuses what decoders say, as they say it.

    Parameters
    ----------
    membership : Membership
        Who takes part.
    settings : FusionSettings
        The numbers of the rule.
    """

    def __init__(self, membership: Membership, settings: FusionSettings) -> None:
        self.membership = membership
        self._members = membership.members
        self._tau_s, self._hold_s = settings.tau_s, settings.hold_s
        self._held: dict[str, deque[Estimate]] = {name: deque() for name in self._members}
        self._heard: set[str] = set()
        self._newest: Estimate | None = None

    def push(self, estimate: Estimate) -> list[Estimate]:
        """Take a decoder's estimate; return the fused ones that it calls for, none or more.

        Parameters
        ----------
        estimate : Estimate
            Of any decoder of the session, in the order in which they were made.
        """
        name = estimate.decoder
        if name not in self._members:
            return []
        if self._newest is None or estimate.t_end >= self._newest.t_end:
            self._newest = estimate
        self._held[name].append(estimate)
        self._heard.add(name)
        self._forget(self._newest.t_end - self._hold_s)
        fused = [self._latest(self._newest)]
        if self._members[name].lag_s > 0:
            fused.append(self._aligned(estimate))
        return fused

    def _forget(self, before: float) -> None:
        for held in self._held.values():
            while held and held[0].t_end < before:
                held.popleft()

    def _latest(self, newest: Estimate) -> Estimate:
        """Return what the newest estimates of all members say together.

        They are as old as what they speak of, against the latest moment that anybody speaks of.
        """
        last = {name: held[-1] for name, held in self._held.items() if held}
        members = self._members
        moments = {name: e.t_end - members[name].lag_s for name, e in last.items()}
        answered = [n for n, e in last.items() if e.targets and members[n].coverage_of(e) > 0]
        now = max((moments[n] for n in answered), default=newest.t_end)
        said = {n: _Said(members[n], (e,), max(0.0, now - moments[n])) for n, e in last.items()}
        absent = {n: Flag.STALE if n in self._heard else Flag.MISSING for n in self._members}
        return self._fused(LATEST, newest, said, absent, lag_s=newest.t_end - now)

    def _aligned(self, frame: Estimate) -> Estimate:
        """Return what a frame and the others say together of the moment that it speaks of."""
        member = self._members[frame.decoder]
        moment, reach_s = member.spoken_of(frame), member.hop_s / 2 + _SLACK_S
        said: dict[str, _Said] = {}
        for name, other in self._members.items():
            of_then = (
                [frame]
                if name == frame.decoder
                else [e for e in self._held[name] if abs(other.spoken_of(e) - moment) <= reach_s]
            )
            # One without an answer tells why by its flags, where there is none with an answer.
            if paired := [e for e in of_then if e.targets] or of_then[-1:]:
                said[name] = _Said(other, paired, 0.0)
        absent = dict.fromkeys(self._members, Flag.MISSING)
        return self._fused(ALIGNED, frame, said, absent, lag_s=member.lag_s)

    def _fused(
        self,
        name: str,
        pace: Estimate,
        said: Mapping[str, _Said],
        absent: Mapping[str, Flag],
        *,
        lag_s: float,
    ) -> Estimate:
        """Return the fused estimate of what members said; `absent` is why others did not."""
        pools = self.membership.pools
        targets: dict[str, Distribution] = {}
        confidences: list[float] = []
        shares = dict.fromkeys(self._members, 0.0)
        for target, pool in pools.items():
            answers = {
                member: answer
                for member in pool.skills
                if member in said and (answer := said[member].answer(target)) is not None
            }
            coverage = {member: said[member].coverage for member in answers}
            weights = member_weights(
                pool.skills,
                coverage,
                {member: said[member].age_s for member in answers},
                tau_s=self._tau_s,
            )
            total = math.fsum(weights.values())
            if total <= 0:
                continue
            targets[target] = Distribution(
                classes=pool.classes,
                probabilities=tuple(pool.pooled(answers, weights).tolist()),
                edges=pool.edges,
            )
            covered = math.fsum(weights[m] * coverage[m] for m in weights) / total
            confidences.append(targets[target].certainty * covered)
            for member, weight in weights.items():
                shares[member] += weight / len(pools)
        used = [member for member, share in shares.items() if share > 0]
        return Estimate(
            decoder=name,
            t_start=pace.t_start,
            t_end=pace.t_end,
            targets=targets,
            confidence=fmean(confidences) if confidences else 0.0,
            coverage=self._coverage(said),
            flags=self._flags(said, absent),
            contributions=shares if targets else {},
            n_slices=sum(said[member].n_slices for member in used),
            bundle_digest=self.membership.digest,
            lag_s=lag_s,
        )

    def _coverage(self, said: Mapping[str, _Said]) -> dict[str, float]:
        """Return each modality's mean coverage over the members that listen to it."""
        found: dict[str, list[float]] = {m: [] for m in self.membership.modalities}
        for part in said.values():
            for modality in part.estimates[0].coverage:
                found[modality].append(fmean(e.coverage[modality] for e in part.estimates))
        return {modality: fmean(values) if values else 0.0 for modality, values in found.items()}

    def _flags(
        self, said: Mapping[str, _Said], absent: Mapping[str, Flag]
    ) -> tuple[tuple[str, Flag], ...]:
        flags = {flag for part in said.values() for e in part.estimates for flag in e.flags}
        for name, member in self._members.items():
            if name not in said:
                flags |= {(modality, absent[name]) for modality in member.modalities}
        return tuple(sorted(flags))
