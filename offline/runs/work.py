"""What is done with units, in whatever process: open the folder, train, close the folder."""

import errno
import shutil
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from offline.runs.folder import unit_folder, work_folder
from offline.runs.messages import EpochEnded, Failed, Finished, Hear, Message, Started
from offline.runs.plan import Unit
from rtaffect.core.errors import RtaffectError

if TYPE_CHECKING:  # the loop loads torch
    from offline.trained import Epoch

_REFUSALS = {getattr(errno, name, None) for name in ("ENOSPC", "EDQUOT", "EROFS")}
_LEAST_FREE_BYTES = 1 << 20


class Reporter(Protocol):
    """Hears how far a unit is; called on the unit's own thread."""

    def on_epoch(self, epoch: "Epoch") -> None:
        """Hear that an epoch ended."""


class UnitFunction(Protocol):
    """Trains and tests one unit; it is handed to other processes, so it must be picklable."""

    def __call__(self, unit: Unit, *, run: Path, folder: Path, reporter: Reporter) -> None:
        """Write a unit's results.

        Parameters
        ----------
        unit : Unit
            Which.
        run : Path
            Folder of its run, with ``run.json`` and ``split.json``.
        folder : Path
            Where to write; it holds what an interrupted attempt left there.
        reporter : Reporter
            To be told of each epoch.
        """


class Work(Protocol):
    """Carries out a group of units of one run in this process; picklable as well.

    Whoever trains several folds at once implements this one.
    """

    def __call__(self, units: Sequence[Unit], hear: Hear) -> None:
        """Carry out all units that are not done yet, and tell of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OneByOne:
    """Carries out the units of a group one after the other.

    Parameters
    ----------
    root : Path
        Folder of all runs.
    function : UnitFunction
        What a unit is.
    tensorboard : bool
        Also write scalars for TensorBoard, to the run's folder ``tensorboard``.
    """

    root: Path
    function: UnitFunction
    tensorboard: bool = False

    def __call__(self, units: Sequence[Unit], hear: Hear) -> None:
        """Carry out all units that are not done yet, and tell of each."""
        for unit in units:
            with work_folder(unit_folder(self.root, unit)) as folder:
                if folder is not None:
                    hear(Started(unit=unit))
                    run = self.root / unit.run
                    with reporting(unit, hear, run=run, draws=self.tensorboard) as reporter:
                        self.function(unit, run=run, folder=folder, reporter=reporter)
            hear(Finished(unit=unit))


@contextmanager
def reporting(unit: Unit, hear: Hear, *, run: Path, draws: bool) -> Iterator[Reporter]:
    """Give a reporter that tells of a unit's epochs.

    Parameters
    ----------
    unit : Unit
        Whose.
    hear : callable
        To whom.
    run : Path
        Folder of its run.
    draws : bool
        For TensorBoard as well.
    """
    telling = Telling(unit, hear)
    if not draws:
        yield telling
        return
    from offline.runs.tensorboard import Drawing

    with Drawing(run / "tensorboard" / f"{unit.fold}-seed-{unit.seed}", telling) as drawing:
        yield drawing


class Telling:
    """Turns a unit's epochs into messages.

    Parameters
    ----------
    unit : Unit
        Whose.
    hear : callable
        To whom.
    """

    def __init__(self, unit: Unit, hear: Hear) -> None:
        self._unit, self._hear = unit, hear

    def on_epoch(self, epoch: "Epoch") -> None:
        """Tell that an epoch ended."""
        message = EpochEnded(
            unit=self._unit,
            number=epoch.number,
            train_nll=epoch.train_nll,
            validation_nll=epoch.validation_nll,
        )
        self._hear(message)


def attempt(work: Work, units: tuple[Unit, ...], hear: Hear, *, root: Path) -> None:
    """Carry out a group; what goes wrong is told, not raised.

    Parameters
    ----------
    work : Work
        What is done.
    units : tuple of Unit
        The group.
    hear : callable
        Told of everything.
    root : Path
        Folder of all runs.
    """
    finished: set[Unit] = set()

    def listen(message: Message) -> None:
        if isinstance(message, Finished):
            finished.add(message.unit)
        hear(message)

    try:
        work(units, listen)
    except Exception as error:  # noqa: BLE001 - one unit's fault is not the others'
        left = tuple(unit for unit in units if unit not in finished)
        hear(_failure(left, error, root))


def _failure(units: tuple[Unit, ...], error: Exception, root: Path) -> Failed:
    if _is_refusal(error, root):
        why = (
            f"The disk takes no more: {error}. What is finished is safe. Make room in {root}, then "
            "give the same command again."
        )
        return Failed(units=units, why=why, stops_all=True)
    if isinstance(error, RtaffectError):
        return Failed(units=units, why=str(error))
    why = f"{type(error).__name__}: {error}"
    return Failed(units=units, why=why, details=traceback.format_exc())


def _is_refusal(error: Exception, root: Path) -> bool:
    """Return whether the disk is at fault; some libraries say so in odd words only."""
    if isinstance(error, OSError) and error.errno in _REFUSALS:
        return True
    try:
        return shutil.disk_usage(root).free < _LEAST_FREE_BYTES
    except OSError:
        return False
