"""Ranger: rectified Adam with slow weights that look ahead."""

from collections.abc import Callable, Iterable
from typing import Any, overload

import torch
from torch import Tensor, nn

_SLOW = "slow"


class Ranger(torch.optim.RAdam):
    r"""Rectified Adam [1]_ with slow weights, from which it starts anew every few steps [2]_.

    Parameters
    ----------
    params : iterable of Parameter
        What is optimised.
    lr, weight_decay : float
        Of rectified Adam; the decay is a penalty on squares of weights.
    period : int
        Steps between two moves of the slow weights.
    share : float
        How far they move towards the fast ones.

    References
    ----------
    .. [1] Liu et al. 2020, ICLR, arXiv 1908.03265
    .. [2] Zhang et al. 2019, NeurIPS, arXiv 1907.08610: :math:`\phi \gets \phi + \alpha (\theta -
       \phi)` and :math:`\theta \gets \phi` every k steps; the seed of ASB has k = 6, alpha = 0.5
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        *,
        lr: float,
        weight_decay: float = 0.0,
        period: int = 6,
        share: float = 0.5,
    ) -> None:
        super().__init__(params, lr=lr, weight_decay=weight_decay)
        self._period = period
        self._share = share

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Take one step of all weights that have a gradient."""
        moved = [x for group in self.param_groups for x in group["params"] if x.grad is not None]
        for x in moved:
            if _SLOW not in self.state[x]:  # rectified Adam takes a state that is not empty for its
                self._begin(x)
        loss: float | None = super().step() if closure is None else super().step(closure)
        for x in moved:
            own: dict[str, Any] = self.state[x]
            if int(own["step"]) % self._period == 0:
                x.copy_(own[_SLOW].lerp_(x, self._share))
        return loss

    def _begin(self, x: Tensor) -> None:
        """Give a weight the state that rectified Adam would, and its slow copy."""
        self.state[x] = {
            "step": torch.tensor(0.0),
            "exp_avg": torch.zeros_like(x),
            "exp_avg_sq": torch.zeros_like(x),
            _SLOW: x.detach().clone(),
        }
