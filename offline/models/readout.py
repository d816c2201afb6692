"""The simplest head: the mean slice, and a linear layer a target."""

from collections.abc import Mapping

from torch import Tensor, nn


class MeanHead(nn.Module):
    """Mean over time, then a linear layer.

    Parameters
    ----------
    n_features : int
        Numbers in one slice.
    targets : mapping of str to int
        Number of classes by target.
    """

    def __init__(self, n_features: int, *, targets: Mapping[str, int]) -> None:
        super().__init__()
        self.heads = nn.ModuleDict({name: nn.Linear(n_features, n) for name, n in targets.items()})

    def forward(self, slices: Tensor) -> dict[str, Tensor]:
        """Return logits by target, from slices of shape (batch, T, ...)."""
        mean = slices.mean(dim=1).flatten(1)  # (b, features)
        return {name: head(mean) for name, head in self.heads.items()}
