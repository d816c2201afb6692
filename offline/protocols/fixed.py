"""Lists: who or what has which role is written down."""

import difflib
from collections.abc import Hashable, Mapping, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from offline.errors import LeakError
from offline.items import Items
from offline.protocols.contract import ROLES, Fold, ProtocolSettings, Split
from offline.protocols.shares import BY_SUBJECT, BY_TRIAL, fold_of, seal

TrialKey = tuple[str, str, str]
"""Subject, session and trial."""


class FixedSubjectsSettings(ProtocolSettings):
    """One fold of listed subjects; those in no list are not used.

    Parameters
    ----------
    train, validation, test : tuple of str
        Names of subjects.
    """

    kind: Literal["fixed_subjects"] = "fixed_subjects"
    train: tuple[str, ...] = Field(min_length=1)
    validation: tuple[str, ...] = Field(min_length=1)
    test: tuple[str, ...] = Field(min_length=1)

    def split(
        self, items: Items, *, classes: Mapping[str, npt.NDArray[np.int64]], seed: int
    ) -> Split:
        """Return the fold, named ``"fixed"``; see `ProtocolSettings.split`."""
        del classes, seed
        lists = {role: [(name,) for name in getattr(self, role)] for role in ROLES}
        fold = _fold(lists, list(items.keys("subject")), group="subject")
        return seal(self, items, [fold], disjoint=BY_SUBJECT)


class FixedTrialsSettings(ProtocolSettings):
    """One fold of listed trials; those in no list are not used.

    Parameters
    ----------
    train, validation, test : tuple of (str, str, str)
        Subject, session and trial of each.
    """

    kind: Literal["fixed_trials"] = "fixed_trials"
    train: tuple[TrialKey, ...] = Field(min_length=1)
    validation: tuple[TrialKey, ...] = Field(min_length=1)
    test: tuple[TrialKey, ...] = Field(min_length=1)

    def split(
        self, items: Items, *, classes: Mapping[str, npt.NDArray[np.int64]], seed: int
    ) -> Split:
        """Return the fold, named ``"fixed"``; see `ProtocolSettings.split`."""
        del classes, seed
        lists = {role: list(getattr(self, role)) for role in ROLES}
        fold = _fold(lists, list(items.keys("trial")), group="trial")
        return seal(self, items, [fold], disjoint=BY_TRIAL)


def _fold(
    lists: Mapping[str, Sequence[tuple[str, ...]]], keys: Sequence[tuple[str, ...]], *, group: str
) -> Fold:
    roles: dict[Hashable, str] = {}
    known = {"/".join(key) for key in keys}
    for role, listed in lists.items():
        for key in listed:
            name = "/".join(key)
            if name not in known:
                near = difflib.get_close_matches(name, known, n=3) or sorted(known)[:3]
                msg = (
                    f"The list {role} must name {group}s of the data set, got {name}. "
                    f"There is {', '.join(near)}."
                )
                raise LeakError(msg)
            if roles.setdefault(key, role) != role:
                msg = f"A {group} must be in one list, but {name} is in {roles[key]} and in {role}."
                raise LeakError(msg)
    return fold_of("fixed", [roles.get(key, "") for key in keys])
