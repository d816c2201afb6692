"""Action units from the geometry of a face: how far its points moved, in the head's own frame.

An intensity is ``gain * (distance - the person's neutral distance)`` in millimetres, less a dead
zone, held within 0 to 5 (the range of OpenFace's ``AU.._r``). It is geometry, not a network trained
on coded faces: only its course is comparable with OpenFace's, not its level. `RELIABILITY` says
which units follow OpenFace's course well and which do not.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from rtaffect.face.head_model import STABLE, Floats, head_model, similarity

AU_METHOD = "geometry"
"""What a stream's description says of how its action units are made."""

RELIABILITY: Mapping[str, str] = MappingProxyType(
    {
        "A": "AU06_r AU12_r AU25_r AU45_r",
        "B": "AU01_r AU02_r AU09_r AU10_r AU14_r AU26_r",
        "C": "AU04_r AU05_r AU07_r AU15_r AU17_r AU20_r AU23_r",
    }
)
"""A follows OpenFace closely, B partly, C hardly."""

Measure = Callable[[Floats], float]
"""Points in the head's frame (mm, (n_points, 3)) -> a distance in mm that grows with the unit."""


@dataclass(frozen=True, slots=True)
class ActionUnit:
    """One unit.

    Parameters
    ----------
    measure : callable
        What moves.
    gain : float
        Intensity a millimetre, such that a broad posed smile reaches about 4 and no unit its limit.
    dead_mm : float
        Movement that counts as none: the landmarks' own tremor.
    """

    measure: Measure
    gain: float
    dead_mm: float = 0.3


def in_head_frame(points: Floats) -> Floats:
    """Return a mesh in the head's own frame, in millimetres.

    Parameters
    ----------
    points : ndarray, shape (>= 468, 3)
        x, y in pixels and relative depth.

    Returns
    -------
    ndarray of float64, shape (468, 3)
        Turned, scaled and moved so that what expressions do not move lies on the head model.
    """
    model = head_model().points
    mesh = points[: len(model)]
    scale, rotation, shift = similarity(mesh[list(STABLE)], model[list(STABLE)])
    return np.asarray(scale * mesh @ rotation.T + shift)


def distances(head: Floats) -> Floats:
    """Return what each unit measures, shape (17,), in mm; `head` as from `in_head_frame`."""
    return np.array([unit.measure(head) for unit in UNITS.values()])


def intensities(measured: Floats, neutral: Floats) -> Floats:
    """Return intensities from 0 to 5.

    Parameters
    ----------
    measured, neutral : ndarray, shape (17,)
        `distances` now, and of the person at rest.
    """
    moved = np.maximum(measured - neutral - _DEAD_MM, 0.0)
    return np.asarray(np.clip(_GAINS * moved, 0.0, 5.0))


def _height(points: Floats, at: tuple[int, ...], over: tuple[int, ...]) -> float:
    """Return how far points lie above others (y runs down)."""
    return float(points[list(over), 1].mean() - points[list(at), 1].mean())


def _apart(points: Floats, a: int, b: int) -> float:
    return float(np.linalg.norm(points[a] - points[b]))


_EYE_CORNERS = (33, 133, 362, 263)
_UPPER_LIDS, _LOWER_LIDS = (158, 159, 160, 385, 386, 387), (144, 145, 153, 373, 374, 380)


def _opening(points: Floats) -> float:
    return _height(points, _UPPER_LIDS, _LOWER_LIDS)


def _mouth_width(points: Floats) -> float:
    return _apart(points, 61, 291)


def _corner_lift(points: Floats) -> float:
    """Return how high the corners of the mouth stand below the base of the nose (negative)."""
    return _height(points, (61, 291), (2,))


def _lips_apart(points: Floats) -> float:
    return _height(points, (13, 82, 312), (14, 87, 317))


def _brow_distance(points: Floats) -> float:
    return _apart(points, 55, 285)


UNITS: Mapping[str, ActionUnit] = MappingProxyType(
    {
        # Inner and outer brow raiser, brow lowerer.
        "AU01_r": ActionUnit(lambda p: _height(p, (55, 107, 285, 336), (133, 362)), 0.6),
        "AU02_r": ActionUnit(lambda p: _height(p, (46, 70, 63, 276, 300, 293), (33, 263)), 0.6),
        "AU04_r": ActionUnit(
            lambda p: (
                -_height(p, (55, 107, 66, 285, 336, 296), _EYE_CORNERS) - 0.5 * _brow_distance(p)
            ),
            0.7,
        ),
        # Upper lid raiser, cheek raiser, lid tightener.
        "AU05_r": ActionUnit(lambda p: _height(p, _UPPER_LIDS, _EYE_CORNERS), 1.5),
        "AU06_r": ActionUnit(lambda p: _height(p, (50, 101, 205, 280, 330, 425), (2,)), 1.5),
        "AU07_r": ActionUnit(lambda p: _height(p, _LOWER_LIDS, _EYE_CORNERS), 1.5),
        # Nose wrinkler, upper lip raiser.
        "AU09_r": ActionUnit(lambda p: _height(p, (48, 64, 278, 294), (168,)), 0.5),
        "AU10_r": ActionUnit(lambda p: _height(p, (0, 37, 267, 39, 269), (2,)), 0.7),
        # Lip corner puller, dimpler, lip corner depressor.
        "AU12_r": ActionUnit(lambda p: _corner_lift(p) + 0.5 * _mouth_width(p), 0.3),
        "AU14_r": ActionUnit(
            lambda p: 0.5 * _mouth_width(p) - 0.5 * _height(p, (0,), (17,)) - _lips_apart(p), 0.5
        ),
        "AU15_r": ActionUnit(lambda p: -_corner_lift(p) - _lips_apart(p), 0.6),
        # Chin raiser, lip stretcher, lip tightener.
        "AU17_r": ActionUnit(lambda p: _height(p, (17, 18, 200), (2,)), 0.6),
        "AU20_r": ActionUnit(lambda p: 0.5 * _mouth_width(p) - 0.5 * _corner_lift(p), 0.3),
        "AU23_r": ActionUnit(lambda p: -_height(p, (0,), (13,)) - _height(p, (14,), (17,)), 0.9),
        # Lips part, jaw drop, blink.
        "AU25_r": ActionUnit(_lips_apart, 0.3, 0.5),
        "AU26_r": ActionUnit(lambda p: -_height(p, (152, 148, 377), (2,)), 0.35, 0.5),
        "AU45_r": ActionUnit(lambda p: -_opening(p), 0.8, 0.5),
    }
)
"""The 17 units in OpenFace's order."""

_GAINS = np.array([unit.gain for unit in UNITS.values()])
_DEAD_MM = np.array([unit.dead_mm for unit in UNITS.values()])
