"""From a trained network to a bundle: ONNX graphs and a manifest, checked before kept."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from offline import graphs
from offline.card import stamp_title, write_card
from offline.datasets.windows import input_names
from offline.graphs import SLICE, BaselineGraph, EncoderGraph, FreeAxis, HeadGraph
from offline.models.contract import Network, Shapes
from rtaffect.bundle import Bundle, write_bundle
from rtaffect.core.errors import BundleError
from rtaffect.core.spec import WindowSpec
from rtaffect.decode.baseline import MAX_WINDOWS
from rtaffect.manifest import Manifest, Target, Training
from rtaffect.manifest_graphs import HAS_REST, REST, Graph, Graphs, Rest, Slices
from rtaffect.manifest_graphs import Tensor as TensorSpec

MAX_BUNDLE_BYTES = 16_000_000

_NAMES_ROWS = ("eeg", "roi")
"""Modalities whose channels may label what an encoder shows."""

Windows = Mapping[str, Tensor]
"""By input name, each of shape (n_windows, ...)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestWanted:
    """What a network that uses a rest wants of a baseline.

    Parameters
    ----------
    min_s : float
        How many seconds of clean windows it must come from at least; 3 as in DEAP.
    required : bool
        Without a baseline there is no answer; else `Network.without` says what stands for it.
    """

    min_s: float = 3.0
    required: bool = True


def export_bundle(
    network: Network,
    folder: Path,
    *,
    shapes: Shapes,
    name: str,
    title: str,
    summary: str,
    choices: Sequence[str],
    t_min: int,
    t_max: int,
    targets: Mapping[str, Target],
    training: Training,
    examples: Windows,
    rest: RestWanted = RestWanted(),
    licence: str = "BSD-3-Clause",
) -> Bundle:
    """Export, check torch against ONNX Runtime at every T, and write.

    What comes of a leaky protocol is stamped in title and card, and its skill is 0: it weighs
    nothing beside honest models.

    Parameters
    ----------
    network : Network
        Trained.
    folder : Path
        Where to write; an older bundle there is replaced.
    shapes : Shapes
        What the network was built for.
    name, title, licence : str
        See `rtaffect.manifest.Manifest`.
    summary : str
        The card's first words.
    choices : sequence of str
        `NetworkSettings.choices`, for the card.
    t_min, t_max : int
        Fewest and most windows that an answer rests on; 1 and 1 for a model of single windows.
    targets : mapping of str to Target
        What it answers.
    training : Training
        Where the weights come from; its `data` must be there.
    examples : mapping of str to Tensor, shape (n_windows, ...)
        At least `t_max` real windows by input name (`offline.datasets.windows.input_names`), on
        which torch and ONNX Runtime must agree; modalities that may be missing are also left out.
    rest : RestWanted
        For a network that uses a rest.

    Returns
    -------
    Bundle
        What was written, read back and verified.

    Raises
    ------
    BundleError
        The graphs do not answer as the network does, the examples do not fit the windows, or the
        bundle is too large.
    """
    network = network.cpu().eval()
    spec = shapes.windows
    _check_examples(examples, spec, n_windows=t_max)
    windows = _with_missing(examples, spec)
    needs = None
    files, described = {}, {}
    samples = _one_by_one(windows)
    if network.uses_rest:
        files["baseline"], described["baseline"], values = _baseline(network, windows)
        needs = Rest(
            shape=tuple(values.shape),
            min_windows=math.ceil(rest.min_s / spec.window_s),
            required=rest.required,
        )
        samples = [sample | given for sample in samples for given in _rests(values, needs)]
    files["encoder"], described["encoder"], slices = _encoder(network, samples, spec)
    files["head"], described["head"] = _head(network, slices, targets, t_min=t_min, t_max=t_max)
    if (size := sum(len(data) for data in files.values())) > MAX_BUNDLE_BYTES:
        msg = f"A bundle must stay below {MAX_BUNDLE_BYTES} bytes, got {size}: shrink the network."
        raise BundleError(msg)
    span = Slices(t_min=t_min, t_max=t_max, shape=network.slice_shape)
    if training.leaky:
        targets = {key: target.model_copy(update={"skill": 0.0}) for key, target in targets.items()}
    card = write_card(
        summary,
        windows=spec,
        slices=span,
        targets=targets,
        training=training,
        choices=choices,
        rest=needs,
    )
    manifest = Manifest(
        name=name,
        title=stamp_title(title, leaky=training.leaky),
        description=card,
        licence=licence,
        simulated=training.data is not None and training.data.simulated,
        windows=spec,
        slices=span,
        targets=targets,
        graphs=Graphs(**described),
        training=training,
        rest=needs,
    )
    return write_bundle(folder, manifest, {f"{role}.onnx": data for role, data in files.items()})


def _encoder(
    network: Network, samples: list[dict[str, Tensor]], spec: WindowSpec
) -> tuple[bytes, Graph, Tensor]:
    """Return the encoder's file, its description, and the slices of the samples."""
    names = tuple(samples[0])
    with torch.no_grad():
        seen = EncoderGraph(network, names, (SLICE,)).compute(dict(samples[0]))
    if seen[SLICE].shape[1:] != network.slice_shape:
        msg = f"A slice must have shape {network.slice_shape}, got {tuple(seen[SLICE].shape[1:])}."
        raise BundleError(msg)
    graph = EncoderGraph(network, names, tuple(seen)).eval()
    data = graphs.to_onnx(graph, samples[0])
    graphs.check_parity(graph, data, samples)
    named: dict[tuple[int, ...], str] = {
        (len(one.ch_names),): key for key, one in spec.modalities.items() if key in _NAMES_ROWS
    }
    outputs = {
        key: TensorSpec(shape=tuple(x.shape), labels=named.get(tuple(x.shape[1:2]), ""))
        for key, x in seen.items()
    }
    inputs = {
        key: TensorSpec(shape=tuple(x.shape), labels=_labels(key)) for key, x in samples[0].items()
    }
    slices = torch.cat([graph.run(sample)[SLICE] for sample in samples])
    return data, _describe("encoder", data, inputs, outputs), slices


def _head(
    network: Network, slices: Tensor, targets: Mapping[str, Target], *, t_min: int, t_max: int
) -> tuple[bytes, Graph]:
    """Return the head's file and its description, checked at every T."""
    graph = HeadGraph(network.head, {key: t.temperature for key, t in targets.items()}).eval()
    enough = slices.repeat(1 + t_max // len(slices), *[1] * (slices.ndim - 1))
    data = graphs.to_onnx(
        graph,
        {"slices": enough[None, : max(2, t_max)]},
        free=FreeAxis(axis=1, name="n_slices", longest=t_max),
    )
    runs = [{"slices": enough[None, -n:]} for n in range(t_min, t_max + 1)]
    graphs.check_parity(graph, data, runs)
    answers = {key: (1, len(target.classes)) for key, target in targets.items()}
    for key, x in graph.run(runs[0]).items():
        if tuple(x.shape) != answers[key]:
            msg = f"Target {key} must have shape {answers[key]}, the head gives {tuple(x.shape)}."
            raise BundleError(msg)
    outputs = {key: TensorSpec(shape=shape) for key, shape in answers.items()}
    inputs = {"slices": TensorSpec(shape=(1, None, *network.slice_shape))}
    return data, _describe("head", data, inputs, outputs)


def _baseline(network: Network, windows: Windows) -> tuple[bytes, Graph, Tensor]:
    """Return the baseline's file, its description, and the statistics of the windows."""
    graph = BaselineGraph(network, tuple(windows)).eval()
    data = graphs.to_onnx(
        graph, windows, free=FreeAxis(axis=0, name="n_windows", longest=MAX_WINDOWS)
    )
    n_windows = len(next(iter(windows.values())))
    runs = [{key: x[:n] for key, x in windows.items()} for n in range(1, n_windows + 1)]
    graphs.check_parity(graph, data, runs)
    values = graph.run(windows)[REST]
    inputs = {
        key: TensorSpec(shape=(None, *x.shape[1:]), labels=_labels(key))
        for key, x in windows.items()
    }
    outputs = {REST: TensorSpec(shape=tuple(values.shape))}
    return data, _describe("baseline", data, inputs, outputs), values


def _rests(values: Tensor, rest: Rest) -> list[dict[str, Tensor]]:
    """Return what the encoder may be given of a baseline."""
    if rest.required:
        return [{REST: values[None]}]
    return [
        {REST: values[None], HAS_REST: torch.ones(1)},
        {REST: torch.zeros_like(values)[None], HAS_REST: torch.zeros(1)},
    ]


def _check_examples(examples: Windows, spec: WindowSpec, *, n_windows: int) -> None:
    wanted: dict[str, tuple[int, ...]] = {}
    for modality, one in spec.modalities.items():
        n_times = round(spec.window_s * one.sfreq)
        wanted |= {modality: (one.n_rows, n_times), f"{modality}_mask": (n_times,)}
    wanted = {name: wanted[name] for name in input_names(spec)}
    got = {name: tuple(x.shape[1:]) for name, x in examples.items()}
    if got != wanted or min(len(x) for x in examples.values()) < n_windows:
        msg = (
            f"Examples must be at least {n_windows} windows of {wanted}, got "
            f"{ {name: tuple(x.shape) for name, x in examples.items()} }."
        )
        raise BundleError(msg)


def _with_missing(examples: Windows, spec: WindowSpec) -> dict[str, Tensor]:
    """Return windows, and as many again without what may be missing."""
    lost = {
        name
        for modality, one in spec.modalities.items()
        for name in (modality, f"{modality}_mask")
        if one.optional
    }
    windows = {name: examples[name].to(torch.float32) for name in input_names(spec)}
    return {
        name: torch.cat([x, torch.zeros_like(x) if name in lost else x])
        for name, x in windows.items()
    }


def _one_by_one(windows: Windows) -> list[dict[str, Tensor]]:
    """Return windows with a batch axis of 1, as the runtime hands them over."""
    n_windows = len(next(iter(windows.values())))
    return [{name: x[i : i + 1] for name, x in windows.items()} for i in range(n_windows)]


def _labels(name: str) -> str:
    return "" if name in (REST, HAS_REST) or name.endswith("_mask") else name


def _describe(
    role: str, data: bytes, inputs: Mapping[str, TensorSpec], outputs: Mapping[str, TensorSpec]
) -> Graph:
    sha256 = hashlib.sha256(data).hexdigest()
    return Graph(file=f"{role}.onnx", sha256=sha256, inputs=inputs, outputs=outputs)
