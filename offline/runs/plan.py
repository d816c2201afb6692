"""What there is to do: runs, and their units, known by what their numbers depend on."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from offline.errors import RunError
from offline.protocols.contract import Split

if TYPE_CHECKING:  # a recipe knows every network, which loads torch
    from offline.recipe import Recipe

NO_MATTER = ("name", "bundle", "seeds")
"""Keys of a recipe that no number of a unit depends on; a unit has its one seed."""

_FOLD_NAME = re.compile(r"[\w][\w.+-]{0,99}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """The smallest piece of work: one fold of one run, with one seed.

    Parameters
    ----------
    run : str
        The run's id.
    fold : str
        Name of the fold.
    seed : int
        Of weights, batches and draws.
    """

    run: str
    fold: str
    seed: int

    def __str__(self) -> str:
        return f"{self.run}/{self.fold}/seed-{self.seed}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One recipe on one copy of the data with one split.

    Parameters
    ----------
    variant : str
        What the recipe is called among its like: ``"full"``, ``"w/o PKE"``.
    recipe : Recipe
        All settings.
    split : Split
        Proven disjoint.
    data : str
        Digest of the table of features: of the data, the windows and the code that reads them.
    lacks : tuple of str
        What was looked for in the recordings and is not in the table, in sentences.
    """

    variant: str
    recipe: "Recipe"
    split: Split
    data: str
    lacks: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Name of the run's folder: the same numbers, the same name."""
        return run_id(self.recipe, data=self.data, split=self.split.digest)

    @property
    def units(self) -> tuple[Unit, ...]:
        """Every fold with every seed; all folds of a seed before the next seed."""
        run = self.id
        return tuple(
            Unit(run=run, fold=fold.name, seed=seed)
            for seed in self.recipe.seeds
            for fold in self.split.folds
        )


def run_id(recipe: BaseModel, *, data: str, split: str) -> str:
    """Return the short hexadecimal SHA-256 of everything that a unit's numbers depend on.

    Where files lie does not matter: what is in them is in the digests.

    Parameters
    ----------
    recipe : BaseModel
        All settings.
    data, split : str
        Digests.
    """
    settings = {k: v for k, v in recipe.model_dump().items() if k not in NO_MATTER}
    known = [_canonical(settings), data, split]
    text = json.dumps(known, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def check_names(split: Split) -> None:
    """Check that every fold's name can name a folder, and only its own.

    Raises
    ------
    RunError
        One cannot.
    """
    names = [fold.name for fold in split.folds]
    if odd := [name for name in names if not _FOLD_NAME.fullmatch(name)]:
        msg = f"A fold's name must be made of letters, digits and _.+-, got {odd[0]!r}."
        raise RunError(msg)
    if len({name.casefold() for name in names}) < len(names):
        msg = f"Folds must have different names, whatever the case, got {', '.join(names)}."
        raise RunError(msg)


def all_units(runs: Iterable[Run]) -> tuple[Unit, ...]:
    """Return the units of all runs, each once: variants that are the same share theirs."""
    return tuple(dict.fromkeys(unit for run in runs for unit in run.units))


def in_groups(units: Sequence[Unit], n_together: int) -> list[tuple[Unit, ...]]:
    """Return the units in groups of at most `n_together`, each of one run."""
    by_run: dict[str, list[Unit]] = {}
    for unit in units:
        by_run.setdefault(unit.run, []).append(unit)
    return [
        tuple(members[i : i + n_together])
        for members in by_run.values()
        for i in range(0, len(members), n_together)
    ]


def _canonical(value: Any) -> Any:
    """Return plain values as JSON holds them, without paths."""
    match value:
        case Mapping():
            kept = {str(k): v for k, v in value.items() if not isinstance(v, Path)}
            return {k: _canonical(v) for k, v in kept.items()}
        case list() | tuple():
            return [_canonical(v) for v in value]
        case set() | frozenset():
            return sorted(_canonical(v) for v in value)
        case bool() | int() | float() | str() | None:
            return value
        case _:
            return str(value)
