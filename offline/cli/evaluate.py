"""``rtaffect-offline evaluate``: the numbers of finished runs, on their own data or on others."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from offline.cli.plans import subjects_read
from offline.cli.results import print_results, print_studies
from rtaffect.core.errors import ConfigError

_LEVELS = ("trial", "window")


def evaluate(
    paths: Annotated[
        list[str],
        typer.Argument(
            help="Folders of runs, *.study.json, or a folder that holds studies. With --on: one "
            "run (of a study the first variant), then changes to the data set as key=value."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            help="Also write every number into this file (JSON); with --on and a name that ends "
            "in .parquet, what was said of every window."
        ),
    ] = None,
    on: Annotated[
        Path | None,
        typer.Option(
            help="Another data set to answer for: a YAML file (settings or a recipe) or a folder."
        ),
    ] = None,
    kind: Annotated[
        str | None, typer.Option(help="What the folder of --on holds, see `data ls`.")
    ] = None,
    fold: Annotated[
        str | None,
        typer.Option(help="Whose weights answer for --on; may be left out where there is one."),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="Which training, with --on.", show_default="the recipe's first seed"),
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(
            help="Folder of features, with --on.", show_default="`features` beside the run"
        ),
    ] = None,
) -> None:
    """Count once more what finished runs said, per trial and per window.

    With --on a finished fold answers for another data set, as it is: nothing is fitted, and nobody
    is answered for who trained it or chose its epoch.

    Example: rtaffect-offline evaluate runs/5f1c0a9be8d2 --out numbers.json

    Example: rtaffect-offline evaluate runs/deap.study.json --on lab.yaml --fold s01
    """
    console = Console()
    if on is None:
        given = {"--kind": kind, "--fold": fold, "--seed": seed, "--cache": cache}
        if lost := [name for name, value in given.items() if value is not None]:
            msg = f"{', '.join(lost)} must come with --on DATASET: else whole runs are counted."
            raise ConfigError(msg)
        print_results([Path(path) for path in paths], console, levels=_LEVELS, out=out)
        return
    from offline.datasets.choosing import choose_dataset
    from offline.predictions import write_predictions
    from offline.runs.local import n_cores
    from offline.runs.record import first_run
    from offline.transfer import transfer

    run, *changes = paths
    settings = choose_dataset(on, kind=kind, changes=changes)
    with subjects_read(str(on), console) as report:
        done = transfer(
            first_run(Path(run)),
            settings,
            cache=cache,
            fold=fold,
            seed=seed,
            n_workers=n_cores(),
            report=report,
        )
    for remark in done.remarks:
        console.print(remark, markup=False, highlight=False)
    if out is not None and out.suffix == ".parquet":
        write_predictions(out, done.said)
        console.print(f"Every answer: {out}", markup=False, highlight=False)
        out = None
    print_studies([done.study], console, levels=_LEVELS, out=out)
