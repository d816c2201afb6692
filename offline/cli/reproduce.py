"""``rtaffect-offline reproduce``: a paper's tables beside ours."""

import shlex
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

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
from rtaffect.core.errors import ConfigError

if TYPE_CHECKING:  # it loads torch
    from offline.recipe import Recipe


class PaperName(StrEnum):
    """Whose tables."""

    MTCNN = "mtcnn"
    PRIOR_DFCN = "prior-dfcn"
    ASB = "asb"
    ASB_STUDYFORREST = "asb-studyforrest"
    CNN3D = "cnn3d"
    CNN3D_SIMULATED = "cnn3d-simulated"


def reproduce(
    paper: Annotated[PaperName, typer.Argument(help="Whose tables.")],
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of the data, see `data ls`; only --dry-run goes without."),
    ] = None,
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
    from offline.reproduce.paper import Reproduced
    from offline.reproduce.papers import PAPERS
    from offline.reproduce.sweeps import chosen_recipes, quick_changes

    console = Console(soft_wrap=True)
    wanted = PAPERS[paper]
    if data is None and wanted.data:
        if quick or not dry_run:
            msg = (
                f"reproduce {paper} needs --data FOLDER, {wanted.data} "
                f"(see `rtaffect-offline data ls`).{_stand_in(paper)}"
            )
            raise ConfigError(msg)
        leaky, sound = (
            chosen_recipes(path, changes=changes or (), variants=variant or ())
            for path in (wanted.paper_sweep, wanted.honest_sweep)
        )
        console.print(_runs_table(leaky, sound))
        console.print("How many folds there are, and which are done, is said with --data.")
        return
    place = [f"dataset.path={data.absolute()}"] if data is not None else []
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
    where = ["--data", str(data)] if data is not None else []
    flags = ["--quick"] * quick + [f"--variant={name}" for name in variant or ()]
    command = shlex.join(["rtaffect-offline", "reproduce", paper, *where, *flags, *made])
    by_protocol, altered = [], list(made)
    for path in (wanted.paper_sweep, wanted.honest_sweep):
        faster = quick_changes(path, [*place, *made]) if quick else []
        altered += [change for change in faster if change not in altered]
        recipes = chosen_recipes(path, changes=[*place, *faster, *made], variants=variant or ())
        study = run_recipes(
            path.stem, recipes, options, command=command, console=console, dry_run=dry_run
        )
        by_protocol.append([] if study is None else gather([study], cache=None))
    if dry_run:
        return
    by_paper, honest = by_protocol
    folder = out or runs / paper
    folder.mkdir(parents=True, exist_ok=True)
    found = Reproduced(
        by_paper=by_paper,
        honest=honest,
        runs=runs,
        cache=(cache or runs / "features").absolute(),
        out=folder,
    )
    page = write_comparison(
        wanted,
        compare(wanted, by_paper, honest),
        by_paper=by_paper,
        honest=honest,
        changes=altered,
        out=folder,
        more=[section for more in wanted.more for section in more(found)],
    )
    report = write_report([*honest, *by_paper], folder)
    console.print(f"{page}\n{report}", markup=False, highlight=False)


def _stand_in(paper: str) -> str:
    """Return which of the papers needs no data and stands in for this one; "" for none."""
    from offline.reproduce.papers import PAPERS

    name = f"{paper}-simulated"
    if name not in PAPERS:
        return ""
    return f" `rtaffect-offline reproduce {name}` needs none: nobody was measured there."


def _runs_table(leaky: "Mapping[str, Recipe]", sound: "Mapping[str, Recipe]") -> Table:
    """Return what can be known of runs without their data, a line for each variant."""
    table = Table("variant", "model", "answers", "paper's protocol, LEAKY", "honest protocol")
    for name in dict.fromkeys((*leaky, *sound)):
        recipe = leaky.get(name) or sound[name]
        table.add_row(
            escape(name),
            recipe.model.kind,
            ", ".join(recipe.targets) or "all",
            *(_protocol(recipes.get(name)) for recipes in (leaky, sound)),
        )
    return table


def _protocol(recipe: "Recipe | None") -> str:
    if recipe is None:
        return "-"
    settings = recipe.protocol.model_dump(mode="json", exclude={"kind", "validation_share"})
    words = [recipe.protocol.kind, *(f"{key}={value}" for key, value in settings.items())]
    chooses = ["(the tested set chooses the epoch)"] * bool(recipe.training.paper_protocol)
    return " ".join([*words, *chooses])
