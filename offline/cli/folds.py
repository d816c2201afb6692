"""How much a fold trains on and tests, in words: portions are shares, so nobody knows it before."""

from typing import TYPE_CHECKING

from offline.plurals import ranged

if TYPE_CHECKING:
    from offline.items import Items
    from offline.protocols.contract import Split

_DOES = {"train": "trains on", "validation": "validates on", "test": "tests"}


def folds_in_words(split: "Split", items: "Items") -> str:
    """Return how many subjects and items each role of a fold has, the fewest and the most.

    Parameters
    ----------
    split : Split
        Of the items.
    items : Items
        What was shared out.
    """
    said = []
    for role, does in _DOES.items():
        folds = [getattr(fold, role) for fold in split.folds]
        people = [len({items.subject[row] for row in rows}) for rows in folds]
        sizes = [len(rows) for rows in folds]
        said.append(
            f"{does} {ranged(min(people), max(people), 'subject')} "
            f"({ranged(min(sizes), max(sizes), items.level)})"
        )
    return f"A fold {', '.join(said)}."
