"""``rtaffect-offline reproduce``: a paper's tables beside ours."""

import shlex
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from offline.cli.running import (
    Address,
    Cache,
    Changes,
    DryRun,
    ExecutorName,
    ExecutorOption,
    GpuShare,
    Options,
    TensorBoard,
    TogetherOption,
    Workers,
    run_recipes,
)


class PaperName(StrEnum):
    """Whose tables."""

    MTCNN = "mtcnn"
    PRIOR_DFCN = "prior-dfcn"


def reproduce(
    paper: Annotated[PaperName, typer.Argument(help="Whose tables.")],
    data: Annotated[Path, typer.Option(help="Folder of DEAP, see `data ls`.")],
    changes: Changes = None,
    variant: Annotated[
        list[str] | None,
        typer.Option(help="Train this row alone, by its name in the plan; repeatable."),
    ] = None,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="Three subjects, one epoch: whether it runs at all."),
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the tables.", show_default="RUNS/PAPER")
    ] = None,
    runs: Annotated[Path, typer.Option(help="Folder of all runs.")] = Path("runs/reproduce"),
    cache: Cache = None,
    dry_run: DryRun = False,
    workers: Workers = None,
    executor: ExecutorOption = ExecutorName.LOCAL,
    address: Address = None,
    gpu_share: GpuShare = None,
    together: TogetherOption = 1,
    tensorboard: TensorBoard = None,
) -> None:
    """Put a paper's tables beside ours: by its own, leaky protocol, and by an honest one.

    What is finished is skipped: after Ctrl-C the same command goes on.

    Example: rtaffect-offline reproduce prior-dfcn --data /data/deap --dry-run
    """
    from offline.report.gather import gather
    from offline.report.write import write_report
    from offline.reproduce.compare import compare
    from offline.reproduce.page import write_comparison
    from offline.reproduce.papers import PAPERS
    from offline.reproduce.sweeps import chosen_recipes, quick_changes

    console = Console(soft_wrap=True)
    wanted = PAPERS[paper]
    place = f"dataset.path={data.absolute()}"
    made = list(changes or ())
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
    flags = ["--quick"] * quick + [f"--variant={name}" for name in variant or ()]
    command = shlex.join(
        ["rtaffect-offline", "reproduce", paper, "--data", str(data), *flags, *made]
    )
    by_protocol, altered = [], list(made)
    for path in (wanted.paper_sweep, wanted.honest_sweep):
        faster = quick_changes(path, [place, *made]) if quick else []
        altered += [change for change in faster if change not in altered]
        recipes = chosen_recipes(path, changes=[place, *faster, *made], variants=variant or ())
        study = run_recipes(
            path.stem, recipes, options, command=command, console=console, dry_run=dry_run
        )
        by_protocol.append([] if study is None else gather([study], cache=None))
    if dry_run:
        return
    by_paper, honest = by_protocol
    folder = out or runs / paper
    page = write_comparison(
        wanted,
        compare(wanted, by_paper, honest),
        by_paper=by_paper,
        honest=honest,
        changes=altered,
        out=folder,
    )
    report = write_report([*honest, *by_paper], folder)
    console.print(f"{page}\n{report}", markup=False, highlight=False)
