"""Any data set is written into our own store, once: arrays to be mapped, an index, digests."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from offline.datasets.contract import Course, Dataset, Recording
from offline.datasets.digests import file_digest
from offline.datasets.store_index import (
    COURSE_SFREQ,
    FORMAT,
    INDEX,
    Index,
    StoredArray,
    StoredCourse,
    StoredRecording,
    StoredStream,
    StoredSubject,
    write_index,
)
from offline.errors import DataError
from rtaffect.core.arrivals import ArrivalKind
from rtaffect.core.streams import Chunk, ClockOffset, Event, StreamEvent, StreamInfo, StreamState

_UNFINISHED = "unfinished"
"""A file that says whose work a folder is that a conversion left behind."""

Report = Callable[[int, int], None]
"""Hears how many subjects are done, and of how many."""


def write_store(dataset: Dataset, folder: Path, *, report: Report = lambda *_: None) -> None:
    """Convert a data set.

    Parameters
    ----------
    dataset : Dataset
        Any; one recording is read at a time, in pieces.
    folder : Path
        Where the store is to be; must not exist, or be empty. It appears when it is whole.
    report : callable
        Hears of every subject.

    Raises
    ------
    DataError
        The folder is in use, the disk is full, or something is wrong with the data set.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        msg = f"{folder} must be a new or an empty folder; give another one, or remove it."
        raise DataError(msg)
    if "volume" in dataset.about.modalities and not dataset.ch_names:
        msg = (
            f"{dataset.about.title} holds volumes, which are kept in their own files and not "
            "converted; use it as it is."
        )
        raise DataError(msg)
    with _unfinished(folder) as part:
        names = dataset.subjects
        subjects = []
        for number, name in enumerate(names):
            report(number, len(names))
            place = part / f"s{number:04d}"
            place.mkdir()
            recordings = tuple(
                _write_recording(recording, place, f"r{i:04d}")
                for i, recording in enumerate(dataset.recordings(name))
            )
            origin = dataset.fingerprint(name)
            subjects.append(StoredSubject(name=name, origin=origin, recordings=recordings))
        index = Index(
            format=FORMAT,
            about=replace(dataset.about, kind="stored"),
            labels=dict(dataset.labels),
            ch_names=dataset.ch_names,
            subjects=tuple(subjects),
        )
        write_index(part, index)
    report(len(names), len(names))


@contextmanager
def _unfinished(folder: Path) -> Iterator[Path]:
    """Give a folder beside `folder` that becomes `folder` in the end, and vanishes on an error."""
    part = folder.with_name(f"{folder.name}.part")
    mark = part / _UNFINISHED
    try:
        if part.exists():
            if not mark.is_file() or (part / INDEX).exists():
                msg = f"{part} is in the way, and no conversion left it there; remove it."
                raise DataError(msg)
            shutil.rmtree(part)
        part.mkdir(parents=True)
        mark.touch()
        yield part
        mark.unlink()
        if folder.exists():
            folder.rmdir()
        part.rename(folder)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        msg = (
            f"{folder} could not be written: {error.strerror or error}. Nothing of it was kept; "
            "make room, or give another folder, and convert again."
        )
        raise DataError(msg) from error
    except BaseException:
        if mark.is_file():
            shutil.rmtree(part, ignore_errors=True)
        raise


class _GrowingArray:
    """A .npy file whose first axis grows; its header is written again when it is known."""

    def __init__(
        self, path: Path, dtype: np.dtype[Any], shape: tuple[int, ...], left: ExitStack
    ) -> None:
        self._path = path
        self._dtype = dtype
        self._shape = shape  # of one row
        self._n_rows = 0
        self._file: IO[bytes] = path.open("wb")
        left.callback(self._abandon)
        self._write_header()
        self._start = self._file.tell()

    def append(self, rows: npt.NDArray[Any]) -> None:
        assert rows.shape[1:] == self._shape
        self._file.write(np.ascontiguousarray(rows, dtype=self._dtype).tobytes())
        self._n_rows += len(rows)

    def close(self) -> StoredArray:
        self._file.seek(0)
        self._write_header()
        assert self._file.tell() == self._start  # NumPy leaves room in a header for growth
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return _stored(self._path)

    def _abandon(self) -> None:
        with suppress(OSError):  # of a full disk; said already
            self._file.close()

    def _write_header(self) -> None:
        header = {
            "descr": np.lib.format.dtype_to_descr(self._dtype),
            "fortran_order": False,
            "shape": (self._n_rows, *self._shape),
        }
        np.lib.format.write_array_header_1_0(self._file, header)


class _StreamWriter:
    """Writes one stream's samples and stamps as they come."""

    def __init__(self, info: StreamInfo, path: Path, left: ExitStack) -> None:
        self._info = info
        self._path = path
        self._left = left
        self._stamps = _GrowingArray(path.with_name(f"{path.name}-stamps.npy"), _FLOAT, (), left)
        self._samples: _GrowingArray | None = None
        self._texts: list[npt.NDArray[Any]] = []

    def append(self, chunk: Chunk) -> None:
        self._stamps.append(chunk.stamps_s)
        if self._info.is_text:
            self._texts.append(chunk.data.T)
            return
        if self._samples is None:
            self._samples = self._open(chunk.data.dtype)
        self._samples.append(chunk.data.T)

    def close(self) -> StoredStream:
        if self._samples is None:
            texts = [rows.astype(np.str_) for rows in self._texts]
            rows = np.concatenate([np.empty((0, self._info.n_channels), np.str_), *texts])
            self._samples = self._open(rows.dtype if self._info.is_text else np.dtype(np.float32))
            self._samples.append(rows if self._info.is_text else rows.astype(np.float32))
        return StoredStream(
            info=self._info, samples=self._samples.close(), stamps=self._stamps.close()
        )

    def _open(self, dtype: np.dtype[Any]) -> _GrowingArray:
        path = self._path.with_name(f"{self._path.name}-samples.npy")
        return _GrowingArray(path, dtype, (self._info.n_channels,), self._left)


_FLOAT = np.dtype(np.float64)


def _write_recording(recording: Recording, place: Path, name: str) -> StoredRecording:
    with ExitStack() as left, recording.open() as source:
        writers = {
            modality: _StreamWriter(info, place / f"{name}-{number}", left)
            for number, (modality, info) in enumerate(source.infos.items())
        }
        numbers = {modality: number for number, modality in enumerate(source.infos)}
        order = _GrowingArray(place / f"{name}-order.npy", _FLOAT, (5,), left)
        details: list[tuple[int, StreamState, str]] = []
        for event in source.events():
            if isinstance(event, Chunk):
                writers[event.modality].append(event)
            if isinstance(event, StreamEvent):
                details.append((numbers[event.modality], event.state, event.detail))
            order.append(np.array([_row(event, numbers)]))
        return StoredRecording(
            session=recording.session,
            trials=recording.trials,
            streams=tuple(writer.close() for writer in writers.values()),
            order=order.close(),
            details=tuple(details),
            course=_write_course(recording, recording.course, place / f"{name}-course.npy", left),
            train_course=_write_course(
                recording, recording.train_course, place / f"{name}-train-course.npy", left
            ),
        )


def _row(event: Event, numbers: dict[str, int]) -> tuple[float, ...]:
    """Return an event as it stands in the order, in the columns of a session's arrivals."""
    match event:
        case Chunk():
            n_samples = len(event.stamps_s)
            return ArrivalKind.CHUNK, numbers[event.modality], n_samples, event.t_received, 0.0
        case ClockOffset():
            number = numbers[event.modality]
            return ArrivalKind.OFFSET, number, 0, event.t_received, event.offset_s
        case StreamEvent():
            number = numbers[event.modality]
            return ArrivalKind.STREAM_EVENT, number, 0, event.t_received, 0.0
        case _:
            return ArrivalKind.TICK, 0, 0, event.t_received, 0.0


def _write_course(
    recording: Recording, course: Course | None, path: Path, left: ExitStack
) -> StoredCourse | None:
    if course is None or not recording.trials:
        return None
    t_first = min(trial.t_start for trial in recording.trials)
    t_last = max(trial.t_end for trial in recording.trials)
    n_times = int(np.ceil((t_last - t_first) * COURSE_SFREQ)) + 1
    courses = course(t_first + np.arange(n_times) / COURSE_SFREQ)
    samples = _GrowingArray(path, _FLOAT, (len(courses),), left)
    samples.append(np.stack(list(courses.values()), axis=1))
    return StoredCourse(targets=tuple(courses), t_first=t_first, samples=samples.close())


def _stored(path: Path) -> StoredArray:
    return StoredArray(
        file=f"{path.parent.name}/{path.name}",
        sha256=file_digest(path),
        n_bytes=path.stat().st_size,
    )
