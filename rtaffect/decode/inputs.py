"""What an encoder is given of a window; the trainer calls this too, so both see the same."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from rtaffect.core.window import ModalityWindow, Window

Array = npt.NDArray[np.float32]

_MASK = "_mask"


def encoder_inputs(window: Window, names: Iterable[str]) -> dict[str, Array]:
    """Return the encoder's inputs, each with a batch axis of 1.

    Parameters
    ----------
    window : Window
        One window.
    names : iterable of str
        A modality's name asks for its samples, with zeros where there is none, shape
        (1, n_channels, n_times); the name with ``_mask`` asks for 1 where every channel has a
        sample and 0 elsewhere, shape (1, n_times). A modality that is not usable is all zeros.

    Returns
    -------
    dict of str to ndarray of float32
        By name.
    """
    inputs = {}
    for name in names:
        part = window.modalities[name.removesuffix(_MASK)]
        inputs[name] = (_mask(part) if name.endswith(_MASK) else _values(part))[np.newaxis]
    return inputs


def _mask(part: ModalityWindow) -> Array:
    exists = np.isfinite(part.data).all(axis=0) & part.usable
    return np.asarray(exists, dtype=np.float32)


def _values(part: ModalityWindow) -> Array:
    exists = np.isfinite(part.data) & part.usable
    return np.where(exists, part.data, np.float32(0))
