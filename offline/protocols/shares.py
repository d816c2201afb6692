"""Drawing shares of items, evenly over classes, and sealing the folds that come of it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from offline.errors import LeakError
from offline.items import Items
from offline.protocols.contract import ROLES, Fold, ProtocolSettings, Split

Ints = npt.NDArray[np.int64]

BY_TRIAL = ("trial",)
BY_SUBJECT = ("subject", "session", "trial")
"""A session and a trial are of one subject: who keeps subjects apart keeps them apart as well."""


def subjects_of(items: Items) -> tuple[str, ...]:
    """Return every subject once, in order of appearance."""
    return tuple(dict.fromkeys(items.subject))


def joint(*columns: Iterable[object]) -> Ints:
    """Return a number for each row, the same where all columns are the same."""
    rows = list(zip(*columns, strict=True))
    numbers = {row: number for number, row in enumerate(dict.fromkeys(rows))}
    return np.array([numbers[row] for row in rows], dtype=np.int64)


def deal(strata: Ints, n_shares: int, rng: np.random.Generator) -> Ints:
    """Deal items into shares as one deals cards, stratum after stratum.

    What ``sklearn.model_selection.StratifiedKFold`` does, and strata that are smaller than the
    number of shares are welcome: those of a few trials often are.

    Parameters
    ----------
    strata : ndarray of int, shape (n_items,)
        Every share gets as many of each as the others, give or take one.
    n_shares : int
        How many.
    rng : Generator
        Shuffles within strata.

    Returns
    -------
    ndarray of int, shape (n_items,)
        Number of each item's share.
    """
    order = np.lexsort((rng.random(len(strata)), strata))
    shares = np.empty(len(strata), dtype=np.int64)
    shares[order] = np.arange(len(strata)) % n_shares
    return shares


def draw(strata: Ints, share: float, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Return which items are drawn: a share of each stratum, at least one item in all."""
    n_drawn = max(1, round(share * len(strata)))
    order = np.lexsort((rng.random(len(strata)), strata))
    places = np.floor((np.arange(n_drawn) + rng.random()) * len(strata) / n_drawn)
    drawn = np.zeros(len(strata), dtype=np.bool_)
    drawn[order[places.astype(np.int64)]] = True
    return drawn


def fold_of(name: str, roles: Sequence[str]) -> Fold:
    """Return a fold from each item's role; "" is for those that the fold leaves out."""
    rows = {role: tuple(i for i, is_in in enumerate(roles) if is_in == role) for role in ROLES}
    return Fold(name=name, **rows)


def k_folds(
    items: Items,
    strata: Ints,
    *,
    scope: Literal["subject", "pooled"],
    n_folds: int,
    validation_share: float,
    rng: np.random.Generator,
) -> Iterator[Fold]:
    """Yield k folds, of each subject alone or of all together.

    Parameters
    ----------
    items : Items
        What is dealt.
    strata : ndarray of int, shape (n_items,)
        What every fold gets its share of.
    scope : {"subject", "pooled"}
        ``"subject"``: folds of one subject's items each, ``"s01-1"`` to ``"s01-k"``, then the next
        subject's. ``"pooled"``: ``"1"`` to ``"k"``.
    n_folds : int
        Every item is tested in one of them.
    validation_share : float
        Share of what a fold does not test that goes to validation.
    rng : Generator
        Draws.

    Raises
    ------
    LeakError
        There are too few items.
    """
    owners = np.array(items.subject)
    if scope == "subject":
        pools = {f"{name}-": np.flatnonzero(owners == name) for name in subjects_of(items)}
    else:
        pools = {"": np.arange(len(items))}
    for prefix, rows in pools.items():
        if len(rows) < max(n_folds, 3):
            msg = (
                f"{n_folds} folds need at least {max(n_folds, 3)} {items.level}s, got {len(rows)}"
                f"{f' of {prefix[:-1]}' if prefix else ''}. Ask for fewer folds, or leave this "
                "subject out."
            )
            raise LeakError(msg)
        shares = deal(strata[rows], n_folds, rng)
        for number in range(n_folds):
            roles = np.full(len(items), "", dtype="<U10")
            others = rows[shares != number]
            chosen = draw(strata[others], validation_share, rng)
            roles[rows[shares == number]] = "test"
            roles[others[chosen]] = "validation"
            roles[others[~chosen]] = "train"
            yield fold_of(f"{prefix}{number + 1}", roles.tolist())


def class_strata(classes: Mapping[str, Ints], n_items: int) -> Ints:
    """Return a number for each item, the same where its classes to all targets are the same."""
    return joint(*classes.values()) if classes else np.zeros(n_items, dtype=np.int64)


def seal(
    settings: ProtocolSettings,
    items: Items,
    folds: Iterable[Fold],
    *,
    disjoint: tuple[str, ...],
    leaky: bool = False,
) -> Split:
    """Return the split of these folds after it has proved what it keeps apart.

    Parameters
    ----------
    settings : ProtocolSettings
        Whose folds they are.
    items : Items
        What was shared out.
    folds : iterable of Fold
        In order.
    disjoint : tuple of str
        Groups that are kept apart.
    leaky : bool
        As in `Split`.

    Raises
    ------
    LeakError
        It does not keep apart what it says, or the items are not of the protocol's level.
    """
    content = settings.model_dump(mode="json")
    if items.level != settings.level:
        msg = (
            f"The protocol {content['kind']} shares out {settings.level}s, got {items.level}s. "
            f"Give it one item a {settings.level}."
        )
        raise LeakError(msg)
    split = Split(
        protocol=content["kind"],
        settings=content,
        level=items.level,
        disjoint=disjoint,
        leaky=leaky,
        folds=tuple(folds),
        items_digest=items.digest,
    )
    split.prove(items)
    return split
