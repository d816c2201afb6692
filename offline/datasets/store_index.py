"""What stands in the index of our own store, and where a store keeps what.

A store is a folder: ``index.json`` and, for every recording, one .npy file for the samples and one
for the stamps of each stream, and one for the order in which everything arrived. All of them are
plain arrays: nothing is ever unpickled.
"""

import os
from pathlib import Path

from pydantic import ConfigDict, Field, ValidationError

from offline.datasets.contract import About, Label, Trial
from offline.datasets.settings import Settings
from offline.errors import DataError
from rtaffect.core.streams import StreamInfo, StreamState

FORMAT = 2
"""Layout of the store; a reader refuses later ones."""

INDEX = "index.json"
"""Written last: a folder without it is no data set."""

COURSE_SFREQ = 32.0
"""Rate at which courses are kept, in Hz."""


class StoredArray(Settings):
    """One .npy file.

    Parameters
    ----------
    file : str
        Path in the store.
    sha256 : str
        Of the file, in hexadecimal.
    n_bytes : int
        Its size.
    """

    file: str = Field(pattern=r"^s\d{4}/r\d{4}-[a-z0-9-]+\.npy$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    n_bytes: int = Field(ge=0)


class StoredStream(Settings):
    """One stream of a recording: ``samples`` (n_times, n_channels) and ``stamps`` (n_times,)."""

    info: StreamInfo
    samples: StoredArray
    stamps: StoredArray


class StoredCourse(Settings):
    """What was felt at every moment: ``samples`` (n_times, n_targets) from `t_first` on.

    A number on a scale is straight between two; of classes the nearest counts.
    """

    targets: tuple[str, ...]
    t_first: float
    samples: StoredArray


class _WithValues(Settings):
    """Trials may have no value, which JSON writes as NaN."""

    model_config = ConfigDict(allow_inf_nan=True, ser_json_inf_nan="constants")


class StoredRecording(_WithValues):
    """One recording; ``order`` (n_events, 5) says in which order everything arrived."""

    session: str
    trials: tuple[Trial, ...]
    streams: tuple[StoredStream, ...]
    order: StoredArray
    details: tuple[tuple[int, StreamState, str], ...]
    course: StoredCourse | None
    train_course: StoredCourse | None = None

    def arrays(self) -> tuple[StoredArray, ...]:
        """Return every file of the recording."""
        of_streams = [array for one in self.streams for array in (one.samples, one.stamps)]
        courses = (self.course, self.train_course)
        of_course = [course.samples for course in courses if course is not None]
        return (*of_streams, self.order, *of_course)


class StoredSubject(_WithValues):
    """One subject; `origin` is the fingerprint in the data set that was converted."""

    name: str
    origin: str
    recordings: tuple[StoredRecording, ...]


class Index(_WithValues):
    """Everything but the arrays."""

    format: int = Field(ge=1, le=FORMAT)
    about: About
    labels: dict[str, Label]
    ch_names: tuple[str, ...]
    subjects: tuple[StoredSubject, ...] = Field(min_length=1)


def write_index(folder: Path, index: Index) -> None:
    """Write the index under another name, and give it its own when it is whole."""
    part = folder / f"{INDEX}.part"
    with part.open("w", encoding="utf-8") as file:
        file.write(index.model_dump_json(indent=1))
        file.flush()
        os.fsync(file.fileno())
    part.replace(folder / INDEX)


def read_index(folder: Path) -> Index:
    """Read and validate the index, and look whether every file has its size.

    Raises
    ------
    DataError
        The folder is no store, a later version wrote it, or files are missing or cut off.
    """
    path = folder / INDEX
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        msg = (
            f"{folder} must be a converted data set, with a file {INDEX} in it ({error}). "
            "`rtaffect-offline data convert` writes one; without an index it did not finish."
        )
        raise DataError(msg) from error
    try:
        index = Index.model_validate_json(text)
    except ValidationError as invalid:
        first = invalid.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        msg = f"{path} is damaged, or a later version wrote it: {place}: {first['msg']}."
        raise DataError(msg) from None
    for subject in index.subjects:
        for array in (a for recording in subject.recordings for a in recording.arrays()):
            wrong = size_complaint(folder, array)
            if wrong:
                raise DataError(f"{wrong} Convert the data set again.")
    return index


def size_complaint(folder: Path, array: StoredArray) -> str:
    """Return what is wrong with a file's size, "" if nothing is."""
    path = folder / array.file
    try:
        n_bytes = path.stat().st_size
    except OSError as error:
        return f"{path} cannot be read: {error.strerror or error}."
    if n_bytes != array.n_bytes:
        return f"{path} must have {array.n_bytes} bytes, it has {n_bytes}."
    return ""
