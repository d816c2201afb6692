"""The graphs of a bundle as its manifest tells them, and whether they fit its windows."""

import math
from collections.abc import Collection, Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from rtaffect.core.spec import GRID, WindowSpec
from rtaffect.core.spec_checks import MAX_VALUES

REST, HAS_REST = "rest", "has_rest"
"""The encoder's inputs that take a baseline, and 1 where there is one (only where it may lack)."""

FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}\.onnx$")]
"""The name of a graph inside the bundle's own folder: no folder part, no dots but the suffix's."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Part(BaseModel):
    """A part of a manifest: frozen, and nothing unknown."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Tensor(Part):
    """A graph's input or output.

    Parameters
    ----------
    shape : tuple of int or None
        None is an axis whose length may vary (the head's number of slices).
    labels : str
        Modality whose channels label the first axis after the batch; "" where none does.
    """

    shape: tuple[int | None, ...]
    labels: str = ""


class Graph(Part):
    """One ONNX file.

    Parameters
    ----------
    file : str
        Name inside the bundle's folder.
    sha256 : str
        Digest of the file's bytes, lower-case hexadecimal.
    inputs, outputs : mapping of str to Tensor
        By name. An encoder's input ``eeg`` takes the modality ``eeg``; ``eeg_mask``, where there is
        one, takes 1 at samples that exist and 0 at those that do not.
    """

    file: FileName
    sha256: Sha256
    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]


class Graphs(Part):
    """The files.

    Parameters
    ----------
    encoder : Graph
        One window -> one slice.
    head : Graph
        Slices -> one distribution a target.
    baseline : Graph or None
        Windows at rest -> the statistics of a person that the encoder's input ``rest`` takes.
    """

    encoder: Graph
    head: Graph
    baseline: Graph | None = None

    @property
    def by_role(self) -> dict[str, Graph]:
        """The graphs that there are."""
        return {role: graph for role, graph in self if graph is not None}


class Rest(Part):
    """The baseline that the encoder takes.

    Parameters
    ----------
    shape : tuple of int
        Shape of a person's statistics, without a batch axis.
    min_windows : int
        How many clean windows at rest it must come from.
    required : bool
        Without a baseline the model does not answer; else the encoder has an input ``has_rest``.
    """

    shape: tuple[int, ...]
    min_windows: int = Field(ge=1, le=4096)
    required: bool

    @property
    def inputs(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the encoder's inputs that take it, by name."""
        return {REST: (1, *self.shape)} | ({} if self.required else {HAS_REST: (1,)})


class Slices(Part):
    """How many windows the head looks back on.

    Parameters
    ----------
    t_min, t_max : int
        Fewest and most slices that the head was trained on; consecutive slices do not overlap.
    shape : tuple of int
        Shape of one slice.
    """

    t_min: int = Field(ge=1)
    t_max: int = Field(ge=1, le=64)
    shape: tuple[int, ...]


def graph_problems(
    graphs: Graphs,
    *,
    windows: WindowSpec,
    slices: Slices,
    rest: Rest | None,
    targets: Collection[str],
) -> list[str]:
    """Return in words what of a bundle's graphs does not fit the rest of its manifest.

    Parameters
    ----------
    graphs : Graphs
        The files.
    windows : WindowSpec
        What the model sees.
    slices : Slices
        How many of them.
    rest : Rest or None
        The baseline that it takes.
    targets : collection of str
        What it answers.
    """
    problems = []
    if slices.t_min > slices.t_max:
        problems.append("slices.t_min must not exceed slices.t_max")
    if windows.closes != GRID and slices.t_max != 1:
        problems.append("slices.t_max must be 1 where frames close windows")
    shapes = {"slices": (slices.t_max, *slices.shape)}
    for name, tensor in graphs.encoder.inputs.items():
        shapes[f"graphs.encoder.inputs.{name}"] = tuple(1 if n is None else n for n in tensor.shape)
    problems += [
        f"{where} must have lengths from 1 and at most {MAX_VALUES} numbers, got {shape}"
        for where, shape in shapes.items()
        if min(shape, default=1) < 1 or math.prod(shape) > MAX_VALUES
    ]
    modalities = set(windows.modalities)
    inputs = set(graphs.encoder.inputs)
    of_rest = set(rest.inputs) if rest else set[str]()
    masks = {f"{m}_mask" for m in modalities}
    if not modalities | of_rest <= inputs <= modalities | of_rest | masks:
        problems.append(
            "graphs.encoder.inputs must be "
            f"{', '.join(sorted(modalities | of_rest))} and masks, got {', '.join(sorted(inputs))}"
        )
    problems += _input_problems(graphs, windows, rest)
    problems += _rest_problems(graphs, windows, rest)
    if "slice" not in graphs.encoder.outputs:
        problems.append("graphs.encoder.outputs must hold 'slice'")
    if set(graphs.head.inputs) != {"slices"}:
        problems.append("graphs.head.inputs must be 'slices' alone")
    if missing := set(targets) - set(graphs.head.outputs):
        problems.append(f"graphs.head.outputs must hold every target, {sorted(missing)} missing")
    return problems


def _input_problems(graphs: Graphs, windows: WindowSpec, rest: Rest | None) -> list[str]:
    """Return what of the encoder's inputs does not fit the windows."""
    shapes: dict[str, tuple[int, ...]] = rest.inputs if rest else {}
    for modality, spec in windows.modalities.items():
        n_times = round(windows.window_s * spec.sfreq)
        shapes |= {modality: (1, spec.n_rows, n_times), f"{modality}_mask": (1, n_times)}
    return [
        f"graphs.encoder.inputs.{name} must have shape {shapes[name]}, got {tensor.shape}"
        for name, tensor in graphs.encoder.inputs.items()
        if name in shapes and tensor.shape != shapes[name]
    ]


def _rest_problems(graphs: Graphs, windows: WindowSpec, rest: Rest | None) -> list[str]:
    """Return what of the baseline does not fit the encoder."""
    graph = graphs.baseline
    if rest is None and graph is None:
        return []
    if rest is None or graph is None:
        return ["rest and graphs.baseline must be there both or neither"]
    problems = []
    if min(rest.shape, default=1) < 1 or math.prod(rest.shape) > MAX_VALUES:
        problems.append(f"rest.shape must have lengths from 1, got {rest.shape}")
    encoder = graphs.encoder.inputs
    expected = {
        name: (None, *tensor.shape[1:])
        for name, tensor in encoder.items()
        if name not in rest.inputs
    }
    shapes = {name: tensor.shape for name, tensor in graph.inputs.items()}
    if not shapes or any(expected.get(name) != shape for name, shape in shapes.items()):
        problems.append(
            f"graphs.baseline.inputs must be of {expected} with any number of windows, got {shapes}"
        )
    outputs = {name: tensor.shape for name, tensor in graph.outputs.items()}
    if outputs != {REST: rest.shape}:
        problems.append(f"graphs.baseline.outputs must be rest of {rest.shape}, got {outputs}")
    if taken := {REST, HAS_REST, "baseline"} & set(windows.modalities):
        problems.append(f"windows.modalities must not be called {', '.join(sorted(taken))}")
    return problems
