"""Units on this machine: in this very process, or in one-thread processes side by side."""

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path

from offline.runs.executor import MAX_DEATHS
from offline.runs.messages import Died, Failed, Hear, Message
from offline.runs.plan import Unit
from offline.runs.work import Work, attempt

_STOP_TIMEOUT_S = 5.0

Group = tuple[Unit, ...]


def n_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class InProcess:
    """Carries out one group after the other, here.

    Parameters
    ----------
    root : Path
        Folder of all runs.
    """

    root: Path

    def carry_out(self, groups: Sequence[Group], work: Work, hear: Hear) -> None:
        """Have all groups carried out; see `executor.Executor`."""
        stopped = False

        def listen(message: Message) -> None:
            nonlocal stopped
            stopped |= isinstance(message, Failed) and message.stops_all
            hear(message)

        for group in groups:
            attempt(work, group, listen, root=self.root)
            if stopped:
                return


@dataclass(frozen=True, slots=True)
class SideBySide:
    """Carries out groups in processes of this machine.

    They are spawned, not forked: neither torch's threads nor a GPU survive a fork. Each has a pipe
    of its own, because a process that is killed while it holds a shared queue's lock would take
    all others with it.

    Parameters
    ----------
    root : Path
        Folder of all runs.
    n_workers : int
        Most processes at a time.
    """

    root: Path
    n_workers: int

    def carry_out(self, groups: Sequence[Group], work: Work, hear: Hear) -> None:
        """Have all groups carried out; see `executor.Executor`."""
        waiting = deque(groups)
        n_deaths: dict[Group, int] = {}
        crew: list[_Worker] = []
        try:
            while waiting or any(worker.group for worker in crew):
                n_wanted = sum(worker.group is not None for worker in crew) + len(waiting)
                while len(crew) < min(self.n_workers, n_wanted):
                    crew.append(_hire(work, self.root))
                for worker in crew:
                    if worker.group is None and waiting and _hand(worker, waiting[0]):
                        waiting.popleft()
                by_pipe = {worker.pipe: worker for worker in crew}
                for pipe in wait(list(by_pipe)):
                    worker = by_pipe[pipe]  # type: ignore[index]
                    try:
                        message: Message | None = worker.pipe.recv()
                    except (EOFError, OSError):  # it died; what it told before was heard
                        crew.remove(worker)
                        message = _bury(worker, n_deaths)
                        if isinstance(message, Died):
                            waiting.appendleft(message.units)
                    else:
                        if message is None:
                            worker.group = None
                    if message is not None:
                        hear(message)
                    if isinstance(message, Failed) and message.stops_all:
                        return
        finally:
            _dismiss(crew)


@dataclass(slots=True)
class _Worker:
    process: SpawnProcess
    pipe: Connection
    group: Group | None = None
    """What it works on; None while it waits."""


def _hire(work: Work, root: Path) -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, work, root), daemon=True)
    with _ctrl_c_is_ours():
        process.start()
    theirs.close()  # so that ours ends when the process does
    return _Worker(process=process, pipe=ours)


def _hand(worker: _Worker, group: Group) -> bool:
    """Hand the group over; False if the worker has just died, which its pipe will tell."""
    try:
        worker.pipe.send(group)
    except OSError:
        return False
    worker.group = group
    return True


def _bury(worker: _Worker, n_deaths: dict[Group, int]) -> Died | Failed | None:
    """Return what is to be told of a process that ended by itself; None if it was idle."""
    worker.process.join()
    worker.pipe.close()
    if worker.group is None:
        return None
    n = n_deaths[worker.group] = n_deaths.get(worker.group, 0) + 1
    code = worker.process.exitcode
    how = f"was killed by signal {-code}" if code and code < 0 else f"ended with exit code {code}"
    why = f"The process that worked on it {how}"
    if n < MAX_DEATHS:
        return Died(units=worker.group, why=why)
    return Failed(
        units=worker.group,
        why=f"{why}, {n} times. Too little memory? Try with fewer workers.",
    )


def _dismiss(crew: list[_Worker]) -> None:
    """End every process: idle ones see their pipe end, the others lose no more than an epoch."""
    for worker in crew:
        worker.pipe.close()
        if worker.group is not None:
            worker.process.terminate()
    for worker in crew:
        worker.process.join(_STOP_TIMEOUT_S)
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()


def _serve(pipe: Connection, work: Work, root: Path) -> None:
    """Carry out groups until the pipe ends; what a worker process does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes of a terminal
    try:
        while True:
            attempt(work, pipe.recv(), pipe.send, root=root)
            pipe.send(None)
    except (EOFError, OSError):  # nobody waits for us any more
        return


@contextmanager
def _ctrl_c_is_ours() -> Iterator[None]:
    """Keep Ctrl-C from a process that is being started; ours comes a moment later."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
