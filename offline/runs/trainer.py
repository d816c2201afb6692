"""A unit as it is: the recipe's network, trained on one fold."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from offline.canaries import require_strangers
from offline.errors import DataError, RunError
from offline.protocols.contract import Split
from offline.recipe import Recipe
from offline.runs.plan import Run, Unit
from offline.runs.record import read_record, read_run_split
from offline.runs.work import Reporter
from offline.table import FeatureTable, read_table
from offline.unit import run_unit, split_of


@dataclass(frozen=True, slots=True)
class Trainer:
    """Trains units.

    Parameters
    ----------
    cache : Path
        Folder of features, which hold those of every run already.
    """

    cache: Path

    def __call__(self, unit: Unit, *, run: Path, folder: Path, reporter: Reporter) -> None:
        """Train one unit; see `work.UnitFunction`."""
        recipe, table, split = open_run(run, self.cache)
        run_unit(recipe, table, split, unit.fold, unit.seed, folder, reporter)


@lru_cache(maxsize=1)  # a process mostly gets units of one run, and tables are large
def open_run(run: Path, cache: Path) -> tuple[Recipe, FeatureTable, Split]:
    """Return what a run's units have in common.

    Parameters
    ----------
    run : Path
        Folder of the run.
    cache : Path
        Folder of features.

    Raises
    ------
    RunError
        The data, or the code that reads them, are no longer those that the run began with.
    """
    record = read_record(run)
    recipe, split = record.recipe(), read_run_split(run, record)
    table = read_table(recipe, cache)
    if table.digest != record.data:
        msg = (
            f"Run {record.id} began with other data, or with other code that reads them "
            f"({record.data[:12]}, now {table.digest[:12]}). Start it anew."
        )
        raise RunError(msg)
    return recipe, table, split


def plan_run(variant: str, recipe: Recipe, table: FeatureTable) -> Run:
    """Return a recipe's run on its table of features, its split proven.

    Parameters
    ----------
    variant : str
        What it is called.
    recipe : Recipe
        All settings.
    table : FeatureTable
        Of the recipe.

    Raises
    ------
    DataError
        The recipe wants a face, and the data set has none.
    LeakError
        The items cannot be shared out so, or trials of the test set are known again.
    RunError
        A fold's name cannot name a folder.
    """
    if recipe.windows.face and not table.has_face:
        msg = (
            "windows.face is true, so there must be a face in some window; no subject has any. "
            "Leave windows.face out, or give the data set its facial features (docs/data.md)."
        )
        raise DataError(msg)
    split = split_of(recipe, table)
    items = table.windows_as_items() if split.level == "window" else table.trials
    split.prove(items)
    if not split.leaky:
        require_strangers(items, split, seed=recipe.seeds[0])
    return Run(variant=variant, recipe=recipe, split=split, data=table.digest, lacks=table.lacks)
