"""Portions of the subjects, 8:1:1 unless said otherwise."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from offline.errors import LeakError
from offline.items import Items
from offline.protocols.contract import ProtocolSettings, Split
from offline.protocols.shares import BY_SUBJECT, fold_of, seal, subjects_of


class PortionsSettings(ProtocolSettings):
    """Subjects are drawn into train, validation and test; some may never be tested.

    Parameters
    ----------
    train, validation, test : float
        Shares, not numbers of subjects: 8, 1, 1 and 80, 10, 10 are the same. The latter two get at
        least one subject each, training gets what is left.
    n_draws : int
        Folds, each drawn anew: ``"draw-1"``, ``"draw-2"``, ... A subject may be tested in several.
    """

    kind: Literal["portions"] = "portions"
    train: float = Field(default=8, gt=0)
    validation: float = Field(default=1, gt=0)
    test: float = Field(default=1, gt=0)
    n_draws: int = Field(default=1, ge=1)

    def split(
        self, items: Items, *, classes: Mapping[str, npt.NDArray[np.int64]], seed: int
    ) -> Split:
        """Return one fold a draw; see `ProtocolSettings.split`."""
        del classes
        subjects = np.array(subjects_of(items))
        whole = self.train + self.validation + self.test
        n_test = max(1, round(len(subjects) * self.test / whole))
        n_validation = max(1, round(len(subjects) * self.validation / whole))
        if len(subjects) <= n_test + n_validation:
            msg = (
                f"Portions {self.train:g}:{self.validation:g}:{self.test:g} need a subject to "
                f"train on beside {n_validation} to validate and {n_test} to test, got "
                f"{len(subjects)} in all."
            )
            raise LeakError(msg)
        rng = np.random.default_rng(seed)
        folds = []
        for number in range(1, self.n_draws + 1):
            order = rng.permutation(subjects).tolist()
            roles = dict.fromkeys(order, "train")
            roles |= dict.fromkeys(order[: n_test + n_validation], "validation")
            roles |= dict.fromkeys(order[:n_test], "test")
            folds.append(fold_of(f"draw-{number}", [roles[name] for name in items.subject]))
        return seal(self, items, folds, disjoint=BY_SUBJECT)
