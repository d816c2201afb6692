"""``rtaffect init``: a session file for the streams that are there."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rtaffect.core.errors import ConfigError, StreamError
from rtaffect.text import printable

if TYPE_CHECKING:
    from rtaffect.bundle import Bundle
    from rtaffect.manifest import Manifest
    from rtaffect.sources.lsl_inlet import FoundStream


MR_WORDS = {
    "corrected": "the stream is taken to come without the scanner's artifacts.",
    "causal_aas": "the scanner's artifacts are subtracted here.",
}


def init(
    file: Annotated[Path, typer.Argument(help="The session file to write.")] = Path("session.yaml"),
    wait: Annotated[
        float, typer.Option(min=0.1, max=60.0, help="How long to look for streams, in seconds.")
    ] = 2.0,
    bundle: Annotated[
        str | None, typer.Option(help="The model to use; without it, a shipped one that fits.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
) -> None:
    """Write a session file from the streams on the network.

    Example: rtaffect init session.yaml, then rtaffect live session.yaml

    Start your senders first. Where two streams could be meant it asks you to choose by naming both.

    It says which streams the model needs, which it can do without, and what to do next.
    """
    from rtaffect.bundle import find_bundle, load_bundle
    from rtaffect.cli.choosing import fitting_bundles
    from rtaffect.config import Session, dump_session
    from rtaffect.config.streams import STREAM_TYPES
    from rtaffect.sources.lsl_inlet import discover
    from rtaffect.sources.stream_choice import WHY_INVISIBLE

    if file.exists() and not force:
        msg = f"{file} exists and is not replaced. Choose another name, or add --force."
        raise ConfigError(msg)
    found = discover(wait)
    chosen = {m: s for m, stype in STREAM_TYPES.items() if (s := _the_one(stype, found))}
    if not {"eeg", "face", "roi"} & set(chosen):
        there = "".join(f"\n  {stream}" for stream in found) or " none"
        msg = (
            "A session needs a stream of type 'EEG', 'Face' or 'fMRI'; "
            f"within {wait:g} s there was:{there}\n"
        )
        raise StreamError(msg + WHY_INVISIBLE)
    names = {modality: stream.ch_names for modality, stream in chosen.items()}
    bundles = fitting_bundles(names) if bundle is None else (bundle,)
    models = {name: load_bundle(find_bundle(name)) for name in bundles}
    needs = {name: list(_needs(name, m.manifest, chosen, file)) for name, m in models.items()}
    mr = _mr(chosen)
    settings: dict[str, Any] = {
        "streams": {modality: _keys(stream) for modality, stream in chosen.items()},
        "decoders": tuple({"bundle": name} for name in bundles),
        "mr": mr,
    }
    text = (
        "# Made by `rtaffect init`. Start it with:  rtaffect live "
        f"{file}\n# Keys that begin with # are not set; what they take stands behind them.\n\n"
    )
    try:
        file.write_text(text + dump_session(Session.model_validate(settings)), encoding="utf-8")
    except OSError as error:
        msg = f"{file} cannot be written: {error.strerror}."
        raise ConfigError(msg) from None
    for modality, stream in chosen.items():
        typer.echo(f"{modality:8} {printable(str(stream))}")
        if modality == "eeg" and not any(stream.units):
            typer.echo(f"{'':8} declares no unit: set streams.eeg.unit in {file} (V, mV, uV, nV)")
    if mr is not None:
        typer.echo(
            f"{'mr':8} {mr} was written, as EEG is beside a scan: {MR_WORDS[mr]} Correct mr in "
            f"{file} if that is wrong"
        )
    for name, lines in needs.items():
        typer.echo(f"{'model':8} {name}")
        for line in lines:
            typer.echo(line)
    typer.echo(f"Wrote {file}. {_next(models, file)}")


def _needs(
    bundle: str, manifest: "Manifest", chosen: "Mapping[str, FoundStream]", file: Path
) -> "Iterator[str]":
    """Yield what the model wants of each stream, and which are no use to it.

    Raises
    ------
    StreamError
        There is no stream of a modality that it needs.
    """
    from rtaffect.cli.choosing import lacking, listed
    from rtaffect.config.streams import STREAM_TYPES
    from rtaffect.text import LEAKY

    if manifest.training.leaky:
        yield f"{'':8} {LEAKY}"
    lacks = lacking(manifest.windows.modalities, {m: s.ch_names for m, s in chosen.items()})
    for modality, spec in manifest.windows.modalities.items():
        if modality not in chosen and not spec.optional:
            stype = STREAM_TYPES.get(modality, modality)
            msg = (
                f"The model {bundle!r} needs a stream of type {stype!r} ({modality}), and none is "
                "there. Start its sender and run this again, or choose another --bundle."
            )
            raise StreamError(msg)
        if modality not in chosen:
            yield (
                f"{modality:8} not there, and not needed: estimates will say `missing` of it. To "
                "use one, start its sender and run this again with --force"
            )
            if modality == "face":
                yield f"{'':8} `rtaffect face` is such a sender: it makes features of a webcam"
        elif spec.optional:
            yield (
                f"{modality:8} not needed: without it estimates go on and say `missing`. To start "
                f"before it is there, set streams.{modality}.required: false in {file}"
            )
        else:
            yield f"{modality:8} needed: without it there is no answer"
        if modality in lacks and modality in chosen:
            yield (
                f"{'':8} lacks {listed(lacks[modality])}: correct labels by "
                f"streams.{modality}.rename in {file}, or rebuild them by interpolate: true of the "
                "decoder"
            )
    for modality in chosen:
        if modality not in (*manifest.windows.modalities, "markers", "roi_meta"):
            yield f"{modality:8} not used by this model"


def _mr(chosen: "Mapping[str, FoundStream]") -> str | None:
    """Return what is most likely done about the scanner in EEG; None where there is not both."""
    from rtaffect.core.mr import LEAST_SFREQ

    if not {"eeg", "roi"} <= set(chosen):
        return None
    raw = chosen["eeg"].sfreq >= LEAST_SFREQ and "markers" in chosen
    return "causal_aas" if raw else "corrected"


def _next(models: "Mapping[str, Bundle]", file: Path) -> str:
    from rtaffect.cli.resting import FILE, RestCommand

    live = f"rtaffect live {file}"
    takers = [model for model in models.values() if model.manifest.rest is not None]
    if not takers:
        return f"Next: {live}"
    model = takers[0]
    assert model.manifest.rest is not None
    what = "needs" if model.manifest.rest.required else "takes"
    return (
        f"The model {what} a baseline. Next, the person at rest: "
        f"{RestCommand(file).for_bundle(model)}, then `{live} --baseline {FILE}`"
    )


def _the_one(stype: str, found: "Sequence[FoundStream]") -> "FoundStream | None":
    fitting = [stream for stream in found if stream.stype == stype]
    if len(fitting) > 1:
        listed = "\n".join(f"  {stream}" for stream in fitting)
        msg = (
            f"{len(fitting)} streams have the type {stype!r}, and only you know which one is meant:"
            f"\n{listed}\nStop the others for now, or copy one of configs/sessions and name yours "
            "by source_id."
        )
        raise StreamError(msg)
    return fitting[0] if fitting else None


def _keys(stream: "FoundStream") -> dict[str, object]:
    """Return what finds this stream again: its source_id, else its name."""
    identity = {"source_id": stream.source_id} if stream.source_id else {"name": stream.name}
    return {"type": stream.stype, **identity}
