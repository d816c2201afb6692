"""Made-up data on which an honest test cannot succeed: what succeeds there, leaks.

A signature canary gives every trial (or subject, or stimulus) features of its own and a tossed
label, which nothing but knowing it again can tell. A selection canary gives noise features and
tossed labels, and shows what choosing the epoch by the test set is worth.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from sklearn.neighbors import NearestNeighbors
from torch import Tensor
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from offline.errors import LeakError
from offline.items import Items
from offline.protocols.contract import Split

LIMIT = 0.65
"""A protocol by which more of the tossed labels of trials are known is refused."""

N_WINDOWS = 6
"""Made-up windows of a trial, where trials are shared out."""

_N_FEATURES = 16
_NOISE = 0.3
"""Of a window, in units of the spread of signatures."""
_N_TOSSES = 200
"""Labels tossed at once: the score of one who knows nothing is within a few points of 50 %."""
_MAX_ROWS = 2000
"""Of a role in a fold."""

_N_EPOCHS = 30
_N_NOISE_FEATURES = 64
_N_HIDDEN = 16
_BATCH = 40
_MAX_FOLDS = 20
_MAX_DRAWS = 20
_N_ENOUGH = 4000
"""Tested items for which a share is known to a point."""

Rule = Literal["validation", "last", "best_test"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """How often a nearest neighbour knew a tossed label.

    Parameters
    ----------
    group : str
        Whose signatures: trials', subjects', stimuli's.
    accuracy : float
        Near 0.5 where members of the group are strangers in the test set, near 1 where they were
        met in training.
    n_met, n_tested : int
        Members that a fold tests, over all folds, and those of them that it also trains on: a few
        hardly raise the accuracy.
    """

    group: str
    accuracy: float
    n_met: int
    n_tested: int

    @property
    def is_known(self) -> bool:
        """Whether the members of the group are known again."""
        return self.accuracy > LIMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Accuracy on tossed labels of noise, by the rule that chooses the epoch.

    Parameters
    ----------
    accuracy : mapping of str to float
        ``"validation"`` (our rule: least validation loss), ``"last"`` (no choice) and
        ``"best_test"`` (what some papers report). An honest rule has 0.5.
    n_tested : int
        Answers that each share is of.
    """

    accuracy: Mapping[Rule, float]
    n_tested: int

    @property
    def inflation(self) -> float:
        """What choosing by the test set adds to the last epoch's accuracy, for nothing."""
        return self.accuracy["best_test"] - self.accuracy["last"]


def sign(items: Items, split: Split, group: str, *, seed: int) -> Signature:
    """Run the signature canary of one group of `offline.items.GROUPS`.

    Parameters
    ----------
    items : Items
        What was shared out; a trial gets `N_WINDOWS` windows.
    split : Split
        Who trains and who is tested. It need not have proved itself.
    group : str
        Whose signatures.
    seed : int
        Of signatures, noise and tosses.

    Raises
    ------
    LeakError
        No fold both trains and tests.
    """
    rng = np.random.default_rng(seed)
    members, numbers = np.unique(["\t".join(key) for key in items.keys(group)], return_inverse=True)
    n_windows = N_WINDOWS if items.level == "trial" else 1
    owner = np.repeat(numbers, n_windows)
    signatures = rng.normal(size=(len(members), _N_FEATURES))
    features = signatures[owner] + _NOISE * rng.normal(size=(len(owner), _N_FEATURES))
    tosses = rng.integers(2, size=(len(members), _N_TOSSES), dtype=np.int8)[owner]
    n_right = n_asked = n_met = n_tested = 0
    for fold in split.folds:
        tested = {numbers[row] for row in fold.test}
        n_tested += len(tested)
        n_met += len(tested & {numbers[row] for row in fold.train})
        train, test = _rows(fold.train, n_windows), _rows(fold.test, n_windows)
        if not len(train) or not len(test):
            continue
        test = rng.permutation(test)[:_MAX_ROWS]
        neighbours = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(features[train])
        found = neighbours.kneighbors(features[test], return_distance=False)[:, 0]
        n_right += int((tosses[train[found]] == tosses[test]).sum())
        n_asked += len(test) * _N_TOSSES
    if not n_asked:
        msg = "A split must have a fold that trains and tests, got none."
        raise LeakError(msg)
    return Signature(group=group, accuracy=n_right / n_asked, n_met=n_met, n_tested=n_tested)


def require_strangers(items: Items, split: Split, *, seed: int) -> Signature:
    """Run the trial-signature canary, and refuse the split if it sings.

    Parameters
    ----------
    items : Items
        What was shared out.
    split : Split
        Who trains and who is tested.
    seed : int
        Of the canary.

    Raises
    ------
    LeakError
        Trials are known again, and the split is not declared leaky.
    """
    found = sign(items, split, "trial", seed=seed)
    if found.is_known and not split.leaky:
        msg = (
            f"A protocol must not know trials again, but by {split.protocol} a nearest neighbour "
            f"names {found.accuracy:.0%} of labels that were tossed for each trial (at most "
            f"{LIMIT:.0%} may be). Keep the windows of a trial in one role, or declare it leaky."
        )
        raise LeakError(msg)
    return found


def select(items: Items, split: Split, *, seed: int) -> Selection:
    """Run the noise and selection canary.

    Small networks, one a fold and draw and all side by side, learn noise with tossed labels, one
    item a trial or window, epoch after epoch.

    Parameters
    ----------
    items : Items
        What was shared out.
    split : Split
        Who trains, validates and is tested; of more than 20 folds 20 are drawn.
    seed : int
        Of noise, tosses and weights.

    Raises
    ------
    LeakError
        No fold has all roles.
    """
    whole = [fold for fold in split.folds if fold.train and fold.validation and fold.test]
    if not whole:
        msg = "A split must have a fold that trains, validates and tests, got none."
        raise LeakError(msg)
    generator = torch.Generator().manual_seed(seed)
    picks = torch.randperm(len(whole), generator=generator)[:_MAX_FOLDS].tolist()
    n_answers = sum(min(len(whole[pick].test), _MAX_ROWS) for pick in picks)
    n_draws = min(_MAX_DRAWS, -(-_N_ENOUGH // n_answers))
    features = torch.randn(n_draws, len(items), _N_NOISE_FEATURES, generator=generator)
    labels = torch.randint(2, (n_draws, len(items)), generator=generator)
    folds = [whole[pick] for pick in picks for _ in range(n_draws)]
    draw = torch.arange(n_draws).repeat(len(picks))
    rows = {
        role: [_drawn(getattr(fold, role), generator) for fold in folds]
        for role in ("train", "validation", "test")
    }
    test, is_test = _padded(rows["test"])
    validation, is_validation = _padded(rows["validation"])
    right, losses = [], []
    for answer in _epochs(features, labels, draw, rows["train"], generator):
        with torch.no_grad():
            said, chosen_by = answer(test), answer(validation)
        hits = (said > 0) == (labels[draw[:, None], test] == 1)
        right.append((hits & is_test).sum(dim=1))
        loss = functional.binary_cross_entropy_with_logits(
            chosen_by, labels[draw[:, None], validation].float(), reduction="none"
        )
        losses.append((loss * is_validation).sum(dim=1) / is_validation.sum(dim=1))
    by_epoch = torch.stack(right)
    chosen = torch.stack(losses).argmin(dim=0)
    n_right: dict[Rule, Tensor] = {
        "validation": by_epoch[chosen, torch.arange(len(folds))],
        "last": by_epoch[-1],
        "best_test": by_epoch.amax(dim=0),
    }
    n_tested = n_answers * n_draws
    return Selection(
        accuracy={rule: n.sum().item() / n_tested for rule, n in n_right.items()},
        n_tested=n_tested,
    )


def _epochs(
    features: Tensor,
    labels: Tensor,
    draw: Tensor,
    train: list[Tensor],
    generator: torch.Generator,
) -> Iterator[Callable[[Tensor], Tensor]]:
    """Yield, after each epoch, what gives every network's logits for its rows, (n_networks, n)."""
    shapes = ((_N_NOISE_FEATURES, _N_HIDDEN), (1, _N_HIDDEN), (_N_HIDDEN, 1), (1, 1))
    inner, inner_bias, outer, outer_bias = weights = [
        (torch.randn(len(train), *shape, generator=generator) / shape[0] ** 0.5).requires_grad_()
        for shape in shapes
    ]
    optimiser = torch.optim.Adam(weights, lr=1e-2)
    which = draw[:, None]
    n_train = torch.tensor([len(rows) for rows in train])
    padded, _ = _padded(train)

    def logits(rows: Tensor) -> Tensor:
        hidden = torch.relu(features[which, rows] @ inner + inner_bias)
        said: Tensor = (hidden @ outer + outer_bias).squeeze(2)
        return said

    for _ in range(_N_EPOCHS):
        for _ in range(max(1, round(n_train.double().mean().item() / _BATCH))):
            places = torch.rand(len(train), _BATCH, generator=generator) * n_train[:, None]
            rows = padded.gather(1, places.long())
            loss = functional.binary_cross_entropy_with_logits(
                logits(rows), labels[which, rows].float(), reduction="none"
            )
            optimiser.zero_grad()
            torch.autograd.backward(loss.mean(dim=1).sum())
            optimiser.step()
        yield logits


def _drawn(rows: tuple[int, ...], generator: torch.Generator) -> Tensor:
    order = torch.randperm(len(rows), generator=generator)[:_MAX_ROWS]
    return torch.tensor(rows)[order]


def _padded(rows: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Return rows side by side, the short ones padded with item 0, and which are no padding."""
    padded = pad_sequence(rows, batch_first=True, padding_value=-1)
    return padded.clamp(min=0), padded >= 0


def _rows(picks: tuple[int, ...], n_windows: int) -> npt.NDArray[np.int64]:
    rows = np.array(picks, dtype=np.int64)[:, np.newaxis] * n_windows + np.arange(n_windows)
    return rows.ravel()
