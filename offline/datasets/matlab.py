"""Arrays out of MATLAB's .mat files, and nothing else."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from offline.errors import DataError


def read_array(path: Path, names: Sequence[str]) -> npt.NDArray[Any]:
    """Return the first of some variables that a file has.

    Parameters
    ----------
    path : Path
        A .mat file up to version 7.
    names : sequence of str
        Variables, in order of preference.

    Raises
    ------
    DataError
        It cannot be read, has none of them, or holds no numbers there.
    """
    from scipy.io import loadmat, whosmat  # slow to load

    try:
        path.open("rb").close()  # scipy's own error would not say why it cannot be read
        held = [name for name, _, _ in whosmat(path)]
        name = next((wanted for wanted in names if wanted in held), None)
        found = None if name is None else loadmat(path, variable_names=[name])[name]
    except NotImplementedError as error:
        msg = f"{path} is a MATLAB file of version 7.3; save it again with -v7."
        raise DataError(msg) from error
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror or error}."
        raise DataError(msg) from error
    except Exception as error:  # scipy raises whatever a damaged file leads to
        msg = f"{path} is no MATLAB file that could be read ({error}). Is it damaged or cut off?"
        raise DataError(msg) from error
    if found is None:
        msg = f"{path} must hold {' or '.join(names)}; it holds {', '.join(held) or 'nothing'}."
        raise DataError(msg)
    array = np.asarray(found)
    if array.dtype.kind not in "biuf":
        msg = f"{name} in {path} must be an array of numbers, got {array.dtype}."
        raise DataError(msg)
    return array
