"""What `live` and `replay` share: decoders and sinks from settings, and how a run ends."""

import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import typer

from rtaffect.core.errors import BundleError

if TYPE_CHECKING:
    from rtaffect.bundle import Bundle
    from rtaffect.config import Session
    from rtaffect.config.session import DecoderSettings
    from rtaffect.core.clock import Clock
    from rtaffect.core.sinks import Sink
    from rtaffect.core.streams import Source, StreamInfo
    from rtaffect.decode.decoder import Decoder
    from rtaffect.engine import Summary
    from rtaffect.publish.zmq import ZmqPublisher


def open_decoders(
    wanted: "Sequence[DecoderSettings]", infos: "Mapping[str, StreamInfo]", *, provider: str
) -> "list[Decoder]":
    """Return a decoder for each entry, once every one of them fits the streams.

    Raises
    ------
    BundleError
        A bundle is not whole, or does not fit.
    """
    from rtaffect.bundle import explain_mismatch, find_bundle, load_bundle
    from rtaffect.decode.decoder import Decoder

    bundles = [(entry, load_bundle(find_bundle(entry.bundle))) for entry in wanted]
    names = [entry.name or bundle.manifest.name for entry, bundle in bundles]
    if len(set(names)) < len(names):
        msg = f"Decoders must differ in name, got {', '.join(names)}. Give each a `name`."
        raise BundleError(msg)
    for entry, bundle in bundles:
        modalities = bundle.manifest.windows.modalities if entry.interpolate else ()
        if problems := explain_mismatch(bundle.manifest, infos, interpolate=modalities):
            msg = "\n  ".join(
                [f"The bundle {entry.bundle!r} does not fit the streams at hand:", *problems]
            )
            raise BundleError(msg)
    return [
        Decoder(bundle, name=name, infos=infos, provider=provider)
        for name, (_, bundle) in zip(names, bundles, strict=True)
    ]


def interpolated(wanted: "Sequence[DecoderSettings]", decoders: "Sequence[Decoder]") -> list[str]:
    """Return the names of the decoders that may rebuild missing channels."""
    return [d.name for entry, d in zip(wanted, decoders, strict=True) if entry.interpolate]


def by_name(decoders: "Sequence[Decoder]") -> "dict[str, Bundle]":
    """Return the decoders' bundles."""
    return {decoder.name: decoder.bundle for decoder in decoders}


def open_publishers(
    session: "Session",
    decoders: "Sequence[Decoder]",
    infos: "Mapping[str, StreamInfo]",
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
    body = session_body(by_name(decoders), infos)
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


def tell_summary(summary: "Summary") -> None:
    """Say what a run did: windows, answers, flags, streams, latency, failures."""
    tell(f"{summary.n_windows} windows, {summary.n_answers} with an answer.")
    if summary.n_flags:
        counts = ", ".join(f"{word} {n}" for word, n in sorted(summary.n_flags.items()))
        tell(f"Flags: {counts}.")
    for modality, stream in summary.streams.items():
        lost = f", {stream.n_missing} samples missing" if stream.n_missing else ""
        tell(
            f"{modality}: {stream.n_samples} samples at {stream.sfreq_hz:.2f} Hz, "
            f"{stream.n_gaps} gaps{lost}."
        )
    for failure in summary.failures:
        tell(f"Stopped before the end: {failure}")
