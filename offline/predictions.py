"""What a model said about each window of the test set: what all metrics are computed from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Predictions:
    """Answers to one target; all columns have shape (n_windows,), `log_p` (n_windows, n_classes).

    Parameters
    ----------
    classes : tuple of str
        Class names, in the order of `log_p`.
    subject, session, trial, stimulus : ndarray of str
        Whose window, of which trial.
    window : ndarray of int
        Number on the recording's grid.
    fold : ndarray of str
        Name of the fold in which this window was tested.
    label : ndarray of int
        The true class; `NO_CLASS` where there is none, which no score counts.
    value : ndarray of float
        The true value, on the data set's scale; NaN where there is none.
    log_p : ndarray of float
        Logarithms of the answered probabilities.
    """

    classes: tuple[str, ...]
    subject: npt.NDArray[Any]
    session: npt.NDArray[Any]
    trial: npt.NDArray[Any]
    stimulus: npt.NDArray[Any]
    window: npt.NDArray[np.int64]
    fold: npt.NDArray[Any]
    label: npt.NDArray[np.int64]
    value: npt.NDArray[np.float64]
    log_p: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.label)

    def rows(self, picks: npt.NDArray[Any]) -> "Predictions":
        """Return some rows, by number or by truth."""
        columns = {name: getattr(self, name)[picks] for name in (*_COLUMNS, "log_p")}
        return Predictions(classes=self.classes, **columns)


_COLUMNS = ("subject", "session", "trial", "stimulus", "window", "fold", "label", "value")


def concatenate(parts: list[Predictions]) -> Predictions:
    """Return the rows of all parts, which answer the same target, one after the other."""
    columns = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in (*_COLUMNS, "log_p")
    }
    return Predictions(classes=parts[0].classes, **columns)


def write_predictions(path: Path, by_target: Mapping[str, Predictions]) -> None:
    """Write a Parquet file: one row a window and target, `log_p` as a list."""
    tables = []
    for target, said in by_target.items():
        columns: dict[str, Any] = {name: getattr(said, name) for name in _COLUMNS}
        columns |= {
            "target": [target] * len(said),
            "classes": ["|".join(said.classes)] * len(said),
            "log_p": list(said.log_p),
        }
        tables.append(pa.table(columns))
    pq.write_table(pa.concat_tables(tables), path)


def read_predictions(path: Path) -> dict[str, Predictions]:
    """Read what `write_predictions` wrote, by target."""
    table = pq.read_table(path)
    names = table.column("target").to_numpy(zero_copy_only=False)
    found = {}
    for target in dict.fromkeys(names.tolist()):
        part = table.filter(pa.array(names == target))
        columns = {n: part.column(n).to_numpy(zero_copy_only=False) for n in _COLUMNS}
        log_p = np.array(part.column("log_p").to_pylist(), dtype=np.float64)
        classes = tuple(part.column("classes")[0].as_py().split("|"))
        found[target] = Predictions(classes=classes, log_p=log_p, **columns)
    return found
