"""Trials as tables tell them are laid on a recording's clock, and everything odd is said."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from offline.datasets.contract import Floats, Trial

SLACK_S = 0.05
"""By which a trial may stick out of its recording: people round the times that they write down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AtMarker:
    """The `number`-th marker (from 1) of a text in the recording."""

    text: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rated:
    """One trial as a table tells it.

    Parameters
    ----------
    where : str
        File and line, for messages.
    name, stimulus : str
        See `offline.datasets.contract.Trial`.
    onset : float or AtMarker
        In seconds since the first EEG sample, or the marker at which it begins.
    duration_s : float
        Its length in seconds.
    values : mapping of str to float
        By target, on the data set's scale.
    rest_s : float
        How long nothing was shown directly before it, in seconds; 0 where that is not known.
    """

    where: str
    name: str
    stimulus: str
    onset: float | AtMarker
    duration_s: float
    values: Mapping[str, float]
    rest_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Extent:
    """When something was recorded.

    Parameters
    ----------
    name : str
        Of the file.
    t_first, t_last : float
        Times of the first and last EEG sample in seconds on the recording's clock.
    markers : mapping of str to ndarray
        Times of the markers of each text, on that clock.
    """

    name: str
    t_first: float
    t_last: float
    markers: Mapping[str, Floats]


def lay(rated: Sequence[Rated], extent: Extent) -> tuple[tuple[Trial, ...], tuple[str, ...]]:
    """Lay trials on a recording's clock.

    Parameters
    ----------
    rated : sequence of Rated
        In any order.
    extent : Extent
        When something was recorded.

    Returns
    -------
    trials : tuple of Trial
        In order of time.
    complaints : tuple of str
        What is wrong; where there is any, the trials are not to be used.
    """
    placed: list[tuple[Rated, Trial]] = []
    complaints: list[str] = []
    for one in rated:
        t_start = _onset(one, extent)
        if isinstance(t_start, str):
            complaints.append(t_start)
            continue
        rest = (t_start - one.rest_s, t_start) if one.rest_s else None
        trial = Trial(
            name=one.name,
            stimulus=one.stimulus,
            t_start=t_start,
            t_end=t_start + one.duration_s,
            values=one.values,
            rest=rest,
        )
        # A wrong time makes a trial stick out and overlap others: one complaint is enough.
        if outside := list(_outside(one, trial, extent)):
            complaints += outside
            continue
        placed.append((one, trial))
    placed.sort(key=lambda pair: pair[1].t_start)
    complaints += _overlaps(placed)
    return tuple(trial for _, trial in placed), tuple(complaints)


def _onset(one: Rated, extent: Extent) -> float | str:
    if not isinstance(one.onset, AtMarker):
        return extent.t_first + one.onset
    times = extent.markers.get(one.onset.text, ())
    if one.onset.number > len(times):
        known = ", ".join(f"{text!r} ({len(t)})" for text, t in extent.markers.items())
        return (
            f"{one.where}: the trial begins at marker {one.onset.text!r} number "
            f"{one.onset.number}, but {extent.name} has {len(times)} of it. "
            f"Its markers: {known or 'none'}."
        )
    return float(times[one.onset.number - 1])


def _outside(one: Rated, trial: Trial, extent: Extent) -> Iterator[str]:
    length_s = extent.t_last - extent.t_first
    start_s, end_s = trial.t_start - extent.t_first, trial.t_end - extent.t_first
    if start_s < -SLACK_S or end_s > length_s + SLACK_S:
        hint = ""
        if start_s >= 0 and end_s / 1000 <= length_s + SLACK_S:
            hint = " Are these times in milliseconds?"
        yield (
            f"{one.where}: trial {one.name} lasts from {start_s:.3f} s to {end_s:.3f} s, and "
            f"{extent.name} from 0 s to {length_s:.3f} s.{hint}"
        )
    elif trial.rest is not None and start_s - one.rest_s < -SLACK_S:
        yield (
            f"{one.where}: {one.rest_s:g} s of rest before trial {one.name} begin before the "
            f"recording {extent.name} does; the trial begins at {start_s:.3f} s."
        )


def _overlaps(placed: Sequence[tuple[Rated, Trial]]) -> Iterator[str]:
    for (one, earlier), (other, later) in itertools.pairwise(placed):
        if later.t_start < earlier.t_end - 1e-6:
            yield (
                f"{other.where}: trial {other.name} begins "
                f"{earlier.t_end - later.t_start:.3f} s before trial {one.name} ({one.where}) ends."
            )
        elif later.rest is not None and later.rest[0] < earlier.t_end - 1e-6:
            yield (
                f"{other.where}: {other.rest_s:g} s of rest before trial {other.name} reach into "
                f"trial {one.name} ({one.where})."
            )
