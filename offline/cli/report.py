"""``rtaffect-offline report``: tables and figures of finished runs."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console


def report(
    runs: Annotated[
        list[Path],
        typer.Argument(help="Folder of all runs, a study (*.study.json) in it, or single runs."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the report.", show_default="`report` beside the runs"),
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(
            help="Folder of features, for maps of what networks saw.",
            show_default="`features` beside the runs, if it is there",
        ),
    ] = None,
) -> None:
    """Write report.md, report.json and figures, for people who were not there.

    Example: rtaffect-offline report runs
    """
    from offline.report.gather import folder_of, gather
    from offline.report.write import write_report

    root = folder_of(runs[0])
    beside = root / "features"
    features = cache or (beside if beside.is_dir() else None)
    path = write_report(gather(runs, cache=features), out or root / "report")
    Console(soft_wrap=True).print(f"{path}", markup=False, highlight=False)
