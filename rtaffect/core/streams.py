"""What a stream says of itself, and the four things that arrive from a source."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamInfo:
    """The description of one stream.

    Parameters
    ----------
    modality : str
        The key under which the session knows it: ``"eeg"``, ``"face"``, ``"markers"`` ...
    name, stype, source_id : str
        Name, LSL content type and the sender's own identity ("" when it has none).
    ch_names : tuple of str
        Channel labels as the sender spells them.
    sfreq : float
        Nominal sampling rate in Hz; 0.0 means irregular.
    units : tuple of str
        One unit a channel as the sender spells it, "" where undeclared.
    is_text : bool
        The samples are strings (markers), not numbers.
    simulated : bool
        The sender declares that nobody was measured.
    about : mapping of str to str
        What else the sender declares, by dotted key (``"acquisition.tr_s"``), see
        docs/roi-stream.md.
    factors : mapping of str to float
        What the session multiplies channels by, by label: another unit, or the other sign.
    """

    modality: str
    name: str
    stype: str
    source_id: str = ""
    ch_names: tuple[str, ...]
    sfreq: float
    units: tuple[str, ...] = ()
    is_text: bool = False
    simulated: bool = False
    about: Mapping[str, str] = field(default_factory=dict)
    factors: Mapping[str, float] = field(default_factory=dict)

    @property
    def n_channels(self) -> int:
        """The number of channels."""
        return len(self.ch_names)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamChoice:
    """Which live stream is to be a modality, and what its sender left out of its description.

    A stream matches when it equals every one of `name`, `stype` and `source_id` that is given.

    Parameters
    ----------
    modality : str
        The key under which the session will know the stream.
    name, stype, source_id : str or None
        Name, LSL content type and sender's identity to ask for; None asks for nothing.
    unit : str or None
        Unit of every channel, instead of what the sender says.
    ch_names : tuple of str or None
        Channel labels in order, instead of the sender's.
    rename : mapping of str to str
        Labels to correct, from the sender's to the right one.
    factors : mapping of str to float
        What to multiply channels by, by their right label.
    sfreq : float or None
        Nominal rate in Hz, instead of the sender's.
    required : bool
        Without this stream the session cannot start.
    """

    modality: str
    name: str | None = None
    stype: str | None = None
    source_id: str | None = None
    unit: str | None = None
    ch_names: tuple[str, ...] | None = None
    rename: Mapping[str, str] = field(default_factory=dict)
    factors: Mapping[str, float] = field(default_factory=dict)
    sfreq: float | None = None
    required: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Some samples of one stream, as they arrived.

    Parameters
    ----------
    modality : str
        Key of the stream, see `StreamInfo`.
    data : ndarray, shape (n_channels, n_times)
        Samples in the sender's own unit and order; dtype object for text.
    stamps_s : ndarray of float64, shape (n_times,)
        The sender's raw stamps, on the sender's clock, in seconds.
    t_received : float
        When the runtime got it, on the runtime's clock, in seconds.
    """

    modality: str
    data: npt.NDArray[Any]
    stamps_s: npt.NDArray[np.float64]
    t_received: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VolumeChunk(Chunk):
    """One volume: `data` holds its voxels in C order, shape (n_voxels, 1).

    Parameters
    ----------
    modality, data, stamps_s, t_received
        As of `Chunk`; the stamp is the middle of the acquisition.
    shape : tuple of int
        Voxels along the three axes.
    affine : ndarray of float64, shape (4, 4)
        Voxel to world (RAS+), in millimetres.
    index : int
        Number of the volume in its run, from 0.
    """

    shape: tuple[int, int, int]
    affine: npt.NDArray[np.float64]
    index: int


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """One measurement of a sender's clock: ``runtime time = stamp + offset_s``."""

    modality: str
    offset_s: float
    t_received: float


@dataclass(frozen=True, slots=True)
class Tick:
    """The runtime's clock moved on. Ticks are what reveals a sender that went silent."""

    t_received: float


class StreamState(StrEnum):
    """What became of a stream."""

    LOST = "lost"
    RECOVERED = "recovered"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """A stream was lost, came back, or came back as something that cannot be used."""

    modality: str
    state: StreamState
    t_received: float
    detail: str = ""


Event = Chunk | ClockOffset | Tick | StreamEvent


class Source(Protocol):
    """Where events come from: live streams, a recording, a simulated participant.

    ``infos`` is known once the source is open and does not change. ``events`` is called once, by
    one thread, and yields in the order in which the engine must see things: ``t_received`` never
    decreases. A live source blocks in ``events`` until something arrives and yields a `Tick` at
    least every hop; it ends after `close`, which any thread may call at any time, more than once.
    """

    @property
    def infos(self) -> Mapping[str, StreamInfo]:
        """The streams, by modality."""

    @property
    def n_waiting(self) -> int:
        """How many events arrived that nobody has taken yet."""

    def events(self) -> Iterator[Event]:
        """Yield everything that arrives, in engine order."""

    def close(self) -> None:
        """End `events` and let go of every resource."""

    def __enter__(self) -> Self:
        """Return the open source."""

    def __exit__(self, *exc_info: object) -> None:
        """Close."""
