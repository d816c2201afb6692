"""What every network is: fixed features, scales of the training set, an encoder and a head."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from rtaffect.core.errors import ConfigError
from rtaffect.core.spec import FrameSpec, RoiSpec, SignalSpec, VolumeSpec, WindowSpec

Features = dict[str, Tensor]
"""By name, each of shape (n_windows, ...)."""

MOMENT, SUBJECT = "moment", "subject"
"""What `Network.fit_scales` is given beside features where the network uses moments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shapes:
    """What a network is built for.

    Parameters
    ----------
    windows : WindowSpec
        The windows that it sees.
    targets : mapping of str to int
        Number of classes by target.
    """

    windows: WindowSpec
    targets: Mapping[str, int]

    @property
    def n_channels(self) -> int:
        """EEG channels; 0 for a model that sees no EEG."""
        eeg = self.windows.modalities.get("eeg")
        return len(eeg.ch_names) if eeg is not None else 0

    @property
    def n_face(self) -> int:
        """Facial features; 0 for a model that never sees a face."""
        return len(self.windows.modalities["face"].ch_names) if self.sees_face else 0

    @property
    def sees_face(self) -> bool:
        """Whether windows hold a face."""
        return "face" in self.windows.modalities

    @property
    def sfreq(self) -> float:
        """Rate of the EEG in Hz.

        Raises
        ------
        ConfigError
            The windows hold none.
        """
        found = self.windows.modalities.get("eeg")
        if not isinstance(found, SignalSpec):
            raise ConfigError(_lacks("EEG (windows.montage)", self.windows))
        return found.sfreq

    @property
    def face(self) -> FrameSpec:
        """Facial features that are there in every window.

        Raises
        ------
        ConfigError
            The windows hold none, or may lack them.
        """
        found = self.windows.modalities.get("face")
        if not isinstance(found, FrameSpec) or found.optional:
            raise ConfigError(_lacks("a face alone (windows.kind: face)", self.windows))
        return found

    @property
    def roi(self) -> RoiSpec:
        """Regions of interest.

        Raises
        ------
        ConfigError
            The windows hold none.
        """
        found = self.windows.modalities.get("roi")
        if not isinstance(found, RoiSpec):
            raise ConfigError(_lacks("regions of interest (windows.roi)", self.windows))
        return found

    @property
    def volume(self) -> VolumeSpec:
        """Volumes.

        Raises
        ------
        ConfigError
            The windows hold none.
        """
        found = self.windows.modalities.get("volume")
        if not isinstance(found, VolumeSpec):
            raise ConfigError(_lacks("volumes (windows.volume)", self.windows))
        return found

    def n_times(self, modality: str) -> int:
        """Return how many samples of a modality a window holds."""
        return round(self.windows.window_s * self.windows.modalities[modality].sfreq)


class NetworkSettings(BaseModel, ABC):
    """Every choice of one network; ``kind`` tells networks apart in a recipe.

    A subclass adds ``kind: Literal["..."] = "..."`` and its fields.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    @abstractmethod
    def build(self, shapes: Shapes) -> "Network":
        """Return the network with fresh weights, drawn from torch's generator."""

    @abstractmethod
    def extraction(self) -> dict[str, object]:
        """Return all that `Network.extract` depends on, the kind of features included.

        Networks for which it is equal share the features kept on disk. They are also named after
        the code of the file that defines this method, which is that of `Network.extract`.
        """

    @abstractmethod
    def choices(self) -> tuple[str, ...]:
        """Return what the paper leaves open and what is taken, a sentence each, for the card."""


class Network(nn.Module, ABC):
    """A model that can be trained, packed beside others of its kind, and exported.

    A window takes three steps. `extract` computes what depends neither on weights nor on other
    windows: once a data set, kept on disk. `encode` applies the training set's scales and the
    encoder's weights: one slice. `head` turns T slices into logits.

    Attributes
    ----------
    head : Module
        Slices of shape (batch, T, *slice_shape) -> dict of logits (batch, n_classes) by target.
    slice_shape : tuple of int
        Shape of one slice.
    t_max : int
        Most slices that the head can take; 1 for a model of single windows.
    uses_rest : bool
        The encoder takes a baseline: `summarise` of windows at rest, as the feature ``"rest"``.
    uses_moments : bool
        `fit_scales` is given all windows of the training set, labelled or not, and beside their
        features ``"moment"`` (int64, (n_windows,)), equal for windows of several people at the same
        time of the same stimulus, -1 where nobody else could have been; and ``"subject"`` (int64,
        (n_windows,)), a number for whose window it is.
    """

    head: nn.Module
    slice_shape: tuple[int, ...]
    t_max: int = 64
    uses_rest: bool = False
    uses_moments: bool = False

    @abstractmethod
    def extract(self, inputs: Mapping[str, Tensor]) -> Features:
        """Return features that depend neither on weights nor on the training set.

        Parameters
        ----------
        inputs : mapping of str to Tensor, shape (n_windows, ...)
            What the runtime hands the encoder: ``eeg`` (n, n_channels, n_times), and ``face``
            (n, n_face, n_frames) with ``face_mask`` (n, n_frames) where the model sees a face;
            ``roi`` (n, n_regions, n_times); ``volume`` (n, n_voxels, n_times).
        """

    @abstractmethod
    def fit_scales(self, features: Mapping[str, Tensor]) -> None:
        """Take the training set's statistics.

        Parameters
        ----------
        features : mapping of str to Tensor, shape (n_windows, ...)
            Of the windows in the training set, and of no others.
        """

    @abstractmethod
    def encode(self, features: Mapping[str, Tensor]) -> Tensor:
        """Return slices, shape (n_windows, *slice_shape)."""

    def look(self, features: Mapping[str, Tensor]) -> Features:
        """Return what a monitor may look at, by the name of the graph's output.

        Where the first axis after the batch is as long as there are channels of EEG, or regions,
        it is these.
        """
        del features
        return {}

    def summarise(self, features: Mapping[str, Tensor]) -> Tensor:
        """Return the statistics of a person's windows at rest, without a batch axis.

        Parameters
        ----------
        features : mapping of str to Tensor, shape (n_windows, ...)
            Of windows at rest, in order of time.
        """
        del features
        raise NotImplementedError

    def without(self, modality: str, features: Features, rows: Tensor) -> Features:
        """Return the features as if `modality` had been missing in `rows` (bool, (n_windows,)).

        For modality dropout while training. A model that needs the modality returns them as is.
        """
        del modality, rows
        return features

    def forward(self, features: Mapping[str, Tensor], n_slices: int) -> dict[str, Tensor]:
        """Return logits of sequences.

        Parameters
        ----------
        features : mapping of str to Tensor
            Of ``batch * n_slices`` windows, the slices of a sequence one after the other.
        n_slices : int
            T.

        Returns
        -------
        dict of str to Tensor, shape (batch, n_classes)
            By target.
        """
        slices = self.encode(features)
        logits: dict[str, Tensor] = self.head(slices.reshape(-1, n_slices, *slices.shape[1:]))
        return logits


class SolvedNetwork(Network):
    """A model whose weights a solver finds at once, not gradients over epochs."""

    @abstractmethod
    def solve(
        self, batches: Iterator[tuple[Features, int]], labels: Mapping[str, Tensor], *, seed: int
    ) -> None:
        """Find the weights, and keep them as buffers of the head.

        Parameters
        ----------
        batches : iterator of (features, n_slices)
            As `forward` takes them, in order.
        labels : mapping of str to Tensor of int, shape (n_sequences,)
            Classes of all sequences of all batches, by target; `NO_CLASS` (-1) where a
            sequence has no label.
        seed : int
            Of whatever is random in the solver.
        """


def stack_slices(model: Network, batches: Iterator[tuple[Features, int]]) -> Tensor:
    """Return the mean slice of each sequence, shape (n_sequences, *slice_shape)."""
    with torch.no_grad():
        slices = [(model.encode(features), n) for features, n in batches]
        parts = [x.reshape(-1, n, *x.shape[1:]).mean(dim=1) for x, n in slices]
    return torch.cat(parts)


def _lacks(what: str, windows: WindowSpec) -> str:
    there = ", ".join(windows.modalities) or "nothing"
    return f"This model needs windows of {what}, and they hold {there}: set them in the recipe."
