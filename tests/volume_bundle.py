"""A bundle that decodes volumes, of a few bytes: valence follows the mean of a window's voxels."""

import hashlib
import math
from pathlib import Path

import onnx
from onnx import TensorProto, helper

from rtaffect.bundle import Bundle, write_bundle
from rtaffect.core.spec import VolumeSpec, WindowSpec
from rtaffect.manifest import Manifest

SHAPE = (4, 4, 3)
N_VOXELS = math.prod(SHAPE)
N_TIMES = 2
TR_S = 2.0

WINDOWS = WindowSpec(
    window_s=N_TIMES * TR_S,
    hop_s=TR_S,
    max_wait_s=4.0,
    stale_s=10.0,
    closes="volume",
    modalities={"volume": VolumeSpec(shape=SHAPE, sfreq=1 / TR_S, n_settle=2)},
)


def _graph(nodes: list[onnx.NodeProto], inputs: dict[str, list[object]], outputs: dict) -> bytes:
    graph = helper.make_graph(
        nodes,
        "volumes",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs.items()],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in outputs.items()],
        [
            helper.make_tensor("row", TensorProto.INT64, [2], [1, 1]),
            helper.make_tensor("block", TensorProto.INT64, [3], [1, 1, 1]),
            helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return bytes(model.SerializeToString())


def write_volume_bundle(folder: Path) -> Bundle:
    """Write it into a folder and return it."""
    encoder = _graph(
        [
            helper.make_node("ReduceMean", ["volume"], ["mean"], keepdims=0),
            helper.make_node("Reshape", ["mean", "block"], ["slice"]),
        ],
        {"volume": [1, N_VOXELS, N_TIMES]},
        {"slice": [1, 1, 1]},
    )
    head = _graph(
        [
            helper.make_node("ReduceMean", ["slices"], ["m4"], axes=[1, 2, 3], keepdims=1),
            helper.make_node("Reshape", ["m4", "row"], ["m"]),
            helper.make_node("Mul", ["m", "zero"], ["o"]),
            helper.make_node("Concat", ["o", "m"], ["up"], axis=1),
            helper.make_node("Softmax", ["up"], ["valence"], axis=1),
        ],
        {"slices": [1, "T", 1, 1]},
        {"valence": [1, 2]},
    )
    files = {"encoder.onnx": encoder, "head.onnx": head}
    manifest = Manifest.model_validate(
        {
            "name": "volumes",
            "title": "Volumes",
            "description": "For tests.",
            "licence": "BSD-3-Clause",
            "simulated": True,
            "windows": WINDOWS,
            "slices": {"t_min": 1, "t_max": 1, "shape": [1, 1]},
            "targets": {
                "valence": {
                    "classes": ["low", "high"],
                    "edges": [-1.0, 0.0, 1.0],
                    "prior": [0.5, 0.5],
                    "skill": 0.1,
                    "temperature": 1.0,
                }
            },
            "graphs": {
                "encoder": {
                    "file": "encoder.onnx",
                    "sha256": hashlib.sha256(encoder).hexdigest(),
                    "inputs": {"volume": {"shape": [1, N_VOXELS, N_TIMES]}},
                    "outputs": {"slice": {"shape": [1, 1, 1]}},
                },
                "head": {
                    "file": "head.onnx",
                    "sha256": hashlib.sha256(head).hexdigest(),
                    "inputs": {"slices": {"shape": [1, None, 1, 1]}},
                    "outputs": {"valence": {"shape": [1, 2]}},
                },
            },
            "training": {
                "command": "by hand",
                "recipe": {},
                "versions": {},
                "participants": {},
                "n_sequences": {},
                "metrics": {},
            },
        }
    )
    return write_bundle(folder / "volumes", manifest, files)
