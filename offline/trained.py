"""What comes of training: every epoch's result, and the weights worth keeping."""

from dataclasses import dataclass, field

from torch import Tensor, nn

State = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class Epoch:
    """One epoch's result: mean negative log likelihood a target, in nats.

    Parameters
    ----------
    number : int
        From 1.
    train_nll, validation_nll : float
        With and without dropout, as usual.
    learning_rate : float
        That it was trained with.
    is_best : bool
        The best on the validation items so far.
    test_score : float or None
        Only under a paper's protocol that selects on the test items: what it selects by, the higher
        the better.
    is_best_test : bool
        The best on the test items so far; never, unless under such a protocol.
    """

    number: int
    train_nll: float
    validation_nll: float
    learning_rate: float
    is_best: bool
    test_score: float | None = None
    is_best_test: bool = False


@dataclass(slots=True, eq=False)
class Trained:
    """What came of it.

    Parameters
    ----------
    epochs : list of Epoch
        All of them.
    best, last : dict of str to Tensor
        Weights of the epoch that was best on the validation items, and of the last one.
    best_test : dict of str to Tensor or None
        Of the epoch that was best on the test items; only under a paper's protocol.
    """

    best: State
    last: State
    best_test: State | None = None
    epochs: list[Epoch] = field(default_factory=list)

    @property
    def best_epoch(self) -> int:
        """Number of the epoch that was best on the validation items; 0 before the first."""
        return max((epoch.number for epoch in self.epochs if epoch.is_best), default=0)

    @property
    def watched_epoch(self) -> int:
        """Number of the epoch from which patience counts; a paper's protocol watches the test."""
        chosen = (e.number for e in self.epochs if e.is_best_test)
        return max(chosen, default=self.best_epoch)


def state_of(network: nn.Module) -> State:
    """Return a copy of the weights, on the CPU."""
    return {name: x.detach().cpu().clone() for name, x in network.state_dict().items()}
