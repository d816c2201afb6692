"""A head in millimetres: where the mesh's 468 points lie on an average, symmetric face.

Axes as of the camera that the head looks into: x to the right of the picture, y down, z away from
the camera. The origin lies between eyes, nose tip and mouth. The table was made by
``tools/make_head_model.py`` from meshes that the landmark network itself gave, scaled to a distance
of 63 mm between the eyes (the mean of adults, Dodgson 2004, doi:10.1117/12.529999).
"""

from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

N_POINTS = 468

STABLE = (
    *(168, 6, 197, 195, 8, 9, 151, 10, 67, 297, 109, 338, 103, 332, 54, 284, 69, 299),
    *(21, 251, 162, 389, 127, 356, 234, 454, 227, 447, 143, 372),
    *(33, 133, 362, 263, 130, 359, 193, 417, 122, 351),
    *(4, 1, 2, 98, 327),
)
"""Points that expressions hardly move: bridge of the nose, forehead, temples, corners of the eyes,
and the nose's tip and base, which hold a pose against turning up and down."""

ORIGIN = (33, 133, 362, 263, 1, 61, 291)
"""Corners of the eyes, tip of the nose, corners of the mouth: the origin is their mean."""


@dataclass(frozen=True, slots=True, eq=False)
class HeadModel:
    """The average head.

    Parameters
    ----------
    points : ndarray of float64, shape (468, 3)
        In millimetres.
    mirror : ndarray of int64, shape (468,)
        The point on the other side of the face.
    """

    points: Floats
    mirror: npt.NDArray[np.int64]


@cache
def head_model() -> HeadModel:
    """Return the head that is shipped."""
    text = resources.files("rtaffect.face").joinpath("head_model.tsv").read_text("utf-8")
    rows = np.array([line.split("\t") for line in text.splitlines()[1:]], dtype=np.float64)
    return HeadModel(np.ascontiguousarray(rows[:, 2:5]), rows[:, 1].astype(np.int64))


def similarity(points: Floats, to: Floats) -> tuple[float, Floats, Floats]:
    """Return scale, rotation and shift that move points onto others (Umeyama 1991).

    Parameters
    ----------
    points, to : ndarray, shape (n_points, 3)
        What is moved, and onto what.

    Returns
    -------
    scale : float
        Factor.
    rotation : ndarray, shape (3, 3)
        ``scale * points @ rotation.T + shift`` comes closest to `to`.
    shift : ndarray, shape (3,)
        See `rotation`.
    """
    mean, mean_to = points.mean(axis=0), to.mean(axis=0)
    centred = points - mean
    u, sizes, vt = np.linalg.svd((to - mean_to).T @ centred)
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = (u * signs) @ vt
    scale = float((sizes * signs).sum() / (centred**2).sum())
    return scale, rotation, mean_to - scale * rotation @ mean
