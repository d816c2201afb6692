"""Shared responses: directions in which people who see the same thing respond alike, then a line.

Correlated component analysis (Dmochowski et al. 2012, doi:10.3389/fnhum.2012.00112; Parra et al.
2019, arXiv 1801.08881): of all directions in the space of regions those come first whose time
course is the most alike between people. They are found without any label and hold for people who
were not there, so that a linear answer on five of them needs no calibration.
"""

from collections.abc import Iterator, Mapping
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from offline.errors import DataError
from offline.models.contract import MOMENT, SUBJECT, Features, Shapes, stack_slices
from offline.models.linear_head import LinearAnswer, LinearHead
from offline.models.recent import RecentNetwork, RecentSettings

_LEAST_NOISE = 1e-6
"""Of the mean noise of a region: less is none as far as floating point can tell."""


class SharedAnswer(LinearAnswer):
    """A linear answer on the first components.

    Parameters
    ----------
    n_components : int
        How many it sees; never more than there are regions.
    solver, cost, penalty, balance_classes
        See `LinearAnswer`.
    """

    n_components: int = Field(default=5, ge=1)


class SharedResponseSettings(RecentSettings):
    """Every choice of the model.

    Parameters
    ----------
    kind : "shared_response"
        Name in the registry.
    mean_s : float
        See `RecentSettings`.
    shrinkage : float
        Share of the noise covariance that is replaced by its mean variance, the same for all
        regions.
    answer : SharedAnswer
        How each target's weights are found, and on how many components.
    answers : mapping of str to SharedAnswer
        By target, where it is answered in another way.
    """

    kind: Literal["shared_response"] = "shared_response"
    shrinkage: float = Field(default=0.03, gt=0, le=1)
    answer: SharedAnswer = SharedAnswer()
    answers: Mapping[str, SharedAnswer] = Field(default_factory=dict)

    def build(self, shapes: Shapes) -> "SharedResponse":
        """Return a model that knows nothing yet."""
        return SharedResponse(self, shapes)

    def choices(self) -> tuple[str, ...]:
        """Return what is taken, a sentence each, for the card."""
        first = {"each target": self.answer, **self.answers}
        return (
            f"Each region is averaged over the newest {self.mean_s:g} s of the window.",
            "Components are directions of most shared covariance between people at the same "
            "moment, relative to the covariance that is not shared, of which "
            f"{self.shrinkage:g} is replaced by its mean variance; each is scaled by the square "
            "root of its correlation between people. No label takes part.",
            *(
                f"Of {name} weights on {how.n_components} components are found by {how.in_words}."
                for name, how in first.items()
            ),
        )


class SharedResponse(RecentNetwork):
    """Means of regions -> shared components -> answers.

    Parameters
    ----------
    settings : SharedResponseSettings
        Choices.
    shapes : Shapes
        Windows and targets.

    Raises
    ------
    ConfigError
        The windows do not suit the settings.
    """

    head: LinearHead
    uses_moments = True

    def __init__(self, settings: SharedResponseSettings, shapes: Shapes) -> None:
        super().__init__(settings, shapes)
        self._shrinkage = settings.shrinkage
        self._how = {name: settings.answers.get(name, settings.answer) for name in shapes.targets}
        sizes = {name: min(how.n_components, self.n_regions) for name, how in self._how.items()}
        n_components = max(sizes.values())
        self.slice_shape = (n_components,)
        self.projection: Tensor
        self.register_buffer("projection", torch.zeros(self.n_regions, n_components))
        self.head = LinearHead(sizes, targets=shapes.targets)

    @torch.no_grad()
    def fit_scales(self, features: Mapping[str, Tensor]) -> None:
        """Find the components, from windows of several people at the same moments.

        Raises
        ------
        DataError
            No two people were there at the same moment.
        """
        projection, _ = shared_components(
            features["recent"], features[MOMENT], features[SUBJECT], shrinkage=self._shrinkage
        )
        self.projection.copy_(projection[:, : self.slice_shape[0]])

    def encode(self, features: Mapping[str, Tensor]) -> Tensor:
        """Return components, shape (n_windows, n_components)."""
        return features["recent"] @ self.projection

    def look(self, features: Mapping[str, Tensor]) -> Features:
        """Return the components."""
        return {"components": self.encode(features)}

    def solve(
        self, batches: Iterator[tuple[Features, int]], labels: Mapping[str, Tensor], *, seed: int
    ) -> None:
        """Find each target's weights; nothing is random."""
        del seed
        x = stack_slices(self, batches).to(torch.float64).cpu().numpy()
        self.head.solve(x, {name: y.cpu().numpy() for name, y in labels.items()}, self._how)


def shared_components(
    x: Tensor, moment: Tensor, subject: Tensor, *, shrinkage: float
) -> tuple[Tensor, Tensor]:
    r"""Return the directions in which different people's responses to the same moment agree.

    Parameters
    ----------
    x : Tensor, shape (n_windows, n_regions)
        Responses.
    moment : Tensor of int, shape (n_windows,)
        Equal for windows of different people at the same moment; negative where nobody else could
        have been there.
    subject : Tensor of int, shape (n_windows,)
        Whose window: a number from 0.
    shrinkage : float
        See `SharedResponseSettings`.

    Returns
    -------
    projection : Tensor, shape (n_regions, n_regions)
        Directions in columns, the most shared first.
    correlation : Tensor, shape (n_regions,)
        Expected correlation of two people's time courses in each direction.

    Raises
    ------
    DataError
        No two people were there at the same moment.

    Notes
    -----
    With x centred person by person, and sums over moments t and over people i at each, n of them:

    .. math::
        C = \frac{\sum_t \sum_i x_{ti} x_{ti}^T}{\sum_t n_t}, \quad
        S = \frac{\sum_t \sum_{i \ne j} x_{ti} x_{tj}^T}{\sum_t n_t (n_t - 1)}, \quad
        N = (1 - \lambda)(C - S) + \lambda \frac{\mathrm{tr}(C - S)}{R} I

    Columns are :math:`N^{-1/2} q_k \sqrt{e_k / (1 + e_k)}` with the eigenvalues e and eigenvectors
    q of :math:`N^{-1/2} S N^{-1/2}`; :math:`e_k / (1 + e_k)` is the correlation.
    """
    there = moment >= 0
    _, place, counts = torch.unique(moment[there], return_inverse=True, return_counts=True)
    met = counts[place] > 1
    n_pairs = int((counts * (counts - 1)).sum())
    if not n_pairs:
        msg = (
            "Shared responses need training windows of several people at the same moment of the "
            "same stimulus, got none. Take a data set in which everybody saw the same, and at "
            "least two of them for training."
        )
        raise DataError(msg)
    place, subject, x = place[met], subject[there][met], x[there][met].double()
    n_own = torch.bincount(subject).clamp_min(1)[:, None]
    means = x.new_zeros(len(n_own), x.shape[1]).index_add_(0, subject, x) / n_own
    x = x - means[subject]
    sums = x.new_zeros(len(counts), x.shape[1]).index_add_(0, place, x)
    own = x.T @ x
    shared = (sums.T @ sums - own) / n_pairs
    noise = own / len(x) - shared
    level = (noise.trace() / len(noise)).clamp_min(_LEAST_NOISE)
    noise = (1 - shrinkage) * noise + shrinkage * level * torch.eye(len(noise), dtype=x.dtype)
    variance, axes = torch.linalg.eigh(noise)
    whiten = axes / variance.clamp_min(_LEAST_NOISE * level).sqrt()
    ratio, turned = torch.linalg.eigh(whiten.T @ shared @ whiten)
    ratio = ratio.flip(0).clamp_min(0.0)
    correlation = ratio / (1 + ratio)
    projection = whiten @ turned.flip(1) * correlation.sqrt()
    # A direction and its opposite are one: the largest weight is made positive.
    largest = projection.gather(0, projection.abs().argmax(dim=0, keepdim=True))
    return projection * torch.where(largest < 0, -1.0, 1.0), correlation
