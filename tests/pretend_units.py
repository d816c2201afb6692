"""Units that train nothing, for tests of whoever carries units out; importable in any process."""

import json
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from offline.protocols.contract import Fold, Split
from offline.runs.plan import Unit
from offline.runs.work import Reporter

RESULT = "result.json"
CHECKPOINT = "checkpoint.json"
N_EPOCHS = 3


@dataclass(frozen=True)
class PretendEpoch:
    number: int
    train_nll: float
    validation_nll: float
    learning_rate: float = 1e-3
    is_best: bool = True


@dataclass(frozen=True)
class Pretend:
    """Counts epochs, goes on from a checkpoint, and comes to grief where it is told to.

    Every attempt is noted beside the runs, so that tests can count them.
    """

    log: Path
    dies_in: str = ""
    always_dies_in: str = ""
    fails_in: str = ""
    fills_disk_in: str = ""
    lasts_in: str = ""
    """Far longer than all others: until somebody ends its process."""

    def __call__(self, unit: Unit, *, run: Path, folder: Path, reporter: Reporter) -> None:
        checkpoint = folder / CHECKPOINT
        n_done = json.loads(checkpoint.read_text())["n_done"] if checkpoint.exists() else 0
        note(self.log, f"{unit.fold} from {n_done}")
        if unit.fold == self.lasts_in:
            time.sleep(60.0)
        for number in range(n_done + 1, N_EPOCHS + 1):
            draft = folder / f"{CHECKPOINT}.draft"
            draft.write_text(json.dumps({"n_done": number}))
            draft.replace(checkpoint)
            reporter.on_epoch(PretendEpoch(number, 1 / number, 2 / number))  # type: ignore[arg-type]
            if unit.fold == self.always_dies_in:
                os.kill(os.getpid(), signal.SIGKILL)
            if unit.fold == self.dies_in and number == 2:
                os.kill(os.getpid(), signal.SIGKILL)
            if unit.fold == self.fails_in:
                msg = "a fault"
                raise ZeroDivisionError(msg)
            if unit.fold == self.fills_disk_in:
                Path("/dev/full").write_text("x" * 100_000)
        (folder / RESULT).write_text(json.dumps({"fold": unit.fold, "seed": unit.seed}))
        checkpoint.unlink()


def note(log: Path, line: str) -> None:
    """Add a line; short ones of several processes do not mix."""
    with log.open("a") as file:
        file.write(line + "\n")


def pretend_split(*names: str) -> Split:
    return Split(
        protocol="pretend",
        settings={},
        level="trial",
        disjoint=("subject", "session", "trial"),
        leaky=False,
        folds=tuple(Fold(name=name, train=(0,), validation=(1,), test=(2,)) for name in names),
        items_digest="0" * 64,
    )


def pretend_units(*folds: str) -> tuple[Unit, ...]:
    return tuple(Unit(run="0123456789ab", fold=fold, seed=0) for fold in folds)
