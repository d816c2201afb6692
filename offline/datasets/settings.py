"""What the settings of data sets share: strictness, and labels that people declare themselves."""

import itertools
import math
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    model_validator,
)

from offline.datasets.contract import Label
from offline.datasets.tables import Row
from offline.errors import DataError
from rtaffect.config.streams import Streams


class Settings(BaseModel):
    """Frozen, and nothing unknown."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class LabelSettings(Settings):
    """One question that ratings answer.

    Parameters
    ----------
    classes : tuple of str
        Names, from the lowest up.
    edges : tuple of float
        Where one class ends and the next begins on the scale of the ratings, its two ends included:
        ``[1, 5, 9]`` for "low" and "high" of ratings from 1 to 9. Without edges a rating is the
        name of a class.
    column : str or None
        Where the rating stands; None is the column that is called like the target.
    """

    classes: tuple[str, ...] = Field(min_length=2)
    edges: tuple[float, ...] = ()
    column: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _is_a_scale(self) -> Self:
        if len(set(self.classes)) < len(self.classes):
            msg = f"classes must differ, got {list(self.classes)}"
            raise ValueError(msg)
        rising = all(low < high for low, high in itertools.pairwise(self.edges))
        if self.edges and not (rising and len(self.edges) == len(self.classes) + 1):
            msg = (
                f"edges must be {len(self.classes) + 1} rising numbers for {len(self.classes)} "
                f"classes (the scale's ends and what lies between), got {list(self.edges)}"
            )
            raise ValueError(msg)
        return self

    @property
    def label(self) -> Label:
        """The question as data sets answer it."""
        return Label(classes=self.classes, edges=self.edges)

    def value(self, text: str) -> float:
        """Return a rating as a number on the label's scale.

        Parameters
        ----------
        text : str
            What stands in the table.

        Raises
        ------
        ValueError
            It is no rating on the scale; the message goes on after "must be".
        """
        shown = repr(text) if text else "nothing"
        if not self.edges:
            if text not in self.classes:
                msg = f"one of {', '.join(self.classes)}, got {shown}"
                raise ValueError(msg)
            return float(self.classes.index(text))
        low, high = self.edges[0], self.edges[-1]
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            msg = f"a number from {low:g} to {high:g}, got {shown}"
            raise ValueError(msg)
        return value


def labels_of(settings: Mapping[str, LabelSettings]) -> Mapping[str, Label]:
    """Return every target's label."""
    return {target: one.label for target, one in settings.items()}


def values_in(row: Row, settings: Mapping[str, LabelSettings]) -> dict[str, float]:
    """Return every target's value in a line of a table.

    Raises
    ------
    DataError
        One is missing, or no rating on its scale.
    """
    values = {}
    for target, one in settings.items():
        column = one.column or target
        try:
            values[target] = one.value(row.text(column))
        except ValueError as error:
            msg = f"{row.where}: {column} must be {error}."
            raise DataError(msg) from None
    return values


def _with_tuples(value: Any) -> Any:
    """Return plain values with tuples for lists, as the runtime's strict settings take them."""
    if isinstance(value, dict):
        return {key: _with_tuples(inner) for key, inner in value.items()}
    return tuple(map(_with_tuples, value)) if isinstance(value, list) else value


def _without_gaps(streams: Streams | None) -> dict[str, Any] | None:
    """Return streams as a session file says them, where a key without a value is refused."""
    return None if streams is None else streams.model_dump(mode="json", exclude_none=True)


StreamsOrNone = Annotated[
    Streams | None, BeforeValidator(_with_tuples), PlainSerializer(_without_gaps)
]
"""Which stream is which modality, as in a session file; None for what is obvious."""
