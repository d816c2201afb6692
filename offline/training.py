"""The loop that finds a model's weights, from the first line to the last."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from offline.datasets.participant import Participant
from offline.models.prior_dfcn import Observation, PriorDFCN
from offline.recipe import OptimiserSettings

THRESHOLD = 0.0
"""A course above it is "high", the second class; else "low"."""


@dataclass(frozen=True, slots=True, eq=False)
class Sequences:
    """Runs of windows that do not overlap, ready to be drawn from.

    Parameters
    ----------
    observation : Observation
        Every window of every participant, one after the other.
    rows : Tensor of int, shape (n_sequences, t_max)
        Windows of each sequence, the newest last; -1 before the run begins.
    n_slices : Tensor of int, shape (n_sequences,)
        Length of each run.
    labels : mapping of str to Tensor of int, shape (n_sequences,)
        Class at the newest window, by target.
    truth : mapping of str to ndarray, shape (n_sequences,)
        Course over the newest window, by target.
    participants : ndarray of str, shape (n_sequences,)
        Whose each sequence is.
    """

    observation: Observation
    rows: Tensor
    n_slices: Tensor
    labels: Mapping[str, Tensor]
    truth: Mapping[str, np.ndarray]
    participants: np.ndarray


@dataclass(frozen=True, slots=True)
class Epoch:
    """One epoch's result: mean negative log likelihood a target."""

    number: int
    train_nll: float
    validation_nll: float
    is_best: bool


@torch.no_grad()
def make_sequences(
    model: PriorDFCN, participants: Sequence[Participant], *, window_s: float, t_max: int
) -> Sequences:
    """Observe every window once and find the longest run of slices that ends at each.

    Parameters
    ----------
    model : PriorDFCN
        With its scales fitted; what needs no learned weight is computed here, once.
    participants : sequence of Participant
        Whose windows.
    window_s : float
        Length of a window in seconds: slices of a run are that far apart.
    t_max : int
        Longest run.
    """
    observations, rows, owners = [], [], []
    n_before = 0
    for person in participants:
        inputs = {name: torch.from_numpy(array) for name, array in person.inputs.items()}
        observations.append(model.encoder.observe(**inputs))
        place = {int(k): n_before + i for i, k in enumerate(person.index)}
        step = round(window_s / person.hop_s)
        rows += [_run(place, int(k), step, t_max) for k in person.index]
        owners += [person.name] * len(person.index)
        n_before += len(person.index)
    table = torch.tensor(rows)
    truth = {
        name: np.concatenate([person.truth[name] for person in participants])
        for name in participants[0].truth
    }
    return Sequences(
        observation=Observation(*(torch.cat(parts) for parts in zip(*observations, strict=True))),
        rows=table,
        n_slices=(table >= 0).sum(dim=1),
        labels={
            name: torch.from_numpy(course > THRESHOLD).long() for name, course in truth.items()
        },
        truth=truth,
        participants=np.array(owners),
    )


def train(
    model: PriorDFCN,
    sequences: Mapping[str, Sequences],
    settings: OptimiserSettings,
    *,
    seed: int,
    report: Callable[[Epoch], None],
) -> None:
    """Fit the weights, and leave the model with those that were best on the validation set.

    Each batch has its own T, drawn from 1 to the longest run, so that the head answers from any;
    and some sequences lose their face, so that it answers without one.

    Parameters
    ----------
    model : PriorDFCN
        Changed in place.
    sequences : mapping of str to Sequences
        ``"train"`` and ``"validation"``, of different participants.
    settings : OptimiserSettings
        How.
    seed : int
        Of batches and drop-outs.
    report : callable
        Called after each epoch.
    """
    data = sequences["train"]
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(
        model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    best_nll, best_epoch, best_weights = float("inf"), 0, copy.deepcopy(model.state_dict())
    for epoch in range(1, settings.max_epochs + 1):
        model.train()
        losses = []
        order = torch.randperm(len(data.rows), generator=generator)
        for batch in torch.split(order, settings.batch_size):
            n_slices = int(torch.randint(1, data.rows.shape[1] + 1, (), generator=generator))
            long_enough = batch[data.n_slices[batch] >= n_slices]
            if not len(long_enough):
                continue
            drop = torch.rand(len(long_enough), generator=generator) < settings.face_dropout
            logits = _forward(model, data, long_enough, n_slices, without_face=drop)
            loss = nll(logits, {name: y[long_enough] for name, y in data.labels.items()})
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
            losses.append(loss.item())
        logits = predict(model, sequences["validation"])
        validation_nll = nll(logits, sequences["validation"].labels).item()
        is_best = validation_nll < best_nll
        if is_best:
            best_nll, best_epoch = validation_nll, epoch
            best_weights = copy.deepcopy(model.state_dict())
        report(Epoch(epoch, float(np.mean(losses)), validation_nll, is_best))
        if epoch - best_epoch >= settings.patience:
            break
    model.load_state_dict(best_weights)
    model.eval()


@torch.no_grad()
def predict(model: nn.Module, data: Sequences, *, without_face: bool = False) -> dict[str, Tensor]:
    """Return logits of every sequence, each from its own longest run, as the runtime does.

    Parameters
    ----------
    model : PriorDFCN
        Put into evaluation mode.
    data : Sequences
        Any number.
    without_face : bool
        As if the face had been missing all along.

    Returns
    -------
    dict of str to Tensor, shape (n_sequences, n_classes)
        By target.
    """
    model.eval()
    logits: dict[str, Tensor] = {}
    for n_slices in range(1, data.rows.shape[1] + 1):
        for batch in torch.split(torch.nonzero(data.n_slices == n_slices).flatten(), 256):
            drop = torch.full((len(batch),), without_face)
            for name, part in _forward(model, data, batch, n_slices, without_face=drop).items():
                whole = logits.setdefault(name, part.new_empty(len(data.rows), part.shape[1]))
                whole[batch] = part
    return logits


def nll(logits: Mapping[str, Tensor], labels: Mapping[str, Tensor]) -> Tensor:
    """Return the negative log likelihood in nats, the mean over targets and sequences."""
    losses = [functional.cross_entropy(logits[name], labels[name]) for name in labels]
    return torch.stack(losses).mean()


def _run(place: Mapping[int, int], index: int, step: int, t_max: int) -> list[int]:
    """Return where the windows of the longest run that ends at `index` are, padded in front."""
    run: list[int] = []
    while index in place and len(run) < t_max:
        run.insert(0, place[index])
        index -= step
    return [-1] * (t_max - len(run)) + run


def _forward(
    model: nn.Module, data: Sequences, batch: Tensor, n_slices: int, *, without_face: Tensor
) -> dict[str, Tensor]:
    windows = data.rows[batch, -n_slices:].flatten()  # (batch * T,)
    observation = Observation(*(part[windows] for part in data.observation))
    seen = (~without_face).repeat_interleave(n_slices).to(observation.has_face.dtype)
    observation = observation._replace(
        face=observation.face * seen.unsqueeze(1), has_face=observation.has_face * seen
    )
    logits: dict[str, Tensor] = model(observation, n_slices)
    return logits
