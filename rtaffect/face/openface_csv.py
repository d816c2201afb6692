"""A CSV file as OpenFace 2.x writes it, so that whoever reads OpenFace's files reads ours."""

import math
from pathlib import Path
from types import TracebackType
from typing import Self

from rtaffect.core.errors import FaceError
from rtaffect.core.face_features import FACE_FEATURES, MARK
from rtaffect.face.extractor import FaceFrame

COLUMNS = (
    *("frame", "face_id", "timestamp", "confidence", "success"),
    *(name for name in FACE_FEATURES if name.startswith("gaze_")),
    *("gaze_angle_x", "gaze_angle_y"),
    *(name for name in FACE_FEATURES if not name.startswith("gaze_")),
    MARK,
)
"""OpenFace's order, gaze angles being those of the mean of both eyes; then our mark."""

N_GAZE = 6


class OpenFaceCsv:
    """Writes frames to a file.

    Parameters
    ----------
    path : Path
        The file; it must not exist.

    Raises
    ------
    FaceError
        The file exists, or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._file = path.open("x", newline="", encoding="utf-8")
        except FileExistsError as error:
            raise already_there(path) from error
        except OSError as error:
            msg = f"{path} must be a file that can be written, but: {error.strerror}."
            raise FaceError(msg) from error
        self._n = 0
        self._file.write(", ".join(COLUMNS) + "\n")

    def write(self, frame: FaceFrame) -> None:
        """Write one frame; one without a face has success 0, and zeros as OpenFace writes them.

        Action units that are not known yet (the neutral face is still looked for) are written as
        ``nan``, and the frame has success 0: no zero may pass for a measurement.
        """
        self._n += 1
        values = frame.features.tolist()
        known = frame.success and all(math.isfinite(value) for value in values)
        if not frame.success:
            values = [0.0] * len(values)
        angles = _gaze_angles(values) if frame.success else (0.0, 0.0)
        cells = [
            *(f"{self._n}", "0", f"{frame.t_s:.3f}", f"{frame.confidence:.2f}", f"{int(known)}"),
            *(f"{value:.6f}" for value in values[:N_GAZE]),
            *(f"{value:.3f}" for value in angles),
            *(f"{value:.1f}" for value in values[N_GAZE : N_GAZE + 3]),
            *(f"{value:.3f}" for value in values[N_GAZE + 3 : N_GAZE + 6]),
            *(f"{value:.2f}" for value in values[N_GAZE + 6 :]),
            "1",
        ]
        self._file.write(", ".join(cells) + "\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def already_there(path: Path) -> FaceError:
    """Return the error that says that a file is in the way."""
    return FaceError(f"{path} exists already; remove it or choose another name.")


def _gaze_angles(values: list[float]) -> tuple[float, float]:
    """Return the mean gaze to the right and down, in radians (0 is into the camera)."""
    x, y, z = ((values[i] + values[i + 3]) / 2 for i in range(3))
    return math.atan2(x, -z), math.atan2(y, -z)
