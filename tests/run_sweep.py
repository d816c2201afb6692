"""Carry out a small sweep in this process."""

from pathlib import Path

from offline.recipe import Recipe
from offline.runs.carry_out import carry_out, left_to_do, write_plan
from offline.runs.local import InProcess
from offline.runs.record import this_session
from offline.runs.trainer import Trainer, plan_run
from offline.runs.work import OneByOne
from offline.table import read_table


def run_sweep(name: str, recipes: dict[str, Recipe], *, root: Path, cache: Path) -> Path:
    """Return the study's file."""
    runs = [plan_run(variant, r, read_table(r, cache)) for variant, r in recipes.items()]
    study = write_plan(name, runs, root, this_session("a test"))
    carry_out(
        left_to_do(runs, root),
        executor=InProcess(root),
        work=OneByOne(root=root, function=Trainer(cache)),
        hear=lambda message: None,
    )
    return study
