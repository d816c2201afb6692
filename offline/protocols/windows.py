"""K-fold over shuffled windows: it leaks, and is here so that papers can be reproduced."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from offline.items import Items
from offline.protocols.contract import ProtocolSettings, Split
from offline.protocols.shares import class_strata, k_folds, seal


class WindowsSettings(ProtocolSettings):
    """LEAKY: windows of one trial are trained on and tested, as in MT-CNN's paper.

    A model that knows a trial again by its drifts is right about it, whatever the label means: see
    `offline.canaries`. The paper shuffles the windows of all subjects, keeps the shares of the
    classes (``StratifiedKFold(5, shuffle=True)``), and stops, decays and selects by the tested
    fold. The latter is the run's choice of checkpoint. Folds have a validation set here
    too, so that training has a little less than the paper's share (0.72 of the windows, not 0.8).

    Parameters
    ----------
    scope : {"pooled", "subject"}
        One model for all, or one for each subject.
    n_folds : int
        How many.
    validation_share : float
        Share of the windows not tested that is for validation.
    """

    kind: Literal["windows"] = "windows"
    scope: Literal["pooled", "subject"] = "pooled"
    n_folds: int = Field(default=5, ge=2)
    validation_share: float = Field(default=0.1, gt=0, le=0.5)

    @property
    def level(self) -> Literal["trial", "window"]:
        """What is shared out."""
        return "window"

    def split(
        self, items: Items, *, classes: Mapping[str, npt.NDArray[np.int64]], seed: int
    ) -> Split:
        """Return the folds; see `ProtocolSettings.split` and `offline.protocols.shares.k_folds`."""
        folds = k_folds(
            items,
            class_strata(classes, len(items)),
            scope=self.scope,
            n_folds=self.n_folds,
            validation_share=self.validation_share,
            rng=np.random.default_rng(seed),
        )
        return seal(self, items, folds, disjoint=(), leaky=True)
