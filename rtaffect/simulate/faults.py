"""Every fault there is, and how a command line writes one.

The form is ``[modality:]name@start[+duration][=amount]``, times in seconds since the start of the
session: ``drop@20+0.5``, ``face:death@30+5``, ``skew@10+60=200``, ``flat@15+10=Cz,Pz``.
"""

import difflib
from collections.abc import Mapping
from dataclasses import fields
from types import MappingProxyType

from rtaffect.core.errors import ConfigError
from rtaffect.simulate.clock_faults import Jitter, Reset, Skew
from rtaffect.simulate.delivery_faults import Burst, Death, Stall
from rtaffect.simulate.fault import Fault
from rtaffect.simulate.fault_text import FaultText, read_fault
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
    read = read_fault(text, describe_faults)
    if read.name not in FAULTS:
        near = difflib.get_close_matches(read.name, FAULTS, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        msg = f"There is no fault {read.name!r} (in {text!r}).{hint}\n{describe_faults()}"
        raise ConfigError(msg)
    kind = FAULTS[read.name]
    arguments: dict[str, object] = {"start_s": read.start_s}
    if read.modality:
        arguments["modality"] = read.modality
    if read.duration_s is not None:
        arguments["duration_s"] = read.duration_s
    if read.amount is not None:
        arguments |= _amount(kind, read)
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


def _amount(kind: type[Fault], read: FaultText) -> dict[str, object]:
    if kind in _AMOUNTS:
        value = read.number()
        if kind is Jitter and value < 0:
            msg = f"Jitter is a number of seconds >= 0, got {read.amount!r} in {read.text!r}."
            raise ConfigError(msg)
        return {_AMOUNTS[kind]: value}
    if issubclass(kind, ChannelFault):
        names = (read.amount or "").split(",")
        return {"channels": tuple(name.strip() for name in names if name.strip())}
    msg = f"This fault takes no amount, got {read.amount!r} in {read.text!r}.\n{describe_faults()}"
    raise ConfigError(msg)
