"""Where faces are: BlazeFace's short-range network (Bazarevsky et al. 2019, arXiv:1907.05047)."""

import math
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from rtaffect.face.crop import Floats, Image, Square

SIDE = 128
"""Pixels that the network sees."""

GRIDS = ((16, 2), (8, 6))
"""Cells along a side, and guesses a cell: 896 in all."""

FACE_MARGIN = 1.5
"""Side of the square that the mesh network wants, over that of the detected box."""


class Network(Protocol):
    """One of the three networks: a picture in, named arrays out."""

    def run(self, image: npt.NDArray[np.float32]) -> dict[str, npt.NDArray[np.float32]]:
        """Return the outputs by name, without a batch axis.

        Parameters
        ----------
        image : ndarray of float32, shape (side, side, 3)
            RGB, scaled as the network wants it.
        """


@dataclass(frozen=True, slots=True)
class Detection:
    """One face.

    Parameters
    ----------
    square : Square
        What the mesh network is to look at: upright along the line of the eyes.
    score : float
        From 0 to 1.
    """

    square: Square
    score: float


class Detector:
    """Finds the faces in a picture.

    Parameters
    ----------
    network : Network
        BlazeFace, short range.
    min_score : float
        Below it nothing counts as a face.
    max_overlap : float
        Boxes that share more than this of their union are one face.
    """

    def __init__(
        self, network: Network, *, min_score: float = 0.5, max_overlap: float = 0.3
    ) -> None:
        self._network = network
        self._min_score = min_score
        self._max_overlap = max_overlap
        self._anchors = _anchors()

    def find(self, image: Image) -> list[Detection]:
        """Return the faces, the largest first.

        Parameters
        ----------
        image : ndarray of uint8, shape (height, width, 3)
            RGB.
        """
        height, width = image.shape[:2]
        whole = Square((width - 1) / 2, (height - 1) / 2, max(width, height), 0.0)
        small = whole.cut(image, SIDE).astype(np.float32) / 127.5 - 1.0
        outputs = self._network.run(small)
        logits = np.clip(outputs["classificators"][:, 0].astype(np.float64), -80.0, 80.0)
        scores = 1.0 / (1.0 + np.exp(-logits))
        good = scores >= self._min_score
        if not good.any():
            return []
        raw = outputs["regressors"][good].astype(np.float64) / SIDE
        boxes = raw[:, :4].copy()
        boxes[:, :2] += self._anchors[good] - boxes[:, 2:] / 2
        keep = cv2.dnn.NMSBoxes(
            boxes.tolist(), scores[good].tolist(), self._min_score, self._max_overlap
        )
        found = []
        for i in np.asarray(keep, dtype=np.int64).ravel().tolist():
            eyes = raw[i, 4:8].reshape(2, 2) + self._anchors[good][i]
            found.append(Detection(_square(boxes[i], eyes, whole), float(scores[good][i])))
        return sorted(found, key=lambda face: -face.square.side)


def _anchors() -> Floats:
    """Return the centre of each guess's cell in [0, 1], shape (896, 2)."""
    parts = []
    for n_cells, n_guesses in GRIDS:
        centres = (np.arange(n_cells) + 0.5) / n_cells
        y, x = np.meshgrid(centres, centres, indexing="ij")
        parts.append(np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), n_guesses, axis=0))
    return np.concatenate(parts)


def _square(box: Floats, eyes: Floats, whole: Square) -> Square:
    """Return a box of [0, 1] coordinates as a turned square of the picture."""
    (right_x, right_y), (left_x, left_y) = eyes
    corner_x, corner_y = whole.x - whole.side / 2, whole.y - whole.side / 2
    return Square(
        corner_x + (box[0] + box[2] / 2) * whole.side,
        corner_y + (box[1] + box[3] / 2) * whole.side,
        FACE_MARGIN * max(box[2], box[3]) * whole.side,
        math.atan2(left_y - right_y, left_x - right_x),
    )
