"""Recordings in files that the runtime reads, with trials that tables tell: a data set."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from offline.datasets.contract import About, Finding, Floats, Label, Recording, Trial
from offline.datasets.digests import file_digest
from offline.datasets.rated import AtMarker, Extent, Rated, lay
from offline.errors import DataError
from rtaffect.core.errors import RtaffectError
from rtaffect.core.streams import Chunk, ClockOffset, StreamChoice
from rtaffect.signal.montage import canonical_name, is_site

if TYPE_CHECKING:  # what follows loads readers of files
    from rtaffect.sources.recording import RecordingSource

BESIDE = (".fdt", ".eeg", ".vmrk")
"""Files that hold the samples or markers of one beside them (EEGLAB, BrainVision)."""

_MOST_COMPLAINTS = 10
"""In one error: with a wrong column every line of a table is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """What was recorded in one go, and what was said of it.

    Parameters
    ----------
    subject, session : str
        See `offline.datasets.contract.Recording`.
    paths : tuple of Path
        The file with the EEG, and others that were recorded with it.
    face_offset_s : float
        When the face's video began after the EEG, in seconds.
    rated : tuple of Rated
        Its trials.
    """

    subject: str
    session: str
    paths: tuple[Path, ...]
    face_offset_s: float = 0.0
    rated: tuple[Rated, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that the tables tell.

    Parameters
    ----------
    takes : tuple of Take
        Subject by subject, in the order of the tables.
    findings : tuple of Finding
        What is wrong with the tables.
    """

    takes: tuple[Take, ...]
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class _Survey:
    """What is known of a recording once it was opened."""

    ch_names: tuple[str, ...]
    simulated: bool
    trials: tuple[Trial, ...]
    complaints: tuple[str, ...]


class RecordedDataset:
    """A data set of recordings in files that the runtime reads.

    Parameters
    ----------
    about : About
        What to know of it.
    labels : mapping of str to Label
        What its labels answer.
    plan : callable
        Reads the tables; called once, when somebody asks.
    choices : sequence of StreamChoice or None
        Which stream is which modality; None takes what is obvious.
    basis : str
        Everything in the settings that the numbers depend on, for the fingerprint.
    """

    def __init__(
        self,
        *,
        about: About,
        labels: Mapping[str, Label],
        plan: Callable[[], Plan],
        choices: Sequence[StreamChoice] | None,
        basis: str,
    ) -> None:
        self._about = about
        self._labels = labels
        self._read_plan = plan
        self._choices = choices
        self._basis = basis
        self._surveys: dict[tuple[Path, ...], _Survey] = {}

    @property
    def about(self) -> About:
        """What to know of it; recordings of simulated streams make it a simulated one."""
        simulated = any(self._survey(take).simulated for take in self._takes)
        return replace(self._about, simulated=simulated)

    @property
    def labels(self) -> Mapping[str, Label]:
        """What its labels answer, by target."""
        return self._labels

    @property
    def ch_names(self) -> tuple[str, ...]:
        """Sites that every recording has, in the order of the first."""
        each = [self._survey(take).ch_names for take in self._takes]
        return tuple(name for name in each[0] if all(name in names for names in each))

    @property
    def subjects(self) -> tuple[str, ...]:
        """Everybody of whom the tables tell, in their order."""
        return tuple(dict.fromkeys(take.subject for take in self._takes))

    def recordings(self, subject: str) -> Iterator[Recording]:
        """Yield the subject's recordings; a file is open only while somebody reads it.

        Raises
        ------
        DataError
            Something is wrong with the tables or the files.
        """
        for take in self._of(subject):
            survey = self._survey(take)
            if survey.complaints:
                raise DataError(_listed(survey.complaints))
            yield Recording(
                subject=take.subject,
                session=take.session,
                open=partial(_open, take, self._choices),
                trials=survey.trials,
                file=take.paths[0].name,
            )

    def fingerprint(self, subject: str) -> str:
        """Return a digest of the settings, the subject's trials and all bytes of its files."""
        digest = hashlib.sha256(self._basis.encode())
        for take in self._of(subject):
            told = [(asdict(one) | {"where": ""}) for one in take.rated]
            digest.update(json.dumps([take.session, take.face_offset_s, told]).encode())
            for path in take.paths:
                for file in (path, *_beside(path)):
                    digest.update(file_digest(file).encode())
        return digest.hexdigest()

    def check(self) -> Iterator[Finding]:
        """Yield what is wrong with the tables, then what is wrong with each recording."""
        try:
            plan = self._plan
        except DataError as error:
            yield Finding(is_error=True, where="tables", what=str(error))
            return
        yield from plan.findings
        if not plan.takes:
            yield Finding(is_error=True, where="tables", what="There is not one trial.")
        for take in plan.takes:
            where = take.paths[0].name
            try:
                survey = self._survey(take)
            except DataError as error:
                yield Finding(is_error=True, where=where, what=str(error))
                continue
            for complaint in survey.complaints:
                yield Finding(is_error=True, where=where, what=complaint)
            if not survey.ch_names:
                what = "None of its EEG channels is called like an electrode's site. Say which is."
                yield Finding(is_error=True, where=where, what=what)

    @cached_property
    def _plan(self) -> Plan:
        return self._read_plan()

    @property
    def _takes(self) -> tuple[Take, ...]:
        wrong = [found.what for found in self._plan.findings if found.is_error]
        if wrong:
            raise DataError(_listed(wrong))
        if not self._plan.takes:
            msg = "A data set must have at least one trial, and this one has none."
            raise DataError(msg)
        return self._plan.takes

    def _of(self, subject: str) -> list[Take]:
        found = [take for take in self._takes if take.subject == subject]
        if not found:
            msg = f"Subject must be one of {', '.join(self.subjects)}; got {subject!r}."
            raise DataError(msg)
        return found

    def _survey(self, take: Take) -> _Survey:
        """Open a recording once for what it says of itself, and let go of its samples."""
        if take.paths not in self._surveys:
            with _open(take, self._choices) as source:
                t_first, t_last = source.span("eeg")
                needs_markers = any(isinstance(one.onset, AtMarker) for one in take.rated)
                extent = Extent(
                    name=take.paths[0].name,
                    t_first=t_first,
                    t_last=t_last,
                    markers=_markers(source) if needs_markers else {},
                )
                infos = source.infos.values()
                labels = source.infos["eeg"].ch_names
            trials, complaints = lay(take.rated, extent)
            self._surveys[take.paths] = _Survey(
                ch_names=tuple(canonical_name(label) for label in labels if is_site(label)),
                simulated=any(info.simulated for info in infos),
                trials=trials,
                complaints=complaints,
            )
        return self._surveys[take.paths]


def _listed(complaints: Sequence[str]) -> str:
    """Return complaints a line each, the first ones where there are many."""
    lines = list(complaints[:_MOST_COMPLAINTS])
    if (n_more := len(complaints) - len(lines)) > 0:
        lines.append(f"... and {n_more} more.")
    return "\n".join(lines)


def _open(take: Take, choices: Sequence[StreamChoice] | None) -> "RecordingSource":
    from rtaffect.sources.recording import open_recording

    try:
        source = open_recording(take.paths, choices, face_offset_s=take.face_offset_s)
    except RtaffectError as error:
        raise DataError(str(error)) from error
    if "eeg" not in source.infos:
        msg = f"{take.paths[0]} must hold a stream that is chosen as the EEG, and does not."
        raise DataError(msg)
    return source


def _markers(source: "RecordingSource") -> dict[str, Floats]:
    """Return the times of the markers of each text, on the recording's clock."""
    found: dict[str, list[float]] = {}
    offset_s = 0.0
    for event in source.events():
        if isinstance(event, ClockOffset) and event.modality == "markers":
            offset_s = event.offset_s
        elif isinstance(event, Chunk) and event.modality == "markers":
            for text, stamp in zip(event.data[0], event.stamps_s, strict=True):
                found.setdefault(str(text), []).append(float(stamp) + offset_s)
    return {text: np.array(times) for text, times in found.items()}


def _beside(path: Path) -> list[Path]:
    return [file for end in BESIDE if (file := path.with_suffix(end)) != path and file.is_file()]
