"""The loop that finds a network's weights, from the first line to the last."""

import copy
import math
import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from offline.errors import RunError
from offline.models.contract import Features, Network
from offline.recipe import TrainingSettings
from offline.sequences import Sequences

EVALUATION_BATCH = 256

_UNREADABLE = (
    EOFError,
    KeyError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
)
"""What torch raises for a checkpoint that was cut off, or that other code saved."""

State = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class Epoch:
    """One epoch's result: mean negative log likelihood a target, in nats.

    Parameters
    ----------
    number : int
        From 1.
    train_nll, validation_nll : float
        With and without dropout, as usual.
    learning_rate : float
        That it was trained with.
    is_best : bool
        The best on the validation items so far.
    test_score : float or None
        Only under a paper's protocol that selects on the test items: what it selects by, the higher
        the better.
    is_best_test : bool
        The best on the test items so far; never, unless under such a protocol.
    """

    number: int
    train_nll: float
    validation_nll: float
    learning_rate: float
    is_best: bool
    test_score: float | None = None
    is_best_test: bool = False


@dataclass(slots=True, eq=False)
class Trained:
    """What came of it.

    Parameters
    ----------
    epochs : list of Epoch
        All of them.
    best, last : dict of str to Tensor
        Weights of the epoch that was best on the validation items, and of the last one.
    best_test : dict of str to Tensor or None
        Of the epoch that was best on the test items; only under a paper's protocol.
    """

    best: State
    last: State
    best_test: State | None = None
    epochs: list[Epoch] = field(default_factory=list)

    @property
    def best_epoch(self) -> int:
        """Number of the epoch that was best on the validation items; 0 before the first."""
        return max((epoch.number for epoch in self.epochs if epoch.is_best), default=0)

    @property
    def watched_epoch(self) -> int:
        """Number of the epoch from which patience counts; a paper's protocol watches the test."""
        chosen = (e.number for e in self.epochs if e.is_best_test)
        return max(chosen, default=self.best_epoch)


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
        self.optimiser = torch.optim.Adam(
            network.parameters(),
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
            fused=True,
        )
        weights = _class_weights(data["train"]) if settings.balance_classes else {}
        self.weights = _on(self.device, weights)
        self._t_min = t_min
        self._generator = torch.Generator().manual_seed(seed)
        self._checkpoint = checkpoint
        if self.device.type == "cuda":  # the same run twice gives the same numbers
            torch.backends.cudnn.deterministic = True
        state = _state_of(network)
        self._done = Trained(best=state, last=state)
        if checkpoint is not None and checkpoint.exists():
            self._done = _resume(checkpoint, network, self.optimiser, self._generator)

    @property
    def is_over(self) -> bool:
        """Whether the last epoch was trained, or waiting for a better one has been in vain."""
        n_done = len(self._done.epochs)
        in_vain = n_done - self._done.watched_epoch >= self.settings.patience
        return n_done >= self.settings.max_epochs or in_vain

    def batches(self) -> Iterator["Batch"]:
        """Yield the next epoch's batches."""
        number = len(self._done.epochs) + 1
        return _batches(
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
        _close_epoch(
            self._done,
            self.network,
            self.data,
            self.settings,
            self.optimiser,
            float(np.mean(losses)),
        )
        if self._checkpoint is not None:
            _save(self._checkpoint, self._done, self.network, self.optimiser, self._generator)
        return self._done.epochs[-1]

    def finish(self) -> Trained:
        """Leave the network with the weights that were best on the validation items."""
        self.network.load_state_dict(self._done.best)
        self.network.cpu().eval()
        return self._done


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
    """Return the negative log likelihood in nats, the mean over targets and sequences.

    Parameters
    ----------
    logits : mapping of str to Tensor, shape (n_sequences, n_classes)
        By target.
    labels : mapping of str to Tensor of int, shape (n_sequences,)
        By target.
    weights : mapping of str to Tensor, shape (n_classes,), optional
        By target.
    """
    weights = weights or {}
    losses = [
        functional.cross_entropy(logits[name].float(), labels[name], weight=weights.get(name))
        for name in labels
    ]
    return torch.stack(losses).mean()


def choose_device(settings: TrainingSettings) -> torch.device:
    """Return where to train: a GPU where there is one, unless the settings say otherwise."""
    if settings.device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(settings.device)


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


def _batches(
    data: Sequences,
    settings: TrainingSettings,
    generator: torch.Generator,
    *,
    t_min: int,
    epoch: int,
) -> Iterator[Batch]:
    """Yield one epoch's batches in random order.

    Their lengths are the same in every fold, so that folds can be trained together.
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


def _close_epoch(
    done: Trained,
    network: Network,
    data: Mapping[str, Sequences],
    settings: TrainingSettings,
    optimiser: torch.optim.Optimizer,
    train_nll: float,
) -> None:
    """Judge the epoch, keep what is worth keeping, and lower the rate where it stands still."""
    number = len(done.epochs) + 1
    validation_nll = nll(predict(network, data["validation"]), data["validation"].labels).item()
    if not (math.isfinite(train_nll) and math.isfinite(validation_nll)):
        msg = (
            f"Losses must be finite, but in epoch {number} they were {train_nll:g} in training and "
            f"{validation_nll:g} in validation. Lower training.learning_rate, and look for "
            "features that are no numbers."
        )
        raise RunError(msg)
    is_best = validation_nll < min((e.validation_nll for e in done.epochs), default=float("inf"))
    done.last = _state_of(network)
    if is_best:
        done.best = done.last
    score, is_best_test = None, False
    if settings.paper_protocol:
        score = _test_score(predict(network, data["test"]), data["test"], settings.paper_protocol)
        is_best_test = all(score > e.test_score for e in done.epochs if e.test_score is not None)
        if is_best_test:
            done.best_test = done.last
    rate = float(optimiser.param_groups[0]["lr"])
    done.epochs.append(Epoch(number, train_nll, validation_nll, rate, is_best, score, is_best_test))
    if settings.decay is not None:
        waited = number - _newest_start(done, rate)
        if waited >= settings.decay.patience:
            for group in optimiser.param_groups:
                group["lr"] = rate * settings.decay.factor


def _newest_start(done: Trained, rate: float) -> int:
    """Return the epoch from which patience counts: the best one, or the last change of rate."""
    before = [epoch.number for epoch in done.epochs if epoch.learning_rate != rate]
    return max(done.watched_epoch, before[-1] if before else 0)


def _test_score(logits: Mapping[str, Tensor], data: Sequences, by: str) -> float:
    if by == "nll":
        return -nll(logits, data.labels).item()
    hits = [(logits[name].argmax(dim=1) == data.labels[name]).double() for name in data.labels]
    return torch.stack(hits).mean().item()


def _class_weights(data: Sequences) -> dict[str, Tensor]:
    """Return weights that make the classes of each target count alike, mean 1 over sequences."""
    weights = {}
    for name, classes in data.labels.items():
        n_classes = len(data.table.labels[name].classes)
        counts = torch.bincount(classes, minlength=n_classes).float()
        weights[name] = counts.sum() / (counts.clamp_min(1.0) * (counts > 0).sum())
    return weights


def _state_of(network: Network) -> State:
    return {name: x.detach().cpu().clone() for name, x in network.state_dict().items()}


def _on(device: torch.device, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: x.to(device) for name, x in tensors.items()}


def _save(
    path: Path,
    done: Trained,
    network: Network,
    optimiser: torch.optim.Optimizer,
    generator: torch.Generator,
) -> None:
    """Write everything that the next epoch depends on, whole or not at all."""
    state = {
        "network": _state_of(network),
        "optimiser": copy.deepcopy(optimiser.state_dict()),
        "generator": generator.get_state(),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state() if _is_on_gpu(network) else None,
        "best": done.best,
        "best_test": done.best_test,
        "epochs": [asdict(epoch) for epoch in done.epochs],
    }
    draft = path.with_suffix(".draft")
    torch.save(state, draft)
    draft.replace(path)


def _resume(
    path: Path, network: Network, optimiser: torch.optim.Optimizer, generator: torch.Generator
) -> Trained:
    """Take everything back; whatever it was saved on, it goes on where the network is."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
        generator.set_state(state["generator"])
        torch.set_rng_state(state["torch"])
        if state["cuda"] is not None and _is_on_gpu(network):
            torch.cuda.set_rng_state(state["cuda"])
        return Trained(
            best=state["best"],
            last=state["network"],
            best_test=state["best_test"],
            epochs=[Epoch(**epoch) for epoch in state["epochs"]],
        )
    except _UNREADABLE as error:
        msg = (
            f"{path} must be what this code saved of this very unit, and cannot be taken back "
            f"({type(error).__name__}). Remove it, and the unit starts anew."
        )
        raise RunError(msg) from error


def _is_on_gpu(network: Network) -> bool:
    return any(x.is_cuda for x in network.parameters())
