"""What trained networks looked at while they were tested, as maps over the scalp."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from offline.datasets.contract import Label
from offline.errors import RunError
from offline.features.bands import FOUR_BANDS_HZ
from offline.features.topography import GRID
from offline.models.contract import Network
from offline.protocols.contract import Split
from offline.recipe import Recipe
from offline.report.study import ScalpMaps
from offline.report.variants import sees_face
from offline.runs.plan import Unit
from offline.runs.record import read_record
from offline.runs.trainer import open_run
from offline.table import FeatureTable
from offline.unit import fold_of, read_network

Floats = npt.NDArray[np.float64]

_BATCH = 512


class _Means:
    """Means of a map over the windows of each class."""

    def __init__(self) -> None:
        self._sums: dict[str, Floats] = {}
        self.n: dict[str, int] = {}

    def add(self, name: str, values: Floats) -> None:
        """Add windows, shape (n_windows, ...)."""
        if len(values):
            self._sums[name] = self._sums.get(name, 0.0) + values.sum(axis=0)
            self.n[name] = self.n.get(name, 0) + len(values)

    def mean(self, name: str) -> Floats:
        """Return the mean over all windows that were added."""
        mean: Floats = self._sums[name] / self.n[name]
        return mean


def look_at_run(run: Path, units: Mapping[Unit, Path], cache: Path) -> tuple[ScalpMaps, ...]:
    """Return maps of what the networks of a run saw in the windows that they were tested on.

    Parameters
    ----------
    run : Path
        Folder of the run.
    units : mapping of Unit to Path
        Finished ones; only those of the first seed are looked at, so that a window counts once.
    cache : Path
        Folder of features.

    Returns
    -------
    tuple of ScalpMaps
        The prior of a prior-driven DFCN, entropies of a network on brain maps; none for others.

    Raises
    ------
    RunError
        The features are no longer those that the run began with.
    """
    record = read_record(run)
    is_led_by_face = sees_face(record.settings)
    if not is_led_by_face and record.settings["model"]["kind"] != "mtcnn":
        return ()
    recipe, table, split = open_run(run, cache)
    first_seed = min(unit.seed for unit in units)
    folders = {unit.fold: path for unit, path in units.items() if unit.seed == first_seed}
    if is_led_by_face:
        return (_prior_maps(recipe, table, split, folders),)
    return _entropy_maps(recipe, table, split, folders)


def _prior_maps(
    recipe: Recipe, table: FeatureTable, split: Split, folders: Mapping[str, Path]
) -> ScalpMaps:
    means = _by_class(recipe, table, split, folders, _prior_of_channels)
    names = [name for name in _class_names(table.labels) if name in means.n]
    if not names:
        msg = "No tested window had a face, so that there is no prior to draw."
        raise RunError(msg)
    return ScalpMaps(
        title="How much each channel goes with the face",
        unit="prior",
        caption="Correlation of EEG and face by cross-attention (the prior of Zheng et al. 2023, "
        "their Fig. 2): the mean over each channel's row of the prior, over all windows with a "
        "face of a class, each seen by the network that was tested on it "
        f"({len(folders)} folds). 1 leaves a channel's connections as they are.",
        ch_names=_ch_names(recipe),
        panels={name: means.mean(name) for name in names},
        n_windows={name: means.n[name] for name in names},
    )


def _entropy_maps(
    recipe: Recipe, table: FeatureTable, split: Split, folders: Mapping[str, Path]
) -> tuple[ScalpMaps, ...]:
    means = _by_class(recipe, table, split, folders, _entropy)
    bands = list(recipe.windows.bands_hz or FOUR_BANDS_HZ)
    ch_names = _ch_names(recipe)
    grid = _grid(ch_names)
    whole = means.mean("all")
    found = [
        ScalpMaps(
            title="Brain maps of differential entropy",
            unit="nats",
            caption="Brain maps of differential entropy as the network gets them before it takes "
            "off baseline and scale: the mean over all tested windows, less the mean over "
            "channels. Above: the pixels of the paper's grid; below: interpolated.",
            ch_names=ch_names,
            panels={band: whole[:, i] - whole[:, i].mean() for i, band in enumerate(bands)},
            n_windows=dict.fromkeys(bands, means.n["all"]),
            grid=grid,
            is_signed=True,
        )
    ]
    for target, label in table.labels.items():
        low, high = (f"{target} {name}" for name in (label.classes[0], label.classes[-1]))
        if low not in means.n or high not in means.n:
            continue
        difference = means.mean(high) - means.mean(low)
        found.append(
            ScalpMaps(
                title=f"Brain maps, {high} minus {low}",
                unit="nats",
                caption=f"Brain maps of differential entropy: windows of {high} "
                f"({means.n[high]}) minus windows of {low} ({means.n[low]}), means over all tested "
                "windows. Above: the pixels of the paper's grid; below: interpolated. Differences "
                "of people who answered differently often are in it.",
                ch_names=ch_names,
                panels={band: difference[:, i] for i, band in enumerate(bands)},
                n_windows=dict.fromkeys(bands, means.n[high] + means.n[low]),
                grid=grid,
                is_signed=True,
            )
        )
    return tuple(found)


@torch.no_grad()
def _by_class(
    recipe: Recipe,
    table: FeatureTable,
    split: Split,
    folders: Mapping[str, Path],
    look: Callable[[Network, Mapping[str, Tensor]], Floats],
) -> _Means:
    """Return means over the tested windows of each class, and of all."""
    means = _Means()
    for fold, folder in folders.items():
        network = read_network(recipe, table.labels, folder)
        windows = table.windows_of(fold_of(split, fold).test, split.level)
        for start in range(0, len(windows), _BATCH):
            rows = windows[start : start + _BATCH]
            values = look(network, {name: x[rows] for name, x in table.features.items()})
            seen = np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
            means.add("all", values[seen])
            for target, label in table.labels.items():
                classes = table.classes[target][rows]
                for number, name in enumerate(label.classes):
                    means.add(f"{target} {name}", values[seen & (classes == number)])
    return means


def _prior_of_channels(network: Network, features: Mapping[str, Tensor]) -> Floats:
    """Return each channel's mean prior; NaN in windows without a face."""
    prior = network.look(features)["prior"].mean(dim=2).double()
    prior[features["has_face"] == 0] = torch.nan
    return np.asarray(prior.numpy(), dtype=np.float64)


def _entropy(network: Network, features: Mapping[str, Tensor]) -> Floats:
    return np.asarray(network.look(features)["entropy"].double().numpy(), dtype=np.float64)


def _class_names(labels: Mapping[str, Label]) -> list[str]:
    """Return ``"valence high"`` and so on, the highest class first, as the paper's Fig. 2."""
    return [f"{target} {name}" for target, label in labels.items() for name in label.classes[::-1]]


def _ch_names(recipe: Recipe) -> tuple[str, ...]:
    return tuple(recipe.window_spec().modalities["eeg"].ch_names)


def _grid(ch_names: tuple[str, ...]) -> npt.NDArray[np.int64] | None:
    """Return where on the grid each channel is; None if one has no pixel."""
    pixels = {name for row in GRID for name in row if name}
    if not set(ch_names) <= pixels:
        return None
    place = {name: number for number, name in enumerate(ch_names)}
    return np.array([[place.get(name, -1) for name in row] for row in GRID], dtype=np.int64)
