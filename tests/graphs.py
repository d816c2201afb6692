"""A torch module as the ONNX graph that the runtime would run, for parity checks."""

import logging
import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from rtaffect.decode.session import GraphRunner


def graph_of(
    module: nn.Module,
    inputs: Mapping[str, Tensor],
    outputs: Sequence[str],
    *,
    free: Mapping[str, Mapping[int, object]] | None = None,
) -> GraphRunner:
    """Export a module that returns a tensor or a tuple; `free` names axes that may vary."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    logging.getLogger("onnxscript").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module.eval(),
            tuple(inputs.values()),
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_shapes=tuple((free or {}).get(name) for name in inputs) if free else None,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    return GraphRunner(program.model_proto.SerializeToString(), name="graph", provider="cpu")


@torch.no_grad()
def largest_difference(
    runner: GraphRunner, module: nn.Module, inputs: Mapping[str, Tensor], outputs: Sequence[str]
) -> float:
    """Return how far ONNX Runtime is from torch; of numbers beyond 1, as a share."""
    got = runner.run({name: x.numpy() for name, x in inputs.items()}, outputs)
    answer = module(*inputs.values())
    answers = answer if isinstance(answer, tuple) else (answer,)
    worst = 0.0
    for name, expected in zip(outputs, (x.numpy() for x in answers), strict=True):
        assert got[name].shape == expected.shape
        size = np.maximum(1.0, np.abs(expected))
        worst = max(worst, float((np.abs(got[name] - expected) / size).max()))
    return worst
