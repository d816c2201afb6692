"""Scans and one table of trials: what data sets of ROI tables and of NIfTI files have in common."""

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Protocol

from offline.datasets.contract import About, Finding, Label, Recording, Trial
from offline.datasets.digests import file_digest
from offline.datasets.rated import Extent, Rated, lay
from offline.datasets.settings import LabelSettings, labels_of, values_in
from offline.datasets.tables import Row, read_table
from offline.errors import DataError
from rtaffect.core.streams import Source

EVENTS = "events.tsv"
"""Name of the table in the folder, unless the settings name another."""

_READER = 2  # of what a subject's numbers depend on: count up where this reader changes them
_COLUMNS = ("recording", "subject", "trial", "stimulus", "onset", "duration")


class ScanReader(Protocol):
    """How one file of a scan is read."""

    def span_s(self, path: Path) -> float:
        """Return how long it is, from the beginning of its first acquisition."""

    def ch_names(self, path: Path) -> tuple[str, ...]:
        """Return its regions; none for volumes."""

    def source(self, path: Path) -> Source:
        """Return its frames, the first acquisition beginning at 0 s."""


@dataclass(frozen=True, slots=True)
class _Scan:
    """One file and its trials."""

    subject: str
    session: str
    path: Path
    rated: tuple[Rated, ...]


class Scans:
    """A folder of scans and a table of trials, see `offline.datasets.contract.Dataset`.

    Parameters
    ----------
    about : About
        What to know of it.
    path : Path
        Folder of the scans.
    events : Path
        Table with one line a trial: ``recording`` (file in `path`), ``subject``, ``trial``,
        ``stimulus`` (may be empty), ``onset`` and ``duration`` in seconds from the beginning of the
        first acquisition, one column a target (empty: no label), and perhaps ``session``.
    labels : mapping of str to LabelSettings
        What the table answers, by target.
    reader : ScanReader
        Reads the files.
    shared : callable
        Returns the regions that all of some files have.
    basis : str
        All other settings that numbers depend on.
    extra : tuple of Path
        Other files that they depend on.
    """

    def __init__(
        self,
        *,
        about: About,
        path: Path,
        events: Path,
        labels: Mapping[str, LabelSettings],
        reader: ScanReader,
        shared: Callable[[list[tuple[str, ...]]], tuple[str, ...]],
        basis: str,
        extra: tuple[Path, ...] = (),
    ) -> None:
        self._about = about
        self._path = path
        self._events = events
        self._settings = dict(labels)
        self._reader = reader
        self._shared = shared
        self._basis = basis
        self._extra = extra

    @property
    def about(self) -> About:
        """What to know of it."""
        return self._about

    @property
    def labels(self) -> Mapping[str, Label]:
        """What its labels answer, by target."""
        return labels_of(self._settings)

    @property
    def ch_names(self) -> tuple[str, ...]:
        """Regions that every scan has."""
        return self._shared([self._reader.ch_names(scan.path) for scan in self._scans])

    @property
    def subjects(self) -> tuple[str, ...]:
        """Everybody in the table."""
        return tuple(dict.fromkeys(scan.subject for scan in self._scans))

    def recordings(self, subject: str) -> Iterator[Recording]:
        """Yield the subject's scans.

        Raises
        ------
        DataError
            A file or the table is not what it must be.
        """
        for scan in self._of(subject):
            trials, complaints = self._lay(scan)
            if complaints:
                raise DataError(" ".join(complaints))
            yield Recording(
                subject=scan.subject,
                session=scan.session,
                open=partial(self._reader.source, scan.path),
                trials=trials,
                file=scan.path.name,
            )

    def fingerprint(self, subject: str) -> str:
        """Return a digest of the subject's scans, trials and all settings."""
        scans = self._of(subject)
        told = [repr((scan.session, [replace(r, where="") for r in scan.rated])) for scan in scans]
        files = [*(scan.path for scan in scans), *self._extra]
        parts = [f"{self._about.kind} {_READER}", subject, self._basis, *told]
        return hashlib.sha256("\n".join([*parts, *map(file_digest, files)]).encode()).hexdigest()

    def check(self) -> Iterator[Finding]:
        """Yield what is wrong with the files and the table."""
        try:
            scans = self._scans
        except DataError as error:
            yield Finding(is_error=True, where=str(self._events), what=str(error))
            return
        for scan in scans:
            try:
                _, complaints = self._lay(scan)
                with self._reader.source(scan.path) as source:
                    next(iter(source.events()), None)
            except DataError as error:
                complaints = (str(error),)
            for what in complaints:
                yield Finding(is_error=True, where=f"{scan.subject}, {scan.path.name}", what=what)

    @cached_property
    def _scans(self) -> tuple[_Scan, ...]:
        targets = [one.column or target for target, one in self._settings.items()]
        by_file: dict[str, list[Row]] = {}
        for row in read_table(self._events, (*_COLUMNS, *targets)):
            by_file.setdefault(row.text("recording"), []).append(row)
        if not by_file:
            msg = f"{self._events} must have a line for each trial, got none."
            raise DataError(msg)
        counts: dict[str, int] = {}
        scans = []
        for name, rows in by_file.items():
            subject, session = rows[0].text("subject"), rows[0].text("session")
            self._check(name, rows)
            counts[subject] = counts.get(subject, 0) + 1
            rated = tuple(self._rated(row) for row in rows)
            scans.append(_Scan(subject, session or str(counts[subject]), self._path / name, rated))
        return tuple(sorted(scans, key=lambda scan: list(counts).index(scan.subject)))

    def _check(self, name: str, rows: list[Row]) -> None:
        for column in ("subject", "session"):
            if len(said := {row.text(column) for row in rows}) > 1:
                msg = f"All lines of {name} must have the same {column}, got {sorted(said)}."
                raise DataError(msg)
        if not rows[0].text("subject"):
            msg = f"{rows[0].where}: subject must be a name, got nothing."
            raise DataError(msg)
        if not name or not (self._path / name).is_file():
            msg = f"{rows[0].where}: recording must be a file in {self._path}, got {name!r}."
            raise DataError(msg)
        if len({row.text("trial") for row in rows}) < len(rows):
            msg = f"{self._events}: trials of {name} must have names that differ."
            raise DataError(msg)

    def _rated(self, row: Row) -> Rated:
        duration_s = row.number("duration")
        if duration_s <= 0:
            msg = f"{row.where}: duration must be above 0 s, got {duration_s:g}."
            raise DataError(msg)
        return Rated(
            where=row.where,
            name=row.text("trial"),
            stimulus=row.text("stimulus"),
            onset=row.number("onset"),
            duration_s=duration_s,
            values={target: self._value(row, target) for target in self._settings},
        )

    def _value(self, row: Row, target: str) -> float:
        one = self._settings[target]
        if not row.text(one.column or target):
            return math.nan
        return values_in(row, {target: one})[target]

    def _lay(self, scan: _Scan) -> tuple[tuple[Trial, ...], tuple[str, ...]]:
        span_s = self._reader.span_s(scan.path)
        extent = Extent(name=scan.path.name, t_first=0.0, t_last=span_s, markers={})
        return lay(scan.rated, extent)

    def _of(self, subject: str) -> list[_Scan]:
        found = [scan for scan in self._scans if scan.subject == subject]
        if not found:
            msg = f"Subject must be one of {', '.join(self.subjects)}; got {subject!r}."
            raise DataError(msg)
        return found


def events_in(path: Path, events: Path | None) -> Path:
    """Return the table of trials: the one that the settings name, or that of the folder."""
    return path / EVENTS if events is None else events


def described(about: About, settings: Any) -> About:
    """Return what to know of a data set, with what its owner says of it."""
    return replace(
        about, title=settings.title, reference=settings.reference, licence=settings.licence
    )
