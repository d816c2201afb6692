"""How a BIDS data set tells of trials: which events, in which unit, and where the ratings are."""

import re
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from offline.datasets.settings import Settings
from offline.datasets.tables import Row
from offline.errors import DataError


class NameSettings(Settings):
    r"""Where a name stands.

    Parameters
    ----------
    column : str
        The column.
    pattern : str or None
        Regular expression with one group, the part that is the name: ``(.+)_\d+`` for ``12`` in
        ``12_2``. None takes all.
    """

    column: str = Field(min_length=1)
    pattern: str | None = None

    @field_validator("pattern")
    @classmethod
    def _has_one_group(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                n_groups = re.compile(value).groups
            except re.error as error:
                msg = f"it is no regular expression: {error}"
                raise ValueError(msg) from None
            if n_groups != 1:
                msg = f"it must have one group in parentheses, got {n_groups}"
                raise ValueError(msg)
        return value

    def name(self, row: Row) -> str:
        """Return the name in a line of a table.

        Raises
        ------
        DataError
            What stands there does not fit the pattern.
        """
        text = row.text(self.column)
        if self.pattern is None or not text:
            return text
        match = re.fullmatch(self.pattern, text)
        if match is None:
            msg = f"{row.where}: {self.column} must look like {self.pattern}, got {text!r}."
            raise DataError(msg)
        return str(match[1])


class EventSettings(Settings):
    """How events become trials.

    Parameters
    ----------
    trial_types : tuple of str
        Values of `trial_type` at which a trial begins, or their explanations in ``events.json``.
    unit : {"s", "ms"}
        Of onsets and durations.
    ends_at : tuple of str
        A trial ends at the next event of these; empty takes the event's duration.
    duration_s : float or None
        All trials last so long, whatever the events say.
    stimulus : NameSettings or None
        What was shown; None for what nobody else could have seen.
    rest_s : float
        How long nothing was shown directly before every trial, in seconds.
    ratings_in : {"events", "beh"}
        The events, or the behaviour table (``beh/..._beh.tsv``).
    beh_name : NameSettings or None
        What in the behaviour table is the trial's stimulus. Needed for ratings in ``"beh"``.
    """

    trial_types: tuple[str, ...] = Field(min_length=1)
    unit: Literal["s", "ms"] = "s"
    ends_at: tuple[str, ...] = ()
    duration_s: float | None = Field(default=None, gt=0)
    stimulus: NameSettings | None = None
    rest_s: float = Field(default=0.0, ge=0)
    ratings_in: Literal["events", "beh"] = "events"
    beh_name: NameSettings | None = None

    @model_validator(mode="after")
    def _can_be_joined(self) -> Self:
        if self.ratings_in == "beh" and (self.beh_name is None or self.stimulus is None):
            msg = "ratings_in: beh needs stimulus (in the events) and beh_name, to be joined by"
            raise ValueError(msg)
        if self.ends_at and self.duration_s is not None:
            msg = "give either ends_at or duration_s"
            raise ValueError(msg)
        return self
