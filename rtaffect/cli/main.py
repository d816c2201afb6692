"""The program ``rtaffect``: its verbs, how it fails, and how it stops.

Each verb is one file that imports what it needs when it runs, so that ``rtaffect --help`` answers
at once.
"""

import logging
import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from rtaffect.cli import (
    baseline,
    bundle,
    demo,
    doctor,
    init,
    keys,
    listen,
    live,
    replay,
    simulate,
    streams,
)
from rtaffect.cli.text import printable
from rtaffect.core.errors import RtaffectError
from rtaffect.version import __version__

DEBUG = "RTAFFECT_DEBUG"
"""Environment variable that does what ``--debug`` does."""

INTERRUPTED = 130

# One thread each: the matrices here are small, and threads that spin cost more than they bring. The
# libraries look at these when they load, and nothing above loads them; a lab's own setting stays.
for _library in ("OPENBLAS", "OMP", "MKL", "VECLIB_MAXIMUM"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")


class _Program(TyperGroup):
    """Turns errors into a few lines and an exit code; takes ``--debug`` anywhere on the line."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take ``--debug`` out of the arguments, wherever it stands before a ``--``."""
        end = args.index("--") if "--" in args else len(args)
        if "--debug" in args[:end]:
            args = [arg for i, arg in enumerate(args) if i >= end or arg != "--debug"]
            os.environ[DEBUG] = "1"
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the verb."""
        if os.environ.get(DEBUG):
            logging.basicConfig(
                level=logging.DEBUG, format="%(relativeCreated)d %(name)s %(message)s"
            )
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
                "Fault in rtaffect:",
                f"{type(error).__name__}: {error}\n"
                "This should not happen. Run it again with --debug and report what it prints.",
            )
        raise typer.Exit(1)


def _complain(heading: str, text: str) -> None:
    from rich.console import Console

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(heading, style="bold red", end=" ")
    console.print("\n".join(map(printable, text.splitlines())), markup=False)


app = typer.Typer(
    name="rtaffect",
    cls=_Program,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

RUN, LOOK, SET_UP = "Run", "Look", "Set up"

app.command(rich_help_panel=RUN)(demo.demo)
app.command(rich_help_panel=RUN)(live.live)
app.command(rich_help_panel=RUN)(replay.replay)
app.command(rich_help_panel=RUN)(baseline.baseline)
app.command(rich_help_panel=RUN)(simulate.simulate)
app.command(rich_help_panel=LOOK)(streams.streams)
app.command(rich_help_panel=LOOK)(listen.listen)
app.command(rich_help_panel=LOOK)(doctor.doctor)
app.command(rich_help_panel=SET_UP)(init.init)
app.command(rich_help_panel=SET_UP)(keys.keys)
app.add_typer(bundle.app, name="bundle", rich_help_panel=SET_UP)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"rtaffect {__version__}")
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
    """Valence and arousal from EEG and face, while a session runs.

    Lab Streaming Layer in, estimates over ZeroMQ out. Start here:

      rtaffect demo               a simulated participant, decoded live
      rtaffect streams            what is on the network
      rtaffect init session.yaml  a session file for it
      rtaffect live session.yaml  decode it
      rtaffect replay FILE        decode a recording

    For research; not a medical device.
    """


def main() -> None:
    """Run the program."""
    sys.exit(app())
