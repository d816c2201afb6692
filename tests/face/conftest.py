"""What the tests of faces share."""

import pytest

from rtaffect.core.errors import FaceError
from rtaffect.face.backends import open_landmarker
from rtaffect.face.landmarks import Landmarker
from rtaffect.face.models import fetch_models, find_models


@pytest.fixture(scope="session")
def face_models() -> None:
    """Get the networks where they are not there yet, as `rtaffect face setup` does."""
    try:
        find_models()
    except FaceError:
        fetch_models()


@pytest.fixture
def landmarker(face_models: None) -> Landmarker:
    """What finds the points of a face; it has seen nobody yet."""
    return open_landmarker("litert")
