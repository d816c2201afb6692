"""Encoder and head on a GPU: onnxruntime's CUDA provider, torch as the reference.

Says plainly when there is no GPU; the CPU's numbers stand beside in any case.
"""

import argparse
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from shared import LIVE_BUNDLE, machine, open_bundle, p50_p99, table, timed_ms

from rtaffect.bundle import Bundle
from rtaffect.core.errors import InferenceError
from rtaffect.decode.session import GraphRunner
from rtaffect.manifest_graphs import Graph

Inputs = Mapping[str, npt.NDArray[np.float32]]


def inputs_of(bundle: Bundle, n_slices: int) -> dict[str, dict[str, npt.NDArray[np.float32]]]:
    """Return random inputs of both graphs."""
    rng = np.random.default_rng(0)
    shapes = bundle.manifest.graphs.encoder.inputs.items()
    return {
        "encoder": {
            name: rng.standard_normal([n or 1 for n in tensor.shape]).astype(np.float32)
            for name, tensor in shapes
        },
        "head": {
            "slices": rng.standard_normal((1, n_slices, *bundle.manifest.slices.shape)).astype(
                np.float32
            )
        },
    }


def torch_modules(bundle: Bundle) -> "dict[str, Any]":
    """Return the same network as torch modules, untrained: for its speed alone."""
    from pydantic import TypeAdapter

    from offline.graphs import EncoderGraph, HeadGraph
    from offline.models import ModelSettings
    from offline.models.contract import Shapes

    manifest = bundle.manifest
    settings = TypeAdapter(ModelSettings).validate_python(manifest.training.recipe["model"])
    targets = {name: len(target.classes) for name, target in manifest.targets.items()}
    network = settings.build(Shapes(windows=manifest.windows, targets=targets)).eval()
    encoder = manifest.graphs.encoder
    return {
        "encoder": EncoderGraph(network, tuple(encoder.inputs), tuple(encoder.outputs)),
        "head": HeadGraph(network.head, dict.fromkeys(targets, 1.0)),
    }


def on_torch(module: Any, inputs: Inputs, device: str) -> Callable[[], object]:
    """Return one run of a module, from arrays to arrays as the runtime needs them."""
    import torch

    module = module.to(device).eval()

    def work() -> object:
        with torch.inference_mode():
            outputs = module(*(torch.from_numpy(array).to(device) for array in inputs.values()))
            return [output.cpu().numpy() for output in outputs]

    return work


def main() -> None:
    """Time whatever there is and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--bundle", default=LIVE_BUNDLE, help="name or folder")
    args = parser.parse_args()
    bundle = open_bundle(args.bundle)
    graphs: dict[str, Graph] = {
        "encoder": bundle.manifest.graphs.encoder,
        "head": bundle.manifest.graphs.head,
    }
    inputs = inputs_of(bundle, bundle.manifest.slices.t_max)
    rows: list[tuple[object, ...]] = []
    answers: dict[str, npt.NDArray[np.float32]] = {}
    why = ""
    for provider in ("cpu", "cuda"):
        for part, graph in graphs.items():
            try:
                runner = GraphRunner(bundle.read_graph(graph), name=part, provider=provider)
            except InferenceError as error:
                why = str(error)
                continue
            outputs = tuple(graph.outputs)[:1]
            took = timed_ms(partial(runner.run, inputs[part], outputs), args.runs)
            answer = runner.run(inputs[part], outputs)[outputs[0]]
            first = answers.setdefault(part, answer)
            rows.append(
                (part, runner.provider, p50_p99(took, 3), f"{np.abs(answer - first).max():.1e}")
            )
    try:
        import torch
    except ImportError:
        device_name = ""
        why += " torch is not installed: no reference (it is in rtaffect[offline])."
    else:
        torch.set_num_threads(1)
        devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
        device_name = torch.cuda.get_device_name() if len(devices) > 1 else ""
        for device in devices:
            for part, module in torch_modules(bundle).items():
                took = timed_ms(on_torch(module, inputs[part], device), args.runs)
                rows.append((part, f"torch, {device}", p50_p99(took, 3), "-"))
    print(f"### GPU\n\n{machine()}{f'; {device_name}' if device_name else ''}\n")
    if why:
        print(f"No measurement on a GPU: {why}\n" if not device_name else f"{why}\n")
    header = ("stage", "where", "ms, p50 / p99", "largest difference from the CPU")
    print(table(header, rows), "\n")


if __name__ == "__main__":
    main()
