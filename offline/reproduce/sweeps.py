"""A paper's sweeps on a copy of its data, whole or in part."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from offline.recipe import Recipe, Sweep, load_sweep
from rtaffect.core.errors import ConfigError

_N_QUICK_SUBJECTS = 3
_FEW_FOLDS = {
    "loso": ["protocol.n_validation=1"],
    "stimuli": ["protocol.n_subject_folds=3", "protocol.n_stimulus_folds=3"],
}


def quick_changes(path: Path, changes: Sequence[str]) -> list[str]:
    """Return what makes a sweep quick: few subjects and folds, one epoch.

    It shows whether everything runs, and nothing about what comes of it.

    Parameters
    ----------
    path : Path
        The sweep.
    changes : sequence of str
        Made to it already, the place of the data among them.

    Raises
    ------
    ConfigError
        A change does not fit.
    DataError
        The data set has no subjects.
    """
    base = load_sweep(path, changes).base
    subjects = base.subjects or base.dataset.open().subjects
    folds = _FEW_FOLDS.get(base.protocol.kind, ["protocol.n_folds=2"])
    few = ", ".join(subjects[:_N_QUICK_SUBJECTS])
    return [f"subjects=[{few}]", "training.max_epochs=1", *folds]


def chosen_recipes(
    path: Path, *, changes: Sequence[str], variants: Sequence[str] = ()
) -> Mapping[str, Recipe]:
    """Return the recipes of a sweep.

    Parameters
    ----------
    path : Path
        The sweep.
    changes : sequence of str
        ``"training.max_epochs=3"``, made to its base.
    variants : sequence of str
        Only these; empty takes all.

    Raises
    ------
    ConfigError
        A change does not fit, or there is no such variant.
    """
    sweep: Sweep = load_sweep(path, changes)
    recipes = sweep.recipes()
    if unknown := [name for name in variants if name not in recipes]:
        there = " ".join(map(shlex.quote, recipes))
        msg = (
            f"--variant must be one of these, as typed: {there}; got "
            f"{' '.join(map(shlex.quote, unknown))}."
        )
        raise ConfigError(msg)
    return {name: recipe for name, recipe in recipes.items() if not variants or name in variants}
