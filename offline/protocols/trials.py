"""K-fold over whole trials of the subjects that are trained on."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from offline.items import Items
from offline.protocols.contract import ProtocolSettings, Split
from offline.protocols.shares import BY_TRIAL, class_strata, joint, k_folds, seal


class TrialsSettings(ProtocolSettings):
    """Each trial is tested once by a model that knows the subject from other trials.

    Folds have their part of every subject's every class (all targets together).

    Parameters
    ----------
    scope : {"subject", "pooled"}
        A model for each subject, or one for all.
    n_folds : int
        How many, for each subject or for all.
    validation_share : float
        Share of the trials not tested on which epoch and temperature are chosen.
    """

    kind: Literal["trials"] = "trials"
    scope: Literal["subject", "pooled"] = "subject"
    n_folds: int = Field(default=5, ge=2)
    validation_share: float = Field(default=0.2, gt=0, le=0.5)

    def split(
        self, items: Items, *, classes: Mapping[str, npt.NDArray[np.int64]], seed: int
    ) -> Split:
        """Return the folds; see `ProtocolSettings.split` and `offline.protocols.shares.k_folds`."""
        folds = k_folds(
            items,
            joint(items.subject, class_strata(classes, len(items)).tolist()),
            scope=self.scope,
            n_folds=self.n_folds,
            validation_share=self.validation_share,
            rng=np.random.default_rng(seed),
        )
        return seal(self, items, folds, disjoint=BY_TRIAL)
