"""A camera becomes OpenFace's 29 features on LSL: a process of its own that keeps no picture."""

import os

# Before anybody loads OpenCV: a camera or a file that does not open we speak of ourselves.
os.environ.setdefault("OPENCV_LOG_LEVEL", "FATAL")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # quiet
