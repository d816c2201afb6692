"""``rtaffect-offline train``: all folds of one recipe."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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

if TYPE_CHECKING:  # a recipe knows every network, which loads torch
    from offline.recipe import Recipe


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
    if remark := _of_another_model(load_recipe(recipe), settings):
        console.print(remark, style="yellow", markup=False, highlight=False, soft_wrap=True)
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


def _of_another_model(written: "Recipe", wanted: "Recipe") -> str:
    """Return that a bundle's words are about the model in the file; "" where they are not."""
    bundle = wanted.bundle
    if bundle is None or bundle != written.bundle or wanted.model.kind == written.model.kind:
        return ""
    return (
        f"The model is {wanted.model.kind}, but bundle.name, bundle.title ({bundle.title!r}) and "
        f"bundle.summary still speak of the recipe's {written.model.kind}. Give others before you "
        "export, such as bundle.title='...'; nothing is trained again for that."
    )
