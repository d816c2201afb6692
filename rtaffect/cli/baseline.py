"""``rtaffect baseline``: what a person's signals are like at rest, for models that ask for it."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rtaffect.core.errors import BaselineError
from rtaffect.program import INTERRUPTED

if TYPE_CHECKING:
    from rtaffect.bundle import Bundle
    from rtaffect.config import Session
    from rtaffect.config.mr import MrSettings
    from rtaffect.config.session import DecoderSettings
    from rtaffect.core.streams import Source
    from rtaffect.core.window import Window

LONGEST_S = 600.0


def baseline(
    out: Annotated[Path, typer.Option(help="File to write; one that exists is not replaced.")],
    session: Annotated[
        Path | None, typer.Argument(help="The session file: which streams, which model.")
    ] = None,
    recording: Annotated[
        list[Path] | None,
        typer.Option(help="Take it from a recording instead of live streams."),
    ] = None,
    bundle: Annotated[
        str | None, typer.Option(help="Which model, if the session has several or there is none.")
    ] = None,
    duration: Annotated[
        float,
        typer.Option(
            min=1.0,
            max=LONGEST_S,
            help="Live: how many seconds; filters need the first few of them to settle.",
        ),
    ] = 60.0,
    start: Annotated[
        float, typer.Option("--from", min=0.0, help="Recording: first second of the rest.")
    ] = 0.0,
    stop: Annotated[
        float | None, typer.Option("--to", help="Recording: last second of the rest; its end.")
    ] = None,
) -> None:
    """Take a person's baseline: clean windows at rest, summarised by the model, kept in a file.

    Example: rtaffect baseline session.yaml --duration 60 --out ada.json

    Then rtaffect live session.yaml --baseline ada.json

    It belongs to one person and one model. Predicting never changes it.
    """
    from rtaffect.cli.opening import check_fit, open_conditioner
    from rtaffect.cli.running import ended_by_signals, tell, tell_streams
    from rtaffect.cli.status import RestBar
    from rtaffect.config import load_session
    from rtaffect.decode.baseline import BaselineMaker, write_baseline
    from rtaffect.windows import open_windows

    if out.exists():
        msg = f"{out} exists, and no baseline is replaced. Choose another file, or remove it."
        raise BaselineError(msg)
    settings = load_session(session) if session is not None else None
    entry, model = _chosen(settings, bundle)
    provider = settings.provider if settings is not None else "auto"
    maker = BaselineMaker(model, provider=provider)
    if recording:
        source, begin, end = _open_recording(recording, settings, start, stop)
    else:
        source, begin, end = _open_live(settings, model, duration)
    with source, ended_by_signals(source) as came:
        tell_streams(source.infos)
        check_fit(entry, model, source.infos)
        tell(f"Model {model.manifest.name}: rest for {end - begin:.0f} s.")
        spec = model.manifest.windows
        windows = open_windows(
            source,
            spec,
            interpolate=spec.modalities if entry.interpolate else (),
            conditioner=open_conditioner(_mr(settings, source), source.infos),
        )
        with RestBar(begin, end) as bar:
            for window in _between(windows, begin, end):
                maker.push(window)
                bar.on_window(window.t_end, maker.n_kept)
    if came:
        tell("Interrupted: nothing was written.")
        raise typer.Exit(INTERRUPTED)
    found = maker.finish()
    write_baseline(out, found)
    flags = ", ".join(f"{word} {n}" for word, n in found.flags.items())
    tell(f"{found.n_windows} clean windows of {spec.window_s:g} s.")
    if flags:
        tell(f"Flags: {flags}.")
    tell(f"The baseline is in {out}.")


def _chosen(settings: "Session | None", name: str | None) -> "tuple[DecoderSettings, Bundle]":
    """Return the one model that takes a baseline, of those that are named or of the session."""
    from rtaffect.bundle import find_bundle, load_bundle
    from rtaffect.config.session import DecoderSettings

    entries = settings.decoders if settings is not None else ()
    if name is not None:
        named = [e for e in entries if name == e.label or Path(name) == Path(e.bundle)]
        entries = tuple(named) or (DecoderSettings(bundle=name),)
    if not entries:
        msg = "A model must be named: give a session file, or --bundle."
        raise BaselineError(msg)
    loaded = [(entry, load_bundle(find_bundle(entry.bundle))) for entry in entries]
    takers = {b.digest: (entry, b) for entry, b in loaded if b.manifest.rest is not None}
    if not takers:
        names = ", ".join(b.manifest.name for _, b in loaded)
        msg = f"No model here takes a baseline ({names}): none is needed."
        raise BaselineError(msg)
    if len(takers) > 1:
        names = ", ".join(entry.bundle for entry, _ in takers.values())
        msg = f"Several models take a baseline: {names}. Choose one with --bundle."
        raise BaselineError(msg)
    return next(iter(takers.values()))


def _mr(settings: "Session | None", source: "Source") -> "MrSettings | None":
    from rtaffect.cli.opening import lived_mr
    from rtaffect.sources.recording import RecordingSource

    if isinstance(source, RecordingSource):
        return lived_mr(settings, source)
    return settings.mr if settings is not None else None


def _open_live(
    settings: "Session | None", model: "Bundle", duration_s: float
) -> "tuple[Source, float, float]":
    """Return the source, and when the rest begins and ends on its clock."""
    from rtaffect.cli.opening import open_live_source

    if settings is None:
        msg = "Streams must be named: give a session file, or a --recording."
        raise BaselineError(msg)
    source, clock = open_live_source(settings, hop_s=model.manifest.windows.hop_s)
    begin = clock()
    return source, begin, begin + duration_s


def _open_recording(
    files: Sequence[Path], settings: "Session | None", start_s: float, stop_s: float | None
) -> "tuple[Source, float, float]":
    """Return the source, and when the rest begins and ends on its clock."""
    from rtaffect.sources.recording import open_recording

    source = open_recording(files, settings.recorded_choices() if settings is not None else None)
    begin = source.t_first + start_s
    end = source.t_last if stop_s is None else source.t_first + stop_s
    if not 0.0 < end - begin <= LONGEST_S:
        msg = (
            f"A rest must be longer than 0 s and at most {LONGEST_S:g} s, got {end - begin:.1f} s "
            f"of a recording of {source.duration_s:.1f} s. Say --from and --to."
        )
        raise BaselineError(msg)
    return source, begin, end


def _between(windows: "Iterable[Window]", begin: float, end: float) -> "Iterator[Window]":
    """Yield the windows that lie wholly between two times."""
    for window in windows:
        if window.t_end > end:
            return
        if window.t_start >= begin:
            yield window
