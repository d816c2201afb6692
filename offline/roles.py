"""What a fold's roles hold: the sequences that train, validate and are tested."""

from collections.abc import Mapping

from offline.errors import RunError
from offline.items import NO_CLASS
from offline.protocols.contract import ROLES, Fold, Split
from offline.recipe import Recipe
from offline.sequences import Sequences, make_sequences
from offline.table import FeatureTable


def sequences_of(
    recipe: Recipe, table: FeatureTable, split: Split, fold: Fold
) -> dict[str, Sequences]:
    """Return the sequences of each role.

    Raises
    ------
    RunError
        A role has none: the trials are shorter than `t_min` windows.
    """
    found = {
        role: make_sequences(
            table,
            table.windows_of(getattr(fold, role), split.level),
            t_min=recipe.sequences.t_min,
            t_max=recipe.sequences.t_max,
            classes=table.train_classes if role == "train" else table.classes,
            labelled=role != "test",  # what is said of the others is kept, and never counted
        )
        for role in ROLES
    }
    if empty := [role for role, sequences in found.items() if not _has_labels(sequences)]:
        msg = (
            f"Every role must have sequences of {recipe.sequences.t_min} windows within a trial; "
            f"{', '.join(empty)} of fold {fold.name} has none. Lower sequences.t_min, or look for "
            "windows without a label."
        )
        raise RunError(msg)
    for role in ROLES[:2]:
        for target, classes in found[role].labels.items():
            if not (classes != NO_CLASS).any():
                msg = (
                    f"Training and validation need windows with a label of every target, but "
                    f"{role} of fold {fold.name} has none of {target}. Take other shares of the "
                    "items, or fewer targets."
                )
                raise RunError(msg)
    return found


def _has_labels(data: Sequences) -> bool:
    return any(bool((classes != NO_CLASS).any()) for classes in data.labels.values())


def seen_in_training(recipe: Recipe, data: Mapping[str, Sequences]) -> Mapping[str, Sequences]:
    """Return what training looks at: never the test items, but under a paper's protocol."""
    return data if recipe.training.paper_protocol else {role: data[role] for role in ROLES[:2]}
