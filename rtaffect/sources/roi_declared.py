"""What is known of a table of ROI frames that the table itself cannot say.

It stands in a JSON file of the same name beside it::

    {"RepetitionTime": 2.0, "StartTime": 0.0, "Regions": {"1": "A8m_L", "2": "A8m_R"},
     "atlas": {"name": "Brainnetome"}, "processing": {"detrend": "glm", "causal": "1"}}

`RepetitionTime` is in seconds, as in BIDS; `StartTime` is when the first volume began; `Regions`
gives columns other names; the groups ``acquisition``, ``atlas`` and ``processing`` say of the table
what a live stream says of itself. Published tables are known by their names.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rtaffect.core.errors import RecordingError
from rtaffect.sources.offered import ABOUT_GROUPS, kept_about

MAX_SIDECAR_BYTES = 1 << 20
_STUDYFORREST = re.compile(r"sub-[A-Za-z0-9]+_task-avmovie_run-\d+_bold\.csv")


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What is said of a table outside it.

    Parameters
    ----------
    tr_s : float or None
        Repetition time in seconds.
    start_s : float
        When the first volume began, in seconds.
    regions : mapping of str to str
        Names of regions by column.
    about : mapping of str to str
        What a live stream would say of itself, by dotted key.
    """

    tr_s: float | None = None
    start_s: float = 0.0
    regions: Mapping[str, str] = field(default_factory=dict)
    about: Mapping[str, str] = field(default_factory=dict)


def sidecar_of(path: Path) -> Path:
    """Return the file that may say more of a table."""
    return path.with_suffix(".json")


def is_declared(path: Path) -> bool:
    """Return whether anything is known of a table."""
    return sidecar_of(path).is_file() or _STUDYFORREST.fullmatch(path.name) is not None


def declared(path: Path, header: Sequence[str]) -> Declared:
    """Return what is said of a table by the file beside it, or by its very name.

    Parameters
    ----------
    path : Path
        The table.
    header : sequence of str
        Names of its columns.

    Raises
    ------
    RecordingError
        The file beside it is not what it must be.
    """
    sidecar = sidecar_of(path)
    if sidecar.is_file():
        return _told(sidecar)
    if _STUDYFORREST.fullmatch(path.name):
        return _studyforrest(header)
    return Declared()


def _told(sidecar: Path) -> Declared:
    try:
        with sidecar.open("rb") as file:
            text = file.read(MAX_SIDECAR_BYTES + 1)
        told: Any = json.loads(text) if len(text) <= MAX_SIDECAR_BYTES else None
        if not isinstance(told, dict):
            msg = f"an object of at most {MAX_SIDECAR_BYTES} bytes"
            raise TypeError(msg)
        tr_s, regions = told.get("RepetitionTime"), told.get("Regions", {})
        return Declared(
            tr_s=None if tr_s is None else float(tr_s),
            start_s=float(told.get("StartTime", 0.0)),
            regions={str(label): str(name) for label, name in dict(regions).items()},
            about=kept_about(
                ((group, str(key)), str(value))
                for group in sorted(ABOUT_GROUPS)
                for key, value in dict(told.get(group, {})).items()
            ),
        )
    except (OSError, ValueError, TypeError, RecursionError) as error:
        msg = (
            f'{sidecar} must be JSON like {{"RepetitionTime": 2.0, "Regions": {{"1": "A8m_L"}}, '
            f'"atlas": {{"name": "Brainnetome"}}}}: {error}.'
        )
        raise RecordingError(msg) from error


def _studyforrest(header: Sequence[str]) -> Declared:
    """Return what is known of the published tables of the audio-visual movie.

    psychoinformatics-de/studyforrest-data-aggregate (PDDL 1.0); columns are labels of the Shen 2013
    parcellation, and the authors cleaned each run as a whole.
    """
    return Declared(
        tr_s=2.0,
        regions={label: f"shen-{int(label):03d}" for label in header if label.isdecimal()},
        about={
            "acquisition.time_reference": "mid",
            "atlas.name": "Shen 2013",
            "processing.motion_correction": "regressed out, offline",
            "processing.detrend": "offline",
            "processing.normalisation": "z-score over the whole run",
            "processing.causal": "0",
        },
    )
