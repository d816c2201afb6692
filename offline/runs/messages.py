"""What whoever works on units tells whoever waits for them, across processes."""

from collections.abc import Callable
from dataclasses import dataclass

from offline.runs.plan import Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """Work on a unit began, or went on."""

    unit: Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochEnded:
    """An epoch of a unit ended.

    Parameters
    ----------
    unit : Unit
        Whose.
    number : int
        From 1.
    train_nll, validation_nll : float
        Mean negative log likelihood in nats.
    """

    unit: Unit
    number: int
    train_nll: float
    validation_nll: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A unit's folder is done."""

    unit: Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Died:
    """The process that worked on units died; they are tried again."""

    units: tuple[Unit, ...]
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Units could not be finished, and trying again would not help.

    Parameters
    ----------
    units : tuple of Unit
        Which.
    why : str
        In words.
    details : str
        Traceback of a fault of ours; "" for an error that we raise on purpose.
    stops_all : bool
        No other unit could be finished either: the disk is full.
    """

    units: tuple[Unit, ...]
    why: str
    details: str = ""
    stops_all: bool = False


Message = Started | EpochEnded | Finished | Died | Failed
Hear = Callable[[Message], None]
