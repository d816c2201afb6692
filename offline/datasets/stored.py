"""A data set that was converted into our own store: the same events, mapped from disk."""

import hashlib
from collections.abc import Iterator, Mapping
from functools import cached_property, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from offline.datasets.contract import About, Course, Finding, Floats, Label, Recording
from offline.datasets.digests import file_digest
from offline.datasets.settings import Settings
from offline.datasets.store_index import (
    COURSE_SFREQ,
    Index,
    StoredArray,
    StoredCourse,
    StoredRecording,
    StoredSubject,
    read_index,
    size_complaint,
)
from offline.errors import DataError
from rtaffect.core.arrivals import ArrivalKind
from rtaffect.core.streams import Chunk, ClockOffset, Event, StreamEvent, StreamInfo, Tick

ABOUT = About(
    kind="stored",
    title="A data set that `data convert` wrote",
    reference="",
    licence="that of what was converted",
    how_to_get="rtaffect-offline data convert RECIPE.yaml --out DIR",
    modalities=("eeg", "face", "roi"),
    tried_on="What was converted from every other kind; its windows are bit-identical.",
)


class StoredSettings(Settings):
    """Where the store is.

    Parameters
    ----------
    kind : "stored"
        Name of the data set.
    path : Path
        Its folder.
    """

    kind: Literal["stored"] = "stored"
    path: Path

    def open(self) -> "Stored":
        """Return the data set; the index is read when somebody asks."""
        return Stored(self.path)


class Stored:
    """A data set in our own store.

    Parameters
    ----------
    root : Path
        Its folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def about(self) -> About:
        """What to know of what was converted."""
        return self._index.about

    @property
    def labels(self) -> Mapping[str, Label]:
        """What its labels answer, by target."""
        return self._index.labels

    @property
    def ch_names(self) -> tuple[str, ...]:
        """EEG channels that every subject has."""
        return self._index.ch_names

    @property
    def subjects(self) -> tuple[str, ...]:
        """Everybody, in the order of what was converted."""
        return tuple(subject.name for subject in self._index.subjects)

    def recordings(self, subject: str) -> Iterator[Recording]:
        """Yield the subject's recordings.

        Raises
        ------
        DataError
            The store is damaged.
        """
        for stored in self._of(subject).recordings:
            yield Recording(
                subject=subject,
                session=stored.session,
                open=partial(StoredSource, self._root, stored),
                trials=stored.trials,
                course=self._course(stored.course),
                train_course=self._course(stored.train_course),
            )

    def fingerprint(self, subject: str) -> str:
        """Return a digest of the subject's part of the index, which holds its arrays' digests."""
        labels = repr(sorted(self._index.labels.items()))
        told = self._of(subject).model_dump_json()
        return hashlib.sha256(f"{labels}\n{told}".encode()).hexdigest()

    def check(self) -> Iterator[Finding]:
        """Yield every file that is not what the index says, by its digest."""
        try:
            index = self._index
        except DataError as error:
            yield Finding(is_error=True, where=str(self._root), what=str(error))
            return
        for subject in index.subjects:
            for array in (a for recording in subject.recordings for a in recording.arrays()):
                wrong = size_complaint(self._root, array)
                if not wrong and file_digest(self._root / array.file) != array.sha256:
                    wrong = f"{array.file} was changed: its SHA-256 is not that of the index."
                if wrong:
                    what = f"{wrong} Convert the data set again."
                    yield Finding(is_error=True, where=subject.name, what=what)

    @cached_property
    def _index(self) -> Index:
        return read_index(self._root)

    def _of(self, subject: str) -> StoredSubject:
        for found in self._index.subjects:
            if found.name == subject:
                return found
        msg = f"Subject must be one of {', '.join(self.subjects)}; got {subject!r}."
        raise DataError(msg)

    def _course(self, stored: StoredCourse | None) -> Course | None:
        if stored is None:
            return None
        samples = _mapped(self._root, stored.samples)
        times = stored.t_first + np.arange(len(samples)) / COURSE_SFREQ

        labels = self._index.labels

        def course(at: Floats) -> Mapping[str, Floats]:
            # A class has none between it and another, nor has what is no number.
            nearest = np.clip(np.rint((at - times[0]) * COURSE_SFREQ), 0, len(times) - 1)
            held = samples[nearest.astype(np.int64)]
            return {
                target: np.interp(at, times, samples[:, i])
                if labels[target].edges and not np.isnan(samples[:, i]).any()
                else held[:, i]
                for i, target in enumerate(stored.targets)
            }

        return course


class StoredSource:
    """The events of one stored recording.

    Parameters
    ----------
    root : Path
        Folder of the store.
    stored : StoredRecording
        Which recording.

    Raises
    ------
    DataError
        Its arrays do not fit each other.
    """

    def __init__(self, root: Path, stored: StoredRecording) -> None:
        self._infos = {one.info.modality: one.info for one in stored.streams}
        self._names = [one.info.modality for one in stored.streams]
        self._samples = [_mapped(root, one.samples) for one in stored.streams]
        self._stamps = [_mapped(root, one.stamps) for one in stored.streams]
        self._order = _mapped(root, stored.order)
        self._details = stored.details
        self._closed = False
        fits = all(
            samples.ndim == 2 and samples.shape == (len(stamps), info.n_channels)
            for samples, stamps, info in zip(
                self._samples, self._stamps, self._infos.values(), strict=True
            )
        )
        if not (fits and self._order.ndim == 2 and self._order.shape[1] == 5):
            msg = f"{root / stored.order.file} and the arrays beside it do not fit each other."
            raise DataError(msg)

    @property
    def infos(self) -> Mapping[str, StreamInfo]:
        """The streams, by modality."""
        return MappingProxyType(self._infos)

    @property
    def n_waiting(self) -> int:
        """Nothing waits: samples are there when they are asked for."""
        return 0

    def events(self) -> Iterator[Event]:
        """Yield what the source that was converted did."""
        details = iter(self._details)
        at = [0] * len(self._names)
        for row in self._order:
            if self._closed:
                return
            kind, number, n_samples, t_received, value = row.tolist()
            stream = int(number)
            match ArrivalKind(int(kind)):
                case ArrivalKind.TICK:
                    yield Tick(t_received)
                case ArrivalKind.OFFSET:
                    yield ClockOffset(self._names[stream], value, t_received)
                case ArrivalKind.STREAM_EVENT:
                    of, state, detail = next(details)
                    yield StreamEvent(self._names[of], state, t_received, detail)
                case ArrivalKind.CHUNK:
                    start, at[stream] = at[stream], at[stream] + int(n_samples)
                    yield self._chunk(stream, slice(start, at[stream]), t_received)

    def close(self) -> None:
        """End `events`."""
        self._closed = True

    def __enter__(self) -> Self:
        """Return the source, which is always open."""
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Close."""
        self.close()

    def _chunk(self, stream: int, place: slice, t_received: float) -> Chunk:
        modality = self._names[stream]
        dtype = object if self._infos[modality].is_text else None
        data = np.array(self._samples[stream][place].T, dtype=dtype, order="C")
        return Chunk(modality, data, np.array(self._stamps[stream][place]), t_received)


def _mapped(root: Path, array: StoredArray) -> npt.NDArray[Any]:
    try:
        found: npt.NDArray[Any] = np.load(root / array.file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        msg = f"{root / array.file} is no array that could be mapped: {error}."
        raise DataError(msg) from error
    return found
