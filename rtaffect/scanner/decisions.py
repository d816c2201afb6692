"""What may follow from an arrival: a run begins or ends, a frame is used, something is dropped."""

from dataclasses import dataclass
from enum import StrEnum

from rtaffect.scanner.acquired import RoiMeans, Volume

Arrival = Volume | RoiMeans


class Why(StrEnum):
    """Why something that arrived is not used."""

    DUPLICATE = "duplicate"
    LATE = "late"
    SECOND_SERIES = "second_series"
    CHANGED = "changed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """A run begins: whatever remembers the one before starts anew.

    Parameters
    ----------
    run : int
        Its number in this process, from 1.
    t : float
        When its first volume arrived.
    tr_s : float
        Repetition time in seconds, NaN where the sender does not say.
    """

    run: int
    t: float
    tr_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded:
    """A run is over.

    Parameters
    ----------
    run : int
        Which one.
    t : float
        When its sender said so, or went silent for good.
    n_frames, n_missing, n_refused : int
        Volumes that were used, that should have come between them and did not, and that came and
        could not be used.
    """

    run: int
    t: float
    n_frames: int
    n_missing: int
    n_refused: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What is to be used now.

    Parameters
    ----------
    acquired : Volume or RoiMeans
        What arrived.
    run : int
        Of which run.
    n_missing : int
        Volumes that should have come between the frame before it and this one.
    reordered : bool
        It came before one with a lower index, and had to wait.
    n_refused : int
        Volumes between the frame before it and this one that came and could not be used.
    """

    acquired: Arrival
    run: int
    n_missing: int
    reordered: bool
    n_refused: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """What is not used.

    Parameters
    ----------
    why : Why
        The kind of reason.
    index : int
        Which volume; -1 where nobody knows.
    text : str
        The reason for people; of what is changed or refused it does not name the volume.
    t : float
        When it arrived.
    """

    why: Why
    index: int
    text: str
    t: float


Decision = RunStarted | Frame | RunEnded | Dropped
