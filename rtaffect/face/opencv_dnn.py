"""The networks on OpenCV's own runtime, for machines without LiteRT. Several times slower."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

OUTPUTS = {
    "face_detection_short_range": ("regressors", "classificators"),
    "face_landmark": ("conv2d_21", "conv2d_31"),
    "iris_landmark": ("output_iris", "output_eyes_contours_and_brows"),
}
"""Asked for by name, because OpenCV 5 lists the last output alone."""


class OpenCvNetwork:
    """One network file.

    Parameters
    ----------
    path : Path
        A ``.tflite`` file.
    """

    def __init__(self, path: Path) -> None:
        self._net = cv2.dnn.readNetFromTFLite(str(path))
        self._names = OUTPUTS[path.stem]

    def run(self, image: npt.NDArray[np.float32]) -> dict[str, npt.NDArray[np.float32]]:
        """Return the outputs by name, without a batch axis."""
        self._net.setInput(np.ascontiguousarray(image.transpose(2, 0, 1)[np.newaxis]))
        # One by one: OpenCV 5 knows a single output and refuses a list of names.
        return {
            name: np.asarray(self._net.forward(name), dtype=np.float32)[0] for name in self._names
        }
