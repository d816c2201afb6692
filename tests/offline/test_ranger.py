import copy

import pytest
import torch

from offline.ranger import Ranger


def _problem() -> tuple[torch.nn.Parameter, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return (
        torch.nn.Parameter(torch.randn(5, generator=generator)),
        torch.randn(40, 5, generator=generator),
    )


def _pull(w: torch.nn.Parameter, row: torch.Tensor) -> None:
    w.grad = None
    loss = (row @ w - 1).square()
    torch.autograd.backward(loss)


@pytest.mark.parametrize("decay", [0.0, 0.02])
def test_slow_weights_follow_rectified_adam_as_written_out(decay: float) -> None:
    w, rows = _problem()
    reference = copy.deepcopy(w)
    fast = torch.optim.RAdam([reference], lr=0.05, weight_decay=decay)
    slow = reference.detach().clone()
    ranger = Ranger([w], lr=0.05, weight_decay=decay)
    for number, row in enumerate(rows, start=1):
        for x, optimiser in ((w, ranger), (reference, fast)):
            _pull(x, row)
            optimiser.step()
        if number % 6 == 0:
            slow = slow + 0.5 * (reference.detach() - slow)
            reference.data.copy_(slow)
        torch.testing.assert_close(w, reference)


def test_it_goes_on_from_its_state_as_if_it_had_never_stopped() -> None:
    w, rows = _problem()
    ranger = Ranger([w], lr=0.05)
    for row in rows[:16]:
        _pull(w, row)
        ranger.step()
    again = copy.deepcopy(w)
    other = Ranger([again], lr=0.05)
    other.load_state_dict(copy.deepcopy(ranger.state_dict()))
    for row in rows[16:]:
        for x, optimiser in ((w, ranger), (again, other)):
            _pull(x, row)
            optimiser.step()
    assert torch.equal(w, again)


def test_weights_without_a_gradient_stay() -> None:
    w, rows = _problem()
    still = torch.nn.Parameter(torch.ones(3))
    ranger = Ranger([w, still], lr=0.05)
    for row in rows[:12]:
        _pull(w, row)
        ranger.step()
    assert torch.equal(still, torch.ones(3))
