"""A linear answer a target, found by scikit-learn or in closed form, and kept as buffers."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from offline.items import NO_CLASS

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

Solver = Literal["logistic", "ridge", "ordinal"]

_NO_SHRINKAGE = 1e6
"""C of a logistic regression on one number."""

_LEAST_VARIANCE = 0.01
"""Of an indicator about what is expected of it: less is learned by heart."""


class LinearAnswer(BaseModel):
    """How the weights of one target are found; x is divided by its one standard deviation before.

    Parameters
    ----------
    solver : {"logistic", "ridge", "ordinal"}
        ``"logistic"``: multinomial logistic regression. ``"ridge"``: ridge regression onto an
        indicator of each class. ``"ordinal"``, for classes that have an order: ridge regression
        onto the number of the class, and a logistic regression on what it expects.
    cost : float
        C of the logistic regression: small means much shrinkage.
    penalty : float
        Of a ridge regression, as a share of the number of sequences.
    balance_classes : bool
        Classes count alike however many sequences they have.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    solver: Solver = "logistic"
    cost: float = Field(default=1e-3, gt=0)
    penalty: float = Field(default=1.0, gt=0)
    balance_classes: bool = True

    @property
    def in_words(self) -> str:
        """What is done, for the card; goes on after "by"."""
        how = {
            "logistic": f"multinomial logistic regression (C {self.cost:g})",
            "ridge": f"ridge regression onto class indicators (penalty {self.penalty:g} n)",
            "ordinal": f"ridge regression onto class numbers (penalty {self.penalty:g} n)",
        }[self.solver]
        return f"{how}, classes {'balanced' if self.balance_classes else 'as frequent as they are'}"


class LinearHead(nn.Module):
    """The mean slice -> ``W x + b`` a target, where x may be cut to its first numbers.

    Parameters
    ----------
    sizes : mapping of str to int
        By target: how many numbers of a slice it sees, from the first.
    targets : mapping of str to int
        Number of classes by target.
    """

    def __init__(self, sizes: Mapping[str, int], *, targets: Mapping[str, int]) -> None:
        super().__init__()
        self.answers = nn.ModuleDict(
            {name: Answer(sizes[name], n_classes=n) for name, n in targets.items()}
        )

    def forward(self, slices: Tensor) -> dict[str, Tensor]:
        """Return logits by target, from slices of shape (batch, T, n_numbers)."""
        x = slices.mean(dim=1)
        return {name: answer(x) for name, answer in self.answers.items()}

    def solve(
        self, x: Floats, classes: Mapping[str, Ints], how: Mapping[str, LinearAnswer]
    ) -> None:
        """Find every target's weights.

        Parameters
        ----------
        x : ndarray, shape (n_sequences, n_numbers)
            Mean slices.
        classes : mapping of str to ndarray of int, shape (n_sequences,)
            By target; `NO_CLASS` where there is no label.
        how : mapping of str to LinearAnswer
            By target.
        """
        for name, answer in self.answers.items():
            assert isinstance(answer, Answer)
            known = classes[name] != NO_CLASS
            answer.solve(x[known], classes[name][known], how[name])


class Answer(nn.Module):
    """One target's weights; before they are solved every class is as likely as any other.

    Parameters
    ----------
    n_numbers : int
        How many numbers it sees.
    n_classes : int
        How many classes it tells apart.
    """

    def __init__(self, n_numbers: int, *, n_classes: int) -> None:
        super().__init__()
        self.weights: Tensor
        self.offset: Tensor
        self.register_buffer("weights", torch.zeros(n_classes, n_numbers))
        self.register_buffer("offset", torch.zeros(n_classes))

    def forward(self, x: Tensor) -> Tensor:
        """Return logits, shape (batch, n_classes)."""
        return x[:, : self.weights.shape[1]] @ self.weights.T + self.offset

    def solve(self, x: Floats, classes: Ints, how: LinearAnswer) -> None:
        """Find the weights; where there is nothing to tell apart, how frequent classes are."""
        n_classes, n_numbers = self.weights.shape
        counts = np.bincount(classes, minlength=n_classes)
        weights, offset = np.zeros((n_classes, n_numbers)), np.log((counts + 1) / (len(x) + 1))
        x = x[:, :n_numbers]
        size = float(x.std()) if len(x) else 0.0
        if size > 0 and (counts > 0).sum() > 1:
            share = counts[classes] * (counts > 0).sum() / len(x)
            rows = 1 / share if how.balance_classes else np.ones(len(x))
            solve = {"logistic": _logistic, "ridge": _ridge, "ordinal": _ordinal}[how.solver]
            there, found, base = solve(x / size, classes, rows, how)
            weights[there], offset[there] = found / size, base
        self.weights.copy_(torch.from_numpy(weights))
        self.offset.copy_(torch.from_numpy(offset))


Weights = tuple[Ints, Floats, Floats]
"""Classes that somebody has, and their weights and offsets."""


def _logistic(x: Floats, classes: Ints, rows: Floats, how: LinearAnswer) -> Weights:
    """Return the weights of a multinomial logistic regression."""
    from sklearn.linear_model import LogisticRegression

    found = LogisticRegression(C=how.cost, max_iter=300).fit(x, classes, sample_weight=rows)
    coef, base = found.coef_, found.intercept_
    if len(coef) == 1:  # of two classes scikit-learn keeps the difference
        coef, base = np.concatenate([-coef, coef]) / 2, np.concatenate([-base, base]) / 2
    return found.classes_, coef, base


def _ordinal(x: Floats, classes: Ints, rows: Floats, how: LinearAnswer) -> Weights:
    """Return weights along the one direction in which the number of the class is expected."""
    slopes, base = _ridge_regression(x, classes[:, None].astype(np.float64), rows, how)
    expected = x @ slopes + base
    free = LinearAnswer(cost=_NO_SHRINKAGE)
    there, along, offset = _logistic(expected / (expected.std() or 1.0), classes, rows, free)
    along = along / (expected.std() or 1.0)
    return there, along @ slopes.T, offset + along @ base


def _ridge(x: Floats, classes: Ints, rows: Floats, how: LinearAnswer) -> Weights:
    """Return the weights of a ridge regression onto an indicator of each class.

    Around what is expected, s(x), indicators c_k are taken to be normally distributed, with the
    variance v of the residuals: logits are ``-|s - c_k|^2 / 2v``, without what all classes share.
    """
    there, numbers = np.unique(classes, return_inverse=True)
    wanted = np.eye(len(there))[numbers]
    slopes, base = _ridge_regression(x, wanted, rows, how)
    residual = ((wanted - x @ slopes - base) ** 2).mean(axis=1)
    variance = max(float(np.average(residual, weights=rows)), _LEAST_VARIANCE)
    return there, slopes.T / variance, base / variance


def _ridge_regression(
    x: Floats, wanted: Floats, rows: Floats, how: LinearAnswer
) -> tuple[Floats, Floats]:
    """Return slopes (n_numbers, n_wanted) and offsets (n_wanted,); offsets are not shrunk."""
    total: float = rows.sum()
    mean_x: Floats = rows @ x / total
    mean_y: Floats = rows @ wanted / total
    centred = x - mean_x
    gram = (centred * rows[:, None]).T @ centred
    gram += how.penalty * total * np.eye(x.shape[1])
    slopes = np.asarray(np.linalg.solve(gram, (centred * rows[:, None]).T @ (wanted - mean_y)))
    return slopes, mean_y - mean_x @ slopes
