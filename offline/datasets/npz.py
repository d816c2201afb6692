"""Arrays of numbers out of .npz files, looked at before anything is allocated or unpickled."""

import zipfile
from pathlib import Path

import numpy as np

from offline.datasets.contract import Floats
from offline.errors import DataError

_KINDS = "fiub"


def read_npz(path: Path, key: str, shape: tuple[int, ...]) -> Floats:
    """Return one array of a file.

    Parameters
    ----------
    path : Path
        The .npz file.
    key : str
        Name of the array in it.
    shape : tuple of int
        What it must have.

    Returns
    -------
    ndarray of float64, shape `shape`

    Raises
    ------
    DataError
        It cannot be read, has no such array, or that is not of numbers of this shape. An array of
        objects is a pickle, which is a program: it is refused without being read.
    """
    try:
        with zipfile.ZipFile(path) as archive, archive.open(f"{key}.npy") as member:
            version = np.lib.format.read_magic(member)
            read = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }[version]
            found, _, dtype = read(member)
    except KeyError as error:
        msg = f"{path} must hold an array {key!r}: {error}."
        raise DataError(msg) from error
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        msg = f"{path} must be a .npz file of plain arrays: {error}."
        raise DataError(msg) from error
    if dtype.kind not in _KINDS or found != shape:
        msg = (
            f"{path}: {key!r} must be numbers of shape {shape}, got {dtype} of shape {found}"
            f"{' (objects are never unpickled)' if dtype.hasobject else ''}."
        )
        raise DataError(msg)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return np.asarray(arrays[key], dtype=np.float64)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        msg = f"{path} is damaged: {error}."
        raise DataError(msg) from error
