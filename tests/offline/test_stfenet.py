import numpy as np
import pytest
import torch
from torch.nn import functional

from offline.models.stfenet import NonLocalBlock, ResidualBlock, STFENet

TARGETS = {"valence": 2, "arousal": 3}


def _net(**settings: object) -> STFENet:
    torch.manual_seed(0)
    return STFENet(n_channels=15, targets=TARGETS, **settings).eval()


@pytest.mark.parametrize("n_slices", range(1, 21))
@pytest.mark.parametrize("readout", ["newest", "mean", "global"])
def test_it_answers_from_any_number_of_slices(n_slices: int, readout: str) -> None:
    logits = _net(readout=readout)(torch.randn(2, n_slices, 15, 15))
    assert {name: tuple(x.shape) for name, x in logits.items()} == {
        "valence": (2, 2),
        "arousal": (2, 3),
    }


@pytest.mark.parametrize("n_channels", [2, 15, 32, 33])
@pytest.mark.parametrize("stem_stride", [1, 2])
@pytest.mark.parametrize("pool", [(1, 2), (2, 2), (1, 3)])
def test_odd_sizes_fit(n_channels: int, stem_stride: int, pool: tuple[int, int]) -> None:
    net = STFENet(n_channels=n_channels, targets=TARGETS, stem_stride=stem_stride, pool=pool)
    for n_slices in (1, 3, 4):
        net(torch.randn(1, n_slices, n_channels, n_channels))


@pytest.mark.parametrize("non_local", [True, False])
@pytest.mark.parametrize("readout", ["newest", "mean", "global"])
def test_a_gradient_reaches_every_weight(non_local: bool, readout: str) -> None:
    net = _net(non_local=non_local, readout=readout)
    logits = net(torch.randn(8, 4, 15, 15))
    sum(x.square().sum() for x in logits.values()).backward()
    for name, weight in net.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.abs().max() > 0, name


def test_an_answer_does_not_depend_on_its_neighbours_in_the_batch() -> None:
    net, x = _net(), torch.randn(5, 4, 15, 15)
    together = net(x)
    for i in range(5):
        for name, alone in net(x[i : i + 1]).items():
            torch.testing.assert_close(together[name][i : i + 1], alone, rtol=1e-5, atol=1e-6)


def test_the_order_of_slices_matters() -> None:
    net, x = _net(), torch.randn(1, 4, 15, 15)
    assert not torch.allclose(net(x)["valence"], net(x.flip(1))["valence"])


def test_it_can_learn_eight_samples_by_heart() -> None:
    torch.manual_seed(0)
    net = STFENet(n_channels=15, targets={"valence": 2}, dropout=0.0)
    x, y = torch.randn(8, 3, 15, 15), torch.tensor([0, 1] * 4)
    optimiser = torch.optim.Adam(net.parameters(), lr=3e-3)
    for _ in range(150):
        optimiser.zero_grad()
        functional.cross_entropy(net(x)["valence"], y).backward()
        optimiser.step()
    net.eval()
    assert torch.equal(net(x)["valence"].argmax(1), y)


def test_a_residual_block_adds_what_came_in() -> None:
    block = ResidualBlock(3, 3)
    for weight in block.second.parameters():
        torch.nn.init.zeros_(weight)
    x = torch.randn(2, 3, 4, 5, 5)
    torch.testing.assert_close(block(x), x.relu())


def test_equations_8_to_10() -> None:
    torch.manual_seed(0)
    block = NonLocalBlock(4).double()
    x = torch.randn(1, 4, 2, 3, 3, dtype=torch.float64)
    w = {name: value.detach().numpy().squeeze() for name, value in block.named_parameters()}
    flat = x.numpy().reshape(4, -1)
    scores = (w["theta.weight"] @ flat).T @ (w["phi.weight"] @ flat)
    weights = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    g = w["g.weight"] @ flat + w["g.bias"][:, None]
    y = (weights @ g.T).T
    z = w["z.weight"] @ y + w["z.bias"][:, None] + flat
    np.testing.assert_allclose(block(x).detach().numpy().reshape(4, -1), z, rtol=1e-9)
