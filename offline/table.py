"""Every window of a data set as features, and which trial it belongs to."""

import contextlib
import hashlib
import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from offline.datasets.contract import Dataset, Floats, Ints, Label
from offline.errors import DataError
from offline.extraction import SubjectFeatures, labels_of, load_features, make_features
from offline.items import NO_CLASS, Items
from offline.models.contract import Features
from offline.plurals import counted
from offline.recipe import Recipe
from offline.window_settings import AnyWindowSettings

_MOST_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FeatureTable:
    """Windows of all subjects, one after the other, in order of time.

    Parameters
    ----------
    features : dict of str to Tensor, shape (n_windows, ...)
        As `Network.extract` gives them, and ``rest`` where the network uses it.
    trials : Items
        The trials.
    trial : ndarray of int, shape (n_windows,)
        Row of each window in `trials`.
    window : ndarray of int, shape (n_windows,)
        Number on the recording's grid.
    step : int
        Difference of the numbers of neighbours that do not overlap.
    labels : mapping of str to Label
        What is answered.
    values, classes : mapping of str to ndarray, shape (n_windows,)
        By target; NaN and `NO_CLASS` where there is no label.
    train_classes : mapping of str to ndarray of int, shape (n_windows,)
        What is trained on: other classes than `classes` where a target has weaker labels for it.
    moment : ndarray of int, shape (n_windows,)
        The same for windows that speak of the same time of the same stimulus, whoever saw it; -1
        where nobody else could have seen it.
    trial_classes : mapping of str to ndarray of int, shape (n_trials,)
        By target.
    digest : str
        Of all that the features depend on.
    has_face : bool
        There is a face in some window.
    lacks : tuple of str
        What was looked for in the recordings and is not in the table, in sentences.
    """

    features: Features
    trials: Items
    trial: Ints
    window: Ints
    step: int
    labels: Mapping[str, Label]
    values: Mapping[str, Floats]
    classes: Mapping[str, Ints]
    train_classes: Mapping[str, Ints]
    moment: Ints
    trial_classes: Mapping[str, Ints]
    digest: str
    has_face: bool = False
    lacks: tuple[str, ...] = ()

    def windows_as_items(self) -> Items:
        """Return an item a window, for protocols that share out windows."""
        columns = {
            name: tuple(getattr(self.trials, name)[n] for n in self.trial.tolist())
            for name in ("subject", "session", "trial", "stimulus")
        }
        return Items(level="window", window=tuple(self.window.tolist()), **columns)

    def windows_of(self, items: Sequence[int], level: str) -> Ints:
        """Return the rows of the windows that belong to some items."""
        if level == "window":
            return np.array(items, dtype=np.int64)
        return np.flatnonzero(np.isin(self.trial, items))


def subjects_of(recipe: Recipe, dataset: Dataset) -> tuple[str, ...]:
    """Return who takes part.

    Raises
    ------
    DataError
        The data set has no such subject.
    """
    if unknown := [name for name in recipe.subjects if name not in dataset.subjects]:
        msg = f"subjects must be in the data set, got {', '.join(unknown)}."
        raise DataError(msg)
    return recipe.subjects or dataset.subjects


def read_table(
    recipe: Recipe,
    cache: Path,
    *,
    n_workers: int = 1,
    report: Callable[[int, int], None] | None = None,
) -> FeatureTable:
    """Read every subject's features from the cache, computing what is not there.

    At most one subject's raw data a worker is in memory at a time.

    Parameters
    ----------
    recipe : Recipe
        Data set, windows and network.
    cache : Path
        Folder for features; what is in it is named after all that it depends on, the code that
        computes it included.
    n_workers : int
        Processes side by side.
    report : callable
        Told how many subjects are done, of how many.

    Raises
    ------
    DataError
        The data set cannot be read, or holds no usable window.
    RunError
        The cache cannot be written.
    """
    dataset = recipe.dataset.open()
    labels = labels_of(recipe, dataset)
    subjects = subjects_of(recipe, dataset)
    make = partial(make_features, recipe, cache)
    parts: list[SubjectFeatures] = []
    with contextlib.ExitStack() as stack:
        folders: Iterable[Path] = map(make, subjects)
        if n_workers > 1 and len(subjects) > 1:
            # Not forked: torch's threads do not survive it.
            context = multiprocessing.get_context("spawn")
            pool = stack.enter_context(ProcessPoolExecutor(n_workers, mp_context=context))
            folders = pool.map(make, subjects)
        for folder in folders:
            parts.append(load_features(folder))
            if report is not None:
                report(len(parts), len(subjects))
    return join(parts, labels, recipe.windows)


def join(
    parts: list[SubjectFeatures], labels: Mapping[str, Label], windows: AnyWindowSettings
) -> FeatureTable:
    """Return the subjects' features as one table."""
    n_trials = np.cumsum([0, *(len(part.trials) for part in parts)])
    rows = [row for part in parts for row in part.trials]
    values = {name: np.concatenate([part.values[name] for part in parts]) for name in labels}
    train_values = {
        name: np.concatenate([part.train_values.get(name, part.values[name]) for part in parts])
        for name in labels
    }
    trial = np.concatenate([p.trial + n for p, n in zip(parts, n_trials, strict=False)])
    classes = {name: labels[name].class_of(values[name]) for name in labels}
    trial_values = [row for part in parts for row in part.trial_values]
    return FeatureTable(
        features={
            name: torch.from_numpy(np.concatenate([part.features[name] for part in parts]))
            for name in parts[0].features
        },
        trials=Items(
            level="trial",
            subject=tuple(row["subject"] for row in rows),
            session=tuple(row["session"] for row in rows),
            trial=tuple(row["trial"] for row in rows),
            stimulus=tuple(row["stimulus"] for row in rows),
        ),
        trial=trial,
        window=np.concatenate([part.window for part in parts]),
        step=round(windows.window_s / windows.train_hop_s),
        labels=labels,
        values=values,
        classes=classes,
        train_classes={name: labels[name].class_of(train_values[name]) for name in labels},
        moment=_moments(
            [rows[number]["stimulus"] for number in trial.tolist()],
            np.concatenate([part.offset_s for part in parts]) / windows.train_hop_s,
        ),
        trial_classes={
            name: label.class_of(np.array([row[name] for row in trial_values]))
            for name, label in labels.items()
        },
        digest=hashlib.sha256("".join(part.key for part in parts).encode()).hexdigest(),
        has_face=any(part.has_face for part in parts),
        lacks=(
            *_faceless(parts, windows),
            *_windowless(parts, windows),
            *_unlabelled(classes, train_values),
        ),
    )


def _moments(stimuli: Sequence[str], hops: Floats) -> Ints:
    """Return a number for each stimulus and hop since it began, -1 where it has no name."""
    keys = list(zip(stimuli, np.round(hops).astype(np.int64).tolist(), strict=True))
    known = sorted({key for key in keys if key[0]})
    numbers = {key: number for number, key in enumerate(known)}
    return np.array([numbers.get(key, -1) for key in keys], dtype=np.int64)


def _unlabelled(classes: Mapping[str, Ints], train_values: Mapping[str, Floats]) -> Iterator[str]:
    """Say how many windows have no label: they are in no number."""
    for name, own in classes.items():
        n_without = int((own == NO_CLASS).sum())
        if n_without:
            n_train = int(np.isnan(train_values[name]).sum())
            yield (
                f"{n_without} of {counted(len(own), 'window')} have no {name} to be tested on, and "
                f"{n_train} none to be trained on: they are in no number."
            )


def _faceless(parts: list[SubjectFeatures], windows: AnyWindowSettings) -> Iterator[str]:
    """Say who has no face, where one is asked for."""
    if not windows.face:
        return
    without = [part.trials[0]["subject"] for part in parts if not part.has_face]
    if without:
        yield f"{counted(len(without), 'subject')} without any face: {_some(without)}."


def _windowless(parts: list[SubjectFeatures], windows: AnyWindowSettings) -> Iterator[str]:
    """Say which trials give no window: they are in no fold's numbers."""
    without = [
        "/".join(row[name] for name in ("subject", "session", "trial"))
        for part in parts
        for number, row in enumerate(part.trials)
        if number not in part.trial
    ]
    if without:
        n_all = sum(len(part.trials) for part in parts)
        how = (
            f"A window of {windows.window_s:g} s begins every {windows.train_hop_s:g} s of the "
            "recording's own time (windows.train_hop_s) and must lie in the trial whole, without "
            "a gap."
        )
        if windows.by_frame:
            how = (
                f"A window of {windows.window_s:g} s ends at a frame, and what it speaks of must "
                "lie in the trial whole (windows.lag_s), without a gap."
            )
        yield (
            f"{len(without)} of {counted(n_all, 'trial')} give no usable window and are in no "
            f"number: {_some(without)}. {how}"
        )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
