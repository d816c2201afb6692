"""Leave one subject out, with other subjects to select on."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from offline.errors import LeakError
from offline.items import Items
from offline.protocols.contract import ProtocolSettings, Split
from offline.protocols.shares import BY_SUBJECT, fold_of, seal, subjects_of


class LosoSettings(ProtocolSettings):
    """Each subject is tested once by a model that was trained and selected on others.

    Validation subjects are the next ones on a ring in drawn order, so that everybody validates
    equally often. Subjects who saw the same stimuli share them: a model that knows a stimulus again
    gains by it, see `offline.protocols.stimuli`.

    Parameters
    ----------
    n_validation : int
        Subjects on whom a fold's epoch and temperature are chosen.
    """

    kind: Literal["loso"] = "loso"
    n_validation: int = Field(default=2, ge=1)

    def split(
        self, items: Items, *, classes: Mapping[str, npt.NDArray[np.int64]], seed: int
    ) -> Split:
        """Return one fold a subject, named after who is tested; see `ProtocolSettings.split`."""
        del classes
        subjects = subjects_of(items)
        if len(subjects) < self.n_validation + 2:
            msg = (
                f"LOSO with {self.n_validation} validation subjects needs at least "
                f"{self.n_validation + 2} subjects, got {len(subjects)}."
            )
            raise LeakError(msg)
        ring = np.random.default_rng(seed).permutation(np.array(subjects)).tolist()
        folds = []
        for subject in subjects:
            after = ring.index(subject) + 1
            validating = (ring[after:] + ring[:after])[: self.n_validation]
            roles = dict.fromkeys(subjects, "train") | dict.fromkeys(validating, "validation")
            roles[subject] = "test"
            folds.append(fold_of(subject, [roles[name] for name in items.subject]))
        return seal(self, items, folds, disjoint=BY_SUBJECT)
