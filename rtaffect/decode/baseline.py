"""A person's baseline: statistics of windows at rest, taken once, kept in a file, then only read.

Predicting never learns: what a model knows of a person is in this file, and the file is bound to
the model by the digest of its manifest.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from rtaffect.bundle import Bundle
from rtaffect.core.errors import BaselineError
from rtaffect.core.window import Flag, Window
from rtaffect.decode.inputs import encoder_inputs
from rtaffect.decode.session import GraphRunner
from rtaffect.manifest_graphs import REST, Rest

Array = npt.NDArray[np.float32]

MODALITY = "baseline"
"""What flags call it: ``("baseline", "missing")``."""

MAX_FILE_BYTES = 64 << 20

MAX_WINDOWS = 4096
"""No rest is as long; all windows are summarised at once."""

_UNCLEAN = frozenset(Flag) - {Flag.INTERPOLATED, Flag.SIMULATED}


class Baseline(BaseModel):
    """Statistics of one person at rest, for one model.

    Parameters
    ----------
    format : 1
        Layout of the file.
    bundle : str
        Name of the model, for people.
    bundle_digest : str
        The model that it was made with, and the only one that takes it.
    n_windows : int
        Clean windows that it comes from; neighbours do not overlap.
    t_start, t_end : float
        Begin of the first and end of the last, in seconds on the runtime's (the recording's) clock.
    flags : mapping of str to int
        Windows at rest that had a flag, ``"eeg:artifact"``, kept or not.
    shape : tuple of int
        Of the statistics.
    values : tuple of float
        The statistics, row by row.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)

    format: Literal[1] = 1
    bundle: str
    bundle_digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    n_windows: int = Field(ge=1)
    t_start: float
    t_end: float
    flags: Mapping[str, int] = Field(default_factory=dict)
    shape: tuple[int, ...]
    values: tuple[float, ...]

    @property
    def digest(self) -> str:
        """Hexadecimal SHA-256 of all that it says."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def array_for(self, bundle: Bundle) -> Array:
        """Return the statistics, of shape `shape`.

        Raises
        ------
        BaselineError
            It belongs to another model, or does not have the shape that this one takes.
        """
        rest = _rest_of(bundle)
        if self.bundle_digest != bundle.digest:
            msg = (
                "A baseline must be used with the model that it was made for: it was made for "
                f"{self.bundle!r} (digest {self.bundle_digest[:12]}), and loaded is "
                f"{bundle.manifest.name!r} (digest {bundle.digest[:12]}). Make it again with "
                "`rtaffect baseline`."
            )
            raise BaselineError(msg)
        with np.errstate(over="ignore"):  # found below, in words
            values = np.array(self.values, dtype=np.float64).astype(np.float32)
        if self.shape != rest.shape or values.size != int(np.prod(rest.shape)):
            msg = (
                f"The baseline must have shape {rest.shape}, got {self.shape} with "
                f"{values.size} numbers. Make it again with `rtaffect baseline`."
            )
            raise BaselineError(msg)
        if not np.isfinite(values).all():
            msg = "The numbers of a baseline must be finite in 32 bits. Make it again."
            raise BaselineError(msg)
        return values.reshape(rest.shape)


def read_baseline(path: Path) -> Baseline:
    """Read a baseline.

    Raises
    ------
    BaselineError
        The file cannot be read, or is no baseline.
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        msg = (
            f"The baseline {path} cannot be read: {error.strerror}. `rtaffect baseline` makes one."
        )
        raise BaselineError(msg) from error
    if len(data) > MAX_FILE_BYTES:
        msg = f"The baseline {path} must not be larger than {MAX_FILE_BYTES} bytes."
        raise BaselineError(msg)
    try:
        return Baseline.model_validate_json(data)
    except ValidationError as error:
        raise _no_baseline(str(path), error) from error


def recorded_baseline(content: JsonValue) -> Baseline:
    """Return the baseline that a recording holds.

    Raises
    ------
    BaselineError
        What it holds is none.
    """
    try:
        return Baseline.model_validate_json(json.dumps(content))
    except ValidationError as error:
        raise _no_baseline("the recording's baseline", error) from error


def write_baseline(path: Path, baseline: Baseline) -> None:
    """Write a baseline, all of it or nothing.

    Raises
    ------
    BaselineError
        The file cannot be written.
    """
    path = Path(path)
    scratch = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch.write_text(baseline.model_dump_json(indent=1) + "\n", encoding="utf-8")
        scratch.replace(path)
    except OSError as error:
        msg = f"The baseline {path} cannot be written: {error.strerror}. Choose another file."
        raise BaselineError(msg) from error


class BaselineMaker:
    """Keeps the clean windows of a rest and summarises them.

    Parameters
    ----------
    bundle : Bundle
        The model.
    provider : {"auto", "cpu", "cuda"}
        Where its graph runs.

    Raises
    ------
    BaselineError
        The model takes no baseline.
    """

    def __init__(self, bundle: Bundle, *, provider: str = "auto") -> None:
        self._bundle = bundle
        self._rest = _rest_of(bundle)
        graph = bundle.manifest.graphs.baseline
        assert graph is not None
        self._names = tuple(graph.inputs)
        self._runner = GraphRunner(
            bundle.read_graph(graph), name=f"{bundle.manifest.name}: baseline", provider=provider
        )
        self._kept: list[dict[str, Array]] = []
        self._next = -(1 << 62)
        self._t_start = self._t_end = float("nan")
        self._flags: Counter[str] = Counter()

    @property
    def n_kept(self) -> int:
        """Clean windows so far."""
        return len(self._kept)

    def push(self, window: Window) -> bool:
        """Take a window at rest; return whether it is kept.

        It is where every modality that the model needs is clean, and it does not overlap the last
        one that was kept.
        """
        manifest = self._bundle.manifest
        parts = window.modalities
        self._flags.update(f"{m}:{flag}" for m, part in parts.items() for flag in part.flags)
        is_clean = all(
            spec.optional or (parts[m].usable and not parts[m].flags & _UNCLEAN)
            for m, spec in manifest.windows.modalities.items()
        )
        if not is_clean or window.index < self._next or len(self._kept) >= MAX_WINDOWS:
            return False
        if not self._kept:
            self._t_start = window.t_start
        self._t_end = window.t_end
        self._next = window.index + manifest.slice_step
        self._kept.append(encoder_inputs(window, self._names))
        return True

    def finish(self) -> Baseline:
        """Return the baseline of the windows that were kept.

        Raises
        ------
        BaselineError
            They are too few, or the model makes no finite numbers of them.
        InferenceError
            The graph cannot be run.
        """
        if self.n_kept < self._rest.min_windows:
            windows = self._bundle.manifest.windows
            seen = ", ".join(f"{word} {n}" for word, n in sorted(self._flags.items()))
            msg = (
                f"A baseline of {self._bundle.manifest.name!r} must come from at least "
                f"{self._rest.min_windows} clean windows of {windows.window_s:g} s, got "
                f"{self.n_kept}. Rest longer, or remove what stood in the way"
                f"{f' (flags: {seen})' if seen else ''}."
            )
            raise BaselineError(msg)
        inputs = {n: np.concatenate([kept[n] for kept in self._kept]) for n in self._names}
        values = self._runner.run(inputs, (REST,))[REST]
        if not np.isfinite(values).all():
            msg = "The statistics of a baseline must be finite, and those of this rest are not."
            raise BaselineError(msg)
        baseline = Baseline(
            bundle=self._bundle.manifest.name,
            bundle_digest=self._bundle.digest,
            n_windows=self.n_kept,
            t_start=self._t_start,
            t_end=self._t_end,
            flags=dict(sorted(self._flags.items())),
            shape=values.shape,
            values=tuple(values.ravel().tolist()),
        )
        baseline.array_for(self._bundle)
        return baseline


def _rest_of(bundle: Bundle) -> Rest:
    if bundle.manifest.rest is None:
        msg = f"The model {bundle.manifest.name!r} takes no baseline: it needs none."
        raise BaselineError(msg)
    return bundle.manifest.rest


def _no_baseline(where: str, error: ValidationError) -> BaselineError:
    lines = [
        f"  {'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}"
        for e in error.errors(include_url=False)[:8]
    ]
    return BaselineError(
        "\n".join([f"{where} must be what `rtaffect baseline` wrote, and is not:", *lines])
    )
