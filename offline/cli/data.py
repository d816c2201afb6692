"""``rtaffect-offline data``: which data sets are read, what is wrong with a copy, conversion."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

app = typer.Typer(
    help="Data sets: which are read, what is wrong with a copy on disk, conversion.",
    no_args_is_help=True,
)

Changes = Annotated[
    list[str] | None,
    typer.Argument(help="Settings as key=value: labels.valence.edges='[1, 5, 9]'."),
]


@app.command()
def ls() -> None:
    """Show which data sets are read, and on which real files each reader was tried."""
    from offline.datasets import ABOUT

    table = Table("kind", "data set", "how to get it", "tried on", show_lines=True)
    for kind, about in ABOUT.items():
        simulated = ", simulated" if about.simulated else ""
        told = [
            about.title,
            about.reference,
            " + ".join(about.modalities) + simulated,
            f"licence: {about.licence}",
        ]
        table.add_row(kind, "\n".join(filter(None, told)), about.how_to_get, about.tried_on)
    Console().print(table)


@app.command()
def check(
    path: Annotated[
        Path, typer.Argument(help="Folder of a data set, or a YAML file (settings or a recipe).")
    ],
    changes: Changes = None,
    kind: Annotated[str | None, typer.Option(help="What the folder holds, see `data ls`.")] = None,
) -> None:
    """Look for what is wrong with a copy on disk; exit with 1 if it cannot be used like this.

    Example: rtaffect-offline data check /data/deap --kind deap
    """
    from offline.datasets.choosing import choose_dataset

    console = Console(soft_wrap=True)
    dataset = choose_dataset(path, kind=kind, changes=changes or ()).open()
    n_errors = n_remarks = 0
    for finding in dataset.check():
        n_errors += finding.is_error
        n_remarks += not finding.is_error
        word = "[red]error[/red]" if finding.is_error else "[yellow]remark[/yellow]"
        console.print(f"{word} ", end="")
        console.print(f"{finding.where}: {finding.what}", markup=False, highlight=False)
    if n_errors:
        console.print(f"{n_errors} errors, {n_remarks} remarks: it cannot be used like this.")
        raise typer.Exit(1)
    n_subjects = len(dataset.subjects)
    targets = ", ".join(
        f"{target} ({' < '.join(label.classes) if label.edges else ', '.join(label.classes)})"
        for target, label in dataset.labels.items()
    )
    console.print(f"All is well: {n_subjects} subjects, {targets}; {n_remarks} remarks.")


@app.command()
def convert(
    settings: Annotated[
        Path, typer.Argument(help="A YAML file (settings or a recipe), or a folder with --kind.")
    ],
    out: Annotated[Path, typer.Option(help="New folder for the converted data set.")],
    changes: Changes = None,
    kind: Annotated[str | None, typer.Option(help="What the folder holds, see `data ls`.")] = None,
) -> None:
    """Write a data set into our own store, which is quick to read and holds its digests.

    Example: rtaffect-offline data convert configs/data/eegmat.yaml --out data/eegmat
    """
    from offline.datasets.choosing import choose_dataset
    from offline.datasets.store import write_store

    console = Console(soft_wrap=True)
    dataset = choose_dataset(settings, kind=kind, changes=changes or ()).open()
    columns = TextColumn("subjects"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console) as bars:
        task = bars.add_task("subjects", total=None)
        write_store(
            dataset,
            out,
            report=lambda n_done, n_total: bars.update(task, completed=n_done, total=n_total),
        )
    console.print(f"{out}: use it as `dataset: {{kind: stored, path: {out}}}`.", markup=False)
