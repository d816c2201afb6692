"""Valence and arousal from EEG, face and fMRI while a session runs.

Importing this package loads nothing heavy: no torch, mne, cv2 or onnxruntime.
"""

from rtaffect.version import __version__

__all__ = ["__version__"]
