"""Whoever carries units out: the same results, whatever happens to the processes."""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from pretend_units import CHECKPOINT, RESULT, Pretend, pretend_units

from offline.errors import RunError
from offline.runs.carry_out import carry_out
from offline.runs.executor import Executor
from offline.runs.folder import partial_folder, state, unit_folder, verify
from offline.runs.local import InProcess, SideBySide
from offline.runs.messages import Died, EpochEnded, Failed, Finished, Message
from offline.runs.plan import Unit
from offline.runs.ray_executor import RayTasks
from offline.runs.work import OneByOne

FOLDS = ("a", "b", "c", "d")

EXECUTORS: dict[str, Callable[[Path], Executor]] = {
    "in process": InProcess,
    "side by side": lambda root: SideBySide(root, 2),
}
either = pytest.mark.parametrize("make", EXECUTORS.values(), ids=EXECUTORS)

kills = pytest.mark.skipif(
    os.name != "posix", reason="a process is killed by a signal on POSIX only"
)

pytestmark = pytest.mark.integration


class Run:
    """Carries out pretended units and keeps what was told."""

    def __init__(self, root: Path) -> None:
        self.root, self.log = root, root / "log"
        self.told: list[Message] = []

    def __call__(
        self,
        executor: Executor,
        *,
        units: tuple[Unit, ...] = pretend_units(*FOLDS),
        hear: Callable[[Message], None] | None = None,
        n_together: int = 1,
        **grief: str,
    ) -> None:
        work = OneByOne(root=self.root, function=Pretend(self.log, **grief))
        hear = hear or self.told.append
        carry_out(units, executor=executor, work=work, hear=hear, n_together=n_together)

    def state(self, fold: str) -> str:
        return state(unit_folder(self.root, pretend_units(fold)[0]))

    def attempts(self) -> Counter[str]:
        return Counter(self.log.read_text().splitlines())

    def assert_all_done(self) -> None:
        for unit in pretend_units(*FOLDS):
            verify(unit_folder(self.root, unit))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


@either
def test_every_unit_is_carried_out_once_and_told_of(run: Run, make: Callable) -> None:
    run(make(run.root))
    run.assert_all_done()
    assert run.attempts() == Counter(f"{fold} from 0" for fold in FOLDS)
    for unit in pretend_units(*FOLDS):
        of_unit = [m for m in run.told if getattr(m, "unit", None) == unit]
        assert [m.number for m in of_unit if isinstance(m, EpochEnded)] == [1, 2, 3]
        assert of_unit[-1] == Finished(unit=unit)


@either
def test_units_that_are_done_are_left_alone(run: Run, make: Callable) -> None:
    run(make(run.root), units=pretend_units("b", "c"))
    run(make(run.root))
    run.assert_all_done()
    assert run.attempts() == Counter(f"{fold} from 0" for fold in FOLDS)


@either
@pytest.mark.parametrize("n_together", [2, 4])
def test_a_group_of_units_goes_to_one_process(run: Run, make: Callable, n_together: int) -> None:
    with pytest.raises(RunError, match="1 of 4 units"):
        run(make(run.root), n_together=n_together, fails_in="d")
    assert [run.state(fold) for fold in FOLDS] == ["done", "done", "done", "partial"]


@either
def test_a_unit_that_fails_leaves_the_others_alone(run: Run, make: Callable) -> None:
    with pytest.raises(RunError, match=r"1 of 4 units(?s:.)*ZeroDivisionError: a fault"):
        run(make(run.root), fails_in="b")
    assert [run.state(fold) for fold in FOLDS] == ["done", "partial", "done", "done"]
    (failed,) = [m for m in run.told if isinstance(m, Failed)]
    assert "Traceback" in failed.details
    run(make(run.root))
    run.assert_all_done()
    assert run.attempts()["b from 1"] == 1  # it went on


@either
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_stops_everything_and_is_told_in_words(run: Run, make: Callable) -> None:
    with pytest.raises(RunError, match=r"disk takes no more(?s:.)*finished is safe"):
        run(make(run.root), fills_disk_in="a", lasts_in="b")  # b keeps the other process busy
    assert run.state("a") == "partial"
    assert [run.state(fold) for fold in "cd"] == ["absent"] * 2  # they would have failed as well
    run(make(run.root))
    run.assert_all_done()


@kills
def test_a_worker_that_is_killed_loses_no_finished_fold(run: Run) -> None:
    run(SideBySide(run.root, 2), dies_in="b")
    run.assert_all_done()
    (died,) = [m for m in run.told if isinstance(m, Died)]
    assert (died.units, "signal 9" in died.why) == (pretend_units("b"), True)
    assert run.attempts() == Counter([*(f"{fold} from 0" for fold in FOLDS), "b from 2"])


@kills
def test_a_unit_that_kills_every_worker_is_given_up(run: Run) -> None:
    units = pretend_units("a", "b")
    work_on = SideBySide(run.root, 1)
    with pytest.raises(RunError, match="Too little memory"):
        run(work_on, units=units, always_dies_in="a")
    assert (run.state("a"), run.state("b")) == ("partial", "done")
    assert sum(n for line, n in run.attempts().items() if line.startswith("a ")) == 3


def test_ctrl_c_ends_every_process_and_the_next_attempt_goes_on(run: Run) -> None:
    workers: list[psutil.Process] = []

    def press(message: Message) -> None:
        if isinstance(message, EpochEnded) and message.number == 2:
            workers.extend(psutil.Process().children())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(SideBySide(run.root, 2), hear=press)
    of_ours = [w for w in workers if "spawn_main" in "".join(_command(w))]
    assert not of_ours
    assert all(run.state(fold) != "damaged" for fold in FOLDS)
    run(SideBySide(run.root, 2))
    run.assert_all_done()


def test_ctrl_c_in_this_process_keeps_the_epochs(run: Run) -> None:
    def press(message: Message) -> None:
        if isinstance(message, EpochEnded) and message.number == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(InProcess(run.root), hear=press)
    partial = partial_folder(unit_folder(run.root, pretend_units("a")[0]))
    assert (partial / CHECKPOINT).exists()
    assert not (partial / RESULT).exists()
    run(InProcess(run.root))
    run.assert_all_done()
    assert run.attempts()["a from 2"] == 1


@kills
def test_a_killed_ray_worker_is_replaced_and_nothing_listens_beyond_loopback(run: Run) -> None:
    strangers: set[str] = set()

    def listen(message: Message) -> None:
        run.told.append(message)
        if len(run.told) == 1:
            strangers.update(_open_to_others())

    run(RayTasks(root=run.root, n_workers=2), hear=listen, dies_in="b")
    run.assert_all_done()
    assert run.attempts() == Counter([*(f"{fold} from 0" for fold in FOLDS), "b from 2"])
    assert {m.unit for m in run.told if isinstance(m, Finished)} == set(pretend_units(*FOLDS))
    assert not strangers


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline() if process.status() != psutil.STATUS_ZOMBIE else []
    except psutil.NoSuchProcess:
        return []


def _open_to_others() -> set[str]:
    """Return what our processes listen on besides the loopback interface."""
    ours = {os.getpid(), *(child.pid for child in psutil.Process().children(recursive=True))}
    return {
        f"{found.laddr.ip}:{found.laddr.port}"
        for found in psutil.net_connections("tcp")
        if found.status == psutil.CONN_LISTEN
        and found.pid in ours
        and not found.laddr.ip.removeprefix("::ffff:").startswith(("127.", "::1"))
    }
