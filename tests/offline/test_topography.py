import numpy as np
import pytest
import torch

from offline.features.topography import (
    GRID,
    N_COLUMNS,
    N_ROWS,
    Topography,
    grid_matrix,
    site_directions,
    spline_map_matrix,
    spline_weights,
)
from rtaffect.core.errors import MontageError
from rtaffect.core.montages import EEG_15, EEG_32


def test_the_grid_holds_each_of_deaps_electrodes_once_and_left_is_left() -> None:
    names = [name for row in GRID for name in row if name]
    assert sorted(names) == sorted(EEG_32)
    for row in GRID:
        mirrored = [name.translate(str.maketrans("12345678", "21436587")) for name in row[::-1]]
        assert list(row) == mirrored
    assert grid_matrix(EEG_32).sum() == 32
    assert grid_matrix(EEG_15).sum(axis=0).tolist() == [1.0] * 15


def test_a_channel_without_a_place_is_refused() -> None:
    with pytest.raises(MontageError, match=r"pixel on the 8 x 9 grid, got Fpz, A1\."):
        Topography(("Cz", "Fpz", "A1"))
    with pytest.raises(MontageError, match="no position for Nowhere"):
        Topography((*EEG_15, "Nowhere"), layout="interpolated")
    with pytest.raises(MontageError, match="at least 4 sites"):
        Topography(("Cz", "Fz", "Pz"), layout="interpolated")


@pytest.mark.parametrize("ch_names", [EEG_15, EEG_32])
def test_an_interpolated_map_keeps_a_constant_and_is_empty_outside_the_head(
    ch_names: tuple[str, ...],
) -> None:
    image = Topography(ch_names, layout="interpolated")(torch.full((1, len(ch_names), 1), 3.0))
    image = image[0, 0]
    outside = image == 0
    assert outside[[0, 0, -1, -1], [0, -1, 0, -1]].all()
    assert outside.sum() == 12
    torch.testing.assert_close(image[~outside], torch.full_like(image[~outside], 3.0))


def test_an_interpolated_map_is_right_at_the_electrodes_themselves() -> None:
    places = site_directions(EEG_15)
    weights = spline_weights(places, places, smoothing=0.0)
    np.testing.assert_allclose(weights, np.eye(15), atol=1e-6)


def test_an_interpolated_map_peaks_where_its_electrode_sits() -> None:
    matrix = spline_map_matrix(EEG_32).reshape(N_ROWS, N_COLUMNS, 32)
    for name, rows, columns in (
        ("Fp1", range(2), range(5)),
        ("O2", range(6, 8), range(4, 9)),
        ("T7", range(3, 5), range(1)),
        ("Cz", range(3, 5), range(4, 5)),
    ):
        image = matrix[..., EEG_32.index(name)]
        row, column = np.unravel_index(image.argmax(), image.shape)
        assert row in rows, name
        assert column in columns, name
