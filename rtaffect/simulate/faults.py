"""Every fault there is, and how a command line writes one.

The form is ``[modality:]name@start[+duration][=amount]``, times in seconds since the start of the
session: ``drop@20+0.5``, ``face:death@30+5``, ``skew@10+60=200``, ``flat@15+10=Cz,Pz``.
"""

import difflib
import math
import re
from collections.abc import Mapping
from dataclasses import fields
from types import MappingProxyType

from rtaffect.core.errors import ConfigError
from rtaffect.simulate.clock_faults import Jitter, Reset, Skew
from rtaffect.simulate.delivery_faults import Burst, Death, Stall
from rtaffect.simulate.fault import Fault
from rtaffect.simulate.sample_faults import (
    Absent,
    ChannelFault,
    Drop,
    Flat,
    Hum,
    NotANumber,
    Rail,
)

FAULTS: Mapping[str, type[Fault]] = MappingProxyType(
    {
        "drop": Drop,
        "burst": Burst,
        "jitter": Jitter,
        "skew": Skew,
        "reset": Reset,
        "death": Death,
        "stall": Stall,
        "flat": Flat,
        "nan": NotANumber,
        "rail": Rail,
        "hum": Hum,
        "absent": Absent,
    }
)
"""Every fault by the name that a command line uses."""

_AMOUNTS: Mapping[type[Fault], str] = {Jitter: "amount_s", Reset: "amount_s", Skew: "amount_ppm"}
_FORM = "[modality:]name@start[+duration][=amount], for example drop@20+0.5 or flat@15+10=Cz,Pz"
_TEXT = re.compile(
    r"(?:(?P<modality>\w+):)?(?P<name>\w+)@(?P<start>[^+=]+)"
    r"(?:\+(?P<duration>[^=]+))?(?:=(?P<amount>.*))?"
)


def parse_fault(text: str) -> Fault:
    """Return the fault that a text describes.

    Parameters
    ----------
    text : str
        ``[modality:]name@start[+duration][=amount]``; without a modality it befalls the EEG (the
        face where the fault is a face's). The amount is seconds for jitter and reset, parts per
        million for skew, channel names for flat, nan, rail and hum.

    Returns
    -------
    Fault
        With the fault's own defaults for what is not said.

    Raises
    ------
    ConfigError
        If the text does not follow the form, or no such fault, stream or channel exists; it lists
        those that do.
    """
    match = _TEXT.fullmatch(text.strip())
    if match is None:
        msg = f"A fault is written {_FORM}; got {text!r}.\n{describe_faults()}"
        raise ConfigError(msg)
    name = match["name"]
    if name not in FAULTS:
        near = difflib.get_close_matches(name, FAULTS, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        msg = f"There is no fault {name!r} (in {text!r}).{hint}\n{describe_faults()}"
        raise ConfigError(msg)
    kind = FAULTS[name]
    arguments: dict[str, object] = {"start_s": _seconds(match["start"], "start", text)}
    if match["modality"]:
        arguments["modality"] = match["modality"]
    if match["duration"] is not None:
        arguments["duration_s"] = _seconds(match["duration"], "duration", text)
    if match["amount"] is not None:
        arguments |= _amount(kind, match["amount"], text)
    return kind(**arguments)  # type: ignore[arg-type]


def describe_faults() -> str:
    """Return one line for every fault there is, with what it takes."""
    lines = []
    for name, kind in FAULTS.items():
        default = {field.name: field.default for field in fields(kind)}
        takes = f"{name}@start+duration"
        if kind in _AMOUNTS:
            amount = _AMOUNTS[kind]
            takes += f"={default[amount]:g} ({'ppm' if amount.endswith('ppm') else 's'})"
        elif issubclass(kind, ChannelFault):
            takes += "=channels"
        summary = (kind.__doc__ or "").splitlines()[0]
        lines.append(f"  {takes:<34}{summary}")
    return "\n".join(["Faults:", *lines])


def _seconds(text: str, what: str, fault: str) -> float:
    value = _number(text)
    if not 0 <= value < math.inf:
        msg = f"The {what} of a fault is a number of seconds >= 0, got {text!r} in {fault!r}."
        raise ConfigError(msg)
    return value


def _amount(kind: type[Fault], text: str, fault: str) -> dict[str, object]:
    if kind in _AMOUNTS:
        value = _number(text)
        if not math.isfinite(value):
            msg = f"The amount of a fault is a number, got {text!r} in {fault!r}."
            raise ConfigError(msg)
        if kind is Jitter and value < 0:
            msg = f"Jitter is a number of seconds >= 0, got {text!r} in {fault!r}."
            raise ConfigError(msg)
        return {_AMOUNTS[kind]: value}
    if issubclass(kind, ChannelFault):
        return {"channels": tuple(name.strip() for name in text.split(",") if name.strip())}
    msg = f"This fault takes no amount, got {text!r} in {fault!r}.\n{describe_faults()}"
    raise ConfigError(msg)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
