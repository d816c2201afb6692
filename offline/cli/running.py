"""What ``train`` and ``sweep`` have in common: plan, show the plan, carry it out, show results."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from offline.cli.plans import outline, plan, plan_table, whole_table, why_unknown
from rtaffect.core.errors import ConfigError

if TYPE_CHECKING:  # these load torch
    from offline.recipe import Recipe
    from offline.runs.executor import Executor
    from offline.runs.plan import Run, Unit

MAX_ON_GPU = 4
"""Units that share a GPU where nobody says how many: each takes the driver's memory anew."""


class ExecutorName(StrEnum):
    """Who has units carried out."""

    LOCAL = "local"
    RAY = "ray"


Changes = Annotated[
    list[str] | None,
    typer.Argument(help="Settings to change, as key=value: training.max_epochs=3."),
]
Runs = Annotated[Path, typer.Option(help="Folder of all runs.")]
Cache = Annotated[
    Path | None,
    typer.Option(help="Folder of features, computed once.", show_default="RUNS/features"),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Show what would be trained, and stop. No features are computed.",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Units that are trained at the same time.",
        show_default=f"as many as cores, {MAX_ON_GPU} on a GPU",
    ),
]
ExecutorOption = Annotated[
    ExecutorName, typer.Option(help="Processes of this machine, or tasks of Ray.")
]
Address = Annotated[
    str | None,
    typer.Option(help="Of a Ray cluster that runs already; needs --executor ray."),
]
GpuShare = Annotated[
    float | None,
    typer.Option(
        min=0.0,
        max=1.0,
        help="Share of a GPU that a unit takes on Ray.",
        show_default=f"1/{MAX_ON_GPU} if there is a GPU",
    ),
]
TogetherOption = Annotated[
    int,
    typer.Option(
        "--together",
        min=1,
        help="Folds of a run that one process trains at once, for a GPU; dropout differs.",
    ),
]
TensorBoard = Annotated[
    bool | None,
    typer.Option(
        "--tensorboard/--no-tensorboard",
        help="Write curves for TensorBoard into each run's folder.",
        show_default="if installed",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How runs are carried out; none of it changes a number, but for dropout's in `n_together`."""

    runs: Path
    cache: Path | None = None
    n_workers: int | None = None
    executor: ExecutorName = ExecutorName.LOCAL
    address: str | None = None
    gpu_share: float | None = None
    n_together: int = 1
    tensorboard: bool | None = None

    def check(self) -> None:
        """Check that the options go together.

        Raises
        ------
        ConfigError
            They do not.
        """
        is_local = self.executor is ExecutorName.LOCAL
        if is_local and (self.address is not None or self.gpu_share is not None):
            msg = "--address and --gpu-share belong to Ray. Add --executor ray, or leave them out."
            raise ConfigError(msg)


def run_recipes(
    name: str,
    recipes: Mapping[str, "Recipe"],
    options: Options,
    *,
    command: str,
    console: Console,
    dry_run: bool = False,
) -> Path | None:
    """Train all folds of some recipes that answer one question.

    Parameters
    ----------
    name : str
        Of the study.
    recipes : mapping of str to Recipe
        By the variant's name; the others are compared with the first.
    options : Options
        How.
    command : str
        What was typed, for the record.
    console : Console
        Where progress is shown.
    dry_run : bool
        Show the plan, and stop.

    Returns
    -------
    Path or None
        The study's file, ``*.study.json``; None after a dry run.

    Raises
    ------
    ConfigError
        The options do not go together.
    RunError
        Some units could not be finished; the message tells which, and why.
    """
    from offline.runs.carry_out import carry_out, check_writable, left_to_do, states, write_plan
    from offline.runs.progress import Screen
    from offline.runs.record import this_session
    from offline.runs.tensorboard import is_installed
    from offline.runs.together import Together
    from offline.runs.trainer import Trainer
    from offline.runs.work import OneByOne, Work

    options.check()
    for recipe in recipes.values():
        recipe.protocol.check()
    root = options.runs.absolute()
    cache = (options.cache or root / "features").absolute()
    check_writable(root)
    check_writable(cache)
    n_workers = options.n_workers or _n_workers(recipes.values())
    runs: list[Run] = []
    sizes: dict[str, list[str]] = {}
    unknown: dict[str, list[str]] = {}
    for variant, recipe in recipes.items():
        table = (
            outline(recipe, cache)
            if dry_run
            else whole_table(variant, recipe, cache, n_workers=n_workers, console=console)
        )
        if table is None:
            unknown.setdefault(why_unknown(recipe), []).append(variant)
            continue
        run, size = plan(variant, recipe, table)
        runs.append(run)
        sizes.setdefault(size, []).append(variant)
    for why, variants in unknown.items():
        line = f"{', '.join(variants)}: {why}"
        console.print(line, soft_wrap=True, markup=False, highlight=False)
    if not runs:
        return None
    found = states(runs, root)
    n_left = sum(state != "done" for state in found.values())
    heading = f"{len(found)} unit{'s' * (len(found) != 1)} in {root}, {n_left} left to train"
    console.print(heading, style="bold", soft_wrap=True, markup=False)
    console.print(plan_table(runs, found))
    for size, variants in sizes.items():
        of = f"{', '.join(variants)}: " if len(sizes) > 1 else ""
        console.print(of + size, soft_wrap=True, markup=False, highlight=False)
    if dry_run:
        return None
    if n_left:
        console.print(
            "What is done is kept: stop with Ctrl-C, and the same command goes on.", soft_wrap=True
        )
    study = write_plan(name, runs, root, this_session(command))
    left = left_to_do(runs, root)
    draws = is_installed() if options.tensorboard is None else options.tensorboard
    work: Work = OneByOne(root=root, function=Trainer(cache), tensorboard=draws)
    if options.n_together > 1:
        work = Together(root=root, cache=cache, tensorboard=draws)
    executor = _executor(options, root, left, recipes.values(), n_workers=n_workers)
    epochs = {run.id: run.recipe.training.max_epochs for run in runs}
    names = {run.id: run.variant for run in runs}
    try:
        with Screen(console, {unit: epochs[unit.run] for unit in left}, names) as screen:
            carry_out(
                left,
                executor=executor,
                work=work,
                hear=screen.hear,
                n_together=options.n_together,
            )
    except KeyboardInterrupt:
        n_left, n_all = len(left_to_do(runs, root)), sum(len(run.units) for run in runs)
        console.print(
            f"Stopped: {n_all - n_left} of {n_all} units are done. The same command goes on from "
            "here.",
            highlight=False,
            soft_wrap=True,
        )
        raise
    return study


def _wants_gpu(recipes: "Collection[Recipe]") -> bool:
    from offline.training import choose_device

    return any(choose_device(recipe.training).type == "cuda" for recipe in recipes)


def _n_workers(recipes: "Collection[Recipe]") -> int:
    from offline.runs.local import n_cores

    return min(n_cores(), MAX_ON_GPU) if _wants_gpu(recipes) else n_cores()


def _executor(
    options: Options,
    root: Path,
    units: "Sequence[Unit]",
    recipes: "Collection[Recipe]",
    *,
    n_workers: int,
) -> "Executor":
    from offline.runs.local import InProcess, SideBySide
    from offline.runs.ray_executor import RayTasks

    if options.executor is ExecutorName.RAY:
        share = options.gpu_share
        if share is None:
            share = 1 / MAX_ON_GPU if _wants_gpu(recipes) else 0.0
        return RayTasks(root=root, n_workers=n_workers, address=options.address, n_gpus=share)
    if min(n_workers, len(units)) <= 1:
        return InProcess(root)
    return SideBySide(root, n_workers)
