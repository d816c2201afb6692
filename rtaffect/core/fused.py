"""What a fused decoder is: it has no model of its own, but members that have."""

from collections.abc import Mapping
from dataclasses import dataclass

LATEST, ALIGNED = FUSED_NAMES = ("fused-latest", "fused-aligned")
"""What the outputs are called in estimates and topics."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FusedTarget:
    """One target on the scale that its members' answers are brought to.

    Parameters
    ----------
    classes : tuple of str
        Class names, in order.
    edges : tuple of float
        ``len(classes) + 1`` edges for an ordered target, of all members together; empty for
        categories.
    """

    classes: tuple[str, ...]
    edges: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FusedInfo:
    """One output of fusion, described as decoders are.

    Parameters
    ----------
    name : str
        Name of the decoder in estimates and topics.
    members : tuple of str
        Names of the decoders that take part, sorted.
    modalities : tuple of str
        What the members listen to.
    targets : mapping of str to FusedTarget
        What is fused.
    window_s, hop_s : float
        Of the member that makes the pace.
    bundle_digest : str
        sha256 of the members' digests.
    simulated : bool
        A member was trained on simulated participants.
    takes_baseline : bool
        A member asks what the person is like at rest.
    """

    name: str
    members: tuple[str, ...]
    modalities: tuple[str, ...]
    targets: Mapping[str, FusedTarget]
    window_s: float
    hop_s: float
    bundle_digest: str
    simulated: bool
    takes_baseline: bool
