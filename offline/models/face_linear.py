"""Linear reference: what a face alone tells, without any depth.

A decoder of the face beside one of EEG and one of fMRI lets fusion leave out whichever of them has
nothing to say. It asks no more of a face than how it looks and how much it moves.
"""

from collections.abc import Iterator, Mapping
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from offline.features.normalise import FeatureScale, masked_spread
from offline.models.contract import Features, NetworkSettings, Shapes, SolvedNetwork, stack_slices
from offline.models.linear_head import LinearAnswer, LinearHead


class FaceLinearSettings(NetworkSettings):
    """Every choice of the reference.

    Parameters
    ----------
    kind : "face_linear"
        Name in the registry.
    answer : LinearAnswer
        How the weights are found.
    answers : mapping of str to LinearAnswer
        By target, where it is answered in another way.
    """

    kind: Literal["face_linear"] = "face_linear"
    answer: LinearAnswer = LinearAnswer(cost=1.0)
    answers: Mapping[str, LinearAnswer] = Field(default_factory=dict)

    def build(self, shapes: Shapes) -> "FaceLinear":
        """Return a reference that knows nothing yet."""
        return FaceLinear(self, shapes)

    def extraction(self) -> dict[str, object]:
        """Return what the statistics depend on: on no setting."""
        return {"kind": self.kind}

    def choices(self) -> tuple[str, ...]:
        """Return what is taken, a sentence each, for the card."""
        return (
            "Of each facial feature it sees the mean and the standard deviation over the window's "
            "frames with a face, standardised one by one over the training set.",
            f"Weights are found by {self.answer.in_words}.",
            *(f"Those of {name} by {how.in_words}." for name, how in self.answers.items()),
            "There is one weight a statistic and class, and nothing else is learned.",
        )


class FaceLinear(SolvedNetwork):
    """Means and deviations of facial features -> answers.

    Its feature is ``face``, shape (n_windows, 2, n_face): means, then deviations.

    Parameters
    ----------
    settings : FaceLinearSettings
        Choices.
    shapes : Shapes
        Windows and targets.

    Raises
    ------
    ConfigError
        The windows hold no face, or may lack it.
    """

    head: LinearHead

    def __init__(self, settings: FaceLinearSettings, shapes: Shapes) -> None:
        super().__init__()
        n_face = len(shapes.face.ch_names)
        self._how = {name: settings.answers.get(name, settings.answer) for name in shapes.targets}
        self.scale = FeatureScale(shape=(2, n_face))
        self.slice_shape = (2 * n_face,)
        self.head = LinearHead(dict.fromkeys(shapes.targets, 2 * n_face), targets=shapes.targets)

    def extract(self, inputs: Mapping[str, Tensor]) -> Features:
        """Return means and deviations over the frames with a face; zeros where there is none."""
        return {"face": torch.stack(masked_spread(inputs["face"], inputs["face_mask"]), dim=1)}

    @torch.no_grad()
    def fit_scales(self, features: Mapping[str, Tensor]) -> None:
        """Take the training set's statistics of each of them."""
        self.scale.fit(features["face"])

    def encode(self, features: Mapping[str, Tensor]) -> Tensor:
        """Return what is standardised, shape (n_windows, 2 * n_face)."""
        scaled: Tensor = self.scale(features["face"])
        return scaled.flatten(1)

    def solve(
        self, batches: Iterator[tuple[Features, int]], labels: Mapping[str, Tensor], *, seed: int
    ) -> None:
        """Find each target's weights; nothing is random."""
        del seed
        x = stack_slices(self, batches).to(torch.float64).cpu().numpy()
        self.head.solve(x, {name: y.cpu().numpy() for name, y in labels.items()}, self._how)
