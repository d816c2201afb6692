"""A bundle that decodes volumes, of a few bytes: valence follows the mean of a window's voxels."""

import math
from pathlib import Path

from bundle_parts import manifest_of, model
from onnx import TensorProto, helper

from rtaffect.bundle import Bundle, write_bundle
from rtaffect.core.spec import VolumeSpec, WindowSpec

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


CONSTANTS = [
    helper.make_tensor("row", TensorProto.INT64, [2], [1, 1]),
    helper.make_tensor("block", TensorProto.INT64, [3], [1, 1, 1]),
    helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0]),
]


def write_volume_bundle(folder: Path) -> Bundle:
    """Write it into a folder and return it."""
    encoder = model(
        [
            helper.make_node("ReduceMean", ["volume"], ["mean"], keepdims=0),
            helper.make_node("Reshape", ["mean", "block"], ["slice"]),
        ],
        {"volume": [1, N_VOXELS, N_TIMES]},
        {"slice": [1, 1, 1]},
        CONSTANTS,
    )
    head = model(
        [
            helper.make_node("ReduceMean", ["slices"], ["m4"], axes=[1, 2, 3], keepdims=1),
            helper.make_node("Reshape", ["m4", "row"], ["m"]),
            helper.make_node("Mul", ["m", "zero"], ["o"]),
            helper.make_node("Concat", ["o", "m"], ["up"], axis=1),
            helper.make_node("Softmax", ["up"], ["valence"], axis=1),
        ],
        {"slices": [1, "T", 1, 1]},
        {"valence": [1, 2]},
        CONSTANTS,
    )
    files = {"encoder.onnx": encoder, "head.onnx": head}
    manifest = manifest_of(
        "volumes",
        files,
        windows=WINDOWS,
        slices={"t_min": 1, "t_max": 1, "shape": [1, 1]},
        graphs={
            "encoder": (
                {"volume": {"shape": [1, N_VOXELS, N_TIMES]}},
                {"slice": {"shape": [1, 1, 1]}},
            ),
            "head": ({"slices": {"shape": [1, None, 1, 1]}}, {"valence": {"shape": [1, 2]}}),
        },
        simulated=True,
    )
    return write_bundle(folder / "volumes", manifest, files)
