"""Which way to landmarks this machine has: tried in order, and reported."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from rtaffect.core.errors import FaceError
from rtaffect.face.detector import SIDE as DETECTOR_SIDE
from rtaffect.face.detector import Detector, Network
from rtaffect.face.landmarks import IRIS_SIDE, MESH_SIDE, Landmarker, MeshLandmarker
from rtaffect.face.models import DETECTOR, IRIS, MESH, SET_UP, find_models

BACKENDS = ("litert", "mediapipe", "opencv")
"""In the order in which they are tried."""


def open_landmarker(backend: str = "auto") -> Landmarker:
    """Return a way to landmarks.

    Parameters
    ----------
    backend : str
        ``"auto"``, one of `BACKENDS`, or the path of a ``.task`` file of MediaPipe.

    Raises
    ------
    FaceError
        The one that was asked for, or every one, is not to be had; the message says why of each.
    """
    cv2.setNumThreads(1)  # a face may have one core, and its small pictures gain by no other
    if backend.endswith(".task"):
        from rtaffect.face.mediapipe_mesh import MediapipeTask

        return MediapipeTask(Path(backend))
    if backend != "auto" and backend not in BACKENDS:
        msg = f"A backend must be auto, {', '.join(BACKENDS)} or a .task file, got {backend!r}."
        raise FaceError(msg)
    reasons = {}
    for name in BACKENDS if backend == "auto" else (backend,):
        answer = _tried(name)
        if not isinstance(answer, str):
            return answer
        reasons[name] = answer
    if backend != "auto":
        raise FaceError(reasons[backend])
    listed = "\n".join(f"  {name}: {_short(reason)}" for name, reason in reasons.items())
    msg = f"No way to find a face works here:\n{listed}\n{SET_UP}"
    raise FaceError(msg)


def survey() -> dict[str, str]:
    """Return, of each of `BACKENDS`, why it does not work on this machine; "" where it does."""
    answers = {name: _tried(name) for name in BACKENDS}
    return {name: _short(a) if isinstance(a, str) else "" for name, a in answers.items()}


def _tried(name: str) -> Landmarker | str:
    """Return a way to landmarks, or why it is not to be had."""
    makers: dict[str, Callable[[], Landmarker]] = {
        "litert": _litert,
        "mediapipe": _mediapipe,
        "opencv": _opencv,
    }
    try:
        return makers[name]()
    except FaceError as error:
        return str(error)
    except ImportError as error:
        return f"{error.name or 'a library'} is not installed."


def _short(reason: str) -> str:
    """Return a reason without the advice that all reasons end with."""
    return reason.replace(SET_UP, "").strip()


def _litert() -> Landmarker:
    from rtaffect.face.litert import LiteRtNetwork

    return _of_networks("litert", LiteRtNetwork)


def _opencv() -> Landmarker:
    from rtaffect.face.opencv_dnn import OpenCvNetwork

    return _of_networks("opencv", OpenCvNetwork)


def _mediapipe() -> Landmarker:
    from rtaffect.face.mediapipe_mesh import MediapipeMesh

    return MediapipeMesh()


def _of_networks(name: str, network: Callable[[Path], Network]) -> Landmarker:
    paths = find_models()
    detector, mesh, iris = (network(paths[part]) for part in (DETECTOR, MESH, IRIS))
    for one, side in ((detector, DETECTOR_SIDE), (mesh, MESH_SIDE), (iris, IRIS_SIDE)):
        one.run(np.zeros((side, side, 3), dtype=np.float32))  # the first time takes the longest
    return MeshLandmarker(name, detector=Detector(detector), mesh=mesh, iris=iris)
