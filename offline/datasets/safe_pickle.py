"""Pickles of arrays, read without running anything that they ask for.

A pickle is a program. Those of numbers ask for a few names of NumPy and of Python's codecs; each is
answered by a stand-in that takes plain numbers and nothing else, so that neither NumPy nor anything
else is called with what a file says. Every other name is refused before it is looked up.
"""

import math
import pickle
import re
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from offline.errors import DataError

_TYPE_CODE = re.compile("b1|[iu][1248]|f[248]")
_LATIN = ("latin1", "latin-1", "iso-8859-1")
_LEAVES = (str, bytes, int, float, bool, type(None))
_BROKEN = (
    pickle.UnpicklingError,
    AttributeError,
    EOFError,
    ImportError,
    IndexError,
    KeyError,
    MemoryError,
    OverflowError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What Python's unpickler raises for files that are cut off or made up."""


def read_pickled_arrays(path: Path) -> Any:
    """Read a pickle of arrays, numbers and text in dicts, lists and tuples.

    Parameters
    ----------
    path : Path
        Written by Python 2 or 3 and any NumPy, pickle protocols 0 to 5.

    Returns
    -------
    object
        What was pickled; arrays are read-only, text of Python 2 is taken as Latin-1.

    Raises
    ------
    DataError
        The file is missing, is no pickle, is cut off, or asks for anything but numbers; nothing
        that it asks for was run.
    """
    try:
        with path.open("rb") as file:
            return _plain(_ArrayUnpickler(file, path).load())
    except OSError as error:
        msg = f"{path} cannot be opened: {error.strerror or error}."
        raise DataError(msg) from error
    except _Odd as odd:
        msg = f"{path} must be a pickle of plain arrays, but {odd}. Nothing of it was used."
        raise DataError(msg) from odd
    except _BROKEN as error:
        said = str(error) or type(error).__name__
        msg = f"{path} must be a pickle of arrays; it cannot be read ({said}). Is it complete?"
        raise DataError(msg) from error


class _Odd(Exception):  # noqa: N818 - never leaves this file
    """What a pickle asks for is not what arrays need."""


class _StandIn:
    """Cannot be changed by a pickle: it has no attributes, and refuses a state."""

    __slots__ = ()

    def __setstate__(self, state: object) -> NoReturn:
        msg = "it gives a state to what has none"
        raise _Odd(msg)


class _ArrayType(_StandIn):
    """In the place of ``numpy.ndarray``: is named, never called."""

    __slots__ = ()


class _Encode(_StandIn):
    """In the place of ``_codecs.encode``, by which Python 3 writes bytes that Python 2 can read."""

    __slots__ = ()

    def __call__(self, text: object, encoding: object = None) -> bytes:
        if not isinstance(text, str) or encoding not in _LATIN:
            msg = f"it asks for an encoding {encoding!r}"
            raise _Odd(msg)
        return text.encode("latin1")


class _MakeDtype(_StandIn):
    """In the place of ``numpy.dtype``."""

    __slots__ = ()

    def __call__(self, code: object, *_flags: object) -> "_Dtype":
        if not isinstance(code, str) or not _TYPE_CODE.fullmatch(code.lstrip("<>|=")):
            msg = f"it holds values of type {code!r}, which are no numbers"
            raise _Odd(msg)
        return _Dtype(code.lstrip("<>|="))


class _MakeArray(_StandIn):
    """In the place of NumPy's ``_reconstruct``: an empty array, whose state follows."""

    __slots__ = ()

    def __call__(self, kind: object, *_shape_and_code: object) -> "_Array":
        if kind is not _ARRAY_TYPE:
            msg = "it asks for an array of another class"
            raise _Odd(msg)
        return _Array()


class _FromBuffer(_StandIn):
    """In the place of NumPy's ``_frombuffer``, by which protocol 5 writes an array in one go."""

    __slots__ = ()

    def __call__(self, raw: object, dtype: object, shape: Any, order: object) -> "_Array":
        array = _Array()
        array.fill(shape, dtype, order == "F", raw)
        return array


class _Dtype:
    __slots__ = ("code", "order")

    def __init__(self, code: str) -> None:
        self.code = code
        self.order = "="

    def __setstate__(self, state: Any) -> None:
        if state[1] not in ("<", ">", "|", "=") or any(part is not None for part in state[2:5]):
            msg = "it holds values that are no plain numbers"
            raise _Odd(msg)
        self.order = state[1]


class _Array:
    __slots__ = ("values",)

    values: npt.NDArray[Any]

    def __setstate__(self, state: Any) -> None:
        _version, shape, dtype, is_fortran, raw = state
        self.fill(shape, dtype, is_fortran, raw)

    def fill(self, shape: Any, dtype: object, is_fortran: bool, raw: object) -> None:
        """Take the values, as one piece of bytes."""
        if not isinstance(dtype, _Dtype) or not isinstance(raw, str | bytes | bytearray):
            msg = "it holds an array whose values are no numbers"
            raise _Odd(msg)
        data = raw.encode("latin1") if isinstance(raw, str) else bytes(raw)
        kind = np.dtype(dtype.order + dtype.code)
        if len(data) != math.prod(shape) * kind.itemsize or min(shape, default=1) < 0:
            msg = f"an array of shape {shape} and type {kind} has {len(data)} bytes"
            raise _Odd(msg)
        order: Any = "F" if is_fortran else "C"
        self.values = np.frombuffer(data, dtype=kind).reshape(shape, order=order)


_ARRAY_TYPE = _ArrayType()
_MAKE_ARRAY = _MakeArray()
_FROM_BUFFER = _FromBuffer()
_ANSWERS: dict[tuple[str, str], object] = {
    ("numpy.core.multiarray", "_reconstruct"): _MAKE_ARRAY,
    ("numpy._core.multiarray", "_reconstruct"): _MAKE_ARRAY,
    ("numpy.core.numeric", "_frombuffer"): _FROM_BUFFER,
    ("numpy._core.numeric", "_frombuffer"): _FROM_BUFFER,
    ("numpy", "ndarray"): _ARRAY_TYPE,
    ("numpy", "dtype"): _MakeDtype(),
    ("_codecs", "encode"): _Encode(),
}


class _ArrayUnpickler(pickle.Unpickler):
    def __init__(self, file: Any, path: Path) -> None:
        super().__init__(file, encoding="latin1")
        self._path = path

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ANSWERS[module, name]
        except KeyError:
            msg = (
                f"{self._path} asks for {module}.{name}, which arrays do not need: a pickle can "
                "run anything, so this one was refused and nothing of it was run. Get the file "
                "from its authors, and do not open this one with other programs."
            )
            raise DataError(msg) from None


def _plain(value: Any) -> Any:
    """Return the value with arrays in the place of stand-ins."""
    if isinstance(value, _Array):
        return value.values
    if type(value) in _LEAVES:
        return value
    if type(value) is dict:
        return {_plain(key): _plain(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_plain(item) for item in value)
    msg = f"it holds a {type(value).__name__.lstrip('_')}"
    raise _Odd(msg)
