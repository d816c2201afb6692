"""A training recipe (YAML) becomes validated settings."""

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from offline.datasets.simulated import SimulatedSettings
from offline.models import ModelSettings
from rtaffect.config.reading import read_settings
from rtaffect.core.face_features import FACE_FEATURES
from rtaffect.core.montages import EEG_15, EEG_32
from rtaffect.core.spec import FrameSpec, ModalitySpec, SignalSpec, WindowSpec

_MONTAGES = {"EEG_32": EEG_32, "EEG_15": EEG_15}


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OptimiserSettings(_Settings):
    """How weights are found.

    Parameters
    ----------
    learning_rate, weight_decay : float
        Of Adam.
    batch_size : int
        Sequences in a batch.
    max_epochs, patience : int
        Training ends after `max_epochs`, or `patience` epochs after the best one on the validation
        participants; the best one's weights are kept.
    face_dropout : float
        Share of the sequences that are shown without a face.
    """

    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=1e-5, ge=0)
    batch_size: int = Field(default=40, ge=1)
    max_epochs: int = Field(default=30, ge=1)
    patience: int = Field(default=5, ge=1)
    face_dropout: float = Field(default=0.3, ge=0, le=1)


class BundleSettings(_Settings):
    """One bundle to make.

    Parameters
    ----------
    name, title, summary : str
        Of the bundle; the model card begins with the summary.
    montage : {"EEG_32", "EEG_15"}
        EEG channels.
    face : bool
        The model also takes the 29 facial features, as an optional modality.
    t_min, t_max : int
        Fewest and most windows that an answer rests on.
    model : ModelSettings
        The network.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")
    title: str
    summary: str
    montage: Literal["EEG_32", "EEG_15"]
    face: bool
    t_min: int = Field(default=1, ge=1)
    t_max: int = Field(default=4, ge=1, le=64)
    model: ModelSettings

    @model_validator(mode="after")
    def _has_a_range(self) -> Self:
        if self.t_min > self.t_max:
            msg = f"t_min must not exceed t_max, got {self.t_min} and {self.t_max}"
            raise ValueError(msg)
        return self

    def windows(self) -> WindowSpec:
        """Return the windows that the bundle wants."""
        modalities: dict[str, ModalitySpec] = {"eeg": SignalSpec(ch_names=_MONTAGES[self.montage])}
        if self.face:
            modalities["face"] = FrameSpec(ch_names=FACE_FEATURES)
        return WindowSpec(modalities=modalities)


class Recipe(_Settings):
    """Everything that a training run is set up with.

    Parameters
    ----------
    seed : int
        Of weights, batches and bootstrap; the data set has its own.
    dataset : SimulatedSettings
        Where windows and truth come from.
    optimiser : OptimiserSettings
        How weights are found.
    bundles : tuple of BundleSettings
        What is made, one after the other.
    """

    seed: int = Field(default=0, ge=0)
    dataset: SimulatedSettings
    optimiser: OptimiserSettings = OptimiserSettings()
    bundles: tuple[BundleSettings, ...] = Field(min_length=1)


def load_recipe(path: Path) -> Recipe:
    """Read and validate a recipe.

    Parameters
    ----------
    path : Path
        A YAML file.

    Raises
    ------
    ConfigError
        The file cannot be read, is no YAML, or holds what no recipe holds.
    """
    return read_settings(path, Recipe)
