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


class LinearAnswer(BaseModel):
    """How the weights of one target are found; x is divided by its one standard deviation before.

    Parameters
    ----------
    solver : {"logistic", "ridge", "ordinal"}
        ``"logistic"``: multinomial logistic regression. ``"ridge"``: ridge regression onto an
        indicator of each class. ``"ordinal"``: ridge regression onto the number of the class, for
        classes that have an order.
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
            solve = _logistic if how.solver == "logistic" else _ridge
            solve(x / size, classes, rows, how, weights, offset)
            weights /= size
        self.weights.copy_(torch.from_numpy(weights))
        self.offset.copy_(torch.from_numpy(offset))


def _logistic(
    x: Floats, classes: Ints, rows: Floats, how: LinearAnswer, weights: Floats, offset: Floats
) -> None:
    """Fill in the weights of a logistic regression; a class that nobody has keeps what it has."""
    from sklearn.linear_model import LogisticRegression

    found = LogisticRegression(C=how.cost, max_iter=300).fit(x, classes, sample_weight=rows)
    coef, intercept = found.coef_, found.intercept_
    if len(coef) == 1:  # of two classes scikit-learn keeps the difference
        coef, intercept = np.concatenate([-coef, coef]) / 2, np.concatenate([-intercept, intercept])
        intercept = intercept / 2
    weights[found.classes_], offset[found.classes_] = coef, intercept


def _ridge(
    x: Floats, classes: Ints, rows: Floats, how: LinearAnswer, weights: Floats, offset: Floats
) -> None:
    """Fill in the weights of a ridge regression.

    Each class has a place c_k: its indicator, or its number. The regression says s(x), the place
    that is expected; around it places are taken to be normally distributed with the variance v of
    the residuals. Logits are then ``-|s - c_k|^2 / 2v``, without what all classes share.
    """
    n_classes = len(offset)
    places = np.eye(n_classes)
    if how.solver == "ordinal":
        places = np.arange(n_classes, dtype=np.float64)[:, None]
    total = rows.sum()
    mean_x, mean_y = rows @ x / total, rows @ places[classes] / total
    centred, wanted = x - mean_x, places[classes] - mean_y
    weighted = centred * rows[:, None]
    gram = weighted.T @ centred + how.penalty * total * np.eye(x.shape[1])
    slopes = np.linalg.solve(gram, weighted.T @ wanted)
    residual = wanted - centred @ slopes
    variance = max(float(rows @ (residual**2).mean(axis=1) / total), 1e-6)
    weights[:] = places @ slopes.T / variance
    base = mean_y - mean_x @ slopes
    offset[:] = (places @ base - (places**2).sum(axis=1) / 2) / variance
