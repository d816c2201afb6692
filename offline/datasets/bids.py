"""BIDS data sets of EEG with events: how trials and ratings are told is in the settings."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import Field

from offline.datasets.bids_events import rated_trials, read_events, read_levels
from offline.datasets.bids_settings import EventSettings
from offline.datasets.contract import About, Finding
from offline.datasets.recorded import Plan, RecordedDataset, Take
from offline.datasets.settings import LabelSettings, Settings, StreamsOrNone, labels_of
from offline.errors import DataError

ABOUT = About(
    kind="bids",
    title="Any EEG-BIDS data set with trials in its events",
    reference="10.1038/s41597-019-0104-8",
    licence="see its dataset_description.json",
    how_to_get="OpenNeuro, NEMAR: download sub-*/eeg (and sub-*/beh) with the signals.",
    tried_on=(
        "events and ratings of one subject of DENS (ds003751: real sidecars, no signals); signals "
        "only of fakes (EDF). Not tried: ratings that are coded as events (ds002721), channels.tsv "
        "and electrodes.tsv, which are not read."
    ),
)

_READABLE = (".edf", ".bdf", ".set", ".vhdr", ".fif")


class BidsSettings(Settings):
    """Where a BIDS data set is and what its events mean.

    Parameters
    ----------
    kind : "bids"
        Name of the data set.
    path : Path
        Folder with ``sub-*``.
    task : str or None
        Only recordings of this task, in any case of letters; None takes all.
    events : EventSettings
        How events become trials, and where ratings are.
    labels : mapping of str to LabelSettings
        What the ratings answer, by target.
    streams : StreamsOrNone
        What the EEG's channels and unit are where the files do not say it, as in a session file.
    title, reference, licence : str
        For people.
    """

    kind: Literal["bids"] = "bids"
    path: Path
    task: str | None = None
    events: EventSettings
    labels: dict[str, LabelSettings] = Field(min_length=1)
    streams: StreamsOrNone = None
    title: str = ABOUT.title
    reference: str = ABOUT.reference
    licence: str = ABOUT.licence

    def open(self) -> RecordedDataset:
        """Return the data set; no file is read yet."""
        return RecordedDataset(
            about=replace(ABOUT, title=self.title, reference=self.reference, licence=self.licence),
            labels=labels_of(self.labels),
            plan=self._plan,
            choices=None if self.streams is None else self.streams.choices(),
            basis=self.model_dump_json(include={"labels", "streams", "events"}),
        )

    def _plan(self) -> Plan:
        takes: list[Take] = []
        findings: list[Finding] = []
        for path in sorted(self.path.glob("sub-*/**/eeg/*_events.tsv")):
            entities = _entities(path)
            task = entities.get("task", "")
            if self.task is not None and task.casefold() != self.task.casefold():
                continue
            try:
                takes.append(self._take(path, entities))
            except DataError as error:
                findings.append(Finding(is_error=True, where=path.name, what=str(error)))
        if not takes and not findings:
            msg = (
                f"{self.path} must hold sub-*/[ses-*/]eeg/*_events.tsv"
                f"{f' of task {self.task}' if self.task else ''}, and holds none."
            )
            raise DataError(msg)
        return Plan(tuple(takes), tuple(findings))

    def _take(self, path: Path, entities: dict[str, str]) -> Take:
        levels = self._levels(path, entities)
        events = read_events(path, unit=self.events.unit, levels=levels)
        told = {key: value for key, value in entities.items() if key in ("ses", "task", "run")}
        beh = _behaviour(path, entities) if self.events.ratings_in == "beh" else None
        return Take(
            subject=entities["sub"],
            session="-".join(told.values()) or "1",
            paths=(_signals(path),),
            rated=rated_trials(events, self.events, self.labels, beh=beh),
        )

    def _levels(self, path: Path, entities: dict[str, str]) -> dict[str, str]:
        """Return what trial types mean: nearer files say it over those further up."""
        levels = read_levels(self.path / "events.json")
        levels |= read_levels(self.path / f"task-{entities.get('task', '')}_events.json")
        return levels | read_levels(path.with_suffix(".json"))


def _entities(path: Path) -> dict[str, str]:
    """Return what a file's name tells: ``sub-01_task-x_events.tsv`` is of sub 01 and task x."""
    pairs = (part.partition("-") for part in path.name.split("_")[:-1])
    return {key: value for key, dash, value in pairs if dash}


def _signals(events: Path) -> Path:
    stem = events.name.removesuffix("_events.tsv")
    for ending in _READABLE:
        path = events.with_name(f"{stem}_eeg{ending}")
        if path.is_file():
            return path
    msg = (
        f"There is no {stem}_eeg with one of {', '.join(_READABLE)} beside {events.name}. "
        "Were only the sidecars downloaded?"
    )
    raise DataError(msg)


def _behaviour(events: Path, entities: dict[str, str]) -> Path | None:
    """Return the behaviour table of the same session, task and run; case does not count."""
    folder = events.parent.parent / "beh"
    found = [
        path
        for path in sorted(folder.glob("*_beh.tsv"))
        if all(
            entities.get(key, value).casefold() == value.casefold()
            for key, value in _entities(path).items()
        )
    ]
    if len(found) > 1:
        msg = f"{events.name}: {', '.join(path.name for path in found)} could all be its ratings."
        raise DataError(msg)
    return found[0] if found else None
