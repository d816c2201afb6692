"""STFENet: spatial-temporal features of dynamic networks (Zheng et al. 2023, equations 7-10)."""

import math
from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

Readout = Literal["newest", "mean", "global"]


class ResidualBlock(nn.Module):
    """Two 3D convolutions, two activations and a residual connection.

    Parameters
    ----------
    n_in, n_out : int
        Feature maps; where they differ the residual passes a 1 x 1 x 1 convolution.
    """

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.first = nn.Conv3d(n_in, n_out, kernel_size=3, padding=1)
        self.second = nn.Conv3d(n_out, n_out, kernel_size=3, padding=1)
        self.skip = nn.Identity() if n_in == n_out else nn.Conv3d(n_in, n_out, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return features of the same grid, shape (batch, n_out, T, H, W)."""
        y: Tensor = self.second(functional.relu(self.first(x)))
        return functional.relu(y + self.skip(x))


class NonLocalBlock(nn.Module):
    r"""Self-attention over all places and times, with a residual connection [1]_.

    Parameters
    ----------
    n_maps : int
        Feature maps.

    Notes
    -----
    .. math:: y = \mathrm{softmax}(x^T W_\theta^T W_\phi x) g(x), \quad z = W_z y + x

    References
    ----------
    .. [1] Wang et al. 2018, CVPR, doi:10.1109/CVPR.2018.00813
    """

    def __init__(self, n_maps: int) -> None:
        super().__init__()
        n_inner = max(1, n_maps // 2)
        self.theta = nn.Conv3d(n_maps, n_inner, kernel_size=1, bias=False)
        self.phi = nn.Conv3d(n_maps, n_inner, kernel_size=1, bias=False)
        self.g = nn.Conv3d(n_maps, n_inner, kernel_size=1)
        self.z = nn.Conv3d(n_inner, n_maps, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return features of the same shape (batch, n_maps, T, H, W)."""
        theta = self.theta(x).flatten(2).transpose(1, 2)  # (b, THW, inner)
        phi = self.phi(x).flatten(2)  # (b, inner, THW)
        g = self.g(x).flatten(2).transpose(1, 2)  # (b, THW, inner)
        y = torch.softmax(theta @ phi, dim=2) @ g  # (b, THW, inner)
        y = y.transpose(1, 2).reshape(x.shape[0], -1, *x.shape[2:])
        z: Tensor = self.z(y)
        return z + x


class STFENet(nn.Module):
    """T networks of P channels in, one vector of logits a target out.

    Parameters
    ----------
    n_channels : int
        EEG channels P.
    targets : mapping of str to int
        Number of classes by target.
    maps : tuple of int
        Feature maps of each stage: residual block, max pooling, non-local block.
    stem_stride : int
        Stride over P x P of the first convolution.
    pool : (int, int)
        Pooling over time and over P x P. Time is not pooled by default, because T varies and a pool
        that does not fit makes torch raise while an exported graph answers; `ceil_mode` does for P.
    non_local : bool
        False leaves the non-local blocks out (the paper's "w/o NL block").
    readout : {"newest", "mean", "global"}
        What the heads see: features of the newest slice beside their mean over time, the mean over
        time alone (both keep where in the network something was), or the mean over everything.
    dropout : float
        Before the heads.
    """

    def __init__(
        self,
        *,
        n_channels: int,
        targets: Mapping[str, int],
        maps: tuple[int, ...] = (8, 16),
        stem_stride: int = 2,
        pool: tuple[int, int] = (1, 2),
        non_local: bool = True,
        readout: Readout = "newest",
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        self.stem = nn.Conv3d(
            1, maps[0], kernel_size=3, padding=1, stride=(1, stem_stride, stem_stride)
        )
        side = math.ceil(n_channels / stem_stride)
        stages: list[nn.Module] = []
        for n_in, n_out in zip((maps[0], *maps), maps, strict=False):
            stages.append(ResidualBlock(n_in, n_out))
            stages.append(nn.MaxPool3d((pool[0], pool[1], pool[1]), ceil_mode=True))
            if non_local:
                stages.append(NonLocalBlock(n_out))
            side = math.ceil(side / pool[1])
        self.stages = nn.Sequential(*stages)
        self._readout = readout
        n_features = (
            maps[-1] * {"newest": 2 * side * side, "mean": side * side, "global": 1}[readout]
        )
        self.dropout = nn.Dropout(dropout)
        self.heads = nn.ModuleDict({name: nn.Linear(n_features, n) for name, n in targets.items()})

    def forward(self, slices: Tensor) -> dict[str, Tensor]:
        """Return logits.

        Parameters
        ----------
        slices : Tensor, shape (batch, T, n_channels, n_channels)
            Networks in order of time; any T.

        Returns
        -------
        dict of str to Tensor, shape (batch, n_classes)
            By target.
        """
        x = functional.relu(self.stem(slices.unsqueeze(1)))  # (b, maps, T, P/s, P/s)
        x = self.stages(x)  # (b, maps, T, H, W)
        if self._readout == "newest":
            x = torch.cat([x[:, :, -1], x.mean(dim=2)], dim=1).flatten(1)  # (b, features)
        else:
            x = x.mean(dim=2 if self._readout == "mean" else (2, 3, 4)).flatten(1)  # (b, features)
        x = self.dropout(x)
        return {name: head(x) for name, head in self.heads.items()}
