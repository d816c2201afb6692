"""Whoever has units carried out: in this process, in others, on other machines."""

from collections.abc import Sequence
from typing import Protocol

from offline.runs.messages import Hear
from offline.runs.plan import Unit
from offline.runs.work import Work

MAX_DEATHS = 3
"""Processes that may die over the same group before it counts as failed."""


class Executor(Protocol):
    """Has groups of units carried out.

    A group is carried out by one process at once. An error in one group is told as
    `messages.Failed` and leaves the others alone, unless it `stops_all`.
    """

    def carry_out(self, groups: Sequence[tuple[Unit, ...]], work: Work, hear: Hear) -> None:
        """Have all groups carried out; return when none is left.

        Parameters
        ----------
        groups : sequence of tuple of Unit
            Each of units of one run.
        work : Work
            What is done with a group.
        hear : callable
            Told of everything, on the caller's thread.

        Raises
        ------
        KeyboardInterrupt
            Somebody pressed Ctrl-C; every process was stopped.
        """
