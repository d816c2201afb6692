"""How a command line writes a fault: ``[modality:]name@start[+duration][=amount]``."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from rtaffect.core.errors import ConfigError

_FORM = "[modality:]name@start[+duration][=amount], for example drop@20+0.5 or flat@15+10=Cz,Pz"
_TEXT = re.compile(
    r"(?:(?P<modality>\w+):)?(?P<name>\w+)@(?P<start>[^+=]+)"
    r"(?:\+(?P<duration>[^=]+))?(?:=(?P<amount>.*))?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultText:
    """The parts of a fault's text; what was not written is None, a modality "".

    Parameters
    ----------
    text : str
        All of it.
    modality, name : str
        Of which stream, and which fault.
    start_s, duration_s : float
        In seconds.
    amount : str or None
        As it was written.
    """

    text: str
    modality: str
    name: str
    start_s: float
    duration_s: float | None
    amount: str | None

    def number(self) -> float:
        """Return the amount as a finite number."""
        value = _number(self.amount or "")
        if not math.isfinite(value):
            msg = f"The amount of a fault is a number, got {self.amount!r} in {self.text!r}."
            raise ConfigError(msg)
        return value


def read_fault(text: str, describe: Callable[[], str]) -> FaultText:
    """Return the parts of a fault's text.

    Parameters
    ----------
    text : str
        The text.
    describe : callable
        Lists the faults that there are, for those who wrote it wrong.

    Raises
    ------
    ConfigError
        It does not follow the form, or a time is none.
    """
    match = _TEXT.fullmatch(text.strip())
    if match is None:
        msg = f"A fault is written {_FORM}; got {text!r}.\n{describe()}"
        raise ConfigError(msg)
    duration = match["duration"]
    return FaultText(
        text=text,
        modality=match["modality"] or "",
        name=match["name"],
        start_s=_seconds(match["start"], "start", text),
        duration_s=None if duration is None else _seconds(duration, "duration", text),
        amount=match["amount"],
    )


def _seconds(text: str, what: str, fault: str) -> float:
    value = _number(text)
    if not 0 <= value < math.inf:
        msg = f"The {what} of a fault is a number of seconds >= 0, got {text!r} in {fault!r}."
        raise ConfigError(msg)
    return value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
