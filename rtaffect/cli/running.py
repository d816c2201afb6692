"""What `live` and `replay` share: sinks from settings, what is said, and how a run ends."""

import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import typer

from rtaffect.cli.resting import FILE
from rtaffect.text import LEAKY

if TYPE_CHECKING:
    from rtaffect.bundle import Bundle
    from rtaffect.cli.resting import RestCommand
    from rtaffect.config import Session
    from rtaffect.core.clock import Clock
    from rtaffect.core.fused import FusedInfo
    from rtaffect.core.sinks import Sink
    from rtaffect.core.streams import Source, StreamInfo
    from rtaffect.decode.decoder import Decoder
    from rtaffect.decode.fusion import Fusion
    from rtaffect.engine import Summary
    from rtaffect.publish.zmq import ZmqPublisher


def by_name(decoders: "Sequence[Decoder]") -> "dict[str, Bundle]":
    """Return the decoders' bundles."""
    return {decoder.name: decoder.bundle for decoder in decoders}


def fused_infos(fusion: "Fusion | None") -> "tuple[FusedInfo, ...]":
    """Return what fusion puts out; nothing where nothing is fused."""
    return fusion.membership.infos if fusion is not None else ()


def open_publishers(
    session: "Session",
    decoders: "Sequence[Decoder]",
    infos: "Mapping[str, StreamInfo]",
    fusion: "Fusion | None" = None,
    *,
    session_id: str,
    clock: "Clock | None",
) -> "tuple[ZmqPublisher, list[Sink]]":
    """Return the ZeroMQ publisher, and all sinks that publish.

    Raises
    ------
    PublishError
        An address cannot be bound, or may not be.
    """
    from rtaffect.publish.keys import read_server_keys
    from rtaffect.publish.messages import session_body
    from rtaffect.publish.zmq import ZmqPublisher

    settings = session.publish
    keys = None
    if settings.curve is not None:
        admit = None if settings.curve.admit is None else Path(settings.curve.admit)
        keys = read_server_keys(Path(settings.curve.secret), admit)
    body = session_body(by_name(decoders), infos, fused_infos(fusion))
    publisher = ZmqPublisher(
        settings.address,
        session=body,
        session_id=session_id,
        clock=clock,
        curve=keys,
        insecure=settings.insecure,
    )
    sinks: list[Sink] = [publisher]
    if settings.lsl:
        from rtaffect.publish.lsl import LslPublisher

        sinks.append(LslPublisher(body, session_id=session_id))
    return publisher, sinks


@contextmanager
def ended_by_signals(source: "Source") -> Iterator[list[int]]:
    """End the source's events on Ctrl-C and on SIGTERM; yield the list of signals that came."""
    came: list[int] = []

    def end(number: int, _frame: FrameType | None) -> None:
        came.append(number)
        source.close()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def tell(text: str) -> None:
    """Say something to the user, beside whatever goes to standard output."""
    typer.echo(text, err=True)


def is_terminal() -> bool:
    """Return whether somebody looks at standard error."""
    return sys.stderr.isatty()


def tell_streams(infos: "Mapping[str, StreamInfo]") -> None:
    """Say which streams were found."""
    for modality, info in infos.items():
        rate = f"{info.sfreq:g} Hz" if info.sfreq else "irregular"
        tell(f"{modality}: {info.name}, {info.n_channels} channels, {rate}")


def tell_decoders(decoders: "Sequence[Decoder]", rest: "RestCommand") -> None:
    """Say where models run, whose baseline they have, and what to mind about them."""
    for decoder in decoders:
        tell(f"decoder {decoder.name}: {decoder.provider}")
        if (baseline := decoder.baseline) is not None:
            tell(
                f"{decoder.name}: baseline {baseline.digest[:12]} of {baseline.n_windows} windows "
                "at rest"
            )
    _tell_caveats(decoders, rest)


def tell_fusion(fusion: "Fusion | None", decoders: "Sequence[Decoder]") -> None:
    """Say what is fused out of what, and who has no part in it."""
    if fusion is None:
        return
    membership = fusion.membership
    targets = ", ".join(
        f"{target} of {' and '.join(f'{m} (skill {s:.2f})' for m, s in pool.skills.items())}"
        for target, pool in membership.pools.items()
    )
    tell(f"{' and '.join(info.name for info in membership.infos)}: {targets}")
    for decoder in decoders:
        if decoder.name not in membership.members:
            tell(
                f"Note: {decoder.name} has no part in fusion: it shares no target with another "
                "decoder, or has no skill on people that it has not seen."
            )


def _tell_caveats(decoders: "Sequence[Decoder]", rest: "RestCommand") -> None:
    """Say which models nobody should believe, and which of them lack a baseline."""
    for decoder in decoders:
        manifest = decoder.bundle.manifest
        if manifest.training.leaky:
            tell(f"Note: {decoder.name} is {LEAKY}")
        if manifest.rest is not None and decoder.baseline is None:
            then = (
                "and gives no answer without one"
                if manifest.rest.required
                else "and answers as it was trained to without one"
            )
            tell(
                f"Note: {decoder.name} has no baseline (what the person is like at rest), {then}. "
                f"Make one with {rest.for_bundle(decoder.bundle)}. Then add `--baseline {FILE}`."
            )


def tell_summary(summary: "Summary", decoders: "Sequence[Decoder]", rest: "RestCommand") -> None:
    """Say what a run did: windows, answers, flags, streams, failures; and what to mind about it."""
    fused = f" Fused answers: {summary.n_fused}." if summary.n_fused else ""
    tell(f"{summary.n_windows} windows, {summary.n_answers} with an answer.{fused}")
    if summary.n_flags:
        counts = ", ".join(f"{word} {n}" for word, n in sorted(summary.n_flags.items()))
        tell(f"Flags: {counts}.")
    for modality, stream in summary.streams.items():
        lost = f", {stream.n_missing} samples missing" if stream.n_missing else ""
        tell(
            f"{modality}: {stream.n_samples} samples at {stream.sfreq_hz:.2f} Hz, "
            f"{stream.n_gaps} gaps{lost}."
        )
    _tell_caveats(decoders, rest)
    for failure in summary.failures:
        tell(f"Stopped before the end: {failure}")
