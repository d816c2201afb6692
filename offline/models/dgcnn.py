"""Dynamical graph convolutional network (Song et al. 2018).

IEEE Trans. Affect. Comput. 11(3), doi:10.1109/TAFFC.2018.2817622. Channels are nodes of one graph
whose adjacency is learned; the encoder turns one window's differential entropies into one vector,
the head the mean of T such vectors into the answer.
"""

from collections.abc import Mapping
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from offline.models.contract import Shapes
from offline.models.entropies import EntropyNetwork, EntropySettings
from offline.models.readout import MeanHead

_NO_DEGREE = 1e-10


class DGCNNSettings(EntropySettings):
    """Every choice that the model leaves open.

    Parameters
    ----------
    kind : "dgcnn"
        Name in the registry.
    features : {"inside", "filter_bank"}
        See `EntropySettings`.
    order : int
        K, the number of Chebyshev polynomials; 1 does not look at neighbours.
    symmetric : bool
        The learned adjacency is made symmetric, without which its Laplacian has no spectrum.
    n_maps : int
        Features of a node after the graph convolution.
    n_hidden : int
        Numbers that describe one window.
    dropout : float
        Before the answer.
    """

    kind: Literal["dgcnn"] = "dgcnn"
    order: int = Field(default=2, ge=1)
    symmetric: bool = True
    n_maps: int = Field(default=32, ge=1)
    n_hidden: int = Field(default=64, ge=1)
    dropout: float = Field(default=0.5, ge=0, lt=1)

    def build(self, shapes: Shapes) -> "DGCNN":
        """Return the network with fresh weights."""
        return DGCNN(self, shapes)

    def choices(self) -> tuple[str, ...]:
        """Return what the paper leaves open and what is taken, a sentence each, for the card."""
        return (
            f"Differential entropy is that {self.source_in_words} (the paper has five bands, from "
            "1 to 50 Hz), standardised one by one over the training set.",
            f"The adjacency is {'symmetric' if self.symmetric else 'not made symmetric'}, drawn "
            "from 0.01 to 0.5, kept from being negative by a ReLU, and learned with all other "
            "weights; the largest eigenvalue of its Laplacian is taken to be 2.",
            f"The graph convolution has {self.order} Chebyshev polynomials and {self.n_maps} maps, "
            f"and {self.n_hidden} numbers describe a window, with dropout {self.dropout:g} after "
            "them; the paper gives none of the four.",
        )


class ChebyshevGraphConvolution(nn.Module):
    r"""Graph convolution over a learned adjacency.

    Parameters
    ----------
    n_nodes : int
        Channels.
    n_in, n_out : int
        Features of a node before and after.
    order : int
        Number of polynomials K.
    symmetric : bool
        The adjacency is the mean of the learned matrix and its transpose.

    Notes
    -----
    .. math::
        y = \sum_{k=0}^{K-1} T_k(\tilde{L}) x \Theta_k, \quad
        \tilde{L} = \frac{2}{\lambda_{max}} L - I = -D^{-1/2} W D^{-1/2}
        \ (\lambda_{max} = 2), \quad T_k = 2 \tilde{L} T_{k-1} - T_{k-2}
    """

    def __init__(self, *, n_nodes: int, n_in: int, n_out: int, order: int, symmetric: bool) -> None:
        super().__init__()
        self._order = order
        self._symmetric = symmetric
        self.adjacency = (
            nn.Parameter(torch.empty(n_nodes, n_nodes).uniform_(0.01, 0.5)) if order > 1 else None
        )
        self.weights = nn.Linear(order * n_in, n_out)

    def forward(self, x: Tensor) -> Tensor:
        """Return features of nodes, shape (batch, n_nodes, n_out), from (batch, n_nodes, n_in)."""
        polynomials = [x]
        if self.adjacency is not None:
            laplacian = self.laplacian(self.adjacency)
            polynomials.append(laplacian @ x)
            for _ in range(2, self._order):
                polynomials.append(2 * laplacian @ polynomials[-1] - polynomials[-2])
        mixed: Tensor = self.weights(torch.cat(polynomials, dim=2))
        return mixed

    def laplacian(self, adjacency: Tensor) -> Tensor:
        """Return the rescaled Laplacian, shape (n_nodes, n_nodes), with eigenvalues in [-1, 1]."""
        if self._symmetric:
            adjacency = (adjacency + adjacency.T) / 2
        weights = functional.relu(adjacency)
        root = (weights.sum(dim=1) + _NO_DEGREE).rsqrt()
        return -root[:, None] * weights * root[None, :]


class DGCNN(EntropyNetwork):
    """Entropies of one window -> a vector; the mean of T -> answers.

    Its features are ``entropy`` (nats), by channel and band.

    Parameters
    ----------
    settings : DGCNNSettings
        Choices.
    shapes : Shapes
        Windows and targets.

    Raises
    ------
    ConfigError
        The windows do not suit the settings.
    """

    def __init__(self, settings: DGCNNSettings, shapes: Shapes) -> None:
        super().__init__(settings, shapes)
        self.slice_shape = (settings.n_hidden,)
        self.convolution = ChebyshevGraphConvolution(
            n_nodes=shapes.n_channels,
            n_in=self.entropy_shape[1],
            n_out=settings.n_maps,
            order=settings.order,
            symmetric=settings.symmetric,
        )
        self.hidden = nn.Linear(shapes.n_channels * settings.n_maps, settings.n_hidden)
        self.dropout = nn.Dropout(settings.dropout)
        self.head = MeanHead(settings.n_hidden, targets=shapes.targets)

    def encode(self, features: Mapping[str, Tensor]) -> Tensor:
        """Return a vector a window, shape (n_windows, n_hidden)."""
        nodes = functional.relu(self.convolution(self.scale(features["entropy"])))
        described: Tensor = self.dropout(functional.relu(self.hidden(nodes.flatten(1))))
        return described
