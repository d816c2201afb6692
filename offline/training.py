"""The loop that finds a network's weights, from the first line to the last."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from offline.batches import Batch, class_weights, draw_batches
from offline.checkpoint import Checkpoint
from offline.errors import RunError
from offline.items import NO_CLASS
from offline.models.contract import Network
from offline.ranger import Ranger
from offline.recipe import TrainingSettings
from offline.sequences import Sequences
from offline.trained import Epoch, Trained, state_of

EVALUATION_BATCH = 256

_LEAST_WEIGHT = 1e-6
"""What the loss of a batch without any label is divided by, which is 0."""


def train(
    network: Network,
    data: Mapping[str, Sequences],
    settings: TrainingSettings,
    *,
    t_min: int,
    seed: int,
    report: Callable[[Epoch], None] | None = None,
    checkpoint: Path | None = None,
) -> Trained:
    """Fit the weights, and leave the network with those that were best on the validation items.

    Each batch has its own T, drawn from `t_min` to the longest run, so that the head answers from
    any; and some sequences lose a modality, so that it answers without.

    Parameters
    ----------
    network : Network
        Its scales fitted; changed in place.
    data : mapping of str to Sequences
        ``"train"`` and ``"validation"``; under a paper's protocol ``"test"``, which else is not
        looked at.
    settings : TrainingSettings
        How.
    t_min : int
        Fewest slices of a batch.
    seed : int
        Of batches and drop-outs. Torch's own generator gives the weights' dropout.
    report : callable
        Called after each epoch.
    checkpoint : Path, optional
        A file that holds everything after each epoch; where it exists, training goes on from it,
        and ends as if it had never stopped.

    Returns
    -------
    Trained
        Weights and epochs.
    """
    fit = Fit(network, data, settings, t_min=t_min, seed=seed, checkpoint=checkpoint)
    forward = torch.compile(network) if settings.compile_network else network
    while not fit.is_over:
        network.train()
        losses = []
        for batch in fit.batches():
            with fit.precision():
                logits = forward(_on(fit.device, batch.features(network)), batch.n_slices)
                loss = nll(logits, _on(fit.device, batch.labels), weights=fit.weights)
            fit.optimiser.zero_grad()
            torch.autograd.backward(loss)
            fit.optimiser.step()
            losses.append(loss.item())
        epoch = fit.close_epoch(losses)
        if report is not None:
            report(epoch)
    return fit.finish()


class Fit:
    """One network on its way, from epoch to epoch; whoever steps its weights holds it.

    Parameters
    ----------
    network : Network
        Its scales fitted; changed in place.
    data, settings, t_min, seed, checkpoint
        See `train`.
    """

    def __init__(
        self,
        network: Network,
        data: Mapping[str, Sequences],
        settings: TrainingSettings,
        *,
        t_min: int,
        seed: int,
        checkpoint: Path | None = None,
    ) -> None:
        self.device = choose_device(settings)
        self.network = network.to(self.device)
        self.data = data
        self.settings = settings
        self.optimiser = _optimiser(network, settings)
        weights = class_weights(data["train"]) if settings.balance_classes else {}
        self.weights = _on(self.device, weights)
        self._t_min = t_min
        self._generator = torch.Generator().manual_seed(seed)
        if self.device.type == "cuda":  # the same run twice gives the same numbers
            torch.backends.cudnn.deterministic = True
        state = state_of(network)
        self._done = Trained(best=state, last=state)
        self._checkpoint = None
        if checkpoint is not None:
            self._checkpoint = Checkpoint(checkpoint, network, self.optimiser, self._generator)
            if checkpoint.exists():
                self._done = self._checkpoint.resume()

    @property
    def is_over(self) -> bool:
        """Whether the last epoch was trained, or waiting for a better one has been in vain."""
        n_done = len(self._done.epochs)
        in_vain = n_done - self._done.watched_epoch >= self.settings.patience
        return n_done >= self.settings.max_epochs or in_vain

    def batches(self) -> Iterator[Batch]:
        """Yield the next epoch's batches."""
        number = len(self._done.epochs) + 1
        return draw_batches(
            self.data["train"], self.settings, self._generator, t_min=self._t_min, epoch=number
        )

    def precision(self) -> AbstractContextManager[Any]:
        """Return the context in which a network answers while it is trained."""
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.settings.amp)

    def close_epoch(self, losses: Sequence[float]) -> Epoch:
        """Judge the epoch of these losses, and keep everything that the next one depends on.

        Raises
        ------
        RunError
            The network no longer answers with numbers, or there was nothing to learn from.
        """
        if not losses:
            msg = (
                "An epoch must have a batch of at least two sequences, but the "
                f"{len(self.data['train'])} for training are too few, or too few are as long as "
                "was drawn. Lower sequences.t_max, or train on more."
            )
            raise RunError(msg)
        epoch = self._judge(float(np.mean(losses)))
        self._done.epochs.append(epoch)
        self._keep_weights(epoch)
        self._lower_rate(epoch)
        if self._checkpoint is not None:
            self._checkpoint.save(self._done)
        return epoch

    def finish(self) -> Trained:
        """Leave the network with the weights that were best on the validation items."""
        self.network.load_state_dict(self._done.best)
        self.network.cpu().eval()
        return self._done

    def _judge(self, train_nll: float) -> Epoch:
        """Compare the network with what it was after the epochs before."""
        before = self._done.epochs
        number = len(before) + 1
        validation = self.data["validation"]
        validation_nll = nll(predict(self.network, validation), validation.labels).item()
        if not (math.isfinite(train_nll) and math.isfinite(validation_nll)):
            msg = (
                f"Losses must be finite, but in epoch {number} they were {train_nll:g} in training "
                f"and {validation_nll:g} in validation. Lower training.learning_rate, and look for "
                "features that are no numbers."
            )
            raise RunError(msg)
        score, is_best_test = None, False
        if self.settings.paper_protocol:
            test = self.data["test"]
            score = _test_score(predict(self.network, test), test, self.settings.paper_protocol)
            is_best_test = all(score > e.test_score for e in before if e.test_score is not None)
        return Epoch(
            number=number,
            train_nll=train_nll,
            validation_nll=validation_nll,
            learning_rate=float(self.optimiser.param_groups[0]["lr"]),
            is_best=validation_nll < min((e.validation_nll for e in before), default=float("inf")),
            test_score=score,
            is_best_test=is_best_test,
        )

    def _keep_weights(self, epoch: Epoch) -> None:
        self._done.last = state_of(self.network)
        if epoch.is_best:
            self._done.best = self._done.last
        if epoch.is_best_test:
            self._done.best_test = self._done.last

    def _lower_rate(self, epoch: Epoch) -> None:
        """Lower the rate where no epoch got better since the best one, or since it was lowered."""
        decay, rate = self.settings.decay, epoch.learning_rate
        if decay is None:
            return
        others = (e.number for e in self._done.epochs if e.learning_rate != rate)
        newest_start = max(self._done.watched_epoch, max(others, default=0))
        if epoch.number - newest_start >= decay.patience:
            for group in self.optimiser.param_groups:
                group["lr"] = rate * decay.factor


@torch.no_grad()
def predict(network: Network, data: Sequences, *, missing: str | None = None) -> dict[str, Tensor]:
    """Return logits of every sequence, each from its own longest run, as the runtime does.

    Parameters
    ----------
    network : Network
        Put into evaluation mode.
    data : Sequences
        Any number.
    missing : str, optional
        A modality that is taken away from all of them.

    Returns
    -------
    dict of str to Tensor, shape (n_sequences, n_classes)
        By target.
    """
    network.eval()
    device = next((p.device for p in network.parameters()), torch.device("cpu"))
    logits: dict[str, Tensor] = {}
    for picks, n_slices in data.by_length(EVALUATION_BATCH):
        features = data.features(picks, n_slices)
        if missing is not None:
            features = network.without(
                missing, features, torch.ones(len(picks) * n_slices, dtype=torch.bool)
            )
        for name, part in network(_on(device, features), n_slices).items():
            whole = logits.setdefault(name, torch.empty(len(data), part.shape[1]))
            whole[picks] = part.float().cpu()
    return logits


def nll(
    logits: Mapping[str, Tensor],
    labels: Mapping[str, Tensor],
    *,
    weights: Mapping[str, Tensor] | None = None,
) -> Tensor:
    """Return the negative log likelihood in nats, the mean over targets and labelled sequences.

    Parameters
    ----------
    logits : mapping of str to Tensor, shape (n_sequences, n_classes)
        By target.
    labels : mapping of str to Tensor of int, shape (n_sequences,)
        By target; `NO_CLASS` where there is none. A target without any adds nothing.
    weights : mapping of str to Tensor, shape (n_classes,), optional
        By target.
    """
    weights = weights or {}
    losses = [
        _mean_nll(logits[name].float(), classes, weights.get(name))
        for name, classes in labels.items()
    ]
    return torch.stack(losses).mean()


def _mean_nll(logits: Tensor, classes: Tensor, weight: Tensor | None) -> Tensor:
    known = classes != NO_CLASS
    of_row = known.float() if weight is None else weight[classes.clamp_min(0)] * known
    total = functional.cross_entropy(
        logits, classes, weight=weight, ignore_index=NO_CLASS, reduction="sum"
    )
    return total / of_row.sum().clamp_min(_LEAST_WEIGHT)


def choose_device(settings: TrainingSettings) -> torch.device:
    """Return where to train: a GPU where there is one, unless the settings say otherwise."""
    if settings.device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(settings.device)


def _optimiser(network: Network, settings: TrainingSettings) -> torch.optim.Optimizer:
    """Return what steps the weights."""
    rate, decay = settings.learning_rate, settings.weight_decay
    if settings.optimiser == "ranger":
        return Ranger(network.parameters(), lr=rate, weight_decay=decay)
    return torch.optim.Adam(network.parameters(), lr=rate, weight_decay=decay, fused=True)


def _test_score(logits: Mapping[str, Tensor], data: Sequences, by: str) -> float:
    if by == "nll":
        return -nll(logits, data.labels).item()
    hits = [
        (logits[name].argmax(dim=1) == classes)[classes != NO_CLASS].double().mean()
        for name, classes in data.labels.items()
    ]
    return torch.stack(hits).mean().item()


def _on(device: torch.device, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: x.to(device) for name, x in tensors.items()}
