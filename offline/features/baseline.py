"""What a person's features are at rest, to be taken off later ones."""

import torch
from torch import Tensor


def mean_at_rest(rest: Tensor) -> Tensor:
    """Return the mean over windows at rest.

    Parameters
    ----------
    rest : Tensor, shape (n_windows, ..., n_bands)
        Features of windows at rest.

    Returns
    -------
    Tensor, shape (..., n_bands)
    """
    return rest.mean(dim=0)


def mean_at_rest_with_theta(rest: Tensor) -> Tensor:
    """Return the mean over windows at rest as published code computes it, mistake included.

    The code of Shen et al. 2020 [1]_, which Rudakov et al. 2021 built upon, takes the second half
    of the windows (4 to 6 of six) of every band's baseline from theta, the first band.

    Parameters
    ----------
    rest : Tensor, shape (n_windows, ..., n_bands)
        Features of windows at rest, in order of time; theta is the first band.

    Returns
    -------
    Tensor, shape (..., n_bands)

    References
    ----------
    .. [1] https://github.com/aug08/4D-CRNN, dataProcess_DEAP_1D.py
    """
    n_windows = rest.shape[0]
    place = torch.arange(n_windows, device=rest.device).reshape(-1, *[1] * (rest.ndim - 1))
    return torch.where(2 * place < n_windows, rest, rest[..., :1]).mean(dim=0)
