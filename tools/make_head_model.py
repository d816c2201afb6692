#!/usr/bin/env python3
"""Make the average head (``rtaffect/face/head_model.tsv``) from clips of faces.

    tools/make_head_model.py clip.mp4 another.mov

Each clip's meshes are laid over each other (similarity), their median taken, the clips averaged,
made symmetric and scaled to 63 mm between the eyes.
"""

import sys
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from rtaffect.face.backends import open_landmarker
from rtaffect.face.head_model import N_POINTS, ORIGIN, similarity

OUT = Path(__file__).resolve().parents[1] / "rtaffect" / "face" / "head_model.tsv"
EYES_MM = 63.0
ROUNDS = 10

Floats = npt.NDArray[np.float64]


def meshes(path: Path) -> list[Floats]:
    """Return the mesh of every picture with a face, in pixels."""
    landmarker = open_landmarker()
    video = cv2.VideoCapture(str(path))
    found: list[Floats] = []
    while True:
        ok, image = video.read()
        if not ok:
            return found
        landmarks = landmarker.find(np.ascontiguousarray(image[:, :, ::-1]))
        if landmarks is not None:
            found.append(landmarks.points[:N_POINTS])


def over(points: Floats, to: Floats) -> Floats:
    """Return points laid over others."""
    scale, rotation, shift = similarity(points, to)
    return scale * points @ rotation.T + shift


def average(clips: list[list[Floats]]) -> Floats:
    """Return the mean over clips of each clip's median face."""
    medians = []
    for clip in clips:
        middle = clip[0]
        for _ in range(ROUNDS):
            middle = np.median([over(points, middle) for points in clip], axis=0)
        medians.append(middle)
    middle = medians[0]
    for _ in range(ROUNDS):
        middle = np.mean([over(points, middle) for points in medians], axis=0)
    return np.asarray(middle)


def upright(points: Floats) -> Floats:
    """Return the face with its eyes level and its chin below its forehead, around the origin."""
    centred = points - points[list(ORIGIN)].mean(axis=0)
    x = centred[263] + centred[362] - centred[33] - centred[133]
    x /= np.linalg.norm(x)
    y = centred[152] - centred[10]
    y -= (y @ x) * x
    y /= np.linalg.norm(y)
    return np.asarray(centred @ np.stack([x, y, np.cross(x, y)], axis=1))


def symmetric(points: Floats) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Return the face as the mean of itself and its mirror image, and who mirrors whom."""
    flipped = points * [-1.0, 1.0, 1.0]
    distances = ((points[:, None] - flipped[None]) ** 2).sum(axis=2)
    mirror = linear_sum_assignment(distances)[1]
    if (mirror[mirror] != np.arange(N_POINTS)).any():
        sys.exit("The points do not pair up: the clips must show faces from the front.")
    return upright((points + flipped[mirror]) / 2), mirror


def main() -> None:
    """Write the table."""
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    points, mirror = symmetric(upright(average([meshes(Path(name)) for name in sys.argv[1:]])))
    eyes = points[[33, 133]].mean(axis=0) - points[[362, 263]].mean(axis=0)
    points *= EYES_MM / np.linalg.norm(eyes)
    rows = [
        f"{i}\t{mirror[i]}\t" + "\t".join(f"{value:.2f}" for value in np.round(points[i], 2) + 0.0)
        for i in range(N_POINTS)
    ]
    OUT.write_text("\n".join(["point\tmirror\tx_mm\ty_mm\tz_mm", *rows]) + "\n", encoding="utf-8")
    print(f"{OUT} holds {N_POINTS} points.")


if __name__ == "__main__":
    main()
