"""What goes wrong on the way out of a scanner, and how a command line writes it.

As for streams (`rtaffect.simulate.faults`) the form is ``name@start[+duration][=amount]``, with
times in seconds since the start of the run. A fault befalls the volumes whose acquisition has its
middle in that time: ``drop@20+4``, ``late@30+6=5``, ``nan@10+8=3,7``.
"""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import ClassVar

from rtaffect.core.errors import ConfigError
from rtaffect.simulate.delivery import Delivery
from rtaffect.simulate.fault_text import FaultText, read_fault


@dataclass(frozen=True, slots=True, kw_only=True)
class ScannerFault:
    """Something that goes wrong with some volumes.

    Parameters
    ----------
    start_s, duration_s : float
        Which volumes: those acquired in this time, in seconds since the start of the run.
    """

    needs: ClassVar[str] = ""

    start_s: float
    duration_s: float = 2.0

    def befalls(self, delivery: Delivery) -> bool:
        """Return whether a volume was acquired in the fault's time."""
        return self.start_s <= delivery.middle_s < self.start_s + self.duration_s

    def apply(self, deliveries: Iterator[Delivery]) -> Iterator[Delivery]:
        """Yield the volumes as this fault leaves them."""
        for delivery in deliveries:
            yield self.harmed(delivery) if self.befalls(delivery) else delivery

    def harmed(self, delivery: Delivery) -> Delivery:
        """Return what becomes of a volume."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class NoVoxels(ScannerFault):
    """Voxels, or means of regions, are NaN."""

    needs: ClassVar[str] = "NaN"

    regions: tuple[int, ...] = ()

    def harmed(self, delivery: Delivery) -> Delivery:
        """Return the volume with nothing in some regions, or anywhere."""
        return replace(delivery, missing=self.regions)


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongAffine(ScannerFault):
    """The affine says that the head is elsewhere."""

    needs: ClassVar[str] = "an affine"

    amount_mm: float = 10.0

    def harmed(self, delivery: Delivery) -> Delivery:
        """Return the volume with another affine."""
        return replace(delivery, moved_mm=self.amount_mm)


@dataclass(frozen=True, slots=True, kw_only=True)
class Milliseconds(ScannerFault):
    """The repetition time is in milliseconds where seconds are meant."""

    needs: ClassVar[str] = "a TR of no fixed unit"

    def harmed(self, delivery: Delivery) -> Delivery:
        """Return the volume with a TR a thousand times as long."""
        return replace(delivery, ms=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedShape(ScannerFault):
    """Slices are missing."""

    needs: ClassVar[str] = "a shape in each volume"

    amount_slices: float = 1.0

    def harmed(self, delivery: Delivery) -> Delivery:
        """Return the volume without its uppermost slices."""
        return replace(delivery, n_cut=max(1, int(self.amount_slices)))


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockSkew(ScannerFault):
    """The scanner's clock runs fast for a while and keeps what it gained."""

    needs: ClassVar[str] = "the time of acquisition"

    duration_s: float = 30.0
    amount_ppm: float = 1000.0

    def apply(self, deliveries: Iterator[Delivery]) -> Iterator[Delivery]:
        """Yield the volumes with times of the faster clock."""
        for delivery in deliveries:
            ran_s = min(max(delivery.middle_s - self.start_s, 0.0), self.duration_s)
            off_s = delivery.clock_off_s + ran_s * self.amount_ppm * 1e-6
            yield replace(delivery, clock_off_s=off_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped(ScannerFault):
    """Volumes are lost."""

    def apply(self, deliveries: Iterator[Delivery]) -> Iterator[Delivery]:
        """Yield the other volumes."""
        return (delivery for delivery in deliveries if not self.befalls(delivery))


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubled(ScannerFault):
    """Volumes leave twice."""

    def apply(self, deliveries: Iterator[Delivery]) -> Iterator[Delivery]:
        """Yield each of them, and once more."""
        for delivery in deliveries:
            yield delivery
            if self.befalls(delivery):
                yield replace(delivery, copy=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Swapped(ScannerFault):
    """A volume leaves after the one that follows it."""

    duration_s: float = 4.0

    def apply(self, deliveries: Iterator[Delivery]) -> Iterator[Delivery]:
        """Yield the volumes, each second of them before the one that it follows."""
        held: Delivery | None = None
        for delivery in deliveries:
            if held is None and self.befalls(delivery):
                held = delivery
                continue
            yield delivery
            if held is not None:
                yield replace(held, due_s=max(held.due_s, delivery.due_s))
                held = None
        if held is not None:
            yield held


@dataclass(frozen=True, slots=True, kw_only=True)
class Late(ScannerFault):
    """Volumes leave later than they should, and those after them wait for them."""

    amount_s: float = 3.0

    def harmed(self, delivery: Delivery) -> Delivery:
        """Return the volume with a later time to leave."""
        return replace(delivery, due_s=delivery.due_s + self.amount_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst(ScannerFault):
    """Nothing leaves for a while, then all at once."""

    duration_s: float = 6.0

    def apply(self, deliveries: Iterator[Delivery]) -> Iterator[Delivery]:
        """Yield the volumes; those that would leave meanwhile leave at the end."""
        until_s = self.start_s + self.duration_s
        for delivery in deliveries:
            held = self.start_s <= delivery.due_s < until_s
            yield replace(delivery, due_s=until_s) if held else delivery


SCANNER_FAULTS: Mapping[str, type[ScannerFault]] = MappingProxyType(
    {
        "nan": NoVoxels,
        "affine": WrongAffine,
        "ms": Milliseconds,
        "shape": ChangedShape,
        "skew": ClockSkew,
        "drop": Dropped,
        "duplicate": Doubled,
        "swap": Swapped,
        "late": Late,
        "burst": Burst,
    }
)
"""Every fault by the name that a command line uses, in the order in which they are applied."""

_AMOUNTS: Mapping[type[ScannerFault], str] = {
    WrongAffine: "amount_mm",
    ChangedShape: "amount_slices",
    ClockSkew: "amount_ppm",
    Late: "amount_s",
}


def apply_scanner_faults(
    deliveries: Iterator[Delivery], faults: Sequence[ScannerFault]
) -> Iterator[Delivery]:
    """Send volumes through the faults, in the order of `SCANNER_FAULTS`."""
    order = list(SCANNER_FAULTS.values())
    for fault in sorted(faults, key=lambda fault: order.index(type(fault))):
        deliveries = fault.apply(deliveries)
    return deliveries


def parse_scanner_fault(text: str) -> ScannerFault:
    """Return the fault that a text describes.

    Parameters
    ----------
    text : str
        ``name@start[+duration][=amount]``, with or without ``scanner:`` before it. The amount is
        seconds for late, parts per million for skew, millimetres for affine, slices for shape, and
        numbers of regions for nan.

    Returns
    -------
    ScannerFault
        With the fault's own defaults for what is not said.

    Raises
    ------
    ConfigError
        The text does not follow the form, or there is no such fault.
    """
    read = read_fault(text.removeprefix("scanner:"), describe_scanner_faults)
    if read.name not in SCANNER_FAULTS or read.modality:
        near = difflib.get_close_matches(read.name, SCANNER_FAULTS, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        msg = f"There is no fault {read.name!r} of a scanner (in {text!r}).{hint}\n"
        raise ConfigError(msg + describe_scanner_faults())
    kind = SCANNER_FAULTS[read.name]
    arguments: dict[str, object] = {"start_s": read.start_s}
    if read.duration_s is not None:
        arguments["duration_s"] = read.duration_s
    if read.amount is not None:
        arguments |= _amount(kind, read)
    return kind(**arguments)  # type: ignore[arg-type]


def describe_scanner_faults() -> str:
    """Return one line for every fault of a scanner, with what it takes."""
    lines = []
    for name, kind in SCANNER_FAULTS.items():
        takes = f"scanner:{name}@start+duration"
        if kind in _AMOUNTS:
            takes += f"={getattr(kind(start_s=0.0), _AMOUNTS[kind]):g}"
            takes += f" ({_AMOUNTS[kind].removeprefix('amount_')})"
        elif kind is NoVoxels:
            takes += "=regions"
        summary = (kind.__doc__ or "").splitlines()[0]
        lines.append(f"  {takes:<46}{summary}")
    return "\n".join(["Faults of a scanner:", *lines])


def _amount(kind: type[ScannerFault], read: FaultText) -> dict[str, object]:
    if kind in _AMOUNTS:
        return {_AMOUNTS[kind]: read.number()}
    if kind is NoVoxels:
        words = [word.strip() for word in (read.amount or "").split(",")]
        if words and all(word.isdecimal() and int(word) > 0 for word in words):
            return {"regions": tuple(int(word) for word in words)}
        msg = f"Regions are numbers from 1 on, as nan@10+4=3,7; got {read.amount!r}."
        raise ConfigError(msg)
    msg = f"This fault takes no amount, got {read.amount!r} in {read.text!r}.\n"
    raise ConfigError(msg + describe_scanner_faults())
