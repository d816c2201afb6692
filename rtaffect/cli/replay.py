"""``rtaffect replay``: decode a recording, or send it as if it were live."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from uuid import uuid4

import typer

from rtaffect.core.errors import BundleError, RecordingError
from rtaffect.program import INTERRUPTED

if TYPE_CHECKING:
    from rtaffect.cli.resting import RestCommand
    from rtaffect.config import Session
    from rtaffect.config.session import DecoderSettings
    from rtaffect.core.sinks import Sink
    from rtaffect.decode.decoder import Decoder
    from rtaffect.engine import Summary
    from rtaffect.sources.recording import RecordingSource

LINGER_S = 0.5
"""How long outlets stay open after the last sample: LSL drops what it has not sent by then."""


def replay(
    files: Annotated[
        list[Path],
        typer.Argument(help="XDF, .set, .edf, .bdf, .vhdr, .fif; an OpenFace CSV, a ROI table."),
    ],
    session: Annotated[
        Path | None, typer.Option(help="Session file; else the EEG stream is found by itself.")
    ] = None,
    bundle: Annotated[
        str | None,
        typer.Option(help="Model; else that of the session, or a shipped one that fits."),
    ] = None,
    speed: Annotated[
        str | None,
        typer.Option(help="max, or how many times real time. Default: max; 1 with --as-lsl."),
    ] = None,
    as_lsl: Annotated[
        bool, typer.Option("--as-lsl", help="Send the recording as LSL streams; decode nothing.")
    ] = False,
    publish: Annotated[
        bool, typer.Option("--publish", help="Publish estimates as a live session does.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Write estimates into FILE.parquet, .csv or .jsonl.")
    ] = None,
    baseline: Annotated[
        list[Path] | None,
        typer.Option(help="What `rtaffect baseline` made; else what the recording itself holds."),
    ] = None,
    interpolate: Annotated[
        bool,
        typer.Option("--interpolate", help="Rebuild missing channels, up to the model's limit."),
    ] = False,
    face_offset: Annotated[
        float, typer.Option(help="When the OpenFace video began after the EEG, in seconds.")
    ] = 0.0,
    roi_offset: Annotated[
        float, typer.Option(help="When the ROI table's first volume began after the EEG.")
    ] = 0.0,
    tr: Annotated[
        float | None,
        typer.Option(help="Repetition time of a ROI table that does not say it, in seconds."),
    ] = None,
) -> None:
    """Decode a recording exactly as a live session would have.

    Example: rtaffect replay session.xdf --out estimates.parquet

    A recording made by rtaffect itself gives the very estimates of the session, bit for bit, with
    the model that the session had.
    """
    from rtaffect.cli.lived import tell_differences
    from rtaffect.cli.resting import RestCommand
    from rtaffect.cli.running import (
        ended_by_signals,
        tell,
        tell_decoders,
        tell_streams,
        tell_summary,
    )
    from rtaffect.config import load_session
    from rtaffect.publish.estimate_file import require_new
    from rtaffect.sources.recording import open_recording

    if out is not None:
        require_new(out)
    settings = load_session(session) if session is not None else None
    source = open_recording(
        files,
        settings.recorded_choices() if settings is not None else None,
        speed=_speed(speed, as_lsl=as_lsl),
        face_offset_s=face_offset,
        roi_offset_s=roi_offset,
        tr_s=tr,
    )
    tell_streams(source.infos)
    for note in source.notes:
        tell(f"Note: {note}")
    with source, ended_by_signals(source) as came:
        if as_lsl:
            _send(source)
        else:
            rest = RestCommand(session, tuple(files))
            wanted = _wanted(settings, bundle, source, interpolate=interpolate)
            decoders = _open_decoders(source, settings, wanted, rest, baseline or ())
            tell_decoders(decoders, rest)
            tell_differences(source, decoders, rest)
            summary = _decode(source, settings, wanted, decoders, publish=publish, out=out)
            tell_summary(summary, decoders, rest)
            tell_differences(source, decoders, rest)  # again: counts have moved it out of sight
            if out is not None:
                tell(f"Estimates are in {out}.")
            if summary.n_answers == 0 and not came:
                raise _no_answer(source, decoders)
            if summary.failures:
                raise typer.Exit(1)
    if came:
        raise typer.Exit(INTERRUPTED)


def _speed(text: str | None, *, as_lsl: bool) -> float | Literal["max"]:
    if text is None:
        return 1.0 if as_lsl else "max"
    if text == "max":
        return "max"
    try:
        return float(text)
    except ValueError:
        msg = f"--speed takes max or a number above 0 (1 is real time), got {text!r}."
        raise typer.BadParameter(msg) from None


def _wanted(
    settings: "Session | None", bundle: str | None, source: "RecordingSource", *, interpolate: bool
) -> "tuple[DecoderSettings, ...]":
    from rtaffect.cli.choosing import fitting_bundles
    from rtaffect.cli.lived import decoded_live_by, lived_decoders
    from rtaffect.cli.running import tell
    from rtaffect.config.session import DecoderSettings

    if bundle is None and settings is not None:
        return settings.decoders
    if bundle is None and (lived := lived_decoders(source, interpolate=interpolate)):
        tell(f"bundle: {', '.join(one.bundle for one in lived)}")
        return lived
    if bundle is not None:
        bundles: tuple[str, ...] = (bundle,)
    else:
        names = {modality: info.ch_names for modality, info in source.infos.items()}
        try:
            bundles = fitting_bundles(names)
        except BundleError as error:
            if source.bundles:
                msg = f"{error}\n{decoded_live_by(source.bundles)}"
                raise BundleError(msg) from None
            raise
    tell(f"bundle: {', '.join(bundles)}")
    return tuple(DecoderSettings(bundle=name, interpolate=interpolate) for name in bundles)


def _open_decoders(
    source: "RecordingSource",
    settings: "Session | None",
    wanted: "tuple[DecoderSettings, ...]",
    rest: "RestCommand",
    baselines: Sequence[Path],
) -> "list[Decoder]":
    from rtaffect.cli.opening import open_decoders

    return open_decoders(
        wanted,
        source.infos,
        provider=settings.provider if settings is not None else "auto",
        rest=rest,
        baselines=baselines,
        recorded=source.baselines,
    )


def _decode(
    source: "RecordingSource",
    settings: "Session | None",
    wanted: "tuple[DecoderSettings, ...]",
    decoders: "list[Decoder]",
    *,
    publish: bool,
    out: Path | None,
) -> "Summary":
    from rtaffect.cli.lived import lived_fusion
    from rtaffect.cli.opening import interpolated, lived_mr, open_conditioner, open_fusion
    from rtaffect.cli.running import by_name, fused_infos, open_publishers, tell, tell_fusion
    from rtaffect.cli.status import ReplayBar
    from rtaffect.config import Session
    from rtaffect.engine import Engine
    from rtaffect.publish.estimate_file import EstimateFile

    sinks: list[Sink] = []
    session = settings or Session.model_validate({"streams": {"eeg": {}}, "decoders": wanted})
    how = lived_fusion(source, decoders) if settings is None else settings.fusion
    fusion = open_fusion(decoders, how)
    tell_fusion(fusion, decoders)
    if publish:
        publisher, publishers = open_publishers(
            session, decoders, source.infos, fusion, session_id=uuid4().hex, clock=None
        )
        sinks += publishers
        tell(f"Publishing on {publisher.address}.")
    if out is not None:
        sinks.append(EstimateFile(out, by_name(decoders), fused_infos(fusion)))
    sinks.append(ReplayBar(source.t_first, source.duration_s))
    engine = Engine(
        source,
        decoders,
        sinks,
        interpolate=interpolated(wanted, decoders),
        fusion=fusion,
        conditioner=open_conditioner(lived_mr(settings, source), source.infos),
    )
    return engine.run()


def _send(source: "RecordingSource") -> None:
    """Send what was recorded, each sample as long after the first as it was recorded."""
    from rtaffect.cli.running import tell
    from rtaffect.core.streams import Chunk, ClockOffset
    from rtaffect.core.volume_message import VOLUME_MODALITY
    from rtaffect.publish.lsl import LslSender
    from rtaffect.signal.timeline import ClockMap
    from rtaffect.sources.lsl_inlet import local_clock

    infos = [
        replace(info, source_id=f"rtaffect-replay-{uuid4().hex[:8]}-{modality}")
        for modality, info in source.infos.items()
        if modality != VOLUME_MODALITY  # LSL is not made for volumes
    ]
    sender = LslSender(infos, dtype="float64")
    tell(f"Sending {', '.join(info.name for info in infos)} over LSL; Ctrl-C ends.")
    clocks = {info.modality: ClockMap() for info in infos}
    shift_s: float | None = None
    for event in source.events():
        if shift_s is None:
            shift_s = local_clock() - event.t_received
        if isinstance(event, ClockOffset) and event.modality in clocks:
            clocks[event.modality].update(event)
        elif isinstance(event, Chunk) and event.modality in clocks:
            stamps_s = clocks[event.modality].apply(event) + shift_s
            sender.push(replace(event, stamps_s=stamps_s))
    time.sleep(LINGER_S)
    sender.close()


def _no_answer(source: "RecordingSource", decoders: "list[Decoder]") -> RecordingError:
    from rtaffect.core.spec import GRID
    from rtaffect.signal.timeline import MEASURE_S

    specs = [decoder.bundle.manifest.windows for decoder in decoders]
    window_s = min(spec.window_s for spec in specs)
    least_s = MEASURE_S + window_s
    length = f"The recording is {source.duration_s:.1f} s long"
    if not any(decoder.can_answer for decoder in decoders):
        names = ", ".join(decoder.name for decoder in decoders)
        msg = (
            f"{length}, and no window of it has an answer: {names} must have a baseline, and none "
            "was given. The note above says how to make one."
        )
    elif all(spec.closes != GRID for spec in specs):
        msg = (
            f"{length}, and no frame of it has an answer: a model of fMRI lets the first frames of "
            f"a run settle, then needs most of a window of {window_s:g} s. The flags above say "
            "what stood in the way."
        )
    elif source.duration_s < least_s + 1.0:
        msg = (
            f"{length}, too short for an estimate: that needs {MEASURE_S:g} s to measure the rate, "
            f"a window of {window_s:g} s without a gap, and a little after it. Record at least "
            f"{least_s + 1.0:g} s."
        )
    else:
        msg = (
            f"{length}, and no window of it could be decoded: a model needs {window_s:g} s without "
            "a gap. The flags above say what stood in the way."
        )
    return RecordingError(msg)
