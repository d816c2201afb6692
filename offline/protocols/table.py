"""A split that somebody made elsewhere, read from a table."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from offline.errors import LeakError
from offline.items import Items
from offline.protocols.contract import Fold, ProtocolSettings, Split
from offline.protocols.files import kept_apart, read_split_table
from offline.protocols.shares import seal


class TableSettings(ProtocolSettings):
    """The folds of a CSV or TSV file; items of the data set that are not in it are not used.

    Parameters
    ----------
    path : Path
        See `offline.protocols.files.read_split_table`.
    windows : bool
        The table shares out windows, not trials.
    leaky : bool
        It is known to leak.
    """

    kind: Literal["table"] = "table"
    path: Path
    windows: bool = False
    leaky: bool = False

    @property
    def level(self) -> Literal["trial", "window"]:
        """What is shared out."""
        return "window" if self.windows else "trial"

    def split(
        self, items: Items, *, classes: Mapping[str, npt.NDArray[np.int64]], seed: int
    ) -> Split:
        """Return the table's folds, of these items; see `ProtocolSettings.split`."""
        del classes, seed
        listed, found = read_split_table(self.path, leaky=self.leaky)
        if listed.level != self.level:
            msg = f"{self.path} must share out {self.level}s, got {listed.level}s: see `windows`."
            raise LeakError(msg)
        place = {key: row for row, key in enumerate(_keys(items))}
        keys = list(_keys(listed))
        if unknown := [key for key in keys if key not in place]:
            msg = (
                f"{self.path} must name {self.level}s of the data set; {len(unknown)} are not in "
                f"it, such as {'/'.join(unknown[0])}."
            )
            raise LeakError(msg)
        folds = tuple(
            Fold(
                name=fold.name,
                train=tuple(sorted(place[keys[row]] for row in fold.train)),
                validation=tuple(sorted(place[keys[row]] for row in fold.validation)),
                test=tuple(sorted(place[keys[row]] for row in fold.test)),
            )
            for fold in found.folds
        )
        split = seal(self, items, folds, disjoint=kept_apart(items, folds), leaky=self.leaky)
        # Where the file lies is no part of the split: who moves it has the same one.
        return replace(split, settings={**split.settings, "path": self.path.name})


def _keys(items: Items) -> list[tuple[str, ...]]:
    trials = items.keys("trial")
    if items.level == "trial":
        return list(trials)
    return [(*trial, str(n)) for trial, n in zip(trials, items.window, strict=True)]
