"""``rtaffect-offline``: the trainer's command line."""

import os

# One thread each: the matrices are small, participants are simulated in processes side by side, and
# sums that are always split the same way make a run repeatable. The libraries look at these when
# they load; a lab's own setting stays.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from rtaffect.core.errors import ConfigError, RtaffectError
from rtaffect.version import __version__

if TYPE_CHECKING:  # what follows loads torch
    from offline.training import Epoch
    from rtaffect.manifest import Metric

app = typer.Typer(
    help="Train the models that rtaffect runs, and write them as bundles.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"rtaffect-offline {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Train the models that rtaffect runs, and write them as bundles."""


@app.command()
def train(
    recipe: Annotated[Path, typer.Argument(help="A training recipe (YAML), see configs/train/.")],
    out: Annotated[
        Path, typer.Option(help="Folder for the bundles; each gets one of its own in it.")
    ] = Path("runs/bundles"),
    only: Annotated[
        list[str] | None, typer.Option(help="Train this bundle of the recipe alone; repeatable.")
    ] = None,
) -> None:
    """Train every bundle of a recipe and show how well each does on participants it never saw.

    Example: rtaffect-offline train configs/train/prior_dfcn_simulated.yaml --out runs/bundles
    """
    from offline.make import make_bundle
    from offline.recipe import load_recipe

    console = Console()
    settings = load_recipe(recipe)
    names = [wanted.name for wanted in settings.bundles]
    if unknown := set(only or ()) - set(names):
        msg = f"--only must name bundles of {recipe}: {', '.join(names)}; got {sorted(unknown)}."
        raise ConfigError(msg)
    command = shlex.join(["rtaffect-offline", "train", str(recipe)])
    for wanted in settings.bundles:
        if only and wanted.name not in only:
            continue
        console.print(f"[bold]{wanted.title}[/bold] ({wanted.name})")
        with _Screen(console, n_epochs=settings.optimiser.max_epochs) as screen:
            bundle = make_bundle(
                settings, wanted, out / wanted.name, command=command, reporter=screen
            )
        console.print(_results(bundle.manifest.training.metrics))
        console.print(f"{bundle.path}  sha256 {bundle.digest[:12]}\n")


class _Screen:
    """Progress bars of one bundle."""

    def __init__(self, console: Console, *, n_epochs: int) -> None:
        self._bars = Progress(
            TextColumn("{task.description:<14}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
        )
        self._people = self._bars.add_task("participants", total=None, note="")
        self._epochs = self._bars.add_task("epochs", total=n_epochs, note="", start=False)

    def __enter__(self) -> "_Screen":
        self._bars.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._bars.stop()

    def on_participant(self, n_done: int, n_total: int) -> None:
        self._bars.update(self._people, completed=n_done, total=n_total)

    def on_epoch(self, epoch: "Epoch") -> None:
        if epoch.number == 1:
            self._bars.start_task(self._epochs)
        note = f"NLL {epoch.train_nll:.3f} train, {epoch.validation_nll:.3f} validation"
        self._bars.update(self._epochs, completed=epoch.number, note=note)


def _results(metrics: Mapping[str, Mapping[str, "Metric"]]) -> Table:
    """Return the metrics of the held-out participants as a table."""
    table = Table(title="Participants that it never saw", title_justify="left")
    table.add_column("metric")
    for target in metrics:
        table.add_column(f"{target} [95 %]", justify="right")
    for name in next(iter(metrics.values())):
        cells = [_cell(of_target[name]) for of_target in metrics.values()]
        table.add_row(name.replace("_", " "), *cells)
    return table


def _cell(metric: "Metric") -> str:
    if metric.ci_low is None or metric.ci_high is None:
        return f"{metric.value:.3f}"
    return f"{metric.value:.3f} [{metric.ci_low:.3f}, {metric.ci_high:.3f}]"


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line; an error of ours is a few lines on stderr and exit code 1."""
    try:
        app(args)
    except RtaffectError as error:
        Console(stderr=True, soft_wrap=True).print(f"Error: {error}", markup=False)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
