"""A run of a few simulated people, carried out to its end."""

from pathlib import Path

from offline.recipe import Recipe
from offline.runs.folder import unit_folder, work_folder
from offline.runs.plan import Run
from offline.runs.record import this_session, write_record
from offline.runs.trainer import plan_run
from offline.table import read_table
from offline.unit import run_unit

DATA = {
    "kind": "simulated",
    "n_subjects": 4,
    "n_trials": 4,
    "trial_s": 9,
    "rest_s": 6,
    "sfreq": 128,
}
BUNDLE = {"name": "tiny", "title": "Tiny", "summary": "For tests."}
PORTIONS = {"kind": "portions", "train": 2, "validation": 1, "test": 1}


def finished_run(root: Path, **changes: object) -> tuple[Path, Run]:
    """Carry out every unit of a recipe, and return the run's folder."""
    settings = {"name": "tiny", "dataset": DATA, "protocol": PORTIONS, "bundle": BUNDLE}
    recipe = Recipe.model_validate(settings | changes)
    table = read_table(recipe, root / "cache")
    run = plan_run("full", recipe, table)
    write_record(root, run, this_session("test"))
    for unit in run.units:
        with work_folder(unit_folder(root, unit)) as folder:
            assert folder is not None
            run_unit(recipe, table, run.split, unit.fold, unit.seed, folder)
    return root / run.id, run
