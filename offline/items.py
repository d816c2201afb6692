"""What a split shares out: trials, or (where a paper did so) windows, with all that ties them."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

GROUPS = ("subject", "session", "trial", "stimulus")

NO_CLASS = -1
"""Class of what has no label: neither trained on nor tested, but there for what needs no labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """One row an item; all columns are of the same length.

    Parameters
    ----------
    level : {"trial", "window"}
        What an item is.
    subject, session, trial, stimulus : tuple of str
        Names. Trials are told apart by subject, session and trial together; a stimulus by its name
        alone, for it is the same for everybody; "" is a stimulus of its own.
    window : tuple of int
        Number of the window on its recording's grid, which no lost window shifts; empty when items
        are trials.
    """

    level: Literal["trial", "window"]
    subject: tuple[str, ...]
    session: tuple[str, ...]
    trial: tuple[str, ...]
    stimulus: tuple[str, ...]
    window: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        lengths = {name: len(getattr(self, name)) for name in GROUPS}
        if self.level == "window":
            lengths["window"] = len(self.window)
        if len(set(lengths.values())) > 1:
            msg = f"All columns of items must be of one length, got {lengths}."
            raise ValueError(msg)

    def __len__(self) -> int:
        return len(self.subject)

    def keys(self, group: str) -> Iterator[tuple[str, ...]]:
        """Yield what each item shares with others of its `group`, one of `GROUPS`.

        A session is told apart by subject and session, a trial by subject, session and trial; a
        stimulus without a name by its trial.
        """
        for subject, session, trial, stimulus in zip(
            self.subject, self.session, self.trial, self.stimulus, strict=True
        ):
            match group:
                case "subject":
                    yield (subject,)
                case "session":
                    yield (subject, session)
                case "trial":
                    yield (subject, session, trial)
                case "stimulus":
                    yield (stimulus,) if stimulus else (subject, session, trial)
                case _:
                    msg = f"A group must be one of {', '.join(GROUPS)}, got {group!r}."
                    raise ValueError(msg)

    def name(self, row: int) -> str:
        """Return what people call an item: ``"subject a, session 1, trial 3"``."""
        parts = {name: getattr(self, name)[row] for name in ("subject", "session", "trial")}
        if self.level == "window":
            parts["window"] = str(self.window[row])
        return ", ".join(f"{name} {part}" for name, part in parts.items() if part)

    @property
    def digest(self) -> str:
        """Hexadecimal SHA-256 of all columns."""
        columns = [self.level, *(getattr(self, name) for name in GROUPS), self.window]
        return hashlib.sha256(json.dumps(columns).encode()).hexdigest()
