"""Units of electric potential: every spelling, to microvolts and nothing else."""

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from rtaffect.core.errors import UnitError
from rtaffect.core.streams import StreamInfo

_MICROVOLTS_OF_PREFIX = {"": 1e6, "m": 1e3, "u": 1.0, "n": 1e-3}
_MICRO_SIGNS = str.maketrans({"\N{MICRO SIGN}": "u", "\N{GREEK SMALL LETTER MU}": "u"})
_SYMBOL = re.compile(r"([mun]?)v")
_WORD = re.compile(r"(milli|micro|nano|)[ -]?volts?")
_PREFIX_OF_WORD = {"": "", "milli": "m", "micro": "u", "nano": "n"}


def microvolts_per(unit: str) -> float:
    """Return how many microvolts one `unit` is.

    Parameters
    ----------
    unit : str
        ``"V"``, ``"mV"``, ``"uV"`` (also with either Unicode micro sign), ``"nV"`` or the words
        (``"microvolts"``), in any case except ``"MV"``, which may be millivolts or megavolts.

    Returns
    -------
    float
        Microvolts in one `unit`.

    Raises
    ------
    UnitError
        The spelling is unknown or ambiguous.
    """
    spelled = unit.strip()
    if not spelled:
        msg = "A unit of EEG must be V, mV, uV or nV; got none."
        raise UnitError(msg)
    if spelled.startswith("MV"):
        msg = f"The unit {unit!r} may be millivolts or megavolts: write mV."
        raise UnitError(msg)
    plain = spelled.casefold().translate(_MICRO_SIGNS)
    if symbol := _SYMBOL.fullmatch(plain):
        return _MICROVOLTS_OF_PREFIX[symbol[1]]
    if word := _WORD.fullmatch(plain):
        return _MICROVOLTS_OF_PREFIX[_PREFIX_OF_WORD[word[1]]]
    msg = f"A unit of EEG must be V, mV, uV or nV; got {unit!r}."
    raise UnitError(msg)


def factors_to_microvolts(
    info: StreamInfo, *, used: Sequence[int] | None = None
) -> npt.NDArray[np.float64]:
    """Return what to multiply each channel with to have microvolts.

    Parameters
    ----------
    info : StreamInfo
        The stream.
    used : sequence of int or None
        Indices of the channels in question; None means all. What nobody looks at (a trigger line)
        may have any unit.

    Returns
    -------
    ndarray of float64, shape (n_used,)
        One factor for each entry of `used`, in its order.

    Raises
    ------
    UnitError
        A channel in question declares no unit or one that is not electric potential.
    """
    units = _unit_per_channel(info)
    picks = range(info.n_channels) if used is None else used
    factors = np.empty(len(picks))
    unknown: dict[str, list[str]] = {}
    for i, pick in enumerate(picks):
        try:
            factors[i] = microvolts_per(units[pick])
        except UnitError:
            unknown.setdefault(units[pick], []).append(info.ch_names[pick])
    if unknown:
        got = "; ".join(
            f"{f'unit {unit!r}' if unit else 'no unit'} for {_few(names)}"
            for unit, names in unknown.items()
        )
        key = info.modality
        msg = (
            f"Every channel of stream {info.name!r} must declare V, mV, uV or nV; got {got}. "
            f"Say it in the session file (`streams: {key}: unit: uV`), "
            "after looking up what the amplifier sends."
        )
        raise UnitError(msg)
    return factors


def declare_unit(info: StreamInfo, unit: str) -> StreamInfo:
    """Return the stream with the user's unit where its sender declares none that is usable.

    Parameters
    ----------
    info : StreamInfo
        The stream as its sender describes it.
    unit : str
        The unit from the session file.

    Returns
    -------
    StreamInfo
        The same stream; a channel without a unit, or with one that is no electric potential, has
        `unit`.

    Raises
    ------
    UnitError
        `unit` is not one, or a channel says another.
    """
    try:
        declared = microvolts_per(unit)
    except UnitError as error:
        msg = f"{error} The session file says it (`streams: {info.modality}: unit`)."
        raise UnitError(msg) from None
    units = list(_unit_per_channel(info))
    others: dict[str, list[str]] = {}
    for i, own in enumerate(units):
        try:
            contradicts = microvolts_per(own) != declared
        except UnitError:
            units[i] = unit
            continue
        if contradicts:
            others.setdefault(own, []).append(info.ch_names[i])
    if others:
        said = "; ".join(f"{own!r} for {_few(names)}" for own, names in others.items())
        msg = (
            f"The declared unit {unit!r} must not contradict stream {info.name!r}, "
            f"which says {said}. Remove `streams: {info.modality}: unit` from the session file, "
            "or correct the sender."
        )
        raise UnitError(msg)
    return replace(info, units=tuple(units))


def _unit_per_channel(info: StreamInfo) -> tuple[str, ...]:
    if not info.units:
        return ("",) * info.n_channels
    if len(info.units) != info.n_channels:
        msg = (
            f"Stream {info.name!r} must describe one unit a channel; "
            f"got {len(info.units)} units for {info.n_channels} channels."
        )
        raise UnitError(msg)
    return info.units


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
