"""The program ``rtaffect-offline``: its verbs, how it fails, and how it stops.

Each verb is one file that imports what it needs when it runs, so that ``rtaffect-offline --help``
answers at once.
"""

import logging
from collections.abc import Sequence
from typing import ClassVar

from offline.cli import audit, data, evaluate, export, report, reproduce, sweep, train
from rtaffect.program import Debug, Program, Version, open_program, use_one_thread_each

# The matrices are small, units are trained in processes side by side, and sums that are always
# split the same way make a run repeatable. Nothing above loads a library of linear algebra; a lab's
# own setting stays.
use_one_thread_each()


class _Program(Program):
    logs: ClassVar = {"level": logging.INFO}
    how_to_debug = "with --debug first (rtaffect-offline --debug ...)"


app = open_program("rtaffect-offline", group=_Program)

TRAIN, JUDGE, DATA = "Train", "Judge", "Data"

app.command(rich_help_panel=TRAIN)(train.train)
app.command(rich_help_panel=TRAIN)(sweep.sweep)
app.command(rich_help_panel=TRAIN)(export.export)
app.command(rich_help_panel=JUDGE)(audit.audit)
app.command(rich_help_panel=JUDGE)(evaluate.evaluate)
app.command(rich_help_panel=JUDGE)(report.report)
app.command(rich_help_panel=JUDGE)(reproduce.reproduce)
app.add_typer(data.app, name="data", rich_help_panel=DATA)


@app.callback()
def program(version: Version = False, debug: Debug = False) -> None:
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
