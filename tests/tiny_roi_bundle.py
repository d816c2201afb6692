"""A bundle of fMRI of a few bytes whose answers can be computed by hand."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from bundle_parts import manifest_of, model
from frame_cases import FRAMES, ROI_SPEC
from onnx import TensorProto, helper

from rtaffect.bundle import Bundle, write_bundle
from rtaffect.core.spec import WindowSpec
from rtaffect.manifest import Manifest


def _encoder(n_rows: int, n_times: int) -> bytes:
    """``slice``: each region's mean over the window, of the samples that are there."""
    return model(
        [
            helper.make_node("ReduceSum", ["roi", "axis"], ["sums"], keepdims=0),
            helper.make_node("ReduceSum", ["roi_mask", "mask_axis"], ["n"], keepdims=1),
            helper.make_node("Max", ["n", "one"], ["n_there"]),
            helper.make_node("Div", ["sums", "n_there"], ["slice"]),
        ],
        {"roi": [1, n_rows, n_times], "roi_mask": [1, n_times]},
        {"slice": [1, n_rows]},
        [
            helper.make_tensor("axis", TensorProto.INT64, [1], [2]),
            helper.make_tensor("mask_axis", TensorProto.INT64, [1], [1]),
            helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0]),
        ],
    )


def _head(n_rows: int) -> bytes:
    """``valence = softmax([0, sum of the regions])``."""
    return model(
        [
            helper.make_node("ReduceSum", ["slices", "axes"], ["sum"], keepdims=0),
            helper.make_node("Reshape", ["sum", "row"], ["up"]),
            helper.make_node("Mul", ["up", "zero"], ["still"]),
            helper.make_node("Concat", ["still", "up"], ["both"], axis=1),
            helper.make_node("Softmax", ["both"], ["valence"], axis=1),
        ],
        {"slices": [1, "T", n_rows]},
        {"valence": [1, 2]},
        [
            helper.make_tensor("axes", TensorProto.INT64, [3], [0, 1, 2]),
            helper.make_tensor("row", TensorProto.INT64, [2], [1, 1]),
            helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0]),
        ],
    )


def answer_by_hand(data: np.ndarray) -> float:
    """Return the probability of the second class, of a window's data."""
    there = np.isfinite(data).all(axis=0)
    total = np.where(np.isfinite(data), data, 0.0).sum() / max(1, there.sum())
    return float(1 / (1 + np.exp(-total)))


def tiny_roi_manifest(
    ch_names: Sequence[str] = ROI_SPEC.ch_names, *, windows: WindowSpec = FRAMES
) -> tuple[Manifest, dict[str, bytes]]:
    """A manifest and its files: ROI frames, windows of 12 s, an answer at every frame."""
    roi = replace(windows.modalities["roi"], ch_names=tuple(ch_names))
    n_times, n_rows = round(windows.window_s * roi.sfreq), len(ch_names)
    files = {"encoder.onnx": _encoder(n_rows, n_times), "head.onnx": _head(n_rows)}
    manifest = manifest_of(
        "tiny-roi",
        files,
        windows=replace(windows, modalities={"roi": roi}),
        slices={"t_min": 1, "t_max": 1, "shape": [n_rows]},
        graphs={
            "encoder": (
                {
                    "roi": {"shape": [1, n_rows, n_times], "labels": "roi"},
                    "roi_mask": {"shape": [1, n_times]},
                },
                {"slice": {"shape": [1, n_rows], "labels": "roi"}},
            ),
            "head": ({"slices": {"shape": [1, None, n_rows]}}, {"valence": {"shape": [1, 2]}}),
        },
    )
    return manifest, files


def write_tiny_roi_bundle(
    folder: Path, ch_names: Sequence[str] = ROI_SPEC.ch_names, *, windows: WindowSpec = FRAMES
) -> Bundle:
    """Write the tiny ROI bundle into a folder and return it."""
    return write_bundle(folder / "tiny-roi", *tiny_roi_manifest(ch_names, windows=windows))
