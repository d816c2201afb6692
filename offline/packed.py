"""Several folds at once: one network of stacked weights, one step for all.

A small network keeps a GPU waiting for the next launch; stacked, K folds cost hardly more launches
than one. Each fold has its own batches, optimiser, rate and end, as if it were trained by itself,
and only answers and gradients are computed together. So its numbers are those of `training.train`
but for rounding. Dropout is the exception: each fold draws its own masks, but not those that it
would draw alone.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.modules.batchnorm import _BatchNorm

from offline.batches import Batch
from offline.errors import RunError
from offline.extraction import network_of
from offline.items import NO_CLASS
from offline.models.contract import Features, Network, SolvedNetwork
from offline.protocols.contract import Split
from offline.recipe import Recipe
from offline.roles import seen_in_training, sequences_of
from offline.table import FeatureTable
from offline.trained import Epoch, Trained
from offline.training import Fit, nll
from offline.unit import (
    CHECKPOINT,
    Reporter,
    finish_unit,
    fold_of,
    start_unit,
    unit_seed,
)

Tensors = dict[str, Tensor]


def train_packed(
    fits: Sequence[Fit], *, report: Callable[[int, Epoch], None] | None = None
) -> list[Trained]:
    """Train several fits of the same recipe together; see `training.train`.

    Parameters
    ----------
    fits : sequence of Fit
        Of networks that differ in nothing but their numbers, on the same table of features.
    report : callable
        Called after each epoch with the fit's place and the epoch.

    Returns
    -------
    list of Trained
        In the order of `fits`.

    Raises
    ------
    RunError
        The fits are of different networks or tables.
    """
    stack = _Stack(fits)
    while under_way := [place for place, fit in enumerate(fits) if not fit.is_over]:
        losses: dict[int, list[Tensor]] = {place: [] for place in under_way}
        batches = {place: fits[place].batches() for place in under_way}
        for places, together in _side_by_side(batches, pads=stack.pads):
            for place, loss in zip(places, stack.step(places, together), strict=True):
                losses[place].append(loss)
        for place, own in losses.items():
            epoch = fits[place].close_epoch(torch.stack(own).tolist() if own else [])
            if report is not None:
                report(place, epoch)
    return [fit.finish() for fit in fits]


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One unit among those that are run together.

    Parameters
    ----------
    fold : str
        Which fold.
    seed : int
        Of the recipe's seeds.
    folder : Path
        For the results; a checkpoint in it is continued.
    reporter : Reporter
        Told how far it is.
    """

    fold: str
    seed: int
    folder: Path
    reporter: Reporter


def can_be_packed(recipe: Recipe, table: FeatureTable) -> bool:
    """Return whether a recipe's folds can be trained together: by gradients, not compiled."""
    solved = isinstance(network_of(recipe, table.labels), SolvedNetwork)
    return not (solved or recipe.training.compile_network)


def run_units(recipe: Recipe, table: FeatureTable, split: Split, members: Sequence[Member]) -> None:
    """Train on several folds at once and test on each; see `unit.run_unit`.

    Parameters
    ----------
    recipe : Recipe
        One that `can_be_packed`.
    table : FeatureTable
        Of the recipe.
    split : Split
        Of the recipe and the table.
    members : sequence of Member
        Whom.
    """
    folds = [fold_of(split, member.fold) for member in members]
    data = [sequences_of(recipe, table, split, fold) for fold in folds]
    fits = []
    for member, fold, own in zip(members, folds, data, strict=True):
        seed = unit_seed(member.fold, member.seed)
        network = start_unit(recipe, table, split, fold, own, seed=seed)
        fits.append(
            Fit(
                network,
                seen_in_training(recipe, own),
                recipe.training,
                t_min=recipe.sequences.t_min,
                seed=seed,
                checkpoint=member.folder / CHECKPOINT,
            )
        )
    trained = train_packed(
        fits, report=lambda place, epoch: members[place].reporter.on_epoch(epoch)
    )
    for member, fold, own, fit, done in zip(members, folds, data, fits, trained, strict=True):
        finish_unit(
            recipe,
            table,
            split,
            fold,
            own,
            fit.network,
            done,
            seed=member.seed,
            folder=member.folder,
        )


def _side_by_side(
    batches: Mapping[int, Iterator[Batch]], *, pads: bool
) -> Iterator[tuple[list[int], list[Batch]]]:
    """Yield everybody's next batches, those together that one step can take."""
    left = dict(batches)
    while left:
        alike: dict[tuple[int, int], tuple[list[int], list[Batch]]] = {}
        for place, own in list(left.items()):
            batch = next(own, None)
            if batch is None:
                del left[place]
                continue
            kind = (batch.n_slices, 0 if pads else len(batch.picks))
            places, together = alike.setdefault(kind, ([], []))
            places.append(place)
            together.append(batch)
        yield from alike.values()


class _Stack:
    """The weights and buffers of all fits, of which their networks hold views.

    Parameters
    ----------
    fits : sequence of Fit
        See `train_packed`.
    """

    def __init__(self, fits: Sequence[Fit]) -> None:
        self._fits = fits
        first = fits[0]
        table = first.data["train"].table
        shapes = [_shapes(fit.network) for fit in fits]
        if any(s != shapes[0] for s in shapes) or any(
            fit.data["train"].table is not table or fit.settings != first.settings for fit in fits
        ):
            msg = "Folds that are trained together must share network, settings and table."
            raise RunError(msg)
        self._network = first.network
        # What fills up a batch would count in its statistics.
        self.pads = not any(isinstance(part, _BatchNorm) for part in first.network.modules())
        self._features = {name: x.to(first.device) for name, x in table.features.items()}
        self._weights, self._buffers = stack_module_state([fit.network for fit in fits])
        for place, fit in enumerate(fits):
            for name, own in _named(fit.network):
                own.data = (self._weights | self._buffers)[name].data[place]

    def step(self, places: list[int], batches: list[Batch]) -> Tensor:
        """Step the weights of some fits, each on its batch; return their losses, shape (n,)."""
        fits = [self._fits[place] for place in places]
        n_slices = batches[0].n_slices
        features, labels = self._shown(batches)
        balance = {
            name: torch.stack([fit.weights[name] for fit in fits]) for name in fits[0].weights
        }
        weights = {name: self._some(x, places) for name, x in self._weights.items()}
        buffers = {name: self._some(x, places) for name, x in self._buffers.items()}

        def loss(
            weights: Tensors, buffers: Tensors, features: Tensors, labels: Tensors, balance: Tensors
        ) -> Tensor:
            logits = functional_call(self._network, (weights, buffers), (features, n_slices))
            return nll(logits, labels, weights=balance)

        self._network.train()
        with fits[0].precision():
            losses = vmap(loss, randomness="different")(weights, buffers, features, labels, balance)
        gradients = torch.autograd.grad(losses.sum(), list(weights.values()), allow_unused=True)
        for i, fit in enumerate(fits):
            for own, gradient in zip(fit.network.parameters(), gradients, strict=True):
                # As it lies in memory, because a fused optimiser does not look at strides.
                own.grad = None if gradient is None else gradient[i].contiguous()
            fit.optimiser.step()
        for name, x in self._buffers.items():
            if buffers[name] is not x:
                x[places] = buffers[name]
        return losses.detach()

    def _some(self, x: Tensor, places: list[int]) -> Tensor:
        return x if len(places) == len(self._fits) else x[places]

    def _shown(self, batches: list[Batch]) -> tuple[Features, dict[str, Tensor]]:
        """Return what the networks are shown, shape (n_fits, n_windows, ...), and the classes."""
        n_slices, n_rows = batches[0].n_slices, max(len(batch.picks) for batch in batches)
        device = self._fits[0].device

        def filled(parts: Iterable[Tensor], *, value: int | None = None) -> Tensor:
            """Stack what belongs to each batch's rows; the first row fills up short ones."""
            return torch.stack([_fill(part, n_rows, value) for part in parts]).to(device)

        rows = filled(batch.data.rows[batch.picks, -n_slices:] for batch in batches)
        features = {name: x[rows.flatten()] for name, x in self._features.items()}
        for modality in batches[0].dropped:
            dropped = filled(batch.dropped[modality] for batch in batches)
            rows_without = dropped.flatten().repeat_interleave(n_slices)
            features = self._network.without(modality, features, rows_without)
        labels = [batch.labels for batch in batches]
        return (
            {name: x.reshape(len(batches), -1, *x.shape[1:]) for name, x in features.items()},
            {name: filled((own[name] for own in labels), value=NO_CLASS) for name in labels[0]},
        )


def _fill(part: Tensor, n_rows: int, value: int | None) -> Tensor:
    """Return a tensor of `n_rows` rows: its own, then `value` or copies of the first."""
    n_more = n_rows - len(part)
    more = part[:1].expand(n_more, *part.shape[1:])
    return torch.cat([part, more if value is None else torch.full_like(more, value)])


def _named(network: Network) -> Iterator[tuple[str, Tensor]]:
    yield from network.named_parameters()
    yield from network.named_buffers()


def _shapes(network: Network) -> dict[str, torch.Size]:
    return {name: x.shape for name, x in _named(network)}
