"""The schema of a bundle's ``manifest.json``: what a model is, wants, answers and was trained on.

The trainer writes it, the runtime reads it; nothing else passes between the two.
"""

import math
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, JsonValue, ValidationError, model_validator

from rtaffect.core.spec import WindowSpec
from rtaffect.core.spec_checks import window_problems
from rtaffect.manifest_graphs import Graphs, Part, Rest, Slices, graph_problems

SCHEMA_VERSION: Literal[1] = 1
"""Changes whenever an older reader would misread a newer manifest."""

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
"""A name that is safe in a topic, a file name and a shell."""


class Target(Part):
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


class Metric(Part):
    """One number measured on held-out participants, with the 95 % bootstrap interval over them."""

    value: float
    ci_low: float | None = None
    ci_high: float | None = None


class DataSet(Part):
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


class Training(Part):
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


class Manifest(Part):
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
        problems = [
            *window_problems(self.windows),
            *graph_problems(
                self.graphs,
                windows=self.windows,
                slices=self.slices,
                rest=self.rest,
                targets=self.targets,
            ),
        ]
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
