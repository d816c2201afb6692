"""Progress bars over all units, and a line for whatever a person should know."""

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from offline.runs.messages import Died, EpochEnded, Failed, Finished, Message, Started
from offline.runs.plan import Unit

_SHOWN_UNITS = 16


class Screen:
    """Shows how far all units are; without a terminal, a line for each unit that is done.

    Parameters
    ----------
    console : Console
        Where.
    max_epochs : mapping of Unit to int
        Most epochs that each unit may take; the units are those that are left to do.
    names : mapping of str to str
        What a run is called, by its id.
    """

    def __init__(
        self, console: Console, max_epochs: Mapping[Unit, int], names: Mapping[str, str]
    ) -> None:
        self._console, self._max_epochs, self._names = console, max_epochs, names
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._all = self._bars.add_task("all units", total=sum(max_epochs.values()), note="")
        self._of_unit: dict[Unit, TaskID] = {}
        self._epochs: dict[Unit, int] = {}
        self._finished: set[Unit] = set()
        self._started = time.monotonic()

    def __enter__(self) -> Self:
        self._bars.start()
        self._tell_total()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def hear(self, message: Message) -> None:
        """Show a message."""
        match message:
            case Started(unit=unit):
                self._show(unit)
            case EpochEnded(unit=unit):
                self._epochs[unit] = message.number
                note = (
                    f"epoch {message.number}  NLL {message.train_nll:.3f} train, "
                    f"{message.validation_nll:.3f} validation"
                )
                if unit in self._of_unit:
                    self._bars.update(self._of_unit[unit], completed=message.number, note=note)
            case Finished(unit=unit) if unit not in self._finished:
                self._hide(unit)
                self._epochs[unit] = self._max_epochs[unit]
                self._finished.add(unit)
                if not self._console.is_terminal:
                    seconds = time.monotonic() - self._started
                    done = f"{len(self._finished)} of {len(self._max_epochs)}"
                    line = f"{seconds:7.1f} s  {done}  {self._name(unit)}"
                    self._console.print(line, soft_wrap=True, markup=False, highlight=False)
            case Died():
                self._drop(message.units)
                who = ", ".join(map(self._name, message.units))
                self._console.print(f"{who}: {message.why}; it goes on.", markup=False)
            case Failed():
                self._drop(message.units)
                who = ", ".join(map(self._name, message.units))
                self._console.print(f"{who}: {message.why}", markup=False, style="red")
        self._tell_total()

    def _tell_total(self) -> None:
        note = f"{len(self._finished)} of {len(self._max_epochs)} done"
        self._bars.update(self._all, completed=sum(self._epochs.values()), note=note)

    def _show(self, unit: Unit) -> None:
        if unit not in self._of_unit and len(self._of_unit) < _SHOWN_UNITS:
            self._of_unit[unit] = self._bars.add_task(
                self._name(unit), total=self._max_epochs[unit], note=""
            )

    def _hide(self, unit: Unit) -> None:
        if unit in self._of_unit:
            self._bars.remove_task(self._of_unit.pop(unit))

    def _drop(self, units: tuple[Unit, ...]) -> None:
        """Count units that stopped as if nothing of them were done."""
        for unit in units:
            self._hide(unit)
            self._epochs.pop(unit, None)

    def _name(self, unit: Unit) -> str:
        return f"{self._names.get(unit.run, unit.run)} {unit.fold} seed {unit.seed}"
