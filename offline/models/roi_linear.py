"""Linear references: what regions of interest tell without any depth.

A deep model that does not beat this one on the same split has learned nothing that counts.
"""

from collections.abc import Iterator, Mapping
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from offline.models.contract import Features, Shapes, stack_slices
from offline.models.linear_head import LinearAnswer, LinearHead
from offline.models.recent import RecentNetwork, RecentSettings


class RoiLinearSettings(RecentSettings):
    """Every choice of the reference.

    Parameters
    ----------
    kind : "roi_linear"
        Name in the registry.
    mean_s : float
        See `RecentSettings`; 0 takes the newest sample alone.
    answer : LinearAnswer
        How the weights are found.
    answers : mapping of str to LinearAnswer
        By target, where it is answered in another way.
    """

    kind: Literal["roi_linear"] = "roi_linear"
    answer: LinearAnswer = LinearAnswer()
    answers: Mapping[str, LinearAnswer] = Field(default_factory=dict)

    def build(self, shapes: Shapes) -> "RoiLinear":
        """Return a reference that knows nothing yet."""
        return RoiLinear(self, shapes)

    def choices(self) -> tuple[str, ...]:
        """Return what is taken, a sentence each, for the card."""
        return (
            f"Each region is averaged over the newest {self.mean_s:g} s of the window (at least "
            "one sample) and no region is standardised by what others did.",
            f"Weights are found by {self.answer.in_words}.",
            *(f"Those of {name} by {how.in_words}." for name, how in self.answers.items()),
            "There is one weight a region and class, and nothing else is learned.",
        )


class RoiLinear(RecentNetwork):
    """Means of regions -> answers.

    Parameters
    ----------
    settings : RoiLinearSettings
        Choices.
    shapes : Shapes
        Windows and targets.

    Raises
    ------
    ConfigError
        The windows do not suit the settings.
    """

    head: LinearHead

    def __init__(self, settings: RoiLinearSettings, shapes: Shapes) -> None:
        super().__init__(settings, shapes)
        self._how = {name: settings.answers.get(name, settings.answer) for name in shapes.targets}
        self.slice_shape = (self.n_regions,)
        self.head = LinearHead(
            dict.fromkeys(shapes.targets, self.n_regions), targets=shapes.targets
        )

    def fit_scales(self, features: Mapping[str, Tensor]) -> None:
        """Take nothing: the solver divides by one deviation of all regions together."""

    def encode(self, features: Mapping[str, Tensor]) -> Tensor:
        """Return means as they are, shape (n_windows, n_regions)."""
        return features["recent"]

    def solve(
        self, batches: Iterator[tuple[Features, int]], labels: Mapping[str, Tensor], *, seed: int
    ) -> None:
        """Find each target's weights; nothing is random."""
        del seed
        x = stack_slices(self, batches).to(torch.float64).cpu().numpy()
        self.head.solve(x, {name: y.cpu().numpy() for name, y in labels.items()}, self._how)
