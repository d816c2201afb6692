"""What bundles of a few bytes, made for tests, have in common."""

import hashlib
from typing import Any

import onnx
from onnx import TensorProto, helper

from rtaffect.core.spec import WindowSpec
from rtaffect.manifest import Manifest

TARGET = {
    "classes": ["low", "high"],
    "edges": [-1.0, 0.0, 1.0],
    "prior": [0.5, 0.5],
    "skill": 0.1,
    "temperature": 1.0,
}
TRAINING = {
    "command": "by hand",
    "recipe": {},
    "versions": {},
    "participants": {},
    "n_sequences": {},
    "metrics": {},
}


def model(
    nodes: list[onnx.NodeProto],
    inputs: dict[str, Any],
    outputs: dict[str, Any],
    constants: Any = (),
) -> bytes:
    """Return a graph of single-precision numbers as a file holds it."""
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs.items()],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in outputs.items()],
        list(constants),
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return bytes(model.SerializeToString())


def manifest_of(
    name: str,
    files: dict[str, bytes],
    *,
    windows: WindowSpec,
    slices: dict[str, Any],
    graphs: dict[str, tuple[dict[str, Any], dict[str, Any]]],
    targets: tuple[str, ...] = ("valence",),
    simulated: bool = False,
    leaky: bool = False,
    **more: Any,
) -> Manifest:
    """Return a manifest; `graphs` are inputs and outputs by role, in the file of that name."""
    return Manifest.model_validate(
        {
            "name": name,
            "title": name.title(),
            "description": "For tests.",
            "licence": "BSD-3-Clause",
            "simulated": simulated,
            "windows": windows,
            "slices": slices,
            "targets": dict.fromkeys(targets, TARGET),
            "graphs": {
                role: {
                    "file": f"{role}.onnx",
                    "sha256": hashlib.sha256(files[f"{role}.onnx"]).hexdigest(),
                    "inputs": inputs,
                    "outputs": outputs,
                }
                for role, (inputs, outputs) in graphs.items()
            },
            "training": TRAINING | {"leaky": leaky},
            **more,
        }
    )
