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

Key = tuple[str, ...]


class TableSettings(ProtocolSettings):
    """The folds of a CSV or TSV file; items of the data set that are not in it are not used.

    A line without a session means the one session in which the subject has the trial.

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
        listed, found = self._read()
        place = self._places(listed, items)
        folds = tuple(
            Fold(
                name=fold.name,
                train=tuple(sorted(place[row] for row in fold.train)),
                validation=tuple(sorted(place[row] for row in fold.validation)),
                test=tuple(sorted(place[row] for row in fold.test)),
            )
            for fold in found.folds
        )
        split = seal(self, items, folds, disjoint=kept_apart(items, folds), leaky=self.leaky)
        # Where the file lies is no part of the split: who moves it has the same one.
        return replace(split, settings={**split.settings, "path": self.path.name})

    def check(self) -> None:
        """Read the table; see `ProtocolSettings.check`."""
        self._read()

    def _read(self) -> tuple[Items, Split]:
        listed, found = read_split_table(self.path, leaky=self.leaky)
        if listed.level != self.level:
            told = "has a column window" if listed.level == "window" else "has no column window"
            msg = (
                f"{self.path} must share out {self.level}s, but {told}. Set protocol.windows="
                f"{str(listed.level == 'window').lower()}, or change the table."
            )
            raise LeakError(msg)
        return listed, found

    def _places(self, listed: Items, items: Items) -> list[int]:
        """Return the row in `items` of each item that the table lists."""
        place = {key: row for row, key in enumerate(_keys(items))}
        without_session: dict[Key, list[Key]] = {}
        for key in place:
            without_session.setdefault((key[0], "", *key[2:]), []).append(key)
        keys = list(_keys(listed))
        hint = "`rtaffect-offline audit RECIPE --items` lists what there is."
        for row, key in enumerate(keys):
            meant = without_session.get(key, [])
            if key in place or not meant:
                continue
            if len(meant) > 1:
                sessions = ", ".join(one[1] for one in meant)
                msg = (
                    f"{self.path} must name the session of {self.level} {_shown(key)}, which is in "
                    f"sessions {sessions}: add a column session. {hint}"
                )
                raise LeakError(msg)
            keys[row] = meant[0]
        if unknown := [key for key in keys if key not in place]:
            msg = (
                f"{self.path} must name {self.level}s of the data set; {len(unknown)} are not in "
                f"it, such as {_shown(unknown[0])}; it has {_shown(next(iter(place)))} and others. "
                f"{hint}"
            )
            raise LeakError(msg)
        return [place[key] for key in keys]


def _keys(items: Items) -> list[Key]:
    trials = items.keys("trial")
    if items.level == "trial":
        return list(trials)
    return [(*trial, str(n)) for trial, n in zip(trials, items.window, strict=True)]


def _shown(key: Key) -> str:
    return "/".join(part for part in key if part)
