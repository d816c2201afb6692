"""A decoder: one bundle that turns windows into estimates.

Each new window is encoded once, into a slice. The head looks at the slices that end at t, t - 3 s,
t - 6 s ... (non-overlapping, as in training), as far back as the run is unbroken, up to ``t_max``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import fmean

import numpy as np
import numpy.typing as npt

from rtaffect.bundle import Bundle
from rtaffect.core.estimate import Distribution, Estimate
from rtaffect.core.streams import StreamInfo
from rtaffect.core.window import Flag, Window
from rtaffect.decode.baseline import MODALITY, Baseline
from rtaffect.decode.inputs import encoder_inputs
from rtaffect.decode.session import GraphRunner
from rtaffect.manifest_graphs import HAS_REST, REST

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """What came of one window.

    Parameters
    ----------
    estimate : Estimate
        The answer, or why there is none.
    matrices : mapping of str to ndarray of float32
        The encoder's outputs without the batch axis; empty unless they were asked for, and where
        the window could not be encoded.
    """

    estimate: Estimate
    matrices: Mapping[str, Array] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class _Slice:
    """One encoded window, with what was known about it."""

    data: Array
    coverage: Mapping[str, float]
    usable: frozenset[str]
    flags: frozenset[tuple[str, Flag]]


class Decoder:
    """Runs one bundle over windows that arrive in order.

    Parameters
    ----------
    bundle : Bundle
        The model.
    name : str, optional
        Name of the decoder in estimates and topics; the bundle's name by default.
    infos : mapping of str to StreamInfo, optional
        The streams by modality; those that declare themselves simulated are flagged.
    provider : {"auto", "cpu", "cuda"}
        Where the graphs run.
    baseline : Baseline, optional
        Of the person, for a model that takes one. Where it is left out every estimate says so, and
        carries no values if the model needs one.

    Raises
    ------
    BaselineError
        The baseline is of another model.
    BundleError
        A graph was altered since the bundle was loaded.
    InferenceError
        A graph cannot be loaded or run.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        name: str | None = None,
        infos: Mapping[str, StreamInfo] | None = None,
        provider: str = "auto",
        baseline: Baseline | None = None,
    ) -> None:
        manifest = bundle.manifest
        self.name = name or manifest.name
        self.bundle = bundle
        self.baseline = baseline
        self._rest = _rest_inputs(bundle, baseline)
        self._encoder = GraphRunner(
            bundle.read_graph(manifest.graphs.encoder),
            name=f"{self.name}: encoder",
            provider=provider,
        )
        self._head = GraphRunner(
            bundle.read_graph(manifest.graphs.head), name=f"{self.name}: head", provider=provider
        )
        simulated = frozenset(
            (modality, Flag.SIMULATED)
            for modality in manifest.windows.modalities
            if manifest.simulated or (infos and modality in infos and infos[modality].simulated)
        )
        rest = manifest.rest
        no_rest = {(MODALITY, Flag.MISSING)} if rest is not None and baseline is None else set()
        self._always = simulated | no_rest
        self._slices: dict[int, _Slice] = {}
        self._warm_up()

    @property
    def provider(self) -> str:
        """Where the graphs run, in ONNX Runtime's words."""
        return self._head.provider

    @property
    def can_answer(self) -> bool:
        """Whether it has the baseline that its model cannot do without, if there is one."""
        rest = self.bundle.manifest.rest
        return rest is None or not rest.required or self.baseline is not None

    def reset(self) -> None:
        """Forget every slice, as before the first window."""
        self._slices.clear()

    def decode(self, window: Window, *, with_matrices: bool = False) -> Decoded:
        """Return the estimate of a window.

        Parameters
        ----------
        window : Window
            The newest window; indices rise from call to call.
        with_matrices : bool
            Fetch the encoder's other outputs too, for a monitor. The estimate is the same.

        Returns
        -------
        Decoded
            The estimate carries no values where the window, or too much of what came before it,
            could not be encoded; its flags say why.

        Raises
        ------
        InferenceError
            The windows do not have the shape that the bundle declares.
        """
        manifest = self.bundle.manifest
        oldest = window.index - (manifest.slices.t_max - 1) * manifest.slice_step
        self._slices = {k: s for k, s in self._slices.items() if oldest <= k < window.index}
        matrices: Mapping[str, Array] = {}
        if self.can_answer and all(
            window.modalities[modality].usable or spec.optional
            for modality, spec in manifest.windows.modalities.items()
        ):
            matrices = self._encode(window, with_matrices=with_matrices)
            self._slices[window.index] = self._slice(window, matrices["slice"])
        run = self._run_ending_at(window.index)
        estimate = (
            self._answer(window, run)
            if len(run) >= manifest.slices.t_min
            else self._no_answer(window)
        )
        return Decoded(estimate, matrices if with_matrices else {})

    def _encode(self, window: Window, *, with_matrices: bool) -> dict[str, Array]:
        wanted = tuple(self.bundle.manifest.graphs.encoder.outputs) if with_matrices else ("slice",)
        names = [name for name in self._encoder.inputs if name not in self._rest]
        inputs = encoder_inputs(window, names) | self._rest
        outputs = self._encoder.run(inputs, wanted)
        return {name: array[0] for name, array in outputs.items()}

    def _slice(self, window: Window, data: Array) -> _Slice:
        usable = frozenset(m for m, part in window.modalities.items() if part.usable)
        unusable = {(m, Flag.MISSING) for m in window.modalities if m not in usable}
        return _Slice(
            data=data,
            coverage={m: part.coverage for m, part in window.modalities.items()},
            usable=usable,
            flags=_flags(window) | unusable,
        )

    def _run_ending_at(self, index: int) -> list[_Slice]:
        """Return the longest unbroken run of slices that ends here, oldest first."""
        run: list[_Slice] = []
        while index in self._slices:
            run.insert(0, self._slices[index])
            index -= self.bundle.manifest.slice_step
        return run

    def _answer(self, window: Window, run: list[_Slice]) -> Estimate:
        manifest = self.bundle.manifest
        slices = np.stack([part.data for part in run])[np.newaxis]  # (1, T, *shape)
        outputs = self._head.run({"slices": slices}, tuple(manifest.targets))
        targets = {
            name: Distribution(
                classes=target.classes,
                probabilities=tuple(float(p) for p in outputs[name][0]),
                edges=target.edges,
            )
            for name, target in manifest.targets.items()
        }
        coverage = {
            modality: fmean(part.coverage[modality] for part in run)
            for modality in manifest.windows.modalities
        }
        used = frozenset[str]().union(*(part.usable for part in run))
        certainty = fmean(target.certainty for target in targets.values())
        return Estimate(
            decoder=self.name,
            t_start=window.t_start,
            t_end=window.t_end,
            targets=targets,
            confidence=certainty * fmean(coverage[m] for m in sorted(used)),
            coverage=coverage,
            flags=_sorted(self._always.union(*(part.flags for part in run))),
            contributions={self.name: 1.0},
            n_slices=len(run),
            bundle_digest=self.bundle.digest,
            lag_s=self.bundle.manifest.windows.lag_s,
        )

    def _no_answer(self, window: Window) -> Estimate:
        """Return an estimate without values; `missing` names the modality that stood in the way."""
        required = [m for m, s in self.bundle.manifest.windows.modalities.items() if not s.optional]
        # A usable window after a break still lacks the windows before it, and that is theirs.
        absent = [m for m in required if not window.modalities[m].usable]
        if not absent and self.can_answer:
            absent = required
        return Estimate(
            decoder=self.name,
            t_start=window.t_start,
            t_end=window.t_end,
            targets={},
            confidence=0.0,
            coverage={m: part.coverage for m, part in window.modalities.items()},
            flags=_sorted(self._always | _flags(window) | {(m, Flag.MISSING) for m in absent}),
            contributions={},
            n_slices=0,
            bundle_digest=self.bundle.digest,
            lag_s=self.bundle.manifest.windows.lag_s,
        )

    def _warm_up(self) -> None:
        """Run every shape once, so that the first window costs what the others cost."""
        manifest = self.bundle.manifest
        encoder = manifest.graphs.encoder
        inputs = {name: _zeros(tensor.shape) for name, tensor in encoder.inputs.items()}
        self._encoder.run(inputs, tuple(encoder.outputs))
        self._encoder.run(inputs, ("slice",))
        for n_slices in range(manifest.slices.t_min, manifest.slices.t_max + 1):
            slices = _zeros((1, n_slices, *manifest.slices.shape))
            self._head.run({"slices": slices}, tuple(manifest.targets))


def _rest_inputs(bundle: Bundle, baseline: Baseline | None) -> dict[str, Array]:
    """Return what the encoder is given of a person's baseline, with a batch axis of 1."""
    if baseline is None:
        rest = bundle.manifest.rest
        return {name: _zeros(shape) for name, shape in rest.inputs.items()} if rest else {}
    values = baseline.array_for(bundle)[np.newaxis]
    given = {REST: values, HAS_REST: np.ones(1, dtype=np.float32)}
    taken = bundle.manifest.graphs.encoder.inputs
    return {name: array for name, array in given.items() if name in taken}


def _flags(window: Window) -> frozenset[tuple[str, Flag]]:
    return frozenset((m, flag) for m, part in window.modalities.items() for flag in part.flags)


def _sorted(flags: frozenset[tuple[str, Flag]]) -> tuple[tuple[str, Flag], ...]:
    return tuple(sorted(flags))


def _zeros(shape: tuple[int | None, ...]) -> Array:
    return np.zeros([1 if n is None else n for n in shape], dtype=np.float32)
