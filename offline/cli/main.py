"""The program ``rtaffect-offline``: its verbs, how it fails, and how it stops.

Each verb is one file that imports what it needs when it runs, so that ``rtaffect-offline --help``
answers at once.
"""

import logging
import os
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from offline.cli import audit, data, evaluate, export, report, reproduce, sweep, train
from rtaffect.core.errors import RtaffectError
from rtaffect.version import __version__

DEBUG = "RTAFFECT_DEBUG"
"""Environment variable that does what ``--debug`` does."""

INTERRUPTED = 130

# One thread each: the matrices are small, units are trained in processes side by side, and sums
# that are always split the same way make a run repeatable. The libraries look at these when they
# load, and nothing above loads them; a lab's own setting stays.
for _library in ("OPENBLAS", "OMP", "MKL", "VECLIB_MAXIMUM"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")


class _Program(TyperGroup):
    """Turns errors into a few lines and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the verb."""
        if ctx.params.get("debug") or os.environ.get(DEBUG):
            logging.basicConfig(level=logging.INFO)
            return super().invoke(ctx)
        try:
            return super().invoke(ctx)
        except RtaffectError as error:
            _complain("Error:", str(error))
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
        except (typer.Exit, typer.Abort, typer.TyperException, BrokenPipeError):
            raise
        except OSError as error:
            _complain("Error:", f"The system refuses: {error}")
        except Exception as error:  # noqa: BLE001 - a fault of ours, told in words
            _complain(
                "Fault in rtaffect-offline:",
                f"{type(error).__name__}: {error}\n"
                "This should not happen. Run it again with --debug first (rtaffect-offline --debug "
                "...) and report what it prints.",
            )
        raise typer.Exit(1)


def _complain(heading: str, text: str) -> None:
    from rich.console import Console

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(heading, style="bold red", end=" ")
    console.print(text, markup=False)


app = typer.Typer(
    name="rtaffect-offline",
    cls=_Program,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

TRAIN, JUDGE, DATA = "Train", "Judge", "Data"

app.command(rich_help_panel=TRAIN)(train.train)
app.command(rich_help_panel=TRAIN)(sweep.sweep)
app.command(rich_help_panel=TRAIN)(export.export)
app.command(rich_help_panel=JUDGE)(audit.audit)
app.command(rich_help_panel=JUDGE)(evaluate.evaluate)
app.command(rich_help_panel=JUDGE)(report.report)
app.command(rich_help_panel=JUDGE)(reproduce.reproduce)
app.add_typer(data.app, name="data", rich_help_panel=DATA)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"rtaffect-offline {__version__}")
        raise typer.Exit


@app.callback()
def program(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show tracebacks and log lines (also RTAFFECT_DEBUG=1).")
    ] = False,
) -> None:
    """Train the models that rtaffect runs, judge them honestly, and write them as bundles.

    Start here:

      rtaffect-offline data ls             which data sets are read
      rtaffect-offline audit RECIPE.yaml   whether its protocol leaks
      rtaffect-offline train RECIPE.yaml   train it, fold by fold (--dry-run: only show the plan)
      rtaffect-offline report runs         tables and figures of what is finished
      rtaffect-offline export runs/RUN     a bundle for `rtaffect live`

    For research; not a medical device.
    """


def main(args: Sequence[str] | None = None) -> None:
    """Run the program; an error of ours is a few lines on stderr and exit code 1."""
    app(args)
