"""Each protocol from the simulated scanner to the scanner process's way in: the same numbers."""

import threading
from pathlib import Path

import numpy as np
import pytest
from scanner_ways import PAINTED, SCAN, TR_S, VOLUMES, N, sent, values

from rtaffect.core.errors import ConfigError, ScannerError
from rtaffect.scanner.acquired import RoiMeans, RunEnd, Volume
from rtaffect.simulate.scanner_afni import AfniLink
from rtaffect.simulate.scanner_files import FolderLink, NiftiFormat
from rtaffect.simulate.scanner_link import run_scanner
from rtaffect.simulate.scanner_pyneal import PynealLink
from rtaffect.sources.lsl_inlet import local_clock

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("name", VOLUMES)
def test_volumes_arrive_as_they_left(name: str, tmp_path: Path) -> None:
    got = values(sent(name, tmp_path))
    assert [one.index for one in got] == list(range(N))
    assert {one.run for one in got} == {got[0].run}
    for one in got:
        assert isinstance(one, Volume)
        assert np.array_equal(one.data, SCAN.volume(one.index))
        np.testing.assert_allclose(one.affine, SCAN.affine, atol=1e-4)
        assert one.tr_s == pytest.approx(TR_S)


@pytest.mark.parametrize("name", ["afni 1", "afni 4", "lsl"])
def test_means_arrive_as_they_left(name: str, tmp_path: Path) -> None:
    got = values(sent(name, tmp_path))
    for i, one in enumerate(got):
        assert isinstance(one, RoiMeans)
        np.testing.assert_array_equal(one.values, SCAN.means(i).astype(np.float32))
        if name != "lsl":
            assert one.motion is not None
            np.testing.assert_allclose(one.motion, SCAN.motion(i), rtol=1e-6)
    assert len(got) == N


def test_afni_with_motion_alone_has_no_values(tmp_path: Path) -> None:
    got = values(sent("afni 0", tmp_path))
    assert len(got) == N
    assert all(isinstance(one, RoiMeans) and one.values.size == 0 for one in got)


def test_afni_with_all_data_gives_volumes_again(tmp_path: Path) -> None:
    got = values(sent("afni 2", tmp_path))
    inside = PAINTED.parcellation.labels > 0
    for i, one in enumerate(got):
        assert isinstance(one, Volume)
        assert np.array_equal(one.data[inside], SCAN.volume(i)[inside].astype(np.float32))
        assert np.isnan(one.data[~inside]).all()
        np.testing.assert_allclose(one.affine, SCAN.affine, atol=1e-3)
    assert len(got) == N


def test_afni_with_all_data_light_gives_the_voxels_of_the_mask(tmp_path: Path) -> None:
    got = values(sent("afni 3", tmp_path))
    inside = PAINTED.parcellation.labels.ravel(order="F") > 0
    for i, one in enumerate(got):
        assert isinstance(one, RoiMeans)
        np.testing.assert_array_equal(one.values, SCAN.volume(i).ravel(order="F")[inside])
    assert len(got) == N


@pytest.mark.parametrize("name", ["afni 1", "afni 3"])
def test_the_end_of_a_run_is_told(name: str, tmp_path: Path) -> None:
    assert isinstance(sent(name, tmp_path)[-1], RunEnd)


def test_times_of_acquisition_arrive(tmp_path: Path) -> None:
    for name in ("dicom", "lsl"):
        (tmp_path / name).mkdir()
        got = values(sent(name, tmp_path / name))
        times = np.array([one.t_acq for one in got])
        np.testing.assert_allclose(np.diff(times), TR_S, atol=1e-5)


def test_a_clock_that_runs_fast_is_seen(tmp_path: Path) -> None:
    for name in ("dicom", "lsl"):
        (tmp_path / name).mkdir()
        got = values(sent(name, tmp_path / name, "skew@4+6=1000"))
        steps = np.diff([one.t_acq for one in got])
        np.testing.assert_allclose(steps[[2, 3]], TR_S * 1.001, atol=1e-5)
        np.testing.assert_allclose(steps[[0, -1]], TR_S, atol=1e-5)


@pytest.mark.parametrize("name", VOLUMES)
def test_dropped_volumes_leave_a_gap_in_the_numbers(name: str, tmp_path: Path) -> None:
    got = values(sent(name, tmp_path, "drop@4+4", n_expected=N - 2))
    assert [one.index for one in got] == [0, 1, 4, 5, 6]


def test_dropped_frames_leave_a_gap_in_time(tmp_path: Path) -> None:
    got = values(sent("lsl", tmp_path, "drop@4+4", n_expected=N - 2))
    assert np.diff([one.t_acq for one in got]).round(6).tolist() == [2.0, 6.0, 2.0, 2.0]


def test_afni_tells_nobody_of_a_drop(tmp_path: Path) -> None:
    got = values(sent("afni 1", tmp_path, "drop@4+4", n_expected=N - 2))
    assert [one.index for one in got] == list(range(N - 2))
    np.testing.assert_array_equal(got[2].values, SCAN.means(4).astype(np.float32))  # type: ignore[union-attr]


def test_doubled_volumes_arrive_twice(tmp_path: Path) -> None:
    for name in ("pyneal", "afni 1", "lsl", "dicom"):
        (tmp_path / name).mkdir()
        got = values(sent(name, tmp_path / name, "duplicate@4+4", n_expected=N + 2))
        assert len(got) == N + 2
    runs = {one.run for one in got}
    assert len(runs) == 2  # the second series of DICOM


def test_a_volume_that_is_overtaken_keeps_its_number(tmp_path: Path) -> None:
    got = values(sent("pyneal", tmp_path, "swap@4+2"))
    assert [one.index for one in got] == [0, 1, 3, 2, 4, 5, 6]


@pytest.mark.parametrize("name", ["pyneal", "nifti"])
def test_missing_voxels_are_nan(name: str, tmp_path: Path) -> None:
    got = values(sent(name, tmp_path, "nan@4+2=2,5"))
    volume = got[2]
    assert isinstance(volume, Volume)
    lost = np.isin(PAINTED.parcellation.labels, (2, 5))
    assert np.isnan(volume.data[lost]).all()
    assert np.array_equal(volume.data[~lost], SCAN.volume(2)[~lost])
    assert np.isfinite(got[3].data).all()  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["afni 1", "lsl"])
def test_missing_regions_are_nan(name: str, tmp_path: Path) -> None:
    got = values(sent(name, tmp_path, "nan@4+2=2,5"))
    assert np.flatnonzero(np.isnan(got[2].values)).tolist() == [1, 4]  # type: ignore[union-attr]
    got = values(sent(name, tmp_path, "nan@4+2"))
    assert np.isnan(got[2].values).all()  # type: ignore[union-attr]


@pytest.mark.parametrize("name", VOLUMES)
def test_a_wrong_affine_and_a_changed_shape_arrive(name: str, tmp_path: Path) -> None:
    got = values(sent(name, tmp_path, "affine@4+2=7", "shape@8+2=2"))
    assert isinstance(got[2], Volume)
    assert got[2].affine[0, 3] == pytest.approx(SCAN.affine[0, 3] + 7)
    shapes = [one.data.shape for one in got if isinstance(one, Volume)]
    assert shapes[4] == (9, 8, 4)
    assert set(shapes) == {(9, 8, 6), (9, 8, 4)}


@pytest.mark.parametrize("name", ["pyneal", "nifti"])
def test_a_tr_in_milliseconds_is_read_as_such(name: str, tmp_path: Path) -> None:
    got = values(sent(name, tmp_path, "ms@4+4"))
    assert [one.tr_s for one in got] == [pytest.approx(TR_S)] * N


@pytest.mark.parametrize(
    ("name", "fault"),
    [("afni 1", "affine@4"), ("lsl", "shape@4"), ("pyneal", "skew@4"), ("dicom", "nan@4"),
     ("afni 1", "ms@4"), ("nifti", "skew@1")],
)  # fmt: skip
def test_a_fault_of_what_a_protocol_does_not_carry_is_refused(
    name: str, fault: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="another protocol"):
        sent(name, tmp_path, fault)


def test_a_receiver_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    import rtaffect.simulate.scanner_afni as afni_side
    import rtaffect.simulate.scanner_pyneal as pyneal_side

    monkeypatch.setattr(pyneal_side, "ANSWER_S", 0.2)
    monkeypatch.setattr(afni_side, "CONNECT_S", 0.2)
    stop = threading.Event()
    for link in (PynealLink("tcp://127.0.0.1:9", stop), AfniLink("127.0.0.1", 9, stop)):
        with pytest.raises(ScannerError, match="rtaffect scanner"):
            run_scanner(SCAN, link, stop=stop, clock=local_clock, paced=False)
        link.close()
    with pytest.raises(ScannerError, match="Make it"):
        FolderLink(Path("/nowhere"), NiftiFormat())
