"""Who takes part in fusion, on which targets, and what comes out: settled before anything runs."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean

from rtaffect.bundle import Bundle
from rtaffect.config.fusion import FusionSettings
from rtaffect.core.errors import ConfigError
from rtaffect.core.estimate import Estimate
from rtaffect.core.fused import ALIGNED, LATEST, FusedInfo, FusedTarget
from rtaffect.decode.pooling import TargetPool, pool_of

DELIVERY_S = 3.0
"""From the middle of a volume's acquisition to its arrival; scanners are 2 to 3 s late."""


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """A decoder that takes part.

    Parameters
    ----------
    bundle : Bundle
        Its model.
    lag_s : float
        How much earlier than its frame an answer speaks of; 0 for what is no fMRI.
    """

    bundle: Bundle
    lag_s: float

    @property
    def modalities(self) -> tuple[str, ...]:
        """What it listens to."""
        return tuple(self.bundle.manifest.windows.modalities)

    @property
    def hop_s(self) -> float:
        """Distance of its estimates in seconds: for fMRI that of frames."""
        return self.bundle.manifest.windows.hop_s

    def coverage_of(self, estimate: Estimate) -> float:
        """Return the mean over all modalities, since its skill was measured with all of them."""
        return fmean(estimate.coverage[modality] for modality in self.modalities)

    def spoken_of(self, estimate: Estimate) -> float:
        """Return the moment that an estimate of it speaks of."""
        if self.lag_s > 0:
            return estimate.t_end - self.lag_s
        return (estimate.t_start + estimate.t_end) / 2


@dataclass(frozen=True, slots=True, eq=False)
class Membership:
    """What is fused.

    Parameters
    ----------
    pools : mapping of str to TargetPool
        By target.
    members : mapping of str to Member
        By name of the decoder, sorted.
    digest : str
        sha256 of the members' digests.
    """

    pools: Mapping[str, TargetPool]
    members: Mapping[str, Member]
    digest: str

    @property
    def modalities(self) -> tuple[str, ...]:
        """What the members listen to."""
        return tuple(dict.fromkeys(m for each in self.members.values() for m in each.modalities))

    @property
    def infos(self) -> tuple[FusedInfo, ...]:
        """The outputs: ``fused-latest``, and ``fused-aligned`` where a member's answers lag."""
        lagging = [member for member in self.members.values() if member.lag_s > 0]
        paces = {LATEST: min(self.members.values(), key=lambda member: member.hop_s)}
        if lagging:
            paces[ALIGNED] = min(lagging, key=lambda member: member.hop_s)
        manifests = [member.bundle.manifest for member in self.members.values()]
        return tuple(
            FusedInfo(
                name=name,
                members=tuple(self.members),
                modalities=self.modalities,
                targets={
                    target: FusedTarget(classes=pool.classes, edges=pool.edges)
                    for target, pool in self.pools.items()
                },
                window_s=pace.bundle.manifest.windows.window_s,
                hop_s=pace.hop_s,
                bundle_digest=self.digest,
                simulated=any(manifest.simulated for manifest in manifests),
                takes_baseline=any(manifest.rest is not None for manifest in manifests),
            )
            for name, pace in paces.items()
        )


def membership_of(bundles: Mapping[str, Bundle], settings: FusionSettings) -> Membership | None:
    """Return what a session fuses; None for nothing.

    Unless the settings say, decoders are fused where two of them share a target on which both have
    skill, and each has a modality that the other lacks: two that hear the same know the same.

    Parameters
    ----------
    bundles : mapping of str to Bundle
        By name of the decoder.
    settings : FusionSettings
        What the session file says.

    Raises
    ------
    ConfigError
        The settings ask for what cannot be.
    """
    if settings.enabled is False:
        return None
    pools = _pools(bundles)
    names = sorted({name for pool in pools.values() for name in pool.skills})
    if settings.enabled is None and not any(
        _complement(bundles[a], bundles[b])
        for pool in pools.values()
        for a in pool.skills
        for b in pool.skills
    ):
        return None
    if not names:
        msg = (
            "fusion.enabled: true needs two decoders with a common target and skill on it, and "
            f"{', '.join(bundles)} have none (`rtaffect bundle show` says what they answer). Give "
            "other models, or leave the key out."
        )
        raise ConfigError(msg)
    members: dict[str, Member] = {}
    for name in names:
        lag_s = bundles[name].manifest.windows.lag_s
        members[name] = Member(bundles[name], (settings.lag_s or lag_s) if lag_s > 0 else 0.0)
    _check_hold(members, settings.hold_s)
    digests = sorted(bundles[name].digest for name in names)
    return Membership(pools, members, hashlib.sha256("\n".join(digests).encode()).hexdigest())


def _pools(bundles: Mapping[str, Bundle]) -> dict[str, TargetPool]:
    """Return how each target that can be fused is pooled, by name."""
    names = dict.fromkeys(
        t for _, bundle in sorted(bundles.items()) for t in bundle.manifest.targets
    )
    found = {
        target: pool_of(
            {
                name: bundle.manifest.targets[target]
                for name, bundle in bundles.items()
                if target in bundle.manifest.targets
            }
        )
        for target in names
    }
    return {target: pool for target, pool in found.items() if pool is not None}


def _complement(one: Bundle, other: Bundle) -> bool:
    a, b = set(one.manifest.windows.modalities), set(other.manifest.windows.modalities)
    return bool(a - b) and bool(b - a)


def _check_hold(members: Mapping[str, Member], hold_s: float) -> None:
    for name, member in members.items():
        least_s = member.lag_s + member.hop_s / 2 + DELIVERY_S if member.lag_s > 0 else 0.0
        if hold_s < least_s:
            msg = (
                f"fusion.hold_s must be at least {least_s:g} s for {name} (its lag of "
                f"{member.lag_s:g} s, half a frame, and {DELIVERY_S:g} s of delivery), got "
                f"{hold_s:g} s."
            )
            raise ConfigError(msg)
