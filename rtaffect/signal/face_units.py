"""Units of facial features: positions to millimetres, rotations to radians, as OpenFace has them.

Other tools stream degrees or centimetres; what they declare is converted, and what they do not
declare the session file can correct (``streams: face: factors``).
"""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from rtaffect.core.errors import UnitError
from rtaffect.core.streams import StreamInfo

MILLIMETRES: Mapping[str, float] = MappingProxyType(
    {
        **dict.fromkeys(("mm", "millimetre", "millimetres", "millimeter", "millimeters"), 1.0),
        **dict.fromkeys(("cm", "centimetre", "centimetres", "centimeter", "centimeters"), 10.0),
        **dict.fromkeys(("m", "metre", "metres", "meter", "meters"), 1000.0),
    }
)
"""Millimetres in one of each."""

RADIANS: Mapping[str, float] = MappingProxyType(
    {
        **dict.fromkeys(("rad", "radian", "radians"), 1.0),
        **dict.fromkeys(("deg", "degree", "degrees", "\N{DEGREE SIGN}"), math.pi / 180.0),
    }
)
"""Radians in one of each."""

KINDS: Mapping[str, tuple[str, Mapping[str, float]]] = MappingProxyType(
    {"pose_T": ("mm, cm or m", MILLIMETRES), "pose_R": ("rad or deg", RADIANS)}
)
"""How a feature's name begins that has a unit, what it may be, and the factors."""


def face_factors(info: StreamInfo, ch_names: Sequence[str]) -> npt.NDArray[np.float64]:
    """Return what to multiply features with, shape (n_features,).

    Parameters
    ----------
    info : StreamInfo
        The stream. A unit that it does not declare is taken as OpenFace's.
    ch_names : sequence of str
        The features in question; the stream has them all.

    Raises
    ------
    UnitError
        A position or a rotation declares another unit, and the session does not say what it is.
    """
    described = len(info.units) == info.n_channels
    declared = dict(zip(info.ch_names, info.units, strict=True)) if described else {}
    return np.array([_factor(info, name, declared.get(name, "")) for name in ch_names])


def _factor(info: StreamInfo, name: str, unit: str) -> float:
    if name in info.factors:
        return info.factors[name]
    allowed, known = KINDS.get(name[:6], ("", {}))
    spelled = unit.strip().casefold()
    if not spelled or not known:
        return 1.0
    if spelled in known:
        return known[spelled]
    msg = (
        f"{name} of the {info.modality} stream {info.name!r} must be in {allowed}, got {unit!r}. "
        f"Say what to multiply it by (`streams: {info.modality}: factors: {{{name}: 1}}`) to get "
        f"{allowed.partition(' ')[0].rstrip(',')}."
    )
    raise UnitError(msg)
