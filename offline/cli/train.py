"""``rtaffect-offline train``: all folds of one recipe."""

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


def train(
    recipe: Annotated[Path, typer.Argument(help="A recipe (YAML), see configs/train/.")],
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
    """Train every fold of a recipe, and show how well it does on those that it never saw.

    What is finished is skipped: after Ctrl-C the same command goes on.

    Example: rtaffect-offline train configs/train/prior_dfcn_eeg.yaml training.max_epochs=3
    """
    from offline.recipe import load_recipe

    console = Console()
    settings = load_recipe(recipe, changes or ())
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
    command = shlex.join(["rtaffect-offline", "train", str(recipe), *(changes or ())])
    study = run_recipes(
        settings.name,
        {"full": settings},
        options,
        command=command,
        console=console,
        dry_run=dry_run,
    )
    if study is not None:
        print_results([study], console)
