"""A network as functions of arrays, their ONNX form, and the proof that both answer alike."""

import logging
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from offline.models.contract import Network
from rtaffect.core.errors import BundleError
from rtaffect.decode.session import GraphRunner
from rtaffect.manifest_graphs import HAS_REST, REST

TOLERANCE = 1e-5
"""Largest difference allowed between torch and ONNX Runtime; of an output with numbers beyond 1, as
a share of the largest."""

SLICE = "slice"


class Graph(nn.Module):
    """A function of named arrays that returns named arrays.

    Parameters
    ----------
    inputs, outputs : sequence of str
        Names, in order.
    """

    def __init__(self, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        super().__init__()
        self.inputs, self.outputs = tuple(inputs), tuple(outputs)

    def forward(self, *arrays: Tensor) -> tuple[Tensor, ...]:
        """Return the outputs, in order."""
        found = self.compute(dict(zip(self.inputs, arrays, strict=True)))
        return tuple(found[name] for name in self.outputs)

    def compute(self, given: dict[str, Tensor]) -> Mapping[str, Tensor]:
        """Return the outputs by name, and perhaps more."""
        raise NotImplementedError

    @torch.no_grad()
    def run(self, sample: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the outputs by name."""
        found: tuple[Tensor, ...] = self(*(sample[name] for name in self.inputs))
        return dict(zip(self.outputs, found, strict=True))


class EncoderGraph(Graph):
    """One window's arrays -> its slice, and what a monitor may look at.

    Parameters
    ----------
    network : Network
        Trained.
    inputs : sequence of str
        Modalities and masks, and what takes a baseline.
    outputs : sequence of str
        ``"slice"`` and what the network lets look at.
    """

    def __init__(self, network: Network, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        super().__init__(inputs, outputs)
        self.network = network

    def compute(self, given: dict[str, Tensor]) -> Mapping[str, Tensor]:
        """Return everything that the network says of windows."""
        of_rest = {name: given.pop(name) for name in (REST, HAS_REST) if name in given}
        features = self.network.extract(given)
        if REST in of_rest:
            features = features | {REST: of_rest[REST]}
        if HAS_REST in of_rest:
            features = self.network.without(REST, features, of_rest[HAS_REST] < 0.5)
        return {SLICE: self.network.encode(features), **self.network.look(features)}


class HeadGraph(Graph):
    """Slices -> calibrated probabilities instead of logits.

    Parameters
    ----------
    head : Module
        See `Network.head`.
    temperatures : mapping of str to float
        By target.
    """

    def __init__(self, head: nn.Module, temperatures: Mapping[str, float]) -> None:
        super().__init__(("slices",), tuple(temperatures))
        self.head = head
        self.temperatures = dict(temperatures)

    def compute(self, given: dict[str, Tensor]) -> Mapping[str, Tensor]:
        """Return probabilities of shape (1, n_classes), by target."""
        logits = self.head(given["slices"])
        return {
            name: torch.softmax(logits[name] / temperature, dim=1)
            for name, temperature in self.temperatures.items()
        }


class BaselineGraph(Graph):
    """A person's windows at rest -> the statistics that the encoder takes.

    Parameters
    ----------
    network : Network
        Trained; it uses a rest.
    inputs : sequence of str
        Modalities and masks.
    """

    def __init__(self, network: Network, inputs: Sequence[str]) -> None:
        super().__init__(inputs, (REST,))
        self.network = network

    def compute(self, given: dict[str, Tensor]) -> Mapping[str, Tensor]:
        """Return the statistics, without a batch axis."""
        return {REST: self.network.summarise(self.network.extract(given))}


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeAxis:
    """The axis of every input whose length may vary, from 1 to `longest`."""

    axis: int
    name: str
    longest: int


def to_onnx(graph: Graph, sample: Mapping[str, Tensor], *, free: FreeAxis | None = None) -> bytes:
    """Return a graph as an ONNX file, weights embedded.

    Parameters
    ----------
    graph : Graph
        In evaluation mode.
    sample : mapping of str to Tensor
        Inputs by name; at least 2 along the free axis, because torch takes 1 for a constant.
    free : FreeAxis or None
        None fixes every shape.

    Raises
    ------
    BundleError
        The network holds what cannot be exported.
    """
    arrays = tuple(sample[name] for name in graph.inputs)
    dynamic = None
    if free is not None:
        length = torch.export.Dim(free.name, min=1, max=max(2, free.longest))
        dynamic = {"arrays": tuple({free.axis: length} for _ in arrays)}
    try:
        with _quiet_exporter():
            program = torch.onnx.export(
                graph,
                arrays,
                input_names=list(graph.inputs),
                output_names=list(graph.outputs),
                dynamic_shapes=dynamic,
                dynamo=True,
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        reason = str(error.__cause__ or error).strip().partition("\n")[0]
        msg = f"{type(graph).__name__} of this network cannot be exported to ONNX: {reason}"
        raise BundleError(msg) from error
    assert program is not None
    proto = program.model_proto
    for node in proto.graph.node:  # torch keeps stack traces, with the paths of this machine
        node.ClearField("metadata_props")
    return bytes(proto.SerializeToString())


def check_parity(graph: Graph, onnx: bytes, samples: Iterable[Mapping[str, Tensor]]) -> float:
    """Return the largest difference between torch and ONNX Runtime.

    Parameters
    ----------
    graph : Graph
        In evaluation mode.
    onnx : bytes
        Its export.
    samples : iterable of mapping
        Inputs by name.

    Raises
    ------
    BundleError
        The difference exceeds `TOLERANCE`, or an answer is not finite.
    """
    what = type(graph).__name__
    runner = GraphRunner(onnx, name=what, provider="cpu")
    worst = 0.0
    for sample in samples:
        arrays = {name: sample[name].numpy() for name in graph.inputs}
        got = runner.run(arrays, graph.outputs)
        for name, expected in graph.run(sample).items():
            if got[name].shape != tuple(expected.shape):
                msg = f"{name} must have shape {tuple(expected.shape)}, got {got[name].shape}."
                raise BundleError(msg)
            # Single precision rounds sums by the size of what is summed, not of what is left.
            size = max(1.0, float(np.abs(expected.numpy()).max(initial=0.0)))
            difference = float((np.abs(got[name] - expected.numpy()) / size).max(initial=0.0))
            if not difference <= TOLERANCE:  # nor is NaN
                msg = (
                    f"ONNX must answer as torch does, within {TOLERANCE}; {name!r} of {what} "
                    f"differs by {difference:.3g}."
                )
                raise BundleError(msg)
            worst = max(worst, difference)
    return worst


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Keep the exporter's remarks on packages that are not needed off the user's screen."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
