from pathlib import Path

import numpy as np
import pytest
from fakes import icbhi

from offline.datasets.icbhi import IcbhiSettings
from offline.datasets.npz import read_npz
from offline.datasets.windows import read_windows
from offline.errors import DataError
from offline.scan_windows import RoiWindowSettings

WINDOWS = {"window_s": 25.0, "tr_s": 1.0, "lag_s": 0.0}


def windows_of(settings: IcbhiSettings, subject: str, **changes: object):
    wanted = RoiWindowSettings(**(WINDOWS | changes))
    (recording,) = settings.open().recordings(subject)
    spec = wanted.spec(settings.open().ch_names)
    return read_windows(recording, spec, hop_s=1.0, scaling=wanted.scaling)


def test_each_trial_is_one_window_with_its_own_labels(tmp_path: Path) -> None:
    settings = icbhi.write_fake(tmp_path)
    windows = windows_of(settings, "P02", normalise="none")
    assert windows.trial.tolist() == list(range(30))
    np.testing.assert_allclose(windows.inputs["roi"], icbhi.frames_of(2), rtol=1e-6)
    np.testing.assert_array_equal(windows.values["class"], icbhi.labels_of(2)[:, 0])
    np.testing.assert_array_equal(windows.values["level"], icbhi.labels_of(2)[:, 1])
    labels = settings.open().labels
    assert labels["class"].class_of(np.array([-1.0, 0.0, 1.0])).tolist() == [0, 1, 2]
    assert labels["level"].class_of(np.arange(-4.0, 5.0)).tolist() == list(range(9))
    assert labels["level"].classes == ("-4", "-3", "-2", "-1", "0", "+1", "+2", "+3", "+4")


def test_no_trial_knows_the_one_before(tmp_path: Path) -> None:
    settings = icbhi.write_fake(tmp_path)
    frames = icbhi.frames_of(1).copy()
    before = windows_of(settings, "P01", n_settle=4).inputs["roi"]
    frames[:-1] *= 1.3
    np.savez(tmp_path / "Train" / "P01" / "fMRI_data.npz", data=frames)
    after = windows_of(settings, "P01", n_settle=4).inputs["roi"]
    np.testing.assert_array_equal(after[-1], before[-1])
    assert np.abs(after[-1]).max() > 1.0


def test_the_papers_scaling_is_over_all_regions_and_frames_of_a_trial(tmp_path: Path) -> None:
    settings = icbhi.write_fake(tmp_path)
    scaled = windows_of(settings, "P01", normalise="whole_trial_minmax").inputs["roi"]
    raw = icbhi.frames_of(1)
    low, high = (f(raw, axis=(1, 2), keepdims=True) for f in (np.min, np.max))
    np.testing.assert_allclose(scaled, (raw - low) / (high - low), atol=1e-6)


def test_trials_whose_label_nobody_told_have_none(tmp_path: Path) -> None:
    settings = icbhi.write_fake(tmp_path)
    windows = windows_of(settings, "P17")
    known = {n + 1 for n in np.flatnonzero(~np.isnan(windows.values["class"])).tolist()}
    assert known == set(icbhi.PHASE_2)
    for trial, (number, level) in icbhi.PHASE_2.items():
        assert windows.values["class"][trial - 1] == number
        assert windows.values["level"][trial - 1] == level
    untold = settings.model_copy(update={"test_labels": None})
    assert np.isnan(windows_of(untold, "P17").values["level"]).all()
    assert "27 of 30 trials have no label" in "".join(f.what for f in settings.open().check())


def test_a_shared_order_of_classes_is_told_of(tmp_path: Path) -> None:
    told = [found.what for found in icbhi.write_fake(tmp_path).open().check()]
    assert any("P01 = P02" in what and "number of a trial tells its class" in what for what in told)


class Trap:
    """Something whose unpickling would be noticed."""

    sprung = False

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return setattr, (Trap, "sprung", True)


def test_arrays_of_objects_are_refused_without_being_read(tmp_path: Path) -> None:
    settings = icbhi.write_fake(tmp_path)
    path = tmp_path / "Train" / "P01" / "labels.npz"
    np.savez(path, data=np.array([Trap()], dtype=object))
    with pytest.raises(DataError, match="objects are never unpickled"):
        next(settings.open().recordings("P01"))
    assert not Trap.sprung
    assert any(finding.is_error for finding in settings.open().check())


@pytest.mark.parametrize(
    ("arrays", "complaint"),
    [
        ({"data": np.zeros((2, 3))}, r"numbers of shape \(2, 2\), got float64 of shape \(2, 3\)"),
        ({"data": np.array(["a", "b"])}, "must be numbers"),
        ({"arr": np.zeros((2, 2))}, "must hold an array 'data'"),
    ],
)
def test_other_arrays_are_refused(
    tmp_path: Path, arrays: dict[str, np.ndarray], complaint: str
) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(DataError, match=complaint):
        read_npz(tmp_path / "a.npz", "data", (2, 2))


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(b"\x80\x04K\x01.")
    with pytest.raises(DataError, match="plain arrays"):
        read_npz(tmp_path / "a.npz", "data", (2, 2))
