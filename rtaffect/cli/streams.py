"""``rtaffect streams``: what is on the network."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

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
    from rtaffect.sources.lsl_choice import WHY_INVISIBLE
    from rtaffect.sources.lsl_inlet import discover

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
        "problem": stream.problem,
    }


def _show(found: "Sequence[FoundStream]") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("type", "name", "source_id", "host", "channels", "rate", "unit", "labels"):
        table.add_column(heading, overflow="fold", no_wrap=heading in {"type", "rate", "unit"})
    for stream in found:
        units = sorted(set(stream.units) - {""})
        table.add_row(
            stream.stype,
            Text(stream.name + (" (simulated)" if stream.simulated else "")),
            Text(stream.source_id or "none", style="" if stream.source_id else "yellow"),
            Text(stream.hostname),
            f"{stream.n_channels} {stream.dtype}",
            f"{stream.sfreq:g} Hz" if stream.sfreq else "irregular",
            units[0] if len(units) == 1 else "mixed" if units else Text("none", style="yellow"),
            Text(_labels(stream.ch_names)),
        )
    console = Console(highlight=False)
    console.print(table)
    for stream in found:
        if stream.problem:
            console.print(Text(f"{stream.name}: {stream.problem}", style="yellow"))
    if any(not stream.source_id for stream in found):
        console.print(
            "A stream without source_id cannot be told from another after a restart: set one at "
            "the sender.",
            style="dim",
        )


def _labels(ch_names: Sequence[str], n_shown: int = 4) -> str:
    if not ch_names:
        return "none"
    more = f" ... {ch_names[-1]}" if len(ch_names) > n_shown else ""
    return " ".join(ch_names[:n_shown]) + more
