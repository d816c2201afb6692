"""``rtaffect-offline sweep``: a recipe and its variants."""

import shlex
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from offline.cli.results import print_results
from offline.cli.running import (
    Address,
    Cache,
    Changes,
    DryRun,
    ExecutorName,
    ExecutorOption,
    GpuShare,
    Options,
    Runs,
    TensorBoard,
    TogetherOption,
    Workers,
    run_recipes,
)


def sweep(
    recipes: Annotated[Path, typer.Argument(help="A sweep (YAML), see configs/sweeps/.")],
    changes: Changes = None,
    runs: Runs = Path("runs"),
    cache: Cache = None,
    dry_run: DryRun = False,
    workers: Workers = None,
    executor: ExecutorOption = ExecutorName.LOCAL,
    address: Address = None,
    gpu_share: GpuShare = None,
    together: TogetherOption = 1,
    tensorboard: TensorBoard = None,
) -> None:
    """Train every variant of a sweep, and show what each change costs or brings.

    What is finished is skipped: after Ctrl-C the same command goes on.

    Example: rtaffect-offline sweep configs/sweeps/prior_dfcn_simulated.yaml --dry-run
    """
    from offline.recipe import load_sweep

    console = Console()
    settings = load_sweep(recipes, changes or ())
    options = Options(
        runs=runs,
        cache=cache,
        n_workers=workers,
        executor=executor,
        address=address,
        gpu_share=gpu_share,
        n_together=together,
        tensorboard=tensorboard,
    )
    command = shlex.join(["rtaffect-offline", "sweep", str(recipes), *(changes or ())])
    study = run_recipes(
        settings.base.name,
        settings.recipes(),
        options,
        command=command,
        console=console,
        dry_run=dry_run,
    )
    if study is not None:
        print_results([study], console)
