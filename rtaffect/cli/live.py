"""``rtaffect live``: decode a running session."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import uuid4

import typer

from rtaffect.core.errors import RecordingError

if TYPE_CHECKING:
    from rtaffect.config import Session
    from rtaffect.core.clock import Clock
    from rtaffect.core.sinks import Sink
    from rtaffect.core.streams import Source
    from rtaffect.decode.decoder import Decoder

TICK_S = 0.25
"""How often the source tells the time where no model needs it: what tells of a silent scanner."""


def live(
    session: Annotated[Path, typer.Argument(help="The session file; `rtaffect init` makes one.")],
    duration: Annotated[
        float | None, typer.Option(min=1.0, help="End after so many seconds; else by Ctrl-C.")
    ] = None,
    baseline: Annotated[
        list[Path] | None,
        typer.Option(help="What `rtaffect baseline` made of this person; may be given again."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No status line.")] = False,
) -> None:
    """Decode live streams and publish the estimates.

    Example: rtaffect init session.yaml, then rtaffect live session.yaml

    `rtaffect listen` in another terminal shows what it publishes.

    Ctrl-C ends the session: what was recorded until then is complete.
    """
    from rtaffect.cli.beside import processes_beside
    from rtaffect.cli.opening import (
        interpolated,
        open_conditioner,
        open_decoders,
        open_fusion,
    )
    from rtaffect.cli.resting import RestCommand
    from rtaffect.cli.running import (
        ended_by_signals,
        open_publishers,
        tell,
        tell_decoders,
        tell_fusion,
        tell_streams,
        tell_summary,
    )
    from rtaffect.cli.status import StatusLine
    from rtaffect.config import load_session
    from rtaffect.engine import Engine

    settings = load_session(session)
    rest = RestCommand(session)
    with (
        processes_beside(session, settings),
        _opened(settings) as (source, clock),
        ended_by_signals(source),
    ):
        tell_streams(source.infos)
        for note in getattr(source, "notes", ()):
            tell(f"Note: {note}")
        decoders = open_decoders(
            settings.decoders,
            source.infos,
            provider=settings.provider,
            rest=rest,
            baselines=baseline or (),
        )
        fusion = open_fusion(decoders, settings.fusion)
        conditioner = open_conditioner(settings.mr, source.infos)
        session_id = uuid4().hex
        publisher, sinks = open_publishers(
            settings, decoders, source.infos, fusion, session_id=session_id, clock=clock
        )
        sinks += _recorder(settings, decoders, source, session_id=session_id)
        tell_decoders(decoders, rest)
        tell_fusion(fusion, decoders)
        tell(f"Publishing on {publisher.address}; `rtaffect listen` shows it. Ctrl-C ends.")
        if not quiet:
            sinks.append(StatusLine())
        engine = Engine(
            source,
            decoders,
            sinks,
            clock=clock,
            interpolate=interpolated(settings.decoders, decoders),
            conditioner=conditioner,
            fusion=fusion,
        )
        timer = threading.Timer(duration or 0.0, source.close)
        if duration is not None:
            timer.daemon = True
            timer.start()
        try:
            summary = engine.run()
        finally:
            timer.cancel()
    tell_summary(summary, decoders, rest)
    raise typer.Exit(1 if summary.failures else 0)


@contextmanager
def _opened(settings: "Session") -> "Iterator[tuple[Source, Clock]]":
    from rtaffect.cli.opening import open_live_source

    source, clock = open_live_source(settings, hop_s=_shortest_hop(settings))
    with source:
        yield source, clock


def _shortest_hop(settings: "Session") -> float:
    from rtaffect.bundle import find_bundle, load_bundle
    from rtaffect.core.spec import GRID

    bundles = [load_bundle(find_bundle(entry.bundle)) for entry in settings.decoders]
    specs = [bundle.manifest.windows for bundle in bundles]
    return min((spec.hop_s for spec in specs if spec.closes == GRID), default=TICK_S)


def _recorder(
    settings: "Session", decoders: "list[Decoder]", source: "Source", *, session_id: str
) -> "list[Sink]":
    if settings.record is None:
        return []
    from rtaffect.cli.running import tell
    from rtaffect.publish.recorder import Recorder

    path = settings.record.path_at(datetime.now().astimezone())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = (
            f"record.path must name a file in a folder that is there or can be made, got "
            f"{str(path)!r} ({error.strerror}). Choose another under record: path: in the session "
            "file."
        )
        raise RecordingError(msg) from error
    about = {
        "session_id": session_id,
        "settings": settings.about(),
        "bundles": {decoder.name: decoder.bundle.digest for decoder in decoders},
        "baselines": {
            decoder.name: decoder.baseline.model_dump(mode="json")
            for decoder in decoders
            if decoder.baseline is not None
        },
    }
    tell(f"Recording into {path}")
    return [Recorder(path, source.infos, session=about)]
