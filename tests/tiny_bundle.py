"""A bundle of a few bytes whose answers can be computed by hand."""

from pathlib import Path
from typing import Any, Literal

from bundle_parts import manifest_of, model
from onnx import TensorProto, helper

from rtaffect.bundle import Bundle, write_bundle
from rtaffect.core.spec import FrameSpec, SignalSpec, WindowSpec
from rtaffect.manifest import Manifest

CH_NAMES = ("Fz", "Cz", "Pz")
FEATURES = ("AU06_r", "AU12_r")
Rest = Literal["required", "optional"] | None


def tiny_encoder(n_times: int, n_frames: int, rest: Rest = None) -> bytes:
    """``slice = eeg @ eeg.T / n_times * (1 + mean(face_mask))``; ``prior`` is that last factor.

    With a rest, ``mean(rest)`` is added, or ``has_rest * (mean(rest) + 1)`` if it may lack.
    """
    p = len(CH_NAMES)
    of_rest: dict[str, Any] = {}
    nodes = [helper.make_node("Identity", ["added"], ["slice"])]
    if rest is not None:
        of_rest = {"rest": [1, p]}
        nodes = [helper.make_node("ReduceMean", ["rest"], ["level"], keepdims=0)]
        if rest == "optional":
            of_rest["has_rest"] = [1]
            nodes += [
                helper.make_node("Add", ["level", "one"], ["raised"]),
                helper.make_node("Mul", ["raised", "has_rest"], ["shift"]),
                helper.make_node("Add", ["added", "shift"], ["slice"]),
            ]
        else:
            nodes.append(helper.make_node("Add", ["added", "level"], ["slice"]))
    return model(
        [
            helper.make_node("Transpose", ["eeg"], ["eeg_t"], perm=[0, 2, 1]),
            helper.make_node("MatMul", ["eeg", "eeg_t"], ["gram"]),
            helper.make_node("Div", ["gram", "n"], ["connectivity"]),
            helper.make_node("ReduceMean", ["face_mask"], ["share"], axes=[1], keepdims=1),
            helper.make_node("Add", ["share", "one"], ["prior"]),
            helper.make_node("Mul", ["connectivity", "prior"], ["shaped"]),
            helper.make_node("ReduceSum", ["face"], ["unused"], keepdims=0),
            helper.make_node("Mul", ["unused", "zero"], ["nothing"]),
            helper.make_node("Add", ["shaped", "nothing"], ["added"]),
            *nodes,
        ],
        {
            "eeg": [1, p, n_times],
            "face": [1, len(FEATURES), n_frames],
            "face_mask": [1, n_frames],
            **of_rest,
        },
        {"slice": [1, p, p], "connectivity": [1, p, p], "prior": [1, 1]},
        [
            helper.make_tensor("n", TensorProto.FLOAT, [], [float(n_times)]),
            helper.make_tensor("one", TensorProto.FLOAT, [], [1.0]),
            helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0]),
        ],
    )


def tiny_baseline(n_times: int) -> bytes:
    """``rest``: each channel's mean square over all windows."""
    return model(
        [
            helper.make_node("Mul", ["eeg", "eeg"], ["squares"]),
            helper.make_node("ReduceMean", ["squares"], ["rest"], axes=[0, 2], keepdims=0),
        ],
        {"eeg": ["N", len(CH_NAMES), n_times]},
        {"rest": [len(CH_NAMES)]},
    )


def tiny_head() -> bytes:
    """``valence = softmax([0, mean of all slices])``, `arousal` the other way round."""
    return model(
        [
            helper.make_node("ReduceMean", ["slices"], ["m4"], axes=[1, 2, 3], keepdims=1),
            helper.make_node("Reshape", ["m4", "row"], ["m"]),
            helper.make_node("Mul", ["m", "zero"], ["o"]),
            helper.make_node("Concat", ["o", "m"], ["up"], axis=1),
            helper.make_node("Concat", ["m", "o"], ["down"], axis=1),
            helper.make_node("Softmax", ["up"], ["valence"], axis=1),
            helper.make_node("Softmax", ["down"], ["arousal"], axis=1),
        ],
        {"slices": [1, "T", len(CH_NAMES), len(CH_NAMES)]},
        {"valence": [1, 2], "arousal": [1, 2]},
        [
            helper.make_tensor("row", TensorProto.INT64, [2], [1, 1]),
            helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0]),
        ],
    )


def tiny_manifest(
    *,
    t_min: int = 1,
    t_max: int = 3,
    simulated: bool = False,
    window_s: float = 1.0,
    rest: Rest = None,
    leaky: bool = False,
) -> tuple[Manifest, dict[str, bytes]]:
    """A manifest and its files: EEG at 32 Hz, an optional face at 32 Hz, hop 0.5 s."""
    windows = WindowSpec(
        window_s=window_s,
        hop_s=0.5,
        modalities={
            "eeg": SignalSpec(ch_names=CH_NAMES, sfreq=32.0),
            "face": FrameSpec(ch_names=FEATURES),
        },
    )
    n_times, n_frames, p = round(32 * window_s), round(32 * window_s), len(CH_NAMES)
    files = {"encoder.onnx": tiny_encoder(n_times, n_frames, rest), "head.onnx": tiny_head()}
    rest_inputs: dict[str, Any] = {}
    of_rest: dict[str, Any] = {}
    baseline: dict[str, Any] = {}
    if rest is not None:
        files["baseline.onnx"] = tiny_baseline(n_times)
        rest_inputs = {"rest": {"shape": [1, p]}}
        if rest == "optional":
            rest_inputs["has_rest"] = {"shape": [1]}
        of_rest = {"rest": {"shape": [p], "min_windows": 2, "required": rest == "required"}}
        baseline = {
            "baseline": (
                {"eeg": {"shape": [None, p, n_times], "labels": "eeg"}},
                {"rest": {"shape": [p]}},
            )
        }
    encoder = (
        {
            "eeg": {"shape": [1, p, n_times], "labels": "eeg"},
            "face": {"shape": [1, len(FEATURES), n_frames], "labels": "face"},
            "face_mask": {"shape": [1, n_frames]},
            **rest_inputs,
        },
        {
            "slice": {"shape": [1, p, p], "labels": "eeg"},
            "connectivity": {"shape": [1, p, p], "labels": "eeg"},
            "prior": {"shape": [1, 1]},
        },
    )
    head = (
        {"slices": {"shape": [1, None, p, p]}},
        {"valence": {"shape": [1, 2]}, "arousal": {"shape": [1, 2]}},
    )
    manifest = manifest_of(
        "tiny",
        files,
        windows=windows,
        slices={"t_min": t_min, "t_max": t_max, "shape": [p, p]},
        graphs={"encoder": encoder, "head": head, **baseline},
        targets=("valence", "arousal"),
        simulated=simulated,
        leaky=leaky,
        **of_rest,
    )
    return manifest, files


def write_tiny_bundle(folder: Path, **settings: Any) -> Bundle:
    """Write the tiny bundle into a folder and return it."""
    return write_bundle(folder / "tiny", *tiny_manifest(**settings))
