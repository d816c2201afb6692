"""Bundles and estimates for tests of fusion; nothing of them is ever run."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from tiny_bundle import tiny_manifest

from rtaffect.bundle import Bundle
from rtaffect.core.estimate import Distribution, Estimate
from rtaffect.core.spec import FrameSpec, ModalitySpec, RoiSpec, SignalSpec, WindowSpec
from rtaffect.core.window import Flag
from rtaffect.manifest import Target

SPECS: Mapping[str, ModalitySpec] = {
    "eeg": SignalSpec(ch_names=("Cz",)),
    "face": FrameSpec(ch_names=("AU06_r",)),
    "roi": RoiSpec(ch_names=("A8m_L",), lag_s=5.0),
}
HALVES = (-1.0, 0.0, 1.0)
THIRDS = (-1.0, -0.25, 0.25, 1.0)


def target(
    skill: float,
    *,
    edges: Sequence[float] = HALVES,
    classes: Sequence[str] | None = None,
    prior: Sequence[float] | None = None,
) -> Target:
    n = len(classes) if classes is not None else len(edges) - 1
    return Target(
        classes=tuple(classes) if classes is not None else tuple(f"c{i}" for i in range(n)),
        edges=tuple(edges),
        prior=tuple(prior) if prior is not None else (1 / n,) * n,
        skill=skill,
        temperature=1.0,
    )


def bundle(
    name: str, modalities: Sequence[str], targets: Mapping[str, Target], *, simulated: bool = False
) -> Bundle:
    """A model of some modalities: windows of 3 s each 0.25 s, or of 20 s at frames 2 s apart."""
    is_roi = "roi" in modalities
    windows = WindowSpec(
        window_s=20.0 if is_roi else 3.0,
        hop_s=2.0 if is_roi else 0.25,
        closes="roi" if is_roi else "grid",
        modalities={modality: SPECS[modality] for modality in modalities},
    )
    manifest = tiny_manifest()[0].model_copy(
        update={"name": name, "windows": windows, "targets": targets, "simulated": simulated}
    )
    return Bundle(Path(name), manifest, hashlib.sha256(name.encode()).hexdigest())


def said(
    made_by: Bundle,
    t_end: float,
    answers: Mapping[str, Sequence[float]] | None,
    *,
    coverage: float | Mapping[str, float] = 1.0,
    flags: Sequence[tuple[str, Flag]] = (),
) -> Estimate:
    """What a decoder says of a window; None for no answer."""
    manifest = made_by.manifest
    modalities = manifest.windows.modalities
    return Estimate(
        decoder=manifest.name,
        t_start=t_end - manifest.windows.window_s,
        t_end=t_end,
        targets={
            name: Distribution(
                classes=manifest.targets[name].classes,
                probabilities=tuple(p),
                edges=manifest.targets[name].edges,
            )
            for name, p in (answers or {}).items()
        },
        confidence=0.5,
        coverage=dict.fromkeys(modalities, coverage)
        if isinstance(coverage, float)
        else dict(coverage),
        flags=tuple(flags),
        contributions={manifest.name: 1.0} if answers else {},
        n_slices=1 if answers else 0,
        bundle_digest=made_by.digest,
        lag_s=manifest.windows.lag_s,
    )
