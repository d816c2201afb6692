"""``rtaffect-offline evaluate``: the numbers of finished runs, from their predictions."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from offline.cli.results import print_results


def evaluate(
    paths: Annotated[
        list[Path],
        typer.Argument(help="Folders of runs, *.study.json, or a folder that holds studies."),
    ],
    out: Annotated[
        Path | None, typer.Option(help="Also write every number into this file (JSON).")
    ] = None,
) -> None:
    """Count once more what finished runs said, per trial and per window.

    Example: rtaffect-offline evaluate runs/5f1c0a9be8d2 --out numbers.json
    """
    print_results(paths, Console(), levels=("trial", "window"), out=out)
