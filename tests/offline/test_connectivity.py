import numpy as np
import pytest
import torch

from offline.features.connectivity import pearson


@pytest.mark.parametrize("shape", [(4, 32, 5), (2, 15, 384), (1, 2, 2)])
def test_it_is_numpys_corrcoef(shape: tuple[int, ...]) -> None:
    data = np.random.default_rng(0).normal(size=shape).astype(np.float32) * 30 + 5
    expected = [np.corrcoef(window.astype(np.float64)) for window in data]
    np.testing.assert_allclose(pearson(torch.from_numpy(data)), expected, atol=1e-5)


@pytest.mark.parametrize("value", [0.0, 7.3, -1e4])
def test_a_constant_channel_correlates_with_nobody(value: float) -> None:
    data = torch.randn(1, 4, 384, generator=torch.Generator().manual_seed(0))
    data[0, 2] = value
    r = pearson(data)[0]
    assert torch.equal(r[2], torch.zeros(4))
    assert torch.equal(r[:, 2], torch.zeros(4))
    torch.testing.assert_close(r.diagonal()[[0, 1, 3]], torch.ones(3))


def test_all_constant_gives_zeros() -> None:
    assert torch.equal(pearson(torch.ones(2, 3, 5)), torch.zeros(2, 3, 3))


def test_it_is_symmetric_and_within_one() -> None:
    r = pearson(torch.randn(8, 32, 5))
    torch.testing.assert_close(r, r.transpose(1, 2))
    assert r.abs().max() <= 1


def test_the_gradient_is_finite_beside_a_constant_channel() -> None:
    data = torch.randn(1, 3, 5)
    data[0, 1] = 2.0
    data.requires_grad_()
    pearson(data).sum().backward()
    assert data.grad is not None
    assert torch.isfinite(data.grad).all()
