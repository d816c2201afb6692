"""What a report is about: one question, put to several variants of a model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from offline.datasets.contract import About, Label
from offline.datasets.scaling import WHY_LEAKY
from offline.predictions import Predictions

Checkpoint = Literal["validation", "last", "best_test"]

CHECKPOINTS: Mapping[Checkpoint, str] = {
    "validation": "best on validation",
    "last": "last epoch",
    "best_test": "best on TEST",
}
"""Which epoch's weights answered, in words; the first is what a report speaks of."""

EPOCH_AND_TEMPERATURE = ("epoch", "temperature")
"""What validation chooses of a model that is trained by epochs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """How one unit learned.

    Parameters
    ----------
    fold : str
        Its fold.
    seed : int
        Its seed.
    train_nll, validation_nll : tuple of float
        Mean negative log likelihood in nats after each epoch.
    chosen : int
        Number of the epoch, from 1, that validation chose; 0 if there were no epochs.
    """

    fold: str
    seed: int
    train_nll: tuple[float, ...]
    validation_nll: tuple[float, ...]
    chosen: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScalpMaps:
    """Values over the scalp, one map a panel.

    Parameters
    ----------
    title : str
        What the values are.
    unit : str
        Of the values, beside their colours.
    caption : str
        Of whose windows, and how it was computed.
    ch_names : tuple of str
        Electrodes, in MNE's spelling.
    panels : mapping of str to ndarray, shape (n_channels,)
        By the panel's title.
    n_windows : mapping of str to int
        Windows that each panel is the mean of.
    grid : ndarray of int, shape (n_rows, n_columns), or None
        Where a model sees each electrode: its number, or -1. Draws the grid above the scalp.
    is_signed : bool
        Values lie around 0, and so do the colours.
    """

    title: str
    unit: str
    caption: str
    ch_names: tuple[str, ...]
    panels: Mapping[str, npt.NDArray[np.float64]]
    n_windows: Mapping[str, int]
    grid: npt.NDArray[np.int64] | None = None
    is_signed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Variant:
    """One run: a recipe with its overrides, all folds and seeds.

    Parameters
    ----------
    name : str
        In tables: ``"full"``, ``"w/o PKE"``.
    run_id : str
        Hash that its folder is named after.
    recipe : mapping
        All its settings, as JSON holds them; empty where nobody asks what it is.
    commands : tuple of str
        What was typed to make it, in order.
    n_people : mapping of str to (int, int)
        By role, fewest and most subjects in a fold.
    answers : mapping
        By checkpoint and target, one `Predictions` of all folds for each seed.
    train_priors : mapping of str to mapping of str to sequence of float
        By target and fold, shares of the classes in the training set.
    curves : tuple of Curve
        One for each fold and seed; none for a solved model.
    choices : tuple of str
        What the paper leaves open and what was taken, a sentence each.
    maps : tuple of ScalpMaps
        What the trained networks looked at.
    no_maps : str
        Why there are none, where there should be.
    lacks : tuple of str
        What was looked for in the recordings and is in no number, in sentences.
    n_missing : int
        Units that are not done; a fold is in the numbers when it is done with every seed.
    """

    name: str
    run_id: str
    answers: Mapping[Checkpoint, Mapping[str, tuple[Predictions, ...]]]
    train_priors: Mapping[str, Mapping[str, Sequence[float]]]
    recipe: Mapping[str, Any] = field(default_factory=dict)
    commands: tuple[str, ...] = ()
    n_people: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    curves: tuple[Curve, ...] = ()
    choices: tuple[str, ...] = ()
    maps: tuple[ScalpMaps, ...] = ()
    no_maps: str = ""
    lacks: tuple[str, ...] = ()
    n_missing: int = 0

    @property
    def is_solved(self) -> bool:
        """Whether a solver found the weights at once, without epochs."""
        return bool(self.curves) and not any(curve.train_nll for curve in self.curves)


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """How items were shared out.

    Parameters
    ----------
    protocol : str
        Kind of the protocol.
    settings : mapping
        Its settings.
    level : {"trial", "window"}
        What was shared out.
    disjoint : tuple of str
        Groups of which no member has two roles in a fold.
    leaky : bool
        To reproduce a paper, never to believe.
    test_chooses : bool
        The test set chose the epoch.
    n_folds : int
        Folds.
    digest : str
        Of the split.
    stimuli : {"named", "partly", "nameless"}
        Whether the tested trials say what was shown.
    people : {"known", "partly", "new"}
        Whether those tested have another role in a fold as well, where the protocol does not keep
        subjects apart: all of them train; some have another role; nobody has.
    """

    protocol: str
    settings: Mapping[str, Any]
    level: Literal["trial", "window"]
    disjoint: tuple[str, ...]
    leaky: bool
    test_chooses: bool
    n_folds: int
    digest: str
    stimuli: Literal["named", "partly", "nameless"] = "named"
    people: Literal["known", "partly", "new"] = "known"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Study:
    """Variants that answered the same question on the same windows.

    Parameters
    ----------
    name : str
        Of the recipe.
    about : About
        The data set.
    labels : mapping of str to Label
        What was asked, by target.
    design : Design
        How items were shared out.
    recipe : mapping
        Of the first variant, as JSON holds it.
    versions : mapping of str to str
        Of the software that ran.
    variants : tuple of Variant
        The first is what the others are compared with.
    """

    name: str
    about: About
    labels: Mapping[str, Label]
    design: Design
    recipe: Mapping[str, Any]
    versions: Mapping[str, str]
    variants: tuple[Variant, ...]

    @property
    def stamps(self) -> tuple[str, ...]:
        """Warnings that every table and figure bears."""
        found = []
        if self.design.leaky:
            found.append("LEAKY PROTOCOL: it reproduces a paper and is no evidence")
        scalings = {_scaling(variant.recipe) for variant in self.variants} - {""}
        if scalings:
            words = WHY_LEAKY.format(scaling=", ".join(sorted(scalings)))
            found.append(f"NOT CAUSAL: {words}")
        if self.about.simulated:
            found.append("SIMULATED: nobody was measured")
        return tuple(found)

    @property
    def chosen(self) -> tuple[str, ...]:
        """What validation chose: models without epochs only have a temperature."""
        solved = all(variant.is_solved for variant in self.variants)
        return ("temperature",) if solved else EPOCH_AND_TEMPERATURE

    @property
    def n_missing(self) -> int:
        """Units of all variants that are not done."""
        return sum(variant.n_missing for variant in self.variants)


def _scaling(recipe: Mapping[str, Any]) -> str:
    """Return what a recipe does to frames with later ones; "" for nothing."""
    found = str(recipe.get("windows", {}).get("normalise", ""))
    return found if found.startswith("whole_") else ""
