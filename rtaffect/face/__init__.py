"""A camera becomes OpenFace's 29 features on LSL: a process of its own that keeps no picture."""

import os

# Before anybody loads OpenCV: what it warns of (a camera that does not open) we say ourselves.
os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")
