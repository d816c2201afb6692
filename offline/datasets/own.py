"""Your own recordings: a folder of files that the runtime reads, and one table of ratings."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import Field

from offline.datasets.contract import About, Finding
from offline.datasets.rated import AtMarker, Rated
from offline.datasets.recorded import Plan, RecordedDataset, Take
from offline.datasets.settings import (
    LabelSettings,
    Settings,
    StreamsOrNone,
    labels_of,
    values_in,
)
from offline.datasets.tables import Row, read_table
from offline.errors import DataError

ABOUT = About(
    kind="own",
    title="Your own recordings",
    reference="",
    licence="yours",
    how_to_get=(
        "Record (LabRecorder, an amplifier's EDF or BDF, `rtaffect live`) and write one table of "
        "ratings, see docs/data.md."
    ),
    modalities=("eeg", "face"),
    tried_on=(
        "PhysioNet eegmat (EDF, 3 files), a session that `rtaffect live` recorded; other formats "
        "by the runtime's own tests on real files."
    ),
)

RATINGS = "ratings.tsv"
"""Name of the table in the folder, unless the settings name another."""


class OwnSettings(Settings):
    """Where your recordings are and what their table of ratings says.

    Parameters
    ----------
    kind : "own"
        Name of the data set.
    path : Path
        Folder of the recordings.
    ratings : Path or None
        The table, one line a trial: columns ``recording`` (file in `path`), ``subject``, ``trial``,
        ``stimulus`` (may be empty), ``onset`` and ``duration`` in seconds since the first EEG
        sample, and one for each target; perhaps ``session``, and ``face`` (an OpenFace CSV in
        `path`) with ``face_offset`` (seconds by which its video began after the EEG). Instead of
        ``onset`` there may be ``marker`` and ``marker_number``: the trial begins at the n-th marker
        of that text, counted from 1. None is ``ratings.tsv`` in `path`.
    labels : mapping of str to LabelSettings
        What the ratings answer, by target.
    streams : StreamsOrNone
        Which stream is the EEG and which the face, and what their senders left out, as in a session
        file; None takes what is obvious.
    rest_s : float
        How long nothing was shown directly before every trial, in seconds.
    title, reference, licence : str
        For people.
    """

    kind: Literal["own"] = "own"
    path: Path
    ratings: Path | None = None
    labels: dict[str, LabelSettings] = Field(min_length=1)
    streams: StreamsOrNone = None
    rest_s: float = Field(default=0.0, ge=0)
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
            basis=self.model_dump_json(include={"labels", "streams", "rest_s"}),
        )

    def _plan(self) -> Plan:
        if not self.path.is_dir():
            msg = (
                f"path must be the folder of the recordings; there is no folder {self.path}. A "
                f"relative path counts from {Path.cwd()}."
            )
            raise DataError(msg)
        path = self.path / RATINGS if self.ratings is None else self.ratings
        targets = [one.column or target for target, one in self.labels.items()]
        rows = read_table(path, ("recording", "subject", "trial", "stimulus", "duration", *targets))
        if rows and not ("onset" in rows[0].cells or rows[0].cells.keys() >= _MARKER):
            msg = f"{path} must have the column onset, or the columns marker and marker_number."
            raise DataError(msg)
        findings: list[Finding] = []
        by_file: dict[str, list[tuple[Row, Rated]]] = {}
        for row in rows:
            try:
                self._check_files(row)
                rated = self._rated(row)
            except DataError as error:
                findings.append(Finding(is_error=True, where=path.name, what=str(error)))
            else:
                by_file.setdefault(row.text("recording"), []).append((row, rated))
        what = _contradictions(by_file)
        findings += [Finding(is_error=True, where=path.name, what=text) for text in what]
        return Plan(self._takes(by_file), tuple(findings))

    def _check_files(self, row: Row) -> None:
        for column in ("recording", "face"):
            name = row.text(column)
            needed = column == "recording"
            if (name or needed) and not (name and (self.path / name).is_file()):
                msg = (
                    f"{row.where}: {column} must be a file in {self.path}, got "
                    f"{name or 'nothing'!r}."
                )
                raise DataError(msg)

    def _rated(self, row: Row) -> Rated:
        onset: float | AtMarker
        if row.text("marker"):
            onset = AtMarker(text=row.text("marker"), number=_whole(row, "marker_number"))
        else:
            onset = row.number("onset")
        duration_s = row.number("duration")
        if duration_s <= 0:
            msg = f"{row.where}: duration must be above 0 s, got {duration_s:g}."
            raise DataError(msg)
        for column in ("subject", "trial"):
            if not row.text(column):
                msg = f"{row.where}: {column} must be a name, got nothing."
                raise DataError(msg)
        return Rated(
            where=row.where,
            name=row.text("trial"),
            stimulus=row.text("stimulus"),
            onset=onset,
            duration_s=duration_s,
            values=values_in(row, self.labels),
            rest_s=self.rest_s,
        )

    def _takes(self, by_file: Mapping[str, list[tuple[Row, Rated]]]) -> tuple[Take, ...]:
        subjects = list(dict.fromkeys(told[0][0].text("subject") for told in by_file.values()))
        counts = dict.fromkeys(subjects, 0)
        takes = []
        for name, told in by_file.items():
            first = told[0][0]
            subject = first.text("subject")
            counts[subject] += 1
            face = first.text("face")
            takes.append(
                Take(
                    subject=subject,
                    session=first.text("session") or str(counts[subject]),
                    paths=tuple(self.path / file for file in (name, face) if file),
                    face_offset_s=first.number("face_offset") if first.text("face_offset") else 0.0,
                    rated=tuple(rated for _, rated in told),
                )
            )
        return tuple(sorted(takes, key=lambda take: subjects.index(take.subject)))


_MARKER = {"marker", "marker_number"}


def _whole(row: Row, column: str) -> int:
    number = row.number(column)
    if number < 1 or number != int(number):
        msg = f"{row.where}: {column} must be a whole number from 1 on, got {number:g}."
        raise DataError(msg)
    return int(number)


def _contradictions(by_file: Mapping[str, list[tuple[Row, Rated]]]) -> Iterator[str]:
    """Yield what lines of one recording say differently, and names that are used twice."""
    used: dict[tuple[str, str, str, str], str] = {}
    for name, told in by_file.items():
        for column in ("subject", "session", "face", "face_offset"):
            said = list(dict.fromkeys(row.text(column) for row, _ in told))
            if len(said) > 1:
                yield f"All lines of {name} must have the same {column}, got {', '.join(said)}."
        for row, rated in told:
            session = row.text("session")
            key = (row.text("subject"), session, "" if session else name, rated.name)
            if key in used:
                yield (
                    f"{row.where}: trial {rated.name!r} of subject {key[0]} has the name of the "
                    f"one in {used[key]}; names must differ within a session."
                )
            used.setdefault(key, row.where)
