"""The runtime's own words as messages of the wire."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

import numpy as np

from rtaffect import wire
from rtaffect.bundle import Bundle
from rtaffect.core.estimate import Estimate
from rtaffect.core.fused import FusedInfo
from rtaffect.core.health import Health
from rtaffect.core.sinks import Matrix
from rtaffect.core.streams import Chunk, StreamEvent, StreamInfo
from rtaffect.signal.timeline import ClockMap
from rtaffect.version import __version__

MAX_MARKER = 1 << 16
"""Characters of a marker that are published; a recording has all of it."""


def session_body(
    bundles: Mapping[str, Bundle],
    infos: Mapping[str, StreamInfo],
    fused: Sequence[FusedInfo] = (),
) -> wire.Session:
    """Return what runs.

    Parameters
    ----------
    bundles : mapping of str to Bundle
        By name of the decoder.
    infos : mapping of str to StreamInfo
        The streams by modality.
    fused : sequence of FusedInfo
        Outputs of fusion.

    Raises
    ------
    WireError
        A decoder's name does not fit into a topic.
    """
    manifests = {name: bundle.manifest for name, bundle in bundles.items()}
    return wire.Session(
        rtaffect_version=__version__,
        simulated=any(manifest.simulated for manifest in manifests.values())
        or any(info.simulated for info in infos.values()),
        topics=(
            *(wire.topic_of(kind) for kind in ("session", "health", "event")),
            *(wire.topic_of(kind, name) for name in bundles for kind in ("estimate", "dfcn")),
            *(wire.topic_of("estimate", each.name) for each in fused),
        ),
        decoders={
            name: wire.DecoderInfo(
                bundle_digest=bundles[name].digest,
                simulated=manifest.simulated,
                modalities=tuple(manifest.windows.modalities),
                window_s=manifest.windows.window_s,
                hop_s=manifest.windows.hop_s,
                targets={
                    key: wire.TargetInfo(classes=target.classes, edges=target.edges)
                    for key, target in manifest.targets.items()
                },
                takes_baseline=manifest.rest is not None,
                leaky=manifest.training.leaky,
            )
            for name, manifest in manifests.items()
        }
        | {each.name: _fused_body(each) for each in fused},
        streams={
            modality: wire.StreamInfo(
                name=info.name,
                stype=info.stype,
                source_id=info.source_id,
                ch_names=info.ch_names,
                sfreq=info.sfreq,
                simulated=info.simulated,
            )
            for modality, info in infos.items()
        },
    )


def _fused_body(info: FusedInfo) -> wire.DecoderInfo:
    return wire.DecoderInfo(
        bundle_digest=info.bundle_digest,
        simulated=info.simulated,
        modalities=info.modalities,
        window_s=info.window_s,
        hop_s=info.hop_s,
        targets={
            key: wire.TargetInfo(classes=target.classes, edges=target.edges)
            for key, target in info.targets.items()
        },
        takes_baseline=info.takes_baseline,
        members=info.members,
    )


def estimate_body(estimate: Estimate) -> wire.Estimate:
    """Return an estimate; its JSON is the estimate's canonical form."""
    return wire.Estimate(
        decoder=estimate.decoder,
        t_start=estimate.t_start,
        t_end=estimate.t_end,
        targets={
            name: wire.Target(
                classes=target.classes,
                probabilities=target.probabilities,
                edges=target.edges,
                expected=target.expected if target.edges else None,
                spread=target.spread if target.edges else None,
            )
            for name, target in estimate.targets.items()
        },
        confidence=estimate.confidence,
        coverage=estimate.coverage,
        flags=tuple((modality, flag.value) for modality, flag in estimate.flags),
        contributions=estimate.contributions,
        n_slices=estimate.n_slices,
        bundle_digest=estimate.bundle_digest,
        lag_s=estimate.lag_s,
    )


def health_body(health: Health) -> wire.Health:
    """Return a report of health; NaN becomes null."""
    return wire.build(wire.Health, wire.plain(asdict(health)), where="health")


def stream_event_body(event: StreamEvent) -> wire.Event:
    """Return what became of a stream."""
    return wire.Event(
        kind="stream",
        modality=event.modality,
        state=event.state.value,
        text=event.detail,
        t=event.t_received,
        t_received=event.t_received,
    )


def marker_bodies(chunk: Chunk, clock_map: ClockMap) -> Iterator[wire.Event]:
    """Yield one event a marker of a chunk of text, on the runtime's clock.

    A marker whose stamp is no number has the time of its arrival; a very long one is cut.
    """
    for column, stamp_s in zip(chunk.data.T, clock_map.apply(chunk).tolist(), strict=True):
        t = stamp_s if math.isfinite(stamp_s) else chunk.t_received
        for text in map(str, column):
            yield wire.Event(
                kind="marker",
                modality=chunk.modality,
                state="",
                text=text if len(text) <= MAX_MARKER else f"{text[:MAX_MARKER]}...",
                t=t,
                t_received=chunk.t_received,
            )


def note_body(text: str, t: float) -> wire.Event:
    """Return a note for people."""
    return wire.Event(kind="note", modality="", state="", text=text, t=t, t_received=t)


def matrix_body(matrix: Matrix) -> tuple[wire.Matrix, bytes]:
    """Return what a matrix is, and its bytes."""
    data = np.ascontiguousarray(matrix.data, dtype="<f4")
    labels_fit = data.ndim > 0 and len(matrix.ch_names) == data.shape[0]
    body = wire.Matrix(
        decoder=matrix.decoder,
        name=matrix.name,
        t_end=matrix.t_end,
        dtype="<f4",
        shape=data.shape,
        ch_names=matrix.ch_names if labels_fit else (),
    )
    return body, data.tobytes()
