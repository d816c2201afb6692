"""Folds of one run, trained at once by one process: for a GPU, which one small network leaves idle.

Every number is what it is one by one, but for rounding, and for dropout, whose masks are drawn for
all folds together.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from offline.packed import Member, can_be_packed, run_units
from offline.runs.folder import unit_folder, work_folder
from offline.runs.messages import Finished, Hear, Started
from offline.runs.plan import Unit
from offline.runs.trainer import Trainer, open_run
from offline.runs.work import OneByOne, reporting


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """Carries out the units of a group at once; a `work.Work`.

    Networks that a solver finds, and compiled ones, are carried out one by one.

    Parameters
    ----------
    root : Path
        Folder of all runs.
    cache : Path
        Folder of features.
    tensorboard : bool
        See `work.OneByOne`.
    """

    root: Path
    cache: Path
    tensorboard: bool = False

    def __call__(self, units: Sequence[Unit], hear: Hear) -> None:
        """Carry out all units that are not done yet, and tell of each."""
        run = self.root / units[0].run
        recipe, table, split = open_run(run, self.cache)
        if not can_be_packed(recipe, table):
            OneByOne(root=self.root, function=Trainer(self.cache), tensorboard=self.tensorboard)(
                units, hear
            )
            return
        with ExitStack() as stack:
            members = []
            for unit in units:
                folder = stack.enter_context(work_folder(unit_folder(self.root, unit)))
                if folder is None:
                    continue
                hear(Started(unit=unit))
                reporter = stack.enter_context(
                    reporting(unit, hear, run=run, draws=self.tensorboard)
                )
                members.append(
                    Member(fold=unit.fold, seed=unit.seed, folder=folder, reporter=reporter)
                )
            if members:
                run_units(recipe, table, split, members)
        for unit in units:
            hear(Finished(unit=unit))
