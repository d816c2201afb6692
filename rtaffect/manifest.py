"""The schema of a bundle's ``manifest.json``: what a model is, wants, answers and was trained on.

The trainer writes it, the runtime reads it; nothing else passes between the two.
"""

import math
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from rtaffect.core.spec import GRID, WindowSpec
from rtaffect.core.spec_checks import MAX_VALUES, window_problems

SCHEMA_VERSION: Literal[1] = 1
"""Changes whenever an older reader would misread a newer manifest."""

REST, HAS_REST = "rest", "has_rest"
"""The encoder's inputs that take a baseline, and 1 where there is one (only where it may lack)."""

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
"""A name that is safe in a topic, a file name and a shell."""

FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}\.onnx$")]
"""The name of a graph inside the bundle's own folder: no folder part, no dots but the suffix's."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Tensor(_Part):
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


class Graph(_Part):
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


class Graphs(_Part):
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


class Rest(_Part):
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


class Slices(_Part):
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


class Target(_Part):
    """One thing that the model answers.

    Parameters
    ----------
    classes : tuple of str
        Class names, in the order of the head's output.
    edges : tuple of float
        ``len(classes) + 1`` rising edges in [-1, 1], class i speaking for
        ``[edges[i], edges[i + 1])``; empty for categories.
    prior : tuple of float
        Share of each class in the training set.
    skill : float
        ``1 - NLL / NLL(prior)`` on held-out participants, clipped to [0, 1].
    temperature : float
        By which the logits were divided to calibrate them (already inside the graph).
    """

    classes: tuple[str, ...] = Field(min_length=2)
    edges: tuple[float, ...] = ()
    prior: tuple[float, ...]
    skill: float = Field(ge=0, le=1)
    temperature: float = Field(gt=0)

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if len(self.prior) != len(self.classes) or not math.isclose(
            math.fsum(self.prior), 1.0, abs_tol=1e-6
        ):
            msg = f"prior must hold {len(self.classes)} shares that sum to 1, got {self.prior}"
            raise ValueError(msg)
        rising = all(low < high for low, high in zip(self.edges, self.edges[1:], strict=False))
        if self.edges and not (
            len(self.edges) == len(self.classes) + 1
            and rising
            and self.edges[0] >= -1
            and self.edges[-1] <= 1
        ):
            msg = (
                f"edges must be {len(self.classes) + 1} rising numbers in [-1, 1], got {self.edges}"
            )
            raise ValueError(msg)
        return self


class Metric(_Part):
    """One number measured on held-out participants, with the 95 % bootstrap interval over them."""

    value: float
    ci_low: float | None = None
    ci_high: float | None = None


class DataSet(_Part):
    """What a model was trained on.

    Parameters
    ----------
    kind, title, reference, licence : str
        As `offline.datasets.contract.About` says it.
    simulated : bool
        Nobody was measured.
    """

    kind: str
    title: str
    reference: str = ""
    licence: str = ""
    simulated: bool = False


class Training(_Part):
    """Where the weights come from.

    Parameters
    ----------
    command : str
        What was typed to make the bundle.
    recipe : mapping
        Every setting of the run.
    versions : mapping of str to str
        Of the libraries that took part.
    participants : mapping of str to tuple of str
        By role (``train``, ``validation``, ``test``): who was in it.
    n_sequences : mapping of str to int
        By role: how many sequences of windows.
    metrics : mapping of str to mapping of str to Metric
        By target, then by name, on the test participants.
    data : DataSet or None
        What they were recorded in; None in bundles older than this field.
    protocol : mapping
        Kind and settings of the split, and its digest.
    leaky : bool
        Test data took part in training or selection: the metrics say nothing about new people.
    checkpoint : str
        How the epoch was chosen: ``"validation"``, ``"last"`` or ``"best_test"``; ``"solved"``
        where there are no epochs.
    """

    command: str
    recipe: Mapping[str, JsonValue]
    versions: Mapping[str, str]
    participants: Mapping[str, tuple[str, ...]]
    n_sequences: Mapping[str, int]
    metrics: Mapping[str, Mapping[str, Metric]]
    data: DataSet | None = None
    protocol: Mapping[str, JsonValue] = Field(default_factory=dict)
    leaky: bool = False
    checkpoint: str = ""

    @model_validator(mode="after")
    def _confesses(self) -> Self:
        if self.checkpoint == "best_test" and not self.leaky:
            msg = "leaky must be true where the checkpoint is best_test"
            raise ValueError(msg)
        return self


class Manifest(_Part):
    """A bundle in words.

    Parameters
    ----------
    schema_version : int
        `SCHEMA_VERSION` of the writer.
    name, title, description, licence : str
        The description is the model card: what it is for, what it is not for, how well it does.
    simulated : bool
        It was trained on simulated participants and says nothing about people.
    windows : WindowSpec
        What the model sees.
    slices : Slices
        How many of them.
    targets : mapping of str to Target
        What it answers; the head has one output of each name.
    graphs : Graphs
        The files.
    training : Training
        How it was made.
    rest : Rest or None
        The baseline that it takes; None for a model that takes none.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    name: Name
    title: str
    description: str
    licence: str
    simulated: bool
    windows: WindowSpec
    slices: Slices
    targets: Mapping[Name, Target] = Field(min_length=1)
    graphs: Graphs
    training: Training
    rest: Rest | None = None

    @property
    def slice_step(self) -> int:
        """Windows on the hop grid from one slice of a run to the next."""
        return round(self.windows.window_s / self.windows.hop_s)

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        problems = [*window_problems(self.windows), *_graph_problems(self)]
        if problems:
            raise ValueError("; ".join(problems))
        return self


def explain(error: ValidationError) -> list[str]:
    """Return one line for each thing that is wrong with a manifest.

    The kinds of modality are tried one after the other; what other kinds would have wanted is left
    out.
    """
    details = error.errors(include_url=False)
    wrong_kinds = [
        e["loc"][:-1]
        for e in details
        if e["type"] == "literal_error" and e["loc"][-1:] == ("kind",)
    ]
    return [
        f"{'.'.join(str(part) for part in e['loc']) or 'manifest'}: {e['msg']}"
        for e in details
        if not any(e["loc"][: len(prefix)] == prefix for prefix in wrong_kinds)
    ] or ["windows.modalities: kind must be 'signal', 'frames', 'roi' or 'volume'"]


def _graph_problems(manifest: Manifest) -> list[str]:
    problems = []
    if manifest.slices.t_min > manifest.slices.t_max:
        problems.append("slices.t_min must not exceed slices.t_max")
    if manifest.windows.closes != GRID and manifest.slices.t_max != 1:
        problems.append("slices.t_max must be 1 where frames close windows")
    shapes = {"slices": (manifest.slices.t_max, *manifest.slices.shape)}
    for name, tensor in manifest.graphs.encoder.inputs.items():
        shapes[f"graphs.encoder.inputs.{name}"] = tuple(1 if n is None else n for n in tensor.shape)
    problems += [
        f"{where} must have lengths from 1 and at most {MAX_VALUES} numbers, got {shape}"
        for where, shape in shapes.items()
        if min(shape, default=1) < 1 or math.prod(shape) > MAX_VALUES
    ]
    modalities = set(manifest.windows.modalities)
    inputs = set(manifest.graphs.encoder.inputs)
    of_rest = set(manifest.rest.inputs) if manifest.rest else set[str]()
    masks = {f"{m}_mask" for m in modalities}
    if not modalities | of_rest <= inputs <= modalities | of_rest | masks:
        problems.append(
            "graphs.encoder.inputs must be "
            f"{', '.join(sorted(modalities | of_rest))} and masks, got {', '.join(sorted(inputs))}"
        )
    problems += _input_problems(manifest)
    problems += _rest_problems(manifest)
    if "slice" not in manifest.graphs.encoder.outputs:
        problems.append("graphs.encoder.outputs must hold 'slice'")
    if set(manifest.graphs.head.inputs) != {"slices"}:
        problems.append("graphs.head.inputs must be 'slices' alone")
    if missing := set(manifest.targets) - set(manifest.graphs.head.outputs):
        problems.append(f"graphs.head.outputs must hold every target, {sorted(missing)} missing")
    return problems


def _input_problems(manifest: Manifest) -> list[str]:
    """Return what of the encoder's inputs does not fit the windows."""
    shapes: dict[str, tuple[int, ...]] = manifest.rest.inputs if manifest.rest else {}
    for modality, spec in manifest.windows.modalities.items():
        n_times = round(manifest.windows.window_s * spec.sfreq)
        shapes |= {modality: (1, spec.n_rows, n_times), f"{modality}_mask": (1, n_times)}
    return [
        f"graphs.encoder.inputs.{name} must have shape {shapes[name]}, got {tensor.shape}"
        for name, tensor in manifest.graphs.encoder.inputs.items()
        if name in shapes and tensor.shape != shapes[name]
    ]


def _rest_problems(manifest: Manifest) -> list[str]:
    """Return what of the baseline does not fit the encoder."""
    rest, graph = manifest.rest, manifest.graphs.baseline
    if rest is None and graph is None:
        return []
    if rest is None or graph is None:
        return ["rest and graphs.baseline must be there both or neither"]
    problems = []
    if min(rest.shape, default=1) < 1 or math.prod(rest.shape) > MAX_VALUES:
        problems.append(f"rest.shape must have lengths from 1, got {rest.shape}")
    encoder = manifest.graphs.encoder.inputs
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
    if taken := {REST, HAS_REST, "baseline"} & set(manifest.windows.modalities):
        problems.append(f"windows.modalities must not be called {', '.join(sorted(taken))}")
    return problems
