"""A recipe (YAML) becomes validated settings: everything that a run's numbers depend on."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from offline.changes import parse_changes, with_changes
from offline.datasets import DatasetSettings
from offline.models import ModelSettings
from offline.protocols import Protocol
from offline.window_settings import AnyWindowSettings, WindowSettings
from rtaffect.config.plain_yaml import compose
from rtaffect.config.reading import kinds_at, read_settings, validated
from rtaffect.core.errors import ConfigError
from rtaffect.core.spec import WindowSpec


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class SequenceSettings(_Settings):
    """How many windows an answer rests on.

    Parameters
    ----------
    t_min, t_max : int
        Fewest and most; neighbours do not overlap, and all are of one trial.
    """

    t_min: int = Field(default=1, ge=1)
    t_max: int = Field(default=1, ge=1, le=64)

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.t_min > self.t_max:
            msg = f"t_min must not exceed t_max, got {self.t_min} and {self.t_max}"
            raise ValueError(msg)
        return self


class LearningRateDecay(_Settings):
    """The rate is multiplied by `factor` after `patience` epochs without a better validation."""

    factor: float = Field(default=0.5, gt=0, lt=1)
    patience: int = Field(default=5, ge=1)


class TrainingSettings(_Settings):
    """How weights are found.

    Parameters
    ----------
    optimiser : {"adam", "ranger"}
        ``"ranger"`` is rectified Adam with slow weights that look ahead, as ASB was trained.
    learning_rate, weight_decay : float
        Of the optimiser.
    decay : LearningRateDecay or None
        None keeps the rate.
    batch_size : int
        Sequences in a batch.
    max_epochs, patience : int
        Training ends after `max_epochs`, or `patience` epochs after the best one on the validation
        items.
    modality_dropout : mapping of str to float
        Share of the sequences that are shown without a modality: ``{"face": 0.3}``.
    balance_classes : bool
        Weigh sequences so that the classes of each target count alike.
    paper_protocol : False, "nll" or "accuracy"
        As some papers do, let the TEST items decide when to stop and to lower the rate, and keep
        the epoch that was best on them, by loss or by accuracy, beside the one that validation
        chose. The run is stamped leaky.
    device : str
        ``"auto"`` takes a GPU where there is one.
    amp, compile_network : bool
        Automatic mixed precision (bfloat16 while training, which keeps about three digits of a
        connectivity; single precision whenever it is tested or exported); `torch.compile`.
    """

    optimiser: Literal["adam", "ranger"] = "adam"
    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=1e-5, ge=0)
    decay: LearningRateDecay | None = None
    batch_size: int = Field(default=40, ge=1)
    max_epochs: int = Field(default=30, ge=1)
    patience: int = Field(default=5, ge=1)
    modality_dropout: Mapping[str, float] = Field(default_factory=dict)
    balance_classes: bool = False
    paper_protocol: Literal[False, "nll", "accuracy"] = False
    device: Literal["auto", "cpu", "cuda"] = "auto"
    amp: bool = False
    compile_network: bool = False


class BundleText(_Settings):
    """What people read of the bundle that `export` makes.

    Parameters
    ----------
    name, title, summary : str
        The model card begins with the summary.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")
    title: str
    summary: str


class Recipe(_Settings):
    """One model, on one data set, by one protocol.

    Parameters
    ----------
    name : str
        For people.
    dataset : DatasetSettings
        Where recordings and labels come from.
    subjects : tuple of str
        Only these; empty takes everybody.
    targets : tuple of str
        What is answered, of the data set's labels; empty takes all.
    windows : AnyWindowSettings
        What the model sees.
    model : ModelSettings
        The network.
    sequences : SequenceSettings
        How many windows an answer rests on.
    training : TrainingSettings
        How weights are found.
    protocol : Protocol
        Who trains, who selects, who is tested.
    seeds : tuple of int
        Of weights, batches and draws; one run each.
    bundle : BundleText or None
        For `export`.
    """

    name: str = Field(min_length=1)
    dataset: DatasetSettings
    subjects: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    windows: AnyWindowSettings = WindowSettings()
    model: ModelSettings
    sequences: SequenceSettings = SequenceSettings()
    training: TrainingSettings = TrainingSettings()
    protocol: Protocol
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(default=(0,), min_length=1)
    bundle: BundleText | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.protocol.level == "window" and self.sequences.t_max > 1:
            msg = (
                "a protocol that shares out windows needs sequences.t_max = 1, because a sequence "
                f"could lie in two roles, got {self.sequences.t_max}"
            )
            raise ValueError(msg)
        if self.model.kind == "prior_dfcn" and self.model.prior and not self.windows.face:
            msg = "model.prior needs a face: set windows.face: true, or model.prior: false"
            raise ValueError(msg)
        if unknown := set(self.training.modality_dropout) - self.windows.optional:
            msg = f"training.modality_dropout must name optional modalities, got {sorted(unknown)}"
            raise ValueError(msg)
        if any(not 0 <= share <= 1 for share in self.training.modality_dropout.values()):
            msg = "training.modality_dropout must hold shares from 0 to 1"
            raise ValueError(msg)
        if self.windows.by_frame and self.sequences.t_max > 1:
            msg = (
                "windows that frames close overlap, so an answer rests on one: sequences.t_max "
                f"must be 1, got {self.sequences.t_max} (windows.window_s makes it look back)"
            )
            raise ValueError(msg)
        return self

    @property
    def is_leaky(self) -> bool:
        """Whether what comes of it is not to be believed, whatever the split."""
        return bool(self.training.paper_protocol) or self.windows.scaling != "none"

    def window_spec(self) -> WindowSpec:
        """Return the windows as the bundle's manifest will hold them.

        Raises
        ------
        ConfigError, DataError
            They are to have the data set's regions, and it has none or cannot be read.
        """
        return self.windows.spec(self.dataset.open().ch_names if self.windows.takes_all else ())


class Sweep(_Settings):
    """A recipe and what is varied in it.

    Parameters
    ----------
    base : Recipe
        As it stands this is the variant ``"full"``.
    variants : mapping of str to mapping
        By name, dotted keys and the values that they take instead: ``{"model.prior": false}``.
    """

    base: Recipe
    variants: Mapping[str, Mapping[str, Any]] = Field(default_factory=dict)

    def recipes(self) -> dict[str, Recipe]:
        """Return every variant's recipe by its name, the base first.

        Raises
        ------
        ConfigError
            A variant sets what no recipe holds.
        """
        found = {"full": self.base}
        for name, changes in self.variants.items():
            if name in found:
                msg = f"A variant must not be called {name!r}: that is the base as it stands."
                raise ConfigError(msg)
            found[name] = change(self.base, changes, where=f"variants.{name}")
        return found


def load_recipe(path: Path, changes: Sequence[str] = ()) -> Recipe:
    """Read and validate a recipe.

    Parameters
    ----------
    path : Path
        A YAML file.
    changes : sequence of str
        ``"training.max_epochs=3"``: dotted keys and YAML values.

    Raises
    ------
    ConfigError
        The file cannot be read, is no YAML, or holds what no recipe holds.
    """
    keys = _keys_of(path, what="recipe", examples="configs/train/")
    if {"base", "variants"} & keys:
        msg = (
            f"{path} must be a recipe, but is a sweep (base and variants): "
            "`rtaffect-offline sweep` takes it."
        )
        raise ConfigError(msg)
    _refuse_parts(path, keys, what="recipe")
    return change(read_settings(path, Recipe), parse_changes(changes), where=_TYPED)


def load_sweep(path: Path, changes: Sequence[str] = ()) -> Sweep:
    """Read and validate a sweep; the changes are made to its base."""
    keys = _keys_of(path, what="sweep", examples="configs/sweeps/")
    if {"dataset", "model"} <= keys and "base" not in keys:
        msg = (
            f"{path} must be a sweep (base and variants), but is a recipe: "
            "`rtaffect-offline train` takes it."
        )
        raise ConfigError(msg)
    _refuse_parts(path, keys, what="sweep")
    sweep = read_settings(path, Sweep)
    base = change(sweep.base, parse_changes(changes), where=_TYPED)
    return Sweep(base=base, variants=sweep.variants)


_TYPED = "The command line"


def _keys_of(path: Path, *, what: str, examples: str) -> set[str]:
    """Return the outermost keys of a settings file."""
    if path.is_dir():
        msg = f"{path} must be a {what} (YAML), but is a folder. {examples} holds examples."
        raise ConfigError(msg)
    if not path.exists():
        msg = f"There is no {what} {path}. {examples} holds examples."
        raise ConfigError(msg)
    return {key.value for key, _ in compose(path).value}


def _refuse_parts(path: Path, keys: set[str], *, what: str) -> None:
    if "kind" in keys:
        msg = (
            f"{path} must be a {what}, but holds the settings of a data set alone: they are a "
            "recipe's `dataset`; `rtaffect-offline data check` takes them as they are."
        )
        raise ConfigError(msg)


def change(recipe: Recipe, changes: Mapping[str, Any], *, where: str) -> Recipe:
    """Return the recipe with other values.

    Parameters
    ----------
    recipe : Recipe
        Left as it is.
    changes : mapping of str to value
        By dotted key.
    where : str
        Who asks, for the error.

    Raises
    ------
    ConfigError
        The recipe holds no such key, or not such a value.
    """
    if not changes:
        return recipe
    settings = with_changes(recipe.model_dump(mode="json"), changes)
    _check_kinds(settings, changes, where=where)
    return validated(settings, Recipe, where=where)


def _check_kinds(settings: Mapping[str, Any], changes: Mapping[str, Any], *, where: str) -> None:
    """Check that nobody changed a kind alone, beside keys that only the old kind has."""
    for key, kind in changes.items():
        place, _, last = key.rpartition(".")
        kinds = kinds_at(Recipe, place) if last == "kind" else {}
        if not isinstance(kind, str) or kind not in kinds:
            continue
        left = [name for name in settings[place] if name not in kinds[kind].model_fields]
        if left:
            more = f" and {len(left) - 1} more" if len(left) > 1 else ""
            msg = (
                f"{where} is not valid: {key}={kind} leaves in place what {kind} does not have "
                f"({place}.{left[0]}{more}). Replace it whole: '{place}={{kind: {kind}}}' (in a "
                f"file {place}: {{kind: {kind}}}); changes of its other keys follow."
            )
            raise ConfigError(msg)
