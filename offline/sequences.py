"""Runs of windows that do not overlap: what a network answers from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from offline.datasets.contract import Ints
from offline.items import NO_CLASS
from offline.models.contract import Features
from offline.table import FeatureTable


@dataclass(frozen=True, slots=True, eq=False)
class Sequences:
    """Sequences of one role, each ending at another window.

    Parameters
    ----------
    table : FeatureTable
        Where their windows are.
    rows : Tensor of int, shape (n_sequences, t_max)
        Rows of the table, the newest window last; -1 before the run begins.
    n_slices : Tensor of int, shape (n_sequences,)
        Length of each run.
    labels : dict of str to Tensor of int, shape (n_sequences,)
        Class at the newest window, by target; `NO_CLASS` where there is none.
    """

    table: FeatureTable
    rows: Tensor
    n_slices: Tensor
    labels: dict[str, Tensor]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def newest(self) -> Ints:
        """Row of each sequence's newest window, shape (n_sequences,)."""
        newest: Ints = self.rows[:, -1].numpy()
        return newest

    def features(self, picks: Tensor, n_slices: int) -> Features:
        """Return the features of the newest `n_slices` windows of some sequences.

        Returns
        -------
        dict of str to Tensor, shape (n_picks * n_slices, ...)
            The slices of a sequence one after the other.
        """
        windows = self.rows[picks, -n_slices:].flatten()
        return {name: x[windows] for name, x in self.table.features.items()}

    def by_length(self, batch_size: int) -> Iterator[tuple[Tensor, int]]:
        """Yield picks of sequences of equal length, with that length."""
        for n_slices in torch.unique(self.n_slices).tolist():
            same = torch.nonzero(self.n_slices == n_slices).flatten()
            for picks in torch.split(same, batch_size):
                yield picks, int(n_slices)


def make_sequences(
    table: FeatureTable,
    windows: Ints,
    *,
    t_min: int,
    t_max: int,
    classes: Mapping[str, Ints] | None = None,
    labelled: bool = True,
) -> Sequences:
    """Find the longest run that ends at each window.

    Parameters
    ----------
    table : FeatureTable
        All windows.
    windows : ndarray of int
        Rows that may take part; a run never leaves them, nor its trial.
    t_min, t_max : int
        Shortest run that counts, and the longest.
    classes : mapping of str to ndarray of int, shape (n_windows,), optional
        Of the whole table, by target; those that are tested by default.
    labelled : bool
        Only runs that end at a window with a label, to any target.
    """
    classes = table.classes if classes is None else classes
    counts = np.any([own != NO_CLASS for own in classes.values()], axis=0) | (not labelled)
    allowed = np.sort(windows)
    place = {
        (trial, window): row
        for row, trial, window in zip(
            allowed.tolist(),
            table.trial[allowed].tolist(),
            table.window[allowed].tolist(),
            strict=True,
        )
    }
    runs = []
    for (trial, window), newest_row in place.items():
        if not counts[newest_row]:
            continue
        run: list[int] = []
        number = window
        while len(run) < t_max and (trial, number) in place:
            run.insert(0, place[trial, number])
            number -= table.step
        if len(run) >= t_min:
            runs.append([-1] * (t_max - len(run)) + run)
    rows = torch.tensor(runs, dtype=torch.int64).reshape(-1, t_max)
    newest = rows[:, -1].numpy()
    return Sequences(
        table=table,
        rows=rows,
        n_slices=(rows >= 0).sum(dim=1),
        labels={name: torch.from_numpy(c[newest]) for name, c in classes.items()},
    )
