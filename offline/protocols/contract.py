"""A split: a typed, hashed artefact that proves what it keeps apart."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from offline.errors import LeakError
from offline.items import Items
from offline.plurals import some

ROLES = ("train", "validation", "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """Numbers of the items in each role.

    Parameters
    ----------
    name : str
        For people and for file names: ``"s01"``.
    train, validation, test : tuple of int
        Rows of the `Items`, rising. Validation chooses the epoch and the temperature.
    """

    name: str
    train: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """All folds of a protocol on some items.

    Parameters
    ----------
    protocol : str
        Kind of the protocol.
    settings : mapping
        Its settings, as JSON would hold them.
    level : {"trial", "window"}
        Level of the items.
    disjoint : tuple of str
        Groups (`offline.items.GROUPS`) of which no member has two roles in a fold.
    leaky : bool
        Windows of one trial are in several roles, or the test set chooses: to reproduce a paper,
        never to believe. Stamped on every table, figure and bundle that comes of it.
    folds : tuple of Fold
        In order.
    items_digest : str
        Of the items that the numbers speak of.
    """

    protocol: str
    settings: Mapping[str, Any]
    level: Literal["trial", "window"]
    disjoint: tuple[str, ...]
    leaky: bool
    folds: tuple[Fold, ...]
    items_digest: str

    @property
    def digest(self) -> str:
        """Hexadecimal SHA-256 of everything."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    def prove(self, items: Items) -> None:
        """Check that the split keeps apart what it says.

        Parameters
        ----------
        items : Items
            Those that the split was made for.

        Raises
        ------
        LeakError
            The items are others; an item has two roles in a fold or does not exist; a role is
            empty; a member of a `disjoint` group has two roles, or a trial has and the split is
            not declared leaky.
        """
        if items.digest != self.items_digest:
            msg = (
                "A split must be used with the items that it was made for: "
                f"made for {self.items_digest[:12]}, got {items.digest[:12]}. Make it again."
            )
            raise LeakError(msg)
        apart = self.disjoint if self.leaky else tuple(dict.fromkeys((*self.disjoint, "trial")))
        for fold in self.folds:
            _prove_fold(fold, items, apart)


class ProtocolSettings(BaseModel, ABC):
    """How items are shared out; ``kind`` tells protocols apart in a recipe."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @abstractmethod
    def split(
        self, items: Items, *, classes: Mapping[str, npt.NDArray[np.int64]], seed: int
    ) -> Split:
        """Return the split.

        Parameters
        ----------
        items : Items
            Trials, or windows for a protocol that shares out windows (`level`).
        classes : mapping of str to ndarray of int, shape (n_items,)
            By target, for protocols that keep shares of the classes alike.
        seed : int
            Of whatever is drawn.

        Raises
        ------
        LeakError
            The items cannot be shared out so: too few subjects, no stimulus names.
        """

    def check(self) -> None:
        """Check what can be known before a recording is read, which may take hours.

        Raises
        ------
        DataError, LeakError
            A file of the protocol is not there, or is not what it must be.
        """
        return

    @property
    def level(self) -> Literal["trial", "window"]:
        """What is shared out."""
        return "trial"


def _prove_fold(fold: Fold, items: Items, disjoint: tuple[str, ...]) -> None:
    roles = {role: getattr(fold, role) for role in ROLES}
    if empty := [role for role, rows in roles.items() if not rows]:
        msg = f"Every role of fold {fold.name} must have items, got none for {', '.join(empty)}."
        raise LeakError(msg)
    taken = Counter(row for rows in roles.values() for row in rows)
    if min(taken) < 0 or max(taken) >= len(items):
        msg = f"Fold {fold.name} must speak of items 0 to {len(items) - 1}, got {max(taken)}."
        raise LeakError(msg)
    if twice := [items.name(row) for row, n in taken.items() if n > 1]:
        msg = (
            f"A {items.level} must have one role in a fold, but fold {fold.name} gives "
            f"{some(twice)} two."
        )
        raise LeakError(msg)
    for group in disjoint:
        keys = list(items.keys(group))
        members = {role: {keys[row] for row in rows} for role, rows in roles.items()}
        for one, other in (("train", "test"), ("validation", "test"), ("train", "validation")):
            if shared := sorted(members[one] & members[other]):
                names = ["/".join(part for part in key if part) for key in shared]
                msg = (
                    f"Fold {fold.name} must keep every {group} in one role, but of those in {one} "
                    f"{len(shared)} {'is' if len(shared) == 1 else 'are'} in {other} as well: "
                    f"{some(names)}."
                )
                raise LeakError(msg)
