"""The networks on LiteRT, Google's small runtime: the fastest way on a CPU."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter


class LiteRtNetwork:
    """One network file on one thread.

    Parameters
    ----------
    path : Path
        A ``.tflite`` file.
    """

    def __init__(self, path: Path) -> None:
        with _silence():
            self._interpreter = Interpreter(str(path), num_threads=1)
            self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._outputs = {d["name"]: d["index"] for d in self._interpreter.get_output_details()}

    def run(self, image: npt.NDArray[np.float32]) -> dict[str, npt.NDArray[np.float32]]:
        """Return the outputs by name, without a batch axis."""
        self._interpreter.set_tensor(self._input, image[np.newaxis])
        self._interpreter.invoke()
        return {name: self._interpreter.get_tensor(at)[0] for name, at in self._outputs.items()}


@contextmanager
def _silence() -> Iterator[None]:
    """Keep the library's remarks off the screen: it has no other way to be told."""
    sys.stderr.flush()
    kept = os.dup(2)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
