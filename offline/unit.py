"""The unit of work: one recipe, one fold, one seed; a function of these and nothing else."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from offline.datasets.contract import Ints, Label
from offline.errors import RunError
from offline.extraction import network_of
from offline.items import NO_CLASS
from offline.metrics.calibration import fit_temperature
from offline.models.contract import MOMENT, SUBJECT, Network, SolvedNetwork
from offline.predictions import Predictions, write_predictions
from offline.protocols.contract import ROLES, Fold, Split
from offline.recipe import Recipe
from offline.roles import seen_in_training, sequences_of
from offline.sequences import Sequences
from offline.table import FeatureTable
from offline.trained import Epoch, Trained
from offline.training import predict, train

PREDICTIONS = "predictions.parquet"
WEIGHTS = "weights.safetensors"
FACTS = "weights.json"
HISTORY = "history.jsonl"
CHECKPOINT = "checkpoint.pt"

SELECTIONS = {"last": "predictions_last.parquet", "best_test": "predictions_best_test.parquet"}
"""Beside `PREDICTIONS`, whose epoch the validation items chose: what other epochs said."""


def without(modality: str) -> str:
    """Return the file of what was said with a modality taken away."""
    return f"predictions_without_{modality}.parquet"


class Reporter(Protocol):
    """Hears how far a unit is; called in the unit's own process."""

    def on_epoch(self, epoch: Epoch) -> None:
        """Hear that an epoch ended."""


class Silent:
    """A reporter that says nothing."""

    def on_epoch(self, epoch: Epoch) -> None:
        """Hear that an epoch ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What lies beside the weights: all that is needed to use them, and how they came about.

    Parameters
    ----------
    fold : str
        Name of the fold.
    seed : int
        Of the recipe's seeds.
    leaky : bool
        Of the split, or the test items chose the epoch, or frames were scaled with later ones.
    epoch, n_epochs : int
        Which epoch the weights are of, and how many were trained.
    priors : mapping of str to list of float
        Shares of the classes in the training items, by target.
    temperatures : mapping of str to float
        By target, fitted on the validation items.
    n_items, n_sequences : mapping of str to int
        By role.
    subjects : mapping of str to list of str
        By role.
    split, table : str
        Digests.
    """

    fold: str
    seed: int
    leaky: bool
    epoch: int
    n_epochs: int
    priors: Mapping[str, list[float]]
    temperatures: Mapping[str, float]
    n_items: Mapping[str, int]
    n_sequences: Mapping[str, int]
    subjects: Mapping[str, list[str]]
    split: str
    table: str


def split_of(recipe: Recipe, table: FeatureTable) -> Split:
    """Return the recipe's split of a table's trials or windows.

    Raises
    ------
    LeakError
        They cannot be shared out so.
    """
    by_window = recipe.protocol.level == "window"
    return recipe.protocol.split(
        table.windows_as_items() if by_window else table.trials,
        classes=table.classes if by_window else table.trial_classes,
        seed=recipe.seeds[0],
    )


def fold_of(split: Split, name: str) -> Fold:
    """Return a fold by its name.

    Raises
    ------
    RunError
        There is none of that name.
    """
    for fold in split.folds:
        if fold.name == name:
            return fold
    msg = f"The fold must be one of {', '.join(f.name for f in split.folds)}; got {name!r}."
    raise RunError(msg)


def unit_seed(fold: str, seed: int) -> int:
    """Return the seed of everything random in a unit."""
    return int(hashlib.sha256(f"{seed} {fold}".encode()).hexdigest()[:8], 16)


def start_unit(
    recipe: Recipe,
    table: FeatureTable,
    split: Split,
    fold: Fold,
    data: Mapping[str, Sequences],
    *,
    seed: int,
) -> Network:
    """Return the network with its first weights and the scales of the training items."""
    torch.manual_seed(seed)
    network = network_of(recipe, table.labels)
    if network.uses_moments:
        windows = table.windows_of(fold.train, split.level)
        rows = torch.from_numpy(windows)
        subjects = _names(table, windows, "subject")
        given = {
            MOMENT: torch.from_numpy(table.moment[windows]),
            SUBJECT: torch.from_numpy(np.unique(subjects, return_inverse=True)[1]),
        }
    else:
        rows = torch.unique(data["train"].rows)
        rows, given = rows[rows >= 0], {}
    network.fit_scales({name: x[rows] for name, x in table.features.items()} | given)
    return network


def run_unit(
    recipe: Recipe,
    table: FeatureTable,
    split: Split,
    fold_name: str,
    seed: int,
    folder: Path,
    reporter: Reporter | None = None,
) -> None:
    """Train on one fold and test on it.

    Parameters
    ----------
    recipe : Recipe
        Everything else.
    table : FeatureTable
        Of the recipe.
    split : Split
        Of the recipe and the table.
    fold_name : str
        Which fold.
    seed : int
        Of the recipe's seeds.
    folder : Path
        For the results; a checkpoint in it is continued.
    reporter : Reporter, optional
        Told how far it is.
    """
    fold = fold_of(split, fold_name)
    data = sequences_of(recipe, table, split, fold)
    own_seed = unit_seed(fold_name, seed)
    network = start_unit(recipe, table, split, fold, data, seed=own_seed)
    if isinstance(network, SolvedNetwork):
        trained = _solve(network, data["train"], seed=own_seed)
    else:
        trained = train(
            network,
            seen_in_training(recipe, data),
            recipe.training,
            t_min=recipe.sequences.t_min,
            seed=own_seed,
            report=(reporter or Silent()).on_epoch,
            checkpoint=folder / CHECKPOINT,
        )
    finish_unit(recipe, table, split, fold, data, network, trained, seed=seed, folder=folder)


def finish_unit(
    recipe: Recipe,
    table: FeatureTable,
    split: Split,
    fold: Fold,
    data: Mapping[str, Sequences],
    network: Network,
    trained: Trained,
    *,
    seed: int,
    folder: Path,
) -> None:
    """Calibrate on the validation items, look at the test items once, write everything."""
    others = {"last": trained.last, "best_test": trained.best_test}
    temperatures: dict[str, float] = {}
    for selection, state in [*others.items(), ("validation", trained.best)]:
        if state is None:
            continue
        network.load_state_dict(state)
        held_out = predict(network, data["validation"])
        temperatures = {
            name: fit_temperature(held_out[name][labels != NO_CLASS], labels[labels != NO_CLASS])
            for name, labels in data["validation"].labels.items()
        }
        said = predictions_of(predict(network, data["test"]), data["test"], temperatures, fold.name)
        write_predictions(folder / SELECTIONS.get(selection, PREDICTIONS), said)
    for modality in recipe.training.modality_dropout:  # the best weights are in place now
        logits = predict(network, data["test"], missing=modality)
        blind = predictions_of(logits, data["test"], temperatures, fold.name)
        write_predictions(folder / without(modality), blind)
    save_file({k: x.contiguous() for k, x in trained.best.items()}, folder / WEIGHTS)
    facts = Facts(
        fold=fold.name,
        seed=seed,
        leaky=split.leaky or recipe.is_leaky,
        epoch=trained.best_epoch,
        n_epochs=len(trained.epochs),
        priors=_priors(data["train"], table.labels),
        temperatures=temperatures,
        n_items={role: len(getattr(fold, role)) for role in ROLES},
        n_sequences={role: len(data[role]) for role in ROLES},
        subjects={role: _subjects(table, data[role]) for role in ROLES},
        split=split.digest,
        table=table.digest,
    )
    (folder / FACTS).write_text(json.dumps(asdict(facts), indent=1))
    lines = [json.dumps(asdict(epoch)) for epoch in trained.epochs]
    (folder / HISTORY).write_text("\n".join([*lines, ""]))
    (folder / CHECKPOINT).unlink(missing_ok=True)


def read_facts(folder: Path) -> Facts:
    """Read what lies beside the weights of a finished unit."""
    return Facts(**json.loads((folder / FACTS).read_text()))


def read_network(recipe: Recipe, labels: Mapping[str, Label], folder: Path) -> Network:
    """Return the trained network of a finished unit."""
    network = network_of(recipe, labels)
    network.load_state_dict(load_file(folder / WEIGHTS))
    return network.eval()


def predictions_of(
    logits: Mapping[str, Tensor],
    data: Sequences,
    temperatures: Mapping[str, float],
    fold: str,
) -> dict[str, Predictions]:
    """Return what was said of each sequence's newest window, by target.

    Parameters
    ----------
    logits : mapping of str to Tensor, shape (n_sequences, n_classes)
        By target; those that are to be kept.
    data : Sequences
        What was answered.
    temperatures : mapping of str to float
        By target.
    fold : str
        Whose weights answered.
    """
    table, newest = data.table, data.newest
    names: dict[str, Any] = {
        group: np.array(_names(table, newest, group))
        for group in ("subject", "session", "trial", "stimulus")
    }
    return {
        target: Predictions(
            classes=table.labels[target].classes,
            **names,
            window=table.window[newest],
            fold=np.array([fold] * len(newest)),
            label=table.classes[target][newest],
            value=table.values[target][newest],
            log_p=torch.log_softmax(x.double() / temperatures[target], dim=1).numpy(),
        )
        for target, x in logits.items()
    }


def _solve(network: SolvedNetwork, data: Sequences, *, seed: int) -> Trained:
    order = [(picks, n_slices) for picks, n_slices in data.by_length(len(data))]
    places = torch.cat([picks for picks, _ in order])
    network.solve(
        ((data.features(picks, n_slices), n_slices) for picks, n_slices in order),
        {name: classes[places] for name, classes in data.labels.items()},
        seed=seed,
    )
    state = {name: x.detach().clone() for name, x in network.state_dict().items()}
    return Trained(best=state, last=state)


def _priors(data: Sequences, labels: Mapping[str, Label]) -> dict[str, list[float]]:
    """Return the shares of the classes, each counted once more: unlikely is not impossible."""
    priors = {}
    for name, classes in data.labels.items():
        known = classes[classes != NO_CLASS]
        counts = torch.bincount(known, minlength=len(labels[name].classes)).double() + 1
        priors[name] = (counts / counts.sum()).tolist()
    return priors


def _subjects(table: FeatureTable, data: Sequences) -> list[str]:
    return list(dict.fromkeys(_names(table, data.newest, "subject")))


def _names(table: FeatureTable, windows: Ints, group: str) -> list[str]:
    column = getattr(table.trials, group)
    return [column[n] for n in table.trial[windows].tolist()]
