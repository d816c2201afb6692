"""ONNX Runtime: the only file that knows it.

Inputs live in buffers that are allocated once for each shape and bound to the session; the same
lines serve the CPU and a GPU.
"""

import contextlib
import ctypes
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rtaffect.core.errors import InferenceError

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"

PROVIDERS = ("auto", "cpu", "cuda")
"""What a session file may ask for; ``auto`` is CUDA where it works, else the CPU."""

_CUDA_OPTIONS = {
    # TF32 keeps 10 bits of mantissa; the default convolution algorithm needs no search, which would
    # pick by timing and so differ from run to run.
    "use_tf32": "0",
    "cudnn_conv_algo_search": "DEFAULT",
}
_FATAL = 4


class GraphRunner:
    """One ONNX graph, ready to run.

    Parameters
    ----------
    graph : bytes
        The ONNX file's content, weights embedded.
    name : str
        What messages call it.
    provider : {"auto", "cpu", "cuda"}
        Where to run; ``"cuda"`` is an error where there is none, ``"auto"`` takes the CPU then.
    n_threads : int
        Threads within one operator on the CPU. One is fastest for graphs of a millisecond, and a
        sum that is always split the same way is always the same.

    Raises
    ------
    InferenceError
        The graph is not valid, or the provider is not available.
    """

    def __init__(
        self, graph: bytes, *, name: str, provider: str = "auto", n_threads: int = 1
    ) -> None:
        import onnxruntime

        if provider not in PROVIDERS:
            msg = f"provider must be one of {', '.join(PROVIDERS)}, got {provider!r}."
            raise InferenceError(msg)
        self._name = name
        self._runtime = onnxruntime
        # What the runtime has to say reaches us as exceptions; its own log would land in the middle
        # of a progress bar.
        onnxruntime.set_default_logger_severity(_FATAL)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _FATAL
        options.intra_op_num_threads = n_threads
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.use_deterministic_compute = True
        # A worker that spins for the next run would cost a core between two windows.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        with _mapped(f"{name} cannot be loaded"):
            self._session = onnxruntime.InferenceSession(
                graph, options, providers=_providers(onnxruntime, provider)
            )
        self.provider: str = self._session.get_providers()[0]
        if provider == "cuda" and self.provider != CUDA:
            msg = (
                f"{name} must run on CUDA as asked, and CUDA is not available here. Install "
                "rtaffect[gpu] on a machine with an NVIDIA driver, or choose the provider 'auto'."
            )
            raise InferenceError(msg)
        self._device = "cuda" if self.provider == CUDA else "cpu"
        self._bindings: dict[object, tuple[Any, dict[str, Any]]] = {}

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the inputs."""
        return tuple(node.name for node in self._session.get_inputs())

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs."""
        return tuple(node.name for node in self._session.get_outputs())

    def run(
        self, inputs: Mapping[str, npt.NDArray[np.float32]], outputs: Sequence[str]
    ) -> dict[str, npt.NDArray[np.float32]]:
        """Run the graph once.

        Parameters
        ----------
        inputs : mapping of str to ndarray of float32
            One array for every input.
        outputs : sequence of str
            Which outputs to fetch; the others stay where they are.

        Returns
        -------
        dict of str to ndarray of float32
            The caller's own copies.

        Raises
        ------
        InferenceError
            The graph refuses a name, a shape or a type.
        """
        key = (tuple((name, array.shape) for name, array in inputs.items()), tuple(outputs))
        with _mapped(f"{self._name} cannot run"):
            if key not in self._bindings:
                self._bindings[key] = self._bind(inputs, outputs)
            binding, buffers = self._bindings[key]
            for name, array in inputs.items():
                buffers[name].update_inplace(np.ascontiguousarray(array, dtype=np.float32))
            self._session.run_with_iobinding(binding)
            arrays = binding.copy_outputs_to_cpu()
        return dict(zip(outputs, arrays, strict=True))

    def _bind(
        self, inputs: Mapping[str, npt.NDArray[np.float32]], outputs: Sequence[str]
    ) -> tuple[Any, dict[str, Any]]:
        binding = self._session.io_binding()
        buffers = {
            name: self._runtime.OrtValue.ortvalue_from_numpy(
                np.zeros(array.shape, dtype=np.float32), self._device, 0
            )
            for name, array in inputs.items()
        }
        for name, buffer in buffers.items():
            binding.bind_ortvalue_input(name, buffer)
        for name in outputs:
            binding.bind_output(name, self._device)
        return binding, buffers


def _providers(onnxruntime: Any, wanted: str) -> list[Any]:
    """Return the providers to ask for, best first."""
    if wanted == "cpu" or CUDA not in onnxruntime.get_available_providers() or not _has_gpu():
        return [CPU]
    # The CUDA libraries of the `gpu` extra, or torch's copies, lie outside the loader's path.
    if hasattr(onnxruntime, "preload_dlls"):
        with contextlib.redirect_stdout(None):
            onnxruntime.preload_dlls()
    return [(CUDA, _CUDA_OPTIONS), CPU]


def _has_gpu() -> bool:
    """Return whether the NVIDIA driver finds a device.

    Asked before the runtime tries, because it complains on the user's screen when it fails.
    """
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    count = ctypes.c_int(0)
    return bool(
        driver.cuInit(0) == 0
        and driver.cuDeviceGetCount(ctypes.byref(count)) == 0
        and count.value > 0
    )


@contextlib.contextmanager
def _mapped(what: str) -> Iterator[None]:
    """Turn every exception of ONNX Runtime into an `InferenceError`."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    kinds: list[type[Exception]] = [RuntimeError, ValueError]
    kinds += [k for k in vars(state).values() if isinstance(k, type) and issubclass(k, Exception)]
    try:
        yield
    except tuple(kinds) as error:
        msg = f"{what}: {str(error).strip()}"
        raise InferenceError(msg) from error
