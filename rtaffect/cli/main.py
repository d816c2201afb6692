"""The program ``rtaffect``: its verbs, how it fails, and how it stops.

Each verb is one file that imports what it needs when it runs, so that ``rtaffect --help`` answers
at once.
"""

import logging
import os
import sys
from typing import Any, ClassVar

from rtaffect.cli import (
    baseline,
    bundle,
    demo,
    doctor,
    face,
    init,
    keys,
    listen,
    live,
    replay,
    scanner,
    simulate,
    streams,
)
from rtaffect.program import DEBUG, Debug, Program, Version, open_program, use_one_thread_each

# The matrices here are small, and threads that spin cost more than they bring. Nothing above loads
# a library of linear algebra; a lab's own setting stays.
use_one_thread_each()


class _Program(Program):
    """Takes ``--debug`` anywhere on the line."""

    logs: ClassVar = {
        "level": logging.DEBUG,
        "format": "%(relativeCreated)d %(name)s %(message)s",
    }
    how_to_debug = "with --debug"

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take ``--debug`` out of the arguments, wherever it stands before a ``--``."""
        end = args.index("--") if "--" in args else len(args)
        if "--debug" in args[:end]:
            args = [arg for i, arg in enumerate(args) if i >= end or arg != "--debug"]
            os.environ[DEBUG] = "1"
        return super().parse_args(ctx, args)


app = open_program("rtaffect", group=_Program)

RUN, LOOK, SET_UP = "Run", "Look", "Set up"

app.command(rich_help_panel=RUN)(demo.demo)
app.command(rich_help_panel=RUN)(live.live)
app.command(rich_help_panel=RUN)(replay.replay)
app.command(rich_help_panel=RUN)(baseline.baseline)
app.command(rich_help_panel=RUN)(scanner.scanner)
app.command(rich_help_panel=RUN)(face.face)
app.command(rich_help_panel=RUN)(simulate.simulate)
app.command(rich_help_panel=LOOK)(streams.streams)
app.command(rich_help_panel=LOOK)(listen.listen)
app.command(rich_help_panel=LOOK)(doctor.doctor)
app.command(rich_help_panel=SET_UP)(init.init)
app.command(rich_help_panel=SET_UP)(keys.keys)
app.add_typer(bundle.app, name="bundle", rich_help_panel=SET_UP)


@app.callback()
def program(version: Version = False, debug: Debug = False) -> None:
    """Valence, arousal and emotions from EEG, face and fMRI, while a session runs.

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
