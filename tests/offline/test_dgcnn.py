import numpy as np
import pytest
import torch
from numpy.polynomial import chebyshev

from offline.models.dgcnn import ChebyshevGraphConvolution


def _convolution(order: int, *, symmetric: bool = True) -> ChebyshevGraphConvolution:
    torch.manual_seed(0)
    return ChebyshevGraphConvolution(
        n_nodes=6, n_in=4, n_out=3, order=order, symmetric=symmetric
    ).double()


@pytest.mark.parametrize("order", [2, 3, 5])
def test_it_filters_the_spectrum_of_the_laplacian_by_chebyshev_polynomials(order: int) -> None:
    convolution = _convolution(order)
    adjacency = convolution.adjacency.detach().numpy()
    weights = np.maximum((adjacency + adjacency.T) / 2, 0)
    degree = np.diag(weights.sum(axis=1) ** -0.5)
    laplacian = np.eye(6) - degree @ weights @ degree
    eigenvalues, vectors = np.linalg.eigh(2 * laplacian / 2 - np.eye(6))
    x = np.random.default_rng(0).normal(size=(6, 4))
    theta = convolution.weights.weight.detach().numpy().reshape(3, order, 4)
    expected = np.tile(convolution.weights.bias.detach().numpy(), (6, 1))
    for k in range(order):
        response = chebyshev.chebval(eigenvalues, np.eye(order)[k])
        expected = expected + vectors @ np.diag(response) @ vectors.T @ x @ theta[:, k].T
    got = convolution(torch.from_numpy(x)[None])[0].detach().numpy()
    np.testing.assert_allclose(got, expected, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("symmetric", [True, False])
def test_the_rescaled_laplacian_has_eigenvalues_in_the_unit_interval(symmetric: bool) -> None:
    convolution = _convolution(2, symmetric=symmetric)
    laplacian = convolution.laplacian(torch.randn(6, 6, dtype=torch.float64)).detach().numpy()
    if symmetric:
        assert np.abs(np.linalg.eigvalsh(laplacian)).max() <= 1 + 1e-9
    assert (laplacian <= 0).all()


def test_a_node_that_goes_with_nobody_gives_numbers() -> None:
    convolution = _convolution(3)
    with torch.no_grad():
        convolution.adjacency[2], convolution.adjacency[:, 2] = -1.0, -1.0
    assert torch.isfinite(convolution(torch.randn(2, 6, 4, dtype=torch.float64))).all()


def test_one_polynomial_does_not_look_at_neighbours() -> None:
    convolution = _convolution(1)
    x = torch.randn(1, 6, 4, dtype=torch.float64)
    changed = x.clone()
    changed[0, 1:] += 1
    assert torch.equal(convolution(x)[0, 0], convolution(changed)[0, 0])
    assert not torch.equal(convolution(x)[0, 1], convolution(changed)[0, 1])
