"""``rtaffect-offline export``: a finished run becomes a bundle."""

import shlex
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console


def export(
    run: Annotated[
        Path,
        typer.Argument(help="Folder of a run, or NAME.study.json: the study's first variant."),
    ],
    out: Annotated[
        Path, typer.Option(help="Folder for bundles; this one gets a folder of its own in it.")
    ] = Path("runs/bundles"),
    fold: Annotated[
        str | None, typer.Option(help="Whose weights; may be left out where there is one fold.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Which training.", show_default="the recipe's first seed")
    ] = None,
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Replace a bundle of that name that came of another run."),
    ] = False,
) -> None:
    """Write a finished run's weights as a bundle, which `rtaffect live` and `replay` decode with.

    Example: rtaffect-offline export runs/prior-dfcn-eeg.study.json --out bundles
    """
    from offline.make import export_run
    from offline.runs.record import first_run

    words = ["rtaffect-offline", "export", str(run)]
    words += ["--fold", fold] if fold is not None else []
    words += ["--seed", str(seed)] if seed is not None else []
    errors = Console(stderr=True, soft_wrap=True, highlight=False)
    bundle = export_run(
        first_run(run),
        out,
        fold=fold,
        seed=seed,
        replace=replace,
        command=shlex.join(words),
        report=lambda line: errors.print(line, markup=False),
    )
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"{bundle.path}  sha256 {bundle.digest[:12]}", markup=False)
