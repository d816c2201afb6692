"""``rtaffect streams``: what is on the network."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from rtaffect.core.face_features import EXTRACTOR
from rtaffect.text import printable

if TYPE_CHECKING:
    from rtaffect.sources.lsl_inlet import FoundStream


def streams(
    wait: Annotated[
        float, typer.Option(min=0.1, max=60.0, help="How long to listen, in seconds.")
    ] = 1.0,
    every: Annotated[
        bool,
        typer.Option("--all", help="Also what rtaffect itself sends, which no session can select."),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a stream, for programs.")
    ] = False,
) -> None:
    """List the LSL streams on the network, with units and channels.

    Example: rtaffect streams --wait 3

    What it shows under type, name and source_id is what a session file asks for.
    """
    from rtaffect.sources.lsl_inlet import discover
    from rtaffect.sources.stream_choice import WHY_INVISIBLE

    found = discover(wait, include_own=every)
    if as_json:
        for stream in found:
            typer.echo(json.dumps(_fields(stream)))
    elif found:
        _show(found)
    else:
        typer.echo(f"No stream answered within {wait:g} s.\n{WHY_INVISIBLE}", err=True)


def _fields(stream: "FoundStream") -> dict[str, object]:
    return {
        "type": stream.stype,
        "name": stream.name,
        "source_id": stream.source_id,
        "hostname": stream.hostname,
        "n_channels": stream.n_channels,
        "dtype": stream.dtype,
        "sfreq": stream.sfreq,
        "ch_names": list(stream.ch_names),
        "units": list(stream.units),
        "simulated": stream.simulated,
        "about": dict(stream.about),
        "problem": stream.problem,
    }


def _show(found: "Sequence[FoundStream]") -> None:
    rows = [_row(stream) for stream in found]
    heading = ("type", "name", "source_id", "channels", "rate", "unit")
    widths = [max(map(len, column)) for column in zip(heading, *rows, strict=True)]
    typer.secho("  ".join(map(str.ljust, heading, widths)).rstrip(), bold=True)
    for stream, row in zip(found, rows, strict=True):
        typer.echo("  ".join(map(str.ljust, row, widths)).rstrip())
        labels = f"{_told(stream)}: {_labels(stream.ch_names)}"
        typer.secho(f"{'':{widths[0]}}  {printable(labels)}", dim=True)
        if stream.problem:
            typer.secho(f"{'':{widths[0]}}  {printable(stream.problem)}", fg="yellow")
    if any(not stream.source_id for stream in found):
        typer.secho(
            "A stream without source_id cannot be told from another after a restart: set one at "
            "the sender.",
            fg="yellow",
        )


def _told(stream: "FoundStream") -> str:
    """Return where a stream comes from, and how it was acquired if it says so."""
    said = [f"on {stream.hostname}"]
    if stream.simulated:
        said.append("simulated")
    if tr_s := stream.about.get("acquisition.tr_s"):
        said.append(f"TR {tr_s} s")
    if atlas := stream.about.get("atlas.name"):
        said.append(f"regions of {atlas}")
    if extractor := stream.about.get(EXTRACTOR):
        said.append(f"features by {extractor}")
    if landmarks := stream.about.get("processing.landmarks"):
        said.append(f"landmarks by {landmarks}")
    if au_method := stream.about.get("processing.au_method"):
        said.append(f"action units by {au_method}")
    return ", ".join(said)


def _row(stream: "FoundStream") -> tuple[str, ...]:
    units = sorted(set(stream.units) - {""})
    cells = (
        stream.stype,
        stream.name,
        stream.source_id or "none",
        f"{stream.n_channels} {stream.dtype}",
        f"{stream.sfreq:g} Hz" if stream.sfreq else "irregular",
        units[0] if len(units) == 1 else "mixed" if units else "none",
    )
    return tuple(map(printable, cells))


def _labels(ch_names: "Sequence[str]", n_shown: int = 8) -> str:
    if not ch_names:
        return "no labels"
    more = f" ... {ch_names[-1]}" if len(ch_names) > n_shown else ""
    return " ".join(ch_names[:n_shown]) + more
