"""Means of regions against nilearn, on volumes that are real, odd, or not there."""

import math
import tracemalloc
from pathlib import Path

import nibabel
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nilearn.image import resample_to_img
from nilearn.maskers import NiftiLabelsMasker

from rtaffect.core.atlas import RegionTable, numbered
from rtaffect.core.errors import ConfigError, ScannerError
from rtaffect.scanner.acquired import Volume
from rtaffect.scanner.roi_means import LabelImage, RoiMeanMaker, read_labels

AFFINE = np.array([[-3.0, 0, 0, 90], [0, 3, 0, -126], [0, 0, 3.5, -72], [0, 0, 0, 1]])
SHAPE = (20, 22, 14)


def volume(data: npt.NDArray, affine: npt.NDArray = AFFINE) -> Volume:
    return Volume(
        data=data, affine=affine, index=0, run="1", tr_s=2.0, t_acq=math.nan, t_arrival=0.0
    )


def blocks(shape: tuple[int, int, int] = SHAPE, side: int = 4) -> npt.NDArray[np.int32]:
    """Return labels that are blocks, with a hole of zeros around the middle."""
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij")) // side
    n_blocks = np.array(shape) // side + 1
    labels = 1 + np.ravel_multi_index(tuple(grid), tuple(n_blocks)).astype(np.int32)
    labels[5:9, 5:9, 4:8] = 0
    return labels


def image(labels: npt.NDArray, affine: npt.NDArray = AFFINE) -> LabelImage:
    return LabelImage(values=labels.astype(np.int32), affine=affine, name="labels.nii.gz")


def nilearn_means(data: npt.NDArray, labels: npt.NDArray) -> npt.NDArray[np.float64]:
    masker = NiftiLabelsMasker(
        nibabel.Nifti1Image(labels.astype(np.int32), AFFINE),
        standardize=None,
        resampling_target=None,
    )
    means = masker.fit_transform(nibabel.Nifti1Image(data[..., None], AFFINE))
    return np.asarray(means, dtype=np.float64)[0]


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["int16", "uint8", "float32", "float64"])
def test_means_are_those_of_nilearn(dtype: str, order: str) -> None:
    rng = np.random.default_rng(3)
    data = np.asarray(rng.normal(120.0, 30.0, SHAPE).astype(dtype), order=order)  # type: ignore[call-overload]
    ours = RoiMeanMaker(image(blocks())).means(volume(data))
    np.testing.assert_allclose(ours, nilearn_means(data, blocks()), rtol=1e-5)


def test_real_volumes_have_the_means_of_nilearn(shared_data: Path) -> None:
    functional = nibabel.load(shared_data / "fmri/volumes/nibabel/functional.nii")
    labels = blocks(functional.shape[:3], side=3)
    path_image = nibabel.Nifti1Image(labels, functional.affine)
    masker = NiftiLabelsMasker(path_image, standardize=None, resampling_target=None)
    reference = np.asarray(masker.fit_transform(functional), dtype=np.float64)
    maker = RoiMeanMaker(image(labels, functional.affine))
    data = np.asarray(functional.dataobj)
    for index in range(data.shape[3]):
        ours = maker.means(volume(data[..., index], functional.affine))
        np.testing.assert_allclose(ours, reference[index], rtol=1e-5)


def test_the_image_of_a_file_is_read_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "labels.nii.gz"
    nibabel.save(nibabel.Nifti1Image(blocks().astype(np.int16), AFFINE), path)
    labels = read_labels(path)
    np.testing.assert_array_equal(labels.values, blocks())
    np.testing.assert_allclose(labels.affine, AFFINE)
    rng = np.random.default_rng(0)
    data = rng.normal(size=SHAPE)
    np.testing.assert_allclose(
        RoiMeanMaker(labels).means(volume(data)), nilearn_means(data, blocks())
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.0, 1.0))
def test_voxels_that_are_no_numbers_are_left_out_or_the_region_is_missing(
    seed: int, share: float
) -> None:
    rng = np.random.default_rng(seed)
    data = rng.normal(1000.0, 10.0, SHAPE)
    data[rng.random(SHAPE) < share] = rng.choice([np.nan, np.inf, -np.inf])
    labels = blocks()
    ours = RoiMeanMaker(image(labels)).means(volume(data))
    for value, mean in zip(np.unique(labels[labels > 0]), ours, strict=True):
        voxels = data[labels == value]
        finite = voxels[np.isfinite(voxels)]
        if 2 * len(finite) < len(voxels) or not len(finite):
            assert np.isnan(mean)
        else:
            np.testing.assert_allclose(mean, finite.mean(), rtol=1e-12)


def test_a_region_without_a_voxel_is_missing_and_never_zero() -> None:
    regions = RegionTable(name="mine", values=(9, 2, 77), names=("nine", "two", "nowhere"))
    labels = np.zeros(SHAPE, np.int32)
    labels[0, 0, 0], labels[1, 0, 0], labels[2, 0, 0] = 2, 9, 5
    maker = RoiMeanMaker(image(labels), regions)
    data = np.arange(np.prod(SHAPE), dtype=np.float32).reshape(SHAPE)
    means = maker.means(volume(data))
    np.testing.assert_array_equal(means, [data[1, 0, 0], data[0, 0, 0], np.nan])
    assert maker.n_voxels.tolist() == [1, 1, 0]
    absent, unnamed = maker.notes
    assert "nowhere" in absent
    assert "1 values" in unnamed
    assert "5" in unnamed


@pytest.mark.parametrize(
    ("data", "affine"),
    [
        (np.zeros((20, 22, 15)), AFFINE),
        (np.zeros(SHAPE), AFFINE + np.array([[0, 0, 0, 1.0], [0] * 4, [0] * 4, [0] * 4])),
    ],
    ids=["shape", "affine"],
)
def test_another_grid_is_refused_with_both_named(data: npt.NDArray, affine: npt.NDArray) -> None:
    maker = RoiMeanMaker(image(blocks()))
    with pytest.raises(ScannerError, match=r"\(20, 22, 14\) and affine .* the volume has") as got:
        maker.means(volume(data, affine))
    assert str(data.shape) in str(got.value)
    assert str(affine[0].tolist()) in str(got.value)
    assert not np.isnan(maker.means(volume(np.ones(SHAPE)))).any()


def test_labels_are_brought_to_the_volumes_grid_once_as_nilearn_does_it() -> None:
    fine = np.diag([2.0, 2.0, 2.5, 1.0])
    fine[:3, 3] = (-20.0, -22.0, -10.0)
    labels = blocks((30, 30, 20), side=5)
    shape, coarse = (11, 12, 9), np.diag([-4.0, 4.2, 5.0, 1.0])
    coarse[:3, 3] = (30.3, -15.3, -8.0)
    maker = RoiMeanMaker(image(labels, fine), resample=True)
    data = np.random.default_rng(1).normal(100.0, 5.0, shape)
    means = maker.means(volume(data, coarse))
    target = nibabel.Nifti1Image(data, coarse)
    moved = resample_to_img(
        nibabel.Nifti1Image(labels, fine), target, interpolation="nearest", force_resample=True
    )
    at = np.asarray(moved.dataobj)
    wanted = [
        data[at == value].mean() if (at == value).any() else np.nan
        for value in np.unique(labels[labels > 0])
    ]
    np.testing.assert_allclose(means, wanted)
    assert any("brought to the volumes' grid" in note for note in maker.notes)
    n_notes = len(maker.notes)
    maker.means(volume(data, coarse))
    assert len(maker.notes) == n_notes


def test_labels_are_brought_to_a_large_grid_plane_by_plane() -> None:
    large = np.zeros((128, 128, 64), dtype=np.int8)
    maker = RoiMeanMaker(image(blocks()), resample=True)
    tracemalloc.start()
    try:
        maker.means(volume(large, AFFINE))
        assert tracemalloc.get_traced_memory()[1] < 32 * large.size
    finally:
        tracemalloc.stop()


def test_labels_of_another_space_are_refused() -> None:
    far = AFFINE.copy()
    far[:3, 3] += 1000.0
    maker = RoiMeanMaker(image(blocks()), resample=True)
    for _ in range(2):  # the second one is no better than the first
        with pytest.raises(ScannerError, match="same space"):
            maker.means(volume(np.zeros(SHAPE), far))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.full(SHAPE, 0.5, np.float32), "whole numbers"),
        (np.full(SHAPE, -1, np.int16), "whole numbers"),
        (np.full(SHAPE, np.nan, np.float32), "whole numbers"),
        (np.zeros((4, 4, 4, 2), np.int16), "three axes"),
    ],
    ids=["probability", "negative", "nan", "series"],
)
def test_an_image_that_has_no_labels_is_refused(
    values: npt.NDArray, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "labels.nii"
    nibabel.save(nibabel.Nifti1Image(values, AFFINE), path)
    with pytest.raises(ConfigError, match=words):
        read_labels(path)


def test_a_file_that_is_no_image_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "labels.nii"
    path.write_text("region one")
    with pytest.raises(ConfigError, match="must be a NIfTI file"):
        read_labels(path)
    with pytest.raises(ConfigError, match="must be a NIfTI file"):
        read_labels(tmp_path / "nowhere.nii")


def test_names_of_another_atlas_are_refused() -> None:
    with pytest.raises(ConfigError, match="belongs to the image"):
        RoiMeanMaker(image(blocks()), numbered((5000, 5001), name="other"))
