"""The simulated scan: its response, its truth, and that no question changes the answer."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import gamma

from rtaffect.core.streams import Chunk, VolumeChunk
from rtaffect.simulate.bold import BoldSettings, SimulatedBold
from rtaffect.simulate.hrf import Hrf
from rtaffect.simulate.participant import Participant
from rtaffect.simulate.scan import SimulatedScan, write_labels
from rtaffect.simulate.source import SimulatedSource
from rtaffect.simulate.volumes import PaintedBold, Parcellation

SMALL = BoldSettings(n_regions=12)
GRID = Parcellation(n_regions=12, shape=(10, 12, 8))
QUIET = BoldSettings(
    n_regions=12, spontaneous=0, spontaneous_own=0, noise=0, shared_noise=0, drift=0, breath=0,
    pulse=0, motion_mm=0, spike=0, spike_mm=0, hrf_delay_s=0,
)  # fmt: skip


def test_the_response_is_one_gamma_density_less_a_sixth_of_another() -> None:
    t = np.arange(0.0, 32.0, 0.05)
    expected = gamma.pdf(t, 6) - gamma.pdf(t, 16) / 6
    np.testing.assert_allclose(Hrf().at(t), expected, rtol=1e-12, atol=1e-15)


def test_every_number_of_the_response_is_the_one_that_it_is_called() -> None:
    hrf = Hrf(
        peak_s=7, undershoot_s=18, peak_dispersion_s=1.2, undershoot_dispersion_s=0.8, ratio=4,
        onset_s=1.5, length_s=25,
    )  # fmt: skip
    t = np.arange(-2.0, 40.0, 0.1)
    since = t - 1.5
    peak = gamma.pdf(since, 7 / 1.2, scale=1.2)
    expected = peak - gamma.pdf(since, 18 / 0.8, scale=0.8) / 4
    expected[t > 25] = 0
    np.testing.assert_allclose(hrf.at(t), expected, rtol=1e-10, atol=1e-15)


def test_steady_activity_gives_a_steady_response_of_the_same_size() -> None:
    assert np.sum(Hrf().weights(0.1)) == pytest.approx(1.0)


def test_without_noise_a_region_is_its_baseline_plus_its_loadings_of_the_convolved_course() -> None:
    participant = Participant(4)
    bold = SimulatedBold(participant, QUIET)
    step_s = 0.05
    t = np.arange(0.0, 200.0, step_s)
    course = np.stack(participant.course.at(t))
    kernel = gamma.pdf(np.arange(0, 32, step_s), 6) - gamma.pdf(np.arange(0, 32, step_s), 16) / 6
    kernel /= kernel.sum()
    blood = np.stack([np.convolve(row, kernel)[: len(t)] for row in course])
    at = np.round(bold.times(0, 95) / step_s).astype(int)
    np.testing.assert_allclose(bold.response(0, 95), blood[:, at], atol=0.01)
    frames = bold.frames(0, 95)
    design = np.vstack([np.ones(95), bold.response(0, 95)]).T
    left = frames.T - design @ np.linalg.lstsq(design, frames.T, rcond=None)[0]
    assert np.abs(left).max() < 1e-8 * frames.max()
    assert frames.std(axis=1).max() > 5


def test_a_scan_looks_like_the_scanners() -> None:
    frames = SimulatedBold(Participant(2)).frames(0, 60)
    assert frames.shape == (246, 60)
    level = frames.mean(axis=1)
    assert 9000 < level.mean() < 10_000
    assert 1500 < level.std() < 2500
    change = frames.std(axis=1) / level
    assert 0.003 < np.median(change) < 0.03


def test_people_differ_and_have_something_in_common() -> None:
    one, other = (SimulatedBold(Participant(seed)).frames(0, 4).mean(axis=1) for seed in (1, 2))
    assert 0.6 < np.corrcoef(one, other)[0, 1] < 0.999


def test_without_coupling_the_course_is_not_in_the_blood() -> None:
    deaf = replace(QUIET, coupling=0.0)
    assert np.ptp(SimulatedBold(Participant(4), deaf).frames(0, 30), axis=1).max() < 1e-6


@given(cuts=st.lists(st.integers(0, 20), max_size=4), seed=st.integers(0, 5))
@settings(max_examples=20, deadline=None)
def test_frames_do_not_depend_on_who_asked_before(cuts: list[int], seed: int) -> None:
    bold = SimulatedBold(Participant(seed), SMALL)
    edges = sorted({0, 20, *cuts})
    backward = [bold.frames(start, stop) for start, stop in list(pairwise(edges))[::-1]]
    whole = SimulatedBold(Participant(seed), SMALL).frames(0, 20)
    assert np.array_equal(np.concatenate(backward[::-1], axis=1), whole)


def test_a_disturbed_frame_is_one_in_which_the_head_moves() -> None:
    often = replace(QUIET, spike=4.0, spike_mm=1.0, spike_interval_s=10.0, effect=0.0)
    bold = SimulatedBold(Participant(3), often)
    moved = np.abs(bold.motion(0, 40)).max(axis=0) > 0
    frames = bold.frames(0, 40)
    disturbed = np.abs(frames - np.median(frames, axis=1, keepdims=True)).max(axis=0) > 1
    assert 4 <= moved.sum() <= 10
    assert np.array_equal(moved, disturbed)


def test_the_regions_of_painted_volumes_have_the_means_of_the_series() -> None:
    bold = SimulatedBold(Participant(5), SMALL)
    painted = PaintedBold(bold, GRID)
    labels = GRID.labels
    for number in (0, 3):
        volume = painted.volume(number)
        assert volume.shape == GRID.shape
        means = [volume[labels == label].mean() for label in range(1, 13)]
        np.testing.assert_allclose(means, bold.frames(number, number + 1)[:, 0], atol=0.5)
        assert volume[labels == 1].std() > 100
        assert volume[labels == 0].mean() < 500


def test_a_parcellation_has_every_region_and_is_always_the_same() -> None:
    assert set(np.unique(GRID.labels)) == set(range(13))
    assert np.array_equal(GRID.labels, Parcellation(n_regions=12, shape=(10, 12, 8)).labels)
    assert GRID.labels[0, 0, 0] == 0
    with pytest.raises(ValueError, match="more voxels"):
        _ = Parcellation(n_regions=246, shape=(5, 5, 5)).labels


def test_a_label_image_is_read_as_it_was_made(tmp_path: Path) -> None:
    path = tmp_path / "labels.nii.gz"
    painted = PaintedBold(SimulatedBold(Participant(1), SMALL), GRID)
    write_labels(SimulatedScan(painted), path)
    image = nibabel.load(path)
    assert np.array_equal(np.asarray(image.dataobj), GRID.labels)
    np.testing.assert_allclose(image.affine, GRID.affine)
    assert image.header.get_zooms() == pytest.approx(GRID.voxel_mm)


def test_a_scan_arrives_late_and_in_a_burst_at_the_start() -> None:
    with SimulatedSource(
        Participant(1), 20.0, sfreq=128, bold=SMALL, parcellation=GRID, clock_offset_s=5.0
    ) as source:
        seen = [e for e in source.events() if isinstance(e, Chunk)]
    frames = [chunk for chunk in seen if chunk.modality == "roi"]
    volumes = [chunk for chunk in seen if isinstance(chunk, VolumeChunk)]
    bold = SimulatedBold(Participant(1), SMALL)
    data = np.concatenate([chunk.data for chunk in frames], axis=1)
    assert np.array_equal(data, bold.frames(0, 10).astype(np.float32))
    stamps = np.concatenate([chunk.stamps_s for chunk in frames])
    np.testing.assert_allclose(stamps, 995.0 + bold.times(0, 10))
    arrived = np.array([chunk.t_received for chunk in frames])
    assert np.all(arrived - stamps - 5.0 >= 2.0)
    assert np.sum(arrived == 1006.0) >= 2
    assert [volume.index for volume in volumes] == list(range(10))
    painted = PaintedBold(bold, GRID)
    for volume in volumes:
        expected = painted.volume(volume.index)
        assert np.array_equal(volume.data[:, 0].reshape(volume.shape), expected)


def test_a_scan_that_begins_later_shows_the_same_brain() -> None:
    later = SimulatedBold(Participant(4), replace(QUIET, start_s=20.0))
    np.testing.assert_allclose(later.times(0, 3), [21.0, 23.0, 25.0])
    frames = SimulatedBold(Participant(4), QUIET).frames(10, 30)
    np.testing.assert_allclose(later.frames(0, 20), frames, rtol=1e-12)
    source = SimulatedSource(Participant(4), 27.0, sfreq=128, bold=replace(QUIET, start_s=20.0))
    chunks = [e for e in source.events() if isinstance(e, Chunk) and e.modality == "roi"]
    assert [chunk.stamps_s[0] for chunk in chunks] == [1021.0, 1023.0, 1025.0]


def test_volumes_need_a_scan() -> None:
    with pytest.raises(ValueError, match="give bold"):
        SimulatedSource(Participant(1), 5.0, parcellation=GRID)
