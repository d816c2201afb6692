"""What there is to be trained, before it is: plans of recipes, their table, subjects being read."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

if TYPE_CHECKING:  # these load torch
    from collections.abc import Mapping

    from offline.recipe import Recipe
    from offline.runs.folder import State
    from offline.runs.plan import Run, Unit
    from offline.table import FeatureTable

_QUIET_S = 30.0
"""Longest silence while subjects are read, where there is no terminal for a bar."""


def plan_table(runs: Sequence["Run"], found: "Mapping[Unit, State]") -> Table:
    """Return the plan as a table: a line for each variant, with numbers of folds, seeds and units.

    Parameters
    ----------
    runs : sequence of Run
        The plan.
    found : mapping of Unit to {"absent", "partial", "damaged", "done"}
        How far each unit is.
    """
    table = Table()
    table.add_column("variant", min_width=longest_word(run.variant for run in runs))
    table.add_column("run", no_wrap=True)
    table.add_column("protocol", min_width=longest_word(run.split.protocol for run in runs))
    for column in ("folds", "seeds", "done", "begun", "to train"):
        table.add_column(column, justify="right")
    for run in runs:
        of_run = [found[unit] for unit in run.units]
        damaged = of_run.count("damaged")
        leaky = run.split.leaky or run.recipe.is_leaky
        table.add_row(
            escape(run.variant),
            run.id,
            run.split.protocol + (" [bold red]LEAKY[/]" if leaky else ""),
            str(len(run.split.folds)),
            str(len(run.recipe.seeds)),
            str(of_run.count("done")),
            str(of_run.count("partial")),
            f"{len(of_run) - of_run.count('done')}" + (f" ({damaged} damaged)" if damaged else ""),
        )
    return table


def longest_word(texts: Iterable[str]) -> int:
    """Return the width below which a column would break a word, 0 for none."""
    return max((len(word) for text in texts for word in text.split()), default=0)


def outline(recipe: "Recipe", cache: Path) -> "FeatureTable | None":
    """Return what is known of a recipe's items without computing features.

    Parameters
    ----------
    recipe : Recipe
        All settings.
    cache : Path
        Folder of features.

    Returns
    -------
    FeatureTable or None
        The whole table where features are in the cache, else one without windows; None where
        windows are to be shared out: see `why_unknown`.
    """
    from offline.outline import is_computed, read_outline
    from offline.table import read_table

    if is_computed(recipe, cache):
        return read_table(recipe, cache)
    return read_outline(recipe) if recipe.protocol.level == "trial" else None


def why_unknown(recipe: "Recipe") -> str:
    """Return why nobody knows a recipe's folds before features are computed."""
    settings = recipe.protocol.model_dump(mode="json", exclude={"kind"})
    return (
        f"the protocol {recipe.protocol.kind} "
        f"({', '.join(f'{key} {value}' for key, value in settings.items())}) shares out windows. "
        "Which there are is known when their features are computed, which a dry run does not do."
    )


def whole_table(
    variant: str, recipe: "Recipe", cache: Path, *, n_workers: int, console: Console
) -> "FeatureTable":
    """Return the table; features are computed if they are not there."""
    from offline.table import read_table

    with subjects_read(variant, console) as report:
        table = read_table(recipe, cache, n_workers=n_workers, report=report)
    for sentence in table.lacks:
        console.print(f"{variant}: {sentence}", soft_wrap=True, markup=False, highlight=False)
    return table


def plan(variant: str, recipe: "Recipe", table: "FeatureTable") -> "tuple[Run, str]":
    """Return the run, and how large its folds are."""
    from offline.cli.folds import folds_in_words
    from offline.runs.trainer import plan_run

    run = plan_run(variant, recipe, table)
    items = table.windows_as_items() if run.split.level == "window" else table.trials
    return run, folds_in_words(run.split, items)


@contextmanager
def subjects_read(name: str, console: Console) -> Iterator[Callable[[int, int], None]]:
    """Show how many subjects' features are read, and of how many; what is given is told both."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    terminal = console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=not terminal) as bars:
        task = bars.add_task(f"{name}: subjects read", total=None)
        told = time.monotonic()

        def report(n_done: int, n_all: int) -> None:
            nonlocal told
            bars.update(task, completed=n_done, total=n_all)
            if not terminal and (n_done == n_all or time.monotonic() - told > _QUIET_S):
                told = time.monotonic()
                line = f"{name}: {n_done} of {n_all} subjects read"
                console.print(line, soft_wrap=True, markup=False, highlight=False)

        yield report
