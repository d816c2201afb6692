"""From a plan to finished folders: what is done is skipped, what is left is carried out."""

import os
from collections.abc import Sequence
from pathlib import Path

from offline.errors import RunError
from offline.runs.executor import Executor
from offline.runs.folder import State, state, unit_folder
from offline.runs.messages import Failed, Hear, Message
from offline.runs.plan import Run, Unit, all_units, check_names, in_groups
from offline.runs.record import Session, write_record, write_study
from offline.runs.work import Work


def states(runs: Sequence[Run], root: Path) -> dict[Unit, State]:
    """Return how far each unit is."""
    return {unit: state(unit_folder(root, unit)) for unit in all_units(runs)}


def left_to_do(runs: Sequence[Run], root: Path) -> tuple[Unit, ...]:
    """Return the units that are not done, those that were begun first."""
    found = states(runs, root)
    left = [unit for unit in found if found[unit] != "done"]
    return tuple(sorted(left, key=lambda unit: found[unit] != "partial"))


def write_plan(name: str, runs: Sequence[Run], root: Path, session: Session) -> Path:
    """Write down every run, and that they belong together; return the study's file.

    Parameters
    ----------
    name : str
        Of the study.
    runs : sequence of Run
        Its variants.
    root : Path
        Folder of all runs.
    session : Session
        Who works on it now.

    Raises
    ------
    RunError
        The folder cannot be written to, or a fold's name cannot name a folder.
    """
    for run in runs:
        check_names(run.split)
    check_writable(root)
    for run in {run.id: run for run in runs}.values():
        write_record(root, run, session)
    return write_study(root, name, runs)


def carry_out(
    units: Sequence[Unit],
    *,
    executor: Executor,
    work: Work,
    hear: Hear,
    n_together: int = 1,
) -> None:
    """Carry out units, and go on with the others where one fails.

    Parameters
    ----------
    units : sequence of Unit
        Those that are left to do.
    executor : Executor
        Who has them carried out.
    work : Work
        What is done with a group.
    hear : callable
        Told of everything, on this thread.
    n_together : int
        Most units of one run that a process takes at once.

    Raises
    ------
    RunError
        Some failed; the message tells which, and why.
    """
    failures: list[Failed] = []

    def listen(message: Message) -> None:
        if isinstance(message, Failed):
            failures.append(message)
        hear(message)

    executor.carry_out(in_groups(units, n_together), work, listen)
    if failures:
        n_failed = sum(len(failure.units) for failure in failures)
        reasons = dict.fromkeys(failure.why + _details(failure) for failure in failures)
        msg = f"{n_failed} of {len(units)} units could not be finished. " + "\n".join(reasons)
        raise RunError(msg)


def check_writable(root: Path) -> None:
    """Check that the folder of all runs can be written to.

    Raises
    ------
    RunError
        It cannot.
    """
    probe = root / f".probe-{os.getpid()}"
    try:
        root.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        msg = f"The folder of runs must be one that can be written to, got {root}: {error}."
        raise RunError(msg) from error


def _details(failure: Failed) -> str:
    return f"\n{failure.details}" if failure.details else ""
