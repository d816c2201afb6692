"""From a trained model to a bundle: two ONNX graphs and a manifest, checked before kept."""

import hashlib
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from offline.datasets.participant import input_names
from offline.models.prior_dfcn import Encoder, PriorDFCN
from rtaffect.bundle import Bundle, write_bundle
from rtaffect.core.errors import BundleError
from rtaffect.core.spec import WindowSpec
from rtaffect.decode.session import GraphRunner
from rtaffect.manifest import Graph, Graphs, Manifest, Slices, Target, Training
from rtaffect.manifest import Tensor as TensorSpec

TOLERANCE = 1e-5
"""Largest difference allowed between torch and ONNX Runtime; of numbers beyond 1, as a share."""

MAX_BUNDLE_BYTES = 5_000_000

ENCODER_OUTPUTS = ("slice", "band_power", "connectivity", "prior")


class EncoderGraph(nn.Module):
    """The encoder as one function of a window's arrays, with what a monitor may look at."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(
        self, eeg: Tensor, face: Tensor | None = None, face_mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return `ENCODER_OUTPUTS`."""
        observation = self.encoder.observe(eeg, face, face_mask)
        prior = self.encoder.weigh(observation)
        network = observation.connectivity * prior
        return network, observation.band_power, observation.connectivity, prior


class HeadGraph(nn.Module):
    """The head with calibrated probabilities instead of logits."""

    def __init__(self, head: nn.Module, temperatures: Mapping[str, float]) -> None:
        super().__init__()
        self.head = head
        self.temperatures = dict(temperatures)

    def forward(self, slices: Tensor) -> tuple[Tensor, ...]:
        """Return probabilities of shape (1, n_classes), in the order of `temperatures`."""
        logits = self.head(slices)
        return tuple(
            torch.softmax(logits[name] / temperature, dim=1)
            for name, temperature in self.temperatures.items()
        )


def export_bundle(
    model: PriorDFCN,
    folder: Path,
    *,
    name: str,
    title: str,
    description: str,
    simulated: bool,
    windows: WindowSpec,
    t_min: int,
    t_max: int,
    targets: Mapping[str, Target],
    training: Training,
    examples: Mapping[str, Tensor],
) -> Bundle:
    """Export, check torch against ONNX Runtime at every T, and write.

    Parameters
    ----------
    model : PriorDFCN
        Trained.
    folder : Path
        Where to write.
    name, title, description, simulated, windows, t_min, t_max, targets, training
        See `rtaffect.manifest.Manifest`.
    examples : mapping of str to Tensor, shape (n_windows, ...)
        At least `t_max` windows, by input name, on which torch and ONNX Runtime must agree.

    Raises
    ------
    BundleError
        The graphs do not answer as the model does, or the bundle is too large.
    """
    model.eval()
    modality_shapes = {
        modality: (1, len(spec.ch_names), round(windows.window_s * spec.sfreq))
        for modality, spec in windows.modalities.items()
    }
    shapes = {
        key: modality_shapes[key]
        if key in modality_shapes
        else (1, modality_shapes[key.removesuffix("_mask")][2])
        for key in input_names(windows)
    }
    encoder = EncoderGraph(model.encoder).eval()
    temperatures = {key: target.temperature for key, target in targets.items()}
    head = HeadGraph(model.head, temperatures).eval()
    n_channels = modality_shapes["eeg"][1]
    example = torch.randn(1, max(2, t_max), n_channels, n_channels)
    files = {
        "encoder.onnx": _to_onnx(
            encoder, [torch.randn(shape) for shape in shapes.values()], shapes, ENCODER_OUTPUTS
        ),
        "head.onnx": _to_onnx(head, [example], ["slices"], list(targets), t_max=t_max),
    }
    if (size := sum(len(data) for data in files.values())) > MAX_BUNDLE_BYTES:
        msg = f"A bundle must stay below {MAX_BUNDLE_BYTES} bytes, got {size}: choose fewer maps."
        raise BundleError(msg)
    check_parity(encoder, files["encoder.onnx"], _one_by_one(examples), ENCODER_OUTPUTS)
    with torch.no_grad():
        slices = torch.cat([encoder(**window)[0] for window in _one_by_one(examples)])
    runs = [{"slices": slices[None, -n:]} for n in range(t_min, t_max + 1)]
    check_parity(head, files["head.onnx"], runs, list(targets))
    manifest = Manifest(
        name=name,
        title=title,
        description=description,
        licence="BSD-3-Clause",
        simulated=simulated,
        windows=windows,
        slices=Slices(t_min=t_min, t_max=t_max, shape=(n_channels, n_channels)),
        targets=targets,
        graphs=Graphs(
            encoder=Graph(
                file="encoder.onnx",
                sha256=hashlib.sha256(files["encoder.onnx"]).hexdigest(),
                inputs={
                    key: TensorSpec(shape=shape, labels=key if key in modality_shapes else "")
                    for key, shape in shapes.items()
                },
                outputs={
                    key: TensorSpec(shape=tuple(output.shape), labels="eeg")
                    for key, output in zip(
                        ENCODER_OUTPUTS, encoder(**_one_by_one(examples)[0]), strict=True
                    )
                },
            ),
            head=Graph(
                file="head.onnx",
                sha256=hashlib.sha256(files["head.onnx"]).hexdigest(),
                inputs={"slices": TensorSpec(shape=(1, None, n_channels, n_channels))},
                outputs={
                    key: TensorSpec(shape=(1, len(target.classes)))
                    for key, target in targets.items()
                },
            ),
        ),
        training=training,
    )
    return write_bundle(folder, manifest, files)


@torch.no_grad()
def check_parity(
    module: nn.Module,
    graph: bytes,
    samples: Sequence[Mapping[str, Tensor]],
    outputs: Sequence[str],
) -> float:
    """Return the largest difference between torch and ONNX Runtime.

    Parameters
    ----------
    module : Module
        In evaluation mode; returns a tuple.
    graph : bytes
        Its export.
    samples : sequence of mapping
        Inputs by name.
    outputs : sequence of str
        Names of what the module returns.

    Raises
    ------
    BundleError
        The difference exceeds `TOLERANCE`.
    """
    runner = GraphRunner(graph, name="exported graph", provider="cpu")
    worst = 0.0
    for sample in samples:
        got = runner.run({key: value.numpy() for key, value in sample.items()}, outputs)
        for name, expected in zip(outputs, module(**sample), strict=True):
            if got[name].shape != tuple(expected.shape):
                msg = f"{name} must have shape {tuple(expected.shape)}, got {got[name].shape}."
                raise BundleError(msg)
            size = np.maximum(1.0, np.abs(expected.numpy()))
            worst = max(worst, float((np.abs(got[name] - expected.numpy()) / size).max()))
    if not worst <= TOLERANCE:
        msg = f"ONNX must answer as torch does, within {TOLERANCE}; the difference is {worst:.3g}."
        raise BundleError(msg)
    return worst


def _one_by_one(examples: Mapping[str, Tensor]) -> list[dict[str, Tensor]]:
    """Return windows with a batch axis of 1, as the runtime hands them over."""
    n_windows = len(next(iter(examples.values())))
    return [{key: array[i : i + 1] for key, array in examples.items()} for i in range(n_windows)]


def _to_onnx(
    module: nn.Module,
    args: list[Tensor],
    inputs: Sequence[str] | Mapping[str, object],
    outputs: Sequence[str],
    *,
    t_max: int | None = None,
) -> bytes:
    """Return the graph, weights embedded; with `t_max` the second axis of the input is free."""
    free = ({1: torch.export.Dim("n_slices", min=1, max=max(2, t_max))},) if t_max else None
    with _quiet_exporter():
        program = torch.onnx.export(
            module,
            tuple(args),
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_shapes=free,
            dynamo=True,
            verbose=False,
        )
    if program is None:
        msg = "torch.onnx.export must return a program."
        raise BundleError(msg)
    proto = program.model_proto
    for node in proto.graph.node:  # torch keeps stack traces, with the paths of this machine
        node.ClearField("metadata_props")
    return bytes(proto.SerializeToString())


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
