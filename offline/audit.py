"""Everything that can be known of a split before anything is trained on it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from offline.canaries import LIMIT, Selection, Signature, select, sign
from offline.errors import LeakError
from offline.items import Items
from offline.protocols.contract import Split

if TYPE_CHECKING:  # a recipe knows every network, which loads torch
    from offline.recipe import Recipe

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What a split was found to be.

    Parameters
    ----------
    split : Split
        The split.
    fault : str
        Why the split did not prove itself; "" where it did.
    signatures : tuple of Signature
        Who is known again in the test set: trials first.
    selection : Selection or None
        What choosing the epoch is worth on noise; None for a split without validation.
    """

    split: Split
    fault: str
    signatures: tuple[Signature, ...]
    selection: Selection | None

    @property
    def refusals(self) -> tuple[str, ...]:
        """Why nobody should believe what comes of the split, a sentence each; none if all is well.

        A split that is declared leaky is not refused for leaking: everything that comes of it is
        stamped.
        """
        found = [self.fault] if self.fault else []
        trials = self.signatures[0]
        if trials.is_known and not self.split.leaky:
            found.append(
                f"Labels that were tossed for each trial are known to {trials.accuracy:.0%} in the "
                f"test set, and may be to {LIMIT:.0%}: windows of a trial are on both sides."
            )
        return tuple(found)


def audit(items: Items, split: Split, *, seed: int) -> Audit:
    """Let a split prove itself, and run all canaries on it.

    Parameters
    ----------
    items : Items
        What was shared out.
    split : Split
        Who trains, validates and is tested; it need not be sound.
    seed : int
        Of the canaries.

    Raises
    ------
    LeakError
        No fold both trains and tests.
    """
    fault = ""
    try:
        split.prove(items)
    except LeakError as error:
        fault = str(error)
    signatures = [sign(items, split, group, seed=seed) for group in _groups(items)]
    try:
        selection = select(items, split, seed=seed)
    except LeakError:  # no validation, which the proof has said
        selection = None
    return Audit(split=split, fault=fault, signatures=tuple(signatures), selection=selection)


def items_of_recipe(
    recipe: "Recipe",
    cache: Path,
    *,
    n_workers: int = 1,
    report: Callable[[int, int], None] | None = None,
) -> tuple[Items, Mapping[str, Ints]]:
    """Return what a recipe's protocol shares out, as `train` does, and its classes by target.

    Trials are listed without reading a sample. Which windows a trial has depends on its samples, so
    where windows are shared out, features are computed once as for `train`.

    Parameters
    ----------
    recipe : Recipe
        Data set, windows and protocol.
    cache : Path
        Folder of features; nothing is done in it where trials are shared out.
    n_workers, report
        See `offline.table.read_table`.

    Raises
    ------
    DataError
        The data set cannot be read, or lacks what the recipe names.
    """
    if recipe.protocol.level == "trial":
        return _trials_of(recipe)
    from offline.table import read_table

    table = read_table(recipe, cache, n_workers=n_workers, report=report)
    return table.windows_as_items(), table.classes


def _trials_of(recipe: "Recipe") -> tuple[Items, Mapping[str, Ints]]:
    """Return all trials and their classes by target."""
    from offline.extraction import labels_of
    from offline.table import subjects_of

    dataset = recipe.dataset.open()
    labels = labels_of(recipe, dataset)
    found = [
        (recording, trial)
        for subject in subjects_of(recipe, dataset)
        for recording in dataset.recordings(subject)
        for trial in recording.trials
    ]
    items = Items(
        level="trial",
        subject=tuple(recording.subject for recording, _ in found),
        session=tuple(recording.session for recording, _ in found),
        trial=tuple(trial.name for _, trial in found),
        stimulus=tuple(trial.stimulus for _, trial in found),
    )
    classes = {
        name: label.class_of(np.array([trial.values[name] for _, trial in found]))
        for name, label in labels.items()
    }
    return items, classes


def _groups(items: Items) -> tuple[str, ...]:
    """Return the groups worth asking about: stimuli with names, sessions where there are more."""
    groups = ["trial", "subject"]
    if len(set(items.keys("session"))) > len(set(items.subject)):
        groups.append("session")
    if any(items.stimulus):
        groups.append("stimulus")
    return tuple(groups)
