"""What the tests of faces share."""

import pytest

from rtaffect.face.backends import open_landmarker
from rtaffect.face.landmarks import Landmarker


@pytest.fixture
def landmarker(face_models: None) -> Landmarker:
    """What finds the points of a face; it has seen nobody yet."""
    return open_landmarker("litert")
