"""What training shows a network: batches of sequences, and how much each class counts."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from offline.items import NO_CLASS
from offline.models.contract import Features, Network
from offline.recipe import TrainingSettings
from offline.sequences import Sequences


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Some training sequences of one length, a few of them to be shown without a modality."""

    data: Sequences
    picks: Tensor
    n_slices: int
    dropped: Mapping[str, Tensor]

    @property
    def labels(self) -> dict[str, Tensor]:
        """Classes, by target."""
        return {name: classes[self.picks] for name, classes in self.data.labels.items()}

    def features(self, network: Network) -> Features:
        """Return what the network is shown."""
        features = self.data.features(self.picks, self.n_slices)
        for modality, rows in self.dropped.items():
            features = network.without(modality, features, rows.repeat_interleave(self.n_slices))
        return features


def draw_batches(
    data: Sequences,
    settings: TrainingSettings,
    generator: torch.Generator,
    *,
    t_min: int,
    epoch: int,
) -> Iterator[Batch]:
    """Yield one epoch's batches in random order.

    Their lengths are the same in every fold, so that folds can be trained together.

    Parameters
    ----------
    data : Sequences
        Those for training.
    settings : TrainingSettings
        How many make a batch, and how many of them lose which modality.
    generator : torch.Generator
        Of the order, and of who loses a modality.
    t_min : int
        Fewest slices of a batch.
    epoch : int
        Number of the epoch, from 1; the lengths follow from it alone.

    Yields
    ------
    Batch
        Of at least two sequences.
    """
    t_max, longest = data.rows.shape[1], int(data.n_slices.max())
    lengths = np.random.default_rng(epoch)
    for chosen in torch.split(torch.randperm(len(data), generator=generator), settings.batch_size):
        n_slices = min(longest, int(lengths.integers(t_min, t_max + 1)))
        picks = chosen[data.n_slices[chosen] >= n_slices]
        dropped = {
            modality: torch.rand(len(picks), generator=generator) < share
            for modality, share in settings.modality_dropout.items()
        }
        if len(picks) > 1:  # batch normalisation has nothing to say about one
            yield Batch(data, picks, n_slices, dropped)


def class_weights(data: Sequences) -> dict[str, Tensor]:
    """Return weights that make the classes of each target count alike, mean 1 over sequences."""
    weights = {}
    for name, classes in data.labels.items():
        n_classes = len(data.table.labels[name].classes)
        counts = torch.bincount(classes[classes != NO_CLASS], minlength=n_classes).float()
        weights[name] = counts.sum() / (counts.clamp_min(1.0) * (counts > 0).sum())
    return weights
