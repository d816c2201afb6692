"""Brain maps: what channels say, laid out on a grid of 8 x 9 pixels by one linear operator."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from numpy.polynomial import legendre
from torch import Tensor, nn

from rtaffect.core.errors import MontageError

Floats = npt.NDArray[np.float64]

Layout = Literal["grid", "interpolated"]

GRID: tuple[tuple[str, ...], ...] = (
    ("", "", "AF3", "Fp1", "", "Fp2", "AF4", "", ""),
    ("F7", "", "F3", "", "Fz", "", "F4", "", "F8"),
    ("", "FC5", "", "FC1", "", "FC2", "", "FC6", ""),
    ("T7", "", "C3", "", "Cz", "", "C4", "", "T8"),
    ("", "CP5", "", "CP1", "", "CP2", "", "CP6", ""),
    ("P7", "", "P3", "", "Pz", "", "P4", "", "P8"),
    ("", "", "", "PO3", "", "PO4", "", "", ""),
    ("", "", "", "O1", "Oz", "O2", "", "", ""),
)
"""Where DEAP's 32 electrodes lie in Shen et al. 2020 and Rudakov et al. 2021, seen from above."""

N_ROWS, N_COLUMNS = len(GRID), len(GRID[0])

_RIM_DEG = 100.0
"""Angle from the vertex at which a map ends: that of T7 and F7, the lowest of the 32 electrodes."""


class Topography(nn.Module):
    """Channels -> a map of `N_ROWS` x `N_COLUMNS` pixels, front up, left of the head left.

    Parameters
    ----------
    ch_names : sequence of str
        Channels in order, in MNE's spelling.
    layout : {"grid", "interpolated"}
        ``"grid"`` puts each channel into its pixel of `GRID` and leaves the others 0.
        ``"interpolated"`` evaluates spherical splines through all channels at every pixel's place
        on the head; corners outside the head stay 0.

    Raises
    ------
    MontageError
        A channel has no pixel, or no known position.
    """

    def __init__(self, ch_names: Sequence[str], *, layout: Layout = "grid") -> None:
        super().__init__()
        matrix = grid_matrix(ch_names) if layout == "grid" else spline_map_matrix(ch_names)
        self.matrix: Tensor
        self.register_buffer("matrix", torch.tensor(matrix.T.copy(), dtype=torch.float32))

    def forward(self, values: Tensor) -> Tensor:
        """Return maps, shape (batch, n_features, N_ROWS, N_COLUMNS).

        Parameters
        ----------
        values : Tensor, shape (batch, n_channels, n_features)
            Features of each channel.
        """
        pixels = values.transpose(1, 2) @ self.matrix  # (b, F, rows * columns)
        return pixels.reshape(*pixels.shape[:2], N_ROWS, N_COLUMNS)


def grid_matrix(ch_names: Sequence[str]) -> Floats:
    """Return the matrix that puts channels into the pixels of `GRID`.

    Parameters
    ----------
    ch_names : sequence of str
        Channels in order.

    Returns
    -------
    ndarray, shape (N_ROWS * N_COLUMNS, n_channels)
        Zeros and ones.

    Raises
    ------
    MontageError
        A channel has no pixel.
    """
    pixels = [name for row in GRID for name in row]
    if strangers := [name for name in ch_names if name not in pixels]:
        msg = (
            f"Every channel must have a pixel on the {N_ROWS} x {N_COLUMNS} grid, got "
            f"{', '.join(strangers)}. Choose other channels, or the interpolated layout."
        )
        raise MontageError(msg)
    return np.array([[float(pixel == name) for name in ch_names] for pixel in pixels])


def spline_map_matrix(ch_names: Sequence[str]) -> Floats:
    """Return the matrix that interpolates channels at every pixel's place on the head.

    The map is an azimuthal equidistant projection: distance from its centre is the angle from the
    vertex, and its rim lies at 100 degrees; values are those at the middle of each pixel.

    Parameters
    ----------
    ch_names : sequence of str
        Sites of the 10-05 system, at least four.

    Returns
    -------
    ndarray, shape (N_ROWS * N_COLUMNS, n_channels)
        Zeros in pixels outside the head.

    Raises
    ------
    MontageError
        A channel has no known position, or there are too few.
    """
    rows, columns = np.meshgrid(
        1 - (2 * np.arange(N_ROWS) + 1) / N_ROWS,
        (2 * np.arange(N_COLUMNS) + 1) / N_COLUMNS - 1,
        indexing="ij",
    )
    front, right = rows.ravel(), columns.ravel()
    radius = np.hypot(front, right)
    inside = radius <= 1.0
    angle, direction = np.radians(_RIM_DEG) * radius, np.arctan2(front, right)
    pixels = np.stack(
        [
            np.sin(angle) * np.cos(direction),
            np.sin(angle) * np.sin(direction),
            np.cos(angle),
        ],
        axis=1,
    )
    matrix = np.zeros((N_ROWS * N_COLUMNS, len(ch_names)))
    matrix[inside] = spline_weights(site_directions(ch_names), pixels[inside])
    return matrix


def spline_weights(sources: Floats, targets: Floats, *, smoothing: float = 1e-5) -> Floats:
    """Return how each source adds to each target by spherical splines [1]_.

    Parameters
    ----------
    sources : ndarray, shape (n_sources, 3)
        Unit vectors at which values are known.
    targets : ndarray, shape (n_targets, 3)
        Unit vectors at which they are wanted.
    smoothing : float
        Added to the diagonal, so that noise of neighbours is not amplified.

    Returns
    -------
    ndarray, shape (n_targets, n_sources)
        Rows that sum to 1.

    References
    ----------
    .. [1] Perrin et al. 1989, Electroencephalogr. Clin. Neurophysiol. 72(2), equations 1 to 3,
       m = 4, doi:10.1016/0013-4694(89)90180-6
    """
    n_sources = len(sources)
    system = np.ones((n_sources + 1, n_sources + 1))
    system[:-1, :-1] = _spline(sources @ sources.T) + smoothing * np.eye(n_sources)
    system[-1, -1] = 0.0
    wanted = np.hstack([_spline(targets @ sources.T), np.ones((len(targets), 1))])
    return np.asarray(np.linalg.solve(system.T, wanted.T).T[:, :-1], dtype=np.float64)


def site_directions(ch_names: Sequence[str]) -> Floats:
    """Return unit vectors from the head's centre to sites: x to the right, y to the front, z up.

    The centre is that of the sphere fitted to the 32 sites of `GRID` on MNE's average head.

    Parameters
    ----------
    ch_names : sequence of str
        Sites of the 10-05 system, at least four.

    Returns
    -------
    ndarray, shape (n_channels, 3)

    Raises
    ------
    MontageError
        A channel has no known position, or there are too few.
    """
    import mne  # a second to load, and only for maps

    # one head under two names: MNE renamed it
    known = {"colin27_1005", "standard_1005"} & set(mne.channels.get_builtin_montages())
    places = mne.channels.make_standard_montage(min(known)).get_positions()["ch_pos"]
    unplaced = [name for name in ch_names if name not in places]
    if unplaced or len(ch_names) < 4:
        msg = (
            "An interpolated map needs at least 4 sites of the 10-05 system, got "
            f"{len(ch_names)}; no position for {', '.join(unplaced) or 'none'}."
        )
        raise MontageError(msg)
    sphere = np.array([places[name] for row in GRID for name in row if name])
    # |p - c|^2 = r^2 is linear in (c, r^2 - |c|^2)
    equations = np.hstack([2 * sphere, np.ones((len(sphere), 1))])
    centre = np.linalg.lstsq(equations, (sphere**2).sum(axis=1), rcond=None)[0][:3]
    offsets = np.array([places[name] for name in ch_names]) - centre
    return np.asarray(offsets / np.linalg.norm(offsets, axis=1, keepdims=True))


def _spline(cosine: Floats, *, order: int = 4, n_terms: int = 50) -> Floats:
    """Return Perrin's g of the cosine of the angle between two places (equation 3)."""
    n = np.arange(1, n_terms + 1)
    series = np.concatenate([[0.0], (2 * n + 1) / (4 * np.pi * (n * (n + 1.0)) ** order)])
    return np.asarray(legendre.legval(np.clip(cosine, -1, 1), series))
