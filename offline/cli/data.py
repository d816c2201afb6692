"""``rtaffect-offline data``: which data sets are read, what is wrong with a copy, conversions."""

import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from offline.cli import faces

if TYPE_CHECKING:
    from offline.datasets.contract import Dataset, Floats, Label, Recording, Trial

app = typer.Typer(
    help="Data sets: which are read, what is wrong with a copy on disk, conversion, faces.",
    no_args_is_help=True,
)

_MOST_SHOWN = 20
"""Errors, and remarks: with a wrong column every line of a table is wrong."""

_COURSE_STEP_S = 1.0
"""Distance at which a course is looked at; what it says changes over seconds."""

Changes = Annotated[
    list[str] | None,
    typer.Argument(help="Settings as key=value: labels.valence.edges='[1, 5, 9]'."),
]


@app.command()
def ls() -> None:
    """Show which data sets are read, and on which real files each reader was tried."""
    from offline.datasets import ABOUT

    console = Console(highlight=False)
    for kind, about in ABOUT.items():
        console.print(kind, style="bold", markup=False)
        simulated = ", simulated" if about.simulated else ""
        told = {
            "": about.title,
            "reference": about.reference,
            "holds": " + ".join(about.modalities) + simulated,
            "licence": about.licence,
            "how to get it": about.how_to_get,
            "tried on": about.tried_on,
        }
        for name, text in told.items():
            if text:
                console.print(_paragraph(name, text, console.width), markup=False, soft_wrap=True)
        console.print()


def _paragraph(name: str, text: str, width: int) -> str:
    """Return text that is broken between words alone, so that addresses stay whole."""
    return textwrap.fill(
        f"{name}: {text}" if name else text,
        width,
        initial_indent="  ",
        subsequent_indent="    " if name else "  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


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
        if (n_errors if finding.is_error else n_remarks) > _MOST_SHOWN:
            continue
        word = "[red]error[/red]" if finding.is_error else "[yellow]remark[/yellow]"
        console.print(f"{word} ", end="")
        console.print(f"{finding.where}: {finding.what}", markup=False, highlight=False)
    for number, what in ((n_errors, "error"), (n_remarks, "remark")):
        if number > _MOST_SHOWN:
            console.print(f"... and {_counted(number - _MOST_SHOWN, f'more {what}')}.")
    if n_errors:
        counts = f"{_counted(n_errors, 'error')}, {_counted(n_remarks, 'remark')}"
        console.print(f"{counts}: it cannot be used like this.")
        raise typer.Exit(1)
    console.print(f"It can be used; {_counted(n_remarks, 'remark')}.")
    for line in _numbers(dataset):
        console.print(f"  {line}", markup=False, highlight=False)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _numbers(dataset: "Dataset") -> Iterator[str]:
    """Yield how much there is, and how it was rated."""
    import numpy as np

    n_recordings = 0
    trials: list[Trial] = []
    followed: dict[str, list[Floats]] = {target: [] for target in dataset.labels}
    for subject in dataset.subjects:
        for recording in dataset.recordings(subject):
            n_recordings += 1
            trials += recording.trials
            for target, values in _course_values(recording).items():
                followed[target].append(values)
    what = "EEG channel" if "eeg" in dataset.about.modalities else "region"
    hours = sum(trial.t_end - trial.t_start for trial in trials) / 3600
    yield (
        f"{_counted(len(dataset.subjects), 'subject')}, {_counted(n_recordings, 'recording')}, "
        f"{_counted(len(trials), 'trial')}, {hours:.2f} hours in trials; "
        f"{_counted(len(dataset.ch_names), what)}"
    )
    for target, label in dataset.labels.items():
        if followed[target]:
            yield f"{target}: {_shares_of_time(label, np.concatenate(followed[target]))}"
            continue
        values = np.array([trial.values[target] for trial in trials])
        counts = _counts(label, values)
        shares = zip(counts, label.classes, strict=True)
        rated = values[~np.isnan(values)]
        span = f"{rated.min():g} to {rated.max():g}; " if label.edges and len(rated) else ""
        yield f"{target}: {span}trials by class: {', '.join(f'{n} {name}' for n, name in shares)}"


def _course_values(recording: "Recording") -> "dict[str, Floats]":
    """Return what a course says all along the trials, by target; none without a course."""
    import numpy as np

    if recording.course is None:
        return {}
    steps = [
        np.arange(trial.t_start + _COURSE_STEP_S / 2, trial.t_end, _COURSE_STEP_S)
        for trial in recording.trials
    ]
    return dict(recording.course(np.concatenate(steps))) if steps else {}


def _shares_of_time(label: "Label", values: "Floats") -> str:
    """Return of what was felt how long: where labels change within trials, trials have no class."""
    counts = _counts(label, values)
    n_known = sum(counts)
    if not n_known:
        return "no time in trials has a label"
    shares = ", ".join(
        f"{n / n_known:.1%} {name}" for n, name in zip(counts, label.classes, strict=True)
    )
    n_without = len(values) - n_known
    without = f"{n_without / len(values):.1%} of the time has none" if n_without else "all has one"
    return f"shares of the time with a label: {shares}; {without}"


def _counts(label: "Label", values: "Floats") -> list[int]:
    """Return how many values are of each class."""
    import numpy as np

    from offline.items import NO_CLASS

    classes = label.class_of(values)
    found: list[int] = np.bincount(
        classes[classes != NO_CLASS], minlength=len(label.classes)
    ).tolist()
    return found


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

    Example: rtaffect-offline data convert configs/data/eegmat.yaml --out stored/eegmat
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


app.command()(faces.faces)
