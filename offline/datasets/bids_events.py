"""Trials and ratings in the tables of a BIDS data set; no signal is needed to read them.

Onsets are seconds in BIDS, and milliseconds in some data sets all the same. Ratings stand in
columns of the events, or in a behaviour table, whose lines are joined to trials by what both name,
never by their order.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from offline.datasets.bids_settings import EventSettings, NameSettings
from offline.datasets.rated import Rated
from offline.datasets.settings import LabelSettings, values_in
from offline.datasets.tables import Row, read_table
from offline.errors import DataError

MAX_HOURS = 24.0
"""Nobody wears a cap for longer: onsets beyond are in another unit than was said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BidsEvent:
    """One line of ``events.tsv``.

    Parameters
    ----------
    row : Row
        The line.
    onset_s, duration_s : float
        In seconds; the duration is 0.0 where none is written down.
    trial_type : str
        As it stands there.
    meaning : str
        Its explanation in ``events.json``, "" without one.
    """

    row: Row
    onset_s: float
    duration_s: float
    trial_type: str
    meaning: str

    def is_one_of(self, names: Sequence[str]) -> bool:
        """Return whether it is an event of one of these types or explanations."""
        return self.trial_type in names or (self.meaning != "" and self.meaning in names)


def read_events(
    path: Path, *, unit: Literal["s", "ms"] = "s", levels: Mapping[str, str] | None = None
) -> tuple[BidsEvent, ...]:
    """Read an ``events.tsv``.

    Parameters
    ----------
    path : Path
        The file.
    unit : {"s", "ms"}
        Of onsets and durations.
    levels : mapping of str to str or None
        What values of `trial_type` mean, see `read_levels`.

    Raises
    ------
    DataError
        It is no table of events, or its onsets cannot be in this unit.
    """
    per_second = 1000.0 if unit == "ms" else 1.0
    levels = levels or {}
    events = []
    for row in read_table(path, ("onset", "trial_type")):
        if not row.text("onset"):
            continue  # BIDS: the onset may be n/a, the event's time is then not known
        trial_type = row.text("trial_type")
        events.append(
            BidsEvent(
                row=row,
                onset_s=row.number("onset") / per_second,
                duration_s=row.number("duration") / per_second if row.text("duration") else 0.0,
                trial_type=trial_type,
                meaning=levels.get(trial_type, ""),
            )
        )
    newest_s = max((event.onset_s for event in events), default=0.0)
    if newest_s > MAX_HOURS * 3600:
        msg = (
            f"{path.name}: its onsets go to {newest_s:.0f} s, which is {newest_s / 3600:.0f} hours."
            " Are they in milliseconds? Then set unit: ms."
        )
        raise DataError(msg)
    return tuple(sorted(events, key=lambda event: event.onset_s))


def read_levels(path: Path) -> dict[str, str]:
    """Return what values of `trial_type` mean, from an ``events.json``; empty without one.

    Raises
    ------
    DataError
        It is no JSON.
    """
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        msg = f"{path} must be JSON: {error}."
        raise DataError(msg) from error
    column = found.get("trial_type", {}) if isinstance(found, dict) else {}
    levels = column.get("Levels", {}) if isinstance(column, dict) else {}
    return {
        str(value): str(meaning.get("Description", ""))
        if isinstance(meaning, dict)
        else str(meaning)
        for value, meaning in (levels.items() if isinstance(levels, dict) else ())
    }


def rated_trials(
    events: Sequence[BidsEvent],
    settings: EventSettings,
    labels: Mapping[str, LabelSettings],
    *,
    beh: Path | None = None,
) -> tuple[Rated, ...]:
    """Return the trials of one recording with their ratings.

    Parameters
    ----------
    events : sequence of BidsEvent
        In order of time.
    settings : EventSettings
        How they become trials.
    labels : mapping of str to LabelSettings
        What the ratings answer.
    beh : Path or None
        The behaviour table, where ratings are there.

    Returns
    -------
    tuple of Rated
        In order of time; their names are their numbers, from 1.

    Raises
    ------
    DataError
        There is none, one has no end, or ratings are missing, off the scale or not to be joined.
    """
    starts = [event for event in events if event.is_one_of(settings.trial_types)]
    if not starts:
        types = ", ".join(dict.fromkeys(event.trial_type for event in events))
        msg = (
            f"No event is one of trial_types ({', '.join(settings.trial_types)}); "
            f"there are {types or 'none'}."
        )
        raise DataError(msg)
    stimuli = [settings.stimulus.name(one.row) if settings.stimulus else "" for one in starts]
    rows = [one.row for one in starts]
    if settings.ratings_in == "beh":
        assert settings.beh_name is not None
        if beh is None:
            msg = f"{starts[0].row.where}: there is no behaviour table (beh.tsv) beside the events."
            raise DataError(msg)
        rows = _joined(rows, stimuli, beh, settings.beh_name)
    return tuple(
        Rated(
            where=start.row.where,
            name=f"{number:03d}",
            stimulus=stimulus,
            onset=start.onset_s,
            duration_s=_duration(start, events, settings),
            values=values_in(row, labels),
            rest_s=settings.rest_s,
        )
        for number, (start, stimulus, row) in enumerate(
            zip(starts, stimuli, rows, strict=True), start=1
        )
    )


def _joined(
    starts: Sequence[Row], stimuli: Sequence[str], beh: Path, beh_name: NameSettings
) -> list[Row]:
    """Return each trial's line of the behaviour table, found by its stimulus."""
    lines: dict[str, Row] = {}
    for row in read_table(beh, (beh_name.column,)):
        name = beh_name.name(row)
        if name in lines:
            msg = f"{row.where}: {name!r} is rated twice ({lines[name].where}); which is meant?"
            raise DataError(msg)
        lines[name] = row
    twice = [name for name, count in Counter(stimuli).items() if count > 1]
    if twice:
        msg = f"{beh.name}: {twice[0]!r} was shown more than once, so no line is surely its rating."
        raise DataError(msg)
    lacking = [
        f"{row.where}: {name!r}"
        for row, name in zip(starts, stimuli, strict=True)
        if name not in lines
    ]
    if lacking:
        msg = (
            f"{beh.name} must have a line for every trial; it has none for {', '.join(lacking)}. "
            f"It has {', '.join(lines)}."
        )
        raise DataError(msg)
    return [lines[name] for name in stimuli]


def _duration(start: BidsEvent, events: Sequence[BidsEvent], settings: EventSettings) -> float:
    if settings.duration_s is not None:
        return settings.duration_s
    duration_s = start.duration_s
    if settings.ends_at:
        later = (
            event.onset_s
            for event in events
            if event.onset_s > start.onset_s and event.is_one_of(settings.ends_at)
        )
        duration_s = next(later, start.onset_s) - start.onset_s
    if duration_s <= 0:
        how = (
            f"no event of {', '.join(settings.ends_at)} follows"
            if settings.ends_at
            else ("its duration is not above 0")
        )
        msg = (
            f"{start.row.where}: the trial has no end: {how}. Set ends_at (the types of events "
            "that end a trial) or duration_s."
        )
        raise DataError(msg)
    return duration_s
