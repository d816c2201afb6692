"""How a program of ours fails, stops and is debugged; what its verbs are, it says itself."""

import logging
import os
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import typer
from typer.core import TyperGroup

from rtaffect.core.errors import RtaffectError
from rtaffect.text import printable
from rtaffect.version import __version__

DEBUG = "RTAFFECT_DEBUG"
"""Environment variable that does what ``--debug`` does."""

INTERRUPTED = 130


class Program(TyperGroup):
    """Turns errors into a few lines and an exit code."""

    logs: ClassVar[Mapping[str, Any]]
    """What ``logging.basicConfig`` is given with ``--debug``."""

    how_to_debug: ClassVar[str]
    """Ends "Run it again ..." where the fault is ours."""

    def invoke(self, ctx: Any) -> Any:
        """Run the verb."""
        if ctx.params.get("debug") or os.environ.get(DEBUG):
            logging.basicConfig(**self.logs)
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
                f"Fault in {self.name}:",
                f"{type(error).__name__}: {error}\n"
                f"This should not happen. Run it again {self.how_to_debug} and report what it "
                "prints.",
            )
        raise typer.Exit(1)


def _complain(heading: str, text: str) -> None:
    from rich.console import Console

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(heading, style="bold red", end=" ")
    console.print("\n".join(map(printable, text.splitlines())), markup=False)


def open_program(name: str, *, group: type[Program]) -> typer.Typer:
    """Return a program without verbs."""
    return typer.Typer(
        name=name,
        cls=group,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def _tell_version(ctx: typer.Context, wanted: bool) -> None:
    if wanted:
        typer.echo(f"{ctx.command.name} {__version__}")
        raise typer.Exit


Version = Annotated[
    bool,
    typer.Option("--version", callback=_tell_version, is_eager=True, help="Print the version."),
]
Debug = Annotated[
    bool, typer.Option("--debug", help=f"Show tracebacks and log lines (also {DEBUG}=1).")
]


def use_one_thread_each() -> None:
    """Keep linear algebra to one thread, unless the environment says otherwise.

    The libraries look at it when they load: call it before anything loads numpy.
    """
    for library in ("OPENBLAS", "OMP", "MKL", "VECLIB_MAXIMUM"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
