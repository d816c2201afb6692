"""Everything that can be known of a split before anything is trained on it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from offline.canaries import LIMIT, Selection, Signature, select, sign
from offline.errors import DataError, LeakError
from offline.items import GROUPS, Items
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


def split_of_recipe(recipe: "Recipe") -> tuple[Items, Split]:
    """Return a recipe's split without reading a sample of its recordings.

    Where windows are shared out, a trial has those that fit into it: their number may differ by one
    from that of the run.

    Parameters
    ----------
    recipe : Recipe
        Data set, protocol and seeds.

    Raises
    ------
    DataError
        The data set cannot be read, or lacks what the recipe names.
    LeakError
        Its trials cannot be shared out so.
    """
    items, classes, durations_s = _trials_of(recipe)
    if recipe.protocol.level == "window":
        windows = recipe.windows
        room_s = np.maximum(durations_s - windows.window_s, -windows.train_hop_s)
        n_windows = np.floor(room_s / windows.train_hop_s + 1e-9).astype(np.int64) + 1
        rows = np.repeat(np.arange(len(items)), n_windows)
        columns = {
            name: tuple(getattr(items, name)[row] for row in rows.tolist()) for name in GROUPS
        }
        number = np.arange(len(rows)) - np.repeat(np.cumsum(n_windows) - n_windows, n_windows)
        items = replace(items, level="window", window=tuple(number.tolist()), **columns)
        classes = {name: column[rows] for name, column in classes.items()}
    split = recipe.protocol.split(items, classes=classes, seed=recipe.seeds[0])
    return items, split


def _trials_of(recipe: "Recipe") -> tuple[Items, Mapping[str, Ints], npt.NDArray[np.float64]]:
    """Return all trials, their classes by target and their durations in seconds."""
    dataset = recipe.dataset.open()
    names = recipe.targets or tuple(dataset.labels)
    if unknown := [name for name in names if name not in dataset.labels]:
        msg = f"targets must be among {', '.join(dataset.labels)}; got {', '.join(unknown)}."
        raise DataError(msg)
    found = [
        (recording, trial)
        for subject in recipe.subjects or dataset.subjects
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
        name: dataset.labels[name].class_of(np.array([trial.values[name] for _, trial in found]))
        for name in names
    }
    return items, classes, np.array([trial.t_end - trial.t_start for _, trial in found])


def _groups(items: Items) -> tuple[str, ...]:
    """Return the groups worth asking about: stimuli with names, sessions where there are more."""
    groups = ["trial", "subject"]
    if len(set(items.keys("session"))) > len(set(items.subject)):
        groups.append("session")
    if any(items.stimulus):
        groups.append("stimulus")
    return tuple(groups)
