"""DEAP's participant_ratings.csv: which video was shown when, and what was felt."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from offline.errors import DataError

TARGETS = ("valence", "arousal", "dominance", "liking")
"""What was rated, in the order of the label columns of the preprocessed files."""

N_VIDEOS = 40
SCALE = (1.0, 9.0)

_COLUMNS = ("Participant_id", "Trial", "Experiment_id", "Start_time", *map(str.title, TARGETS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rating:
    """One row.

    Parameters
    ----------
    trial : int
        Place in the order of presentation, from 1.
    video : int
        Experiment_id, from 1: the same for everybody.
    start : float
        When the video began, in the file's own unit, since the start of the experiment.
    values : mapping of str to float
        By target, from 1 to 9.
    """

    trial: int
    video: int
    start: float
    values: Mapping[str, float]


Ratings = Mapping[int, tuple[Rating, ...]]
"""By participant (1 to 32): their 40 trials in the order of presentation."""


def read_ratings(path: Path) -> Ratings:
    """Read the ratings of everybody.

    Parameters
    ----------
    path : Path
        The file ``participant_ratings.csv``.

    Raises
    ------
    DataError
        The file cannot be read, lacks columns, or does not give every participant each of 40
        trials and 40 videos once, rated from 1 to 9.
    """
    rows: dict[int, list[Rating]] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            for participant, rating in _rows(csv.DictReader(file), path):
                rows.setdefault(participant, []).append(rating)
    except OSError as error:
        msg = f"{path} cannot be opened: {error.strerror or error}."
        raise DataError(msg) from error
    except (UnicodeDecodeError, csv.Error) as error:
        msg = f"{path} must be a text file of comma separated values: {error}."
        raise DataError(msg) from error
    if not rows:
        msg = f"{path} must hold a row a participant and trial, it has none."
        raise DataError(msg)
    problems = [text for who in sorted(rows) for text in _problems(who, rows[who])]
    if problems:
        msg = f"{path} is not DEAP's: " + " ".join(problems)
        raise DataError(msg)
    return {who: tuple(sorted(own, key=lambda rating: rating.trial)) for who, own in rows.items()}


def _rows(reader: "csv.DictReader[str]", path: Path) -> Iterator[tuple[int, Rating]]:
    header = [name.strip() for name in reader.fieldnames or ()]
    if missing := [name for name in _COLUMNS if name not in header]:
        msg = f"{path} must have the columns {', '.join(_COLUMNS)}; it lacks {', '.join(missing)}."
        raise DataError(msg)
    reader.fieldnames = header
    for row in reader:
        try:
            participant = int(row["Participant_id"])
            rating = Rating(
                trial=int(row["Trial"]),
                video=int(row["Experiment_id"]),
                start=float(row["Start_time"]),
                values={target: float(row[target.title()]) for target in TARGETS},
            )
        except (TypeError, ValueError) as error:
            msg = f"{path}, line {reader.line_num}: numbers are needed ({error})."
            raise DataError(msg) from error
        yield participant, rating


def _problems(participant: int, rows: list[Rating]) -> Iterator[str]:
    wanted = set(range(1, N_VIDEOS + 1))
    for what, numbers in (
        ("Trial", [row.trial for row in rows]),
        ("Experiment_id", [row.video for row in rows]),
    ):
        if len(numbers) != N_VIDEOS or set(numbers) != wanted:
            odd = sorted(wanted.symmetric_difference(numbers)) or "one twice"
            yield (
                f"Participant {participant} must have every {what} from 1 to {N_VIDEOS} once, "
                f"got {len(numbers)} rows with {odd} missing or too many."
            )
    for row in rows:
        for target, value in row.values.items():
            if not SCALE[0] <= value <= SCALE[1]:
                yield (
                    f"Participant {participant}, trial {row.trial}: {target} must lie between "
                    f"{SCALE[0]:g} and {SCALE[1]:g}, got {value:g}."
                )
