"""EAV: labels against the videos' names, clips on one clock, faces by their number."""

from pathlib import Path

import numpy as np
import pytest
from fakes import eav
from scipy.io import savemat

from offline.datasets.windows import read_windows
from offline.errors import DataError
from rtaffect.core.face_features import FACE_FEATURES
from rtaffect.core.spec import FrameSpec, SignalSpec, WindowSpec

EEG = SignalSpec(ch_names=("Fp1", "Cz", "PO10"), reference="none")
CHANNELS = (0, 13, 29)  # where these are in the files


def label_file(folder: Path) -> Path:
    return folder / "subject1" / "EEG" / "subject1_eeg_label.mat"


@pytest.mark.parametrize(
    ("task", "clips", "emotions"),
    [
        ("listening", (0, 2, 4, 6, 8), ("neutral", "happiness", "anger", "calmness", "sadness")),
        ("speaking", (1, 3, 5, 7, 9), ("neutral", "happiness", "anger", "calmness", "sadness")),
    ],
)
def test_a_row_of_the_labels_is_an_emotion_and_a_task(
    tmp_path: Path, task: str, clips: tuple[int, ...], emotions: tuple[str, ...]
) -> None:
    dataset = eav.write_fake(tmp_path, task=task).open()
    names = dataset.labels["emotion"].classes
    for subject in dataset.subjects:
        (recording,) = dataset.recordings(subject)
        assert [trial.name for trial in recording.trials] == [f"{clip + 1:03d}" for clip in clips]
        felt = [names[int(trial.values["emotion"])] for trial in recording.trials]
        assert felt == list(emotions)


def test_each_trial_holds_its_own_clip_from_its_first_second_on(tmp_path: Path) -> None:
    dataset = eav.write_fake(tmp_path).open()
    (recording,) = dataset.recordings("subject02")
    windows = read_windows(recording, WindowSpec(modalities={"eeg": EEG}), hop_s=1.0)
    clips = np.array([0, 2, 4, 6, 8])
    np.testing.assert_array_equal(np.bincount(windows.trial), np.full(5, 18))  # 20 s, 3 s windows
    spread = windows.inputs["eeg"].std(axis=2)
    for at, channel in enumerate(CHANNELS):
        wanted = [eav.amplitude_uv(channel, int(clip)) / np.sqrt(2) for clip in clips]
        found = [spread[windows.trial == trial, at].mean() for trial in range(5)]
        np.testing.assert_allclose(found, wanted, rtol=0.12)


def test_faces_are_joined_by_number_and_not_by_place(tmp_path: Path) -> None:
    settings = eav.write_fake(tmp_path)
    (tmp_path / "subject1" / "OpenFace" / f"{eav.media_name(0)}.csv").unlink()
    spec = WindowSpec(modalities={"eeg": EEG, "face": FrameSpec(ch_names=FACE_FEATURES)})
    (recording,) = settings.open().recordings("subject01")
    windows = read_windows(recording, spec, hop_s=1.5)
    with_face = windows.inputs["face_mask"].reshape(len(windows.trial), -1).any(axis=1)
    assert set(windows.trial[with_face]) == {1}  # clip 003; 001 was removed, 002 is spoken
    whole = windows.inputs["face_mask"].reshape(len(windows.trial), -1).all(axis=1)
    np.testing.assert_allclose(windows.inputs["face"][whole], 0.3, rtol=1e-6)
    assert whole.sum() >= 5


def test_labels_that_name_the_other_task_are_refused(tmp_path: Path) -> None:
    settings = eav.write_fake(tmp_path)
    label = np.zeros((10, 10))
    label[[row ^ 1 for row in eav.ROWS], np.arange(10)] = 1.0  # odd rows for listening
    savemat(label_file(tmp_path), {"label": label})
    with pytest.raises(DataError, match="must say the same of trial 1; the label says speaking"):
        list(settings.open().recordings("subject01"))
    assert any(finding.is_error for finding in settings.open().check())


def test_labels_may_stand_as_trials_by_classes(tmp_path: Path) -> None:
    settings = eav.write_fake(tmp_path)
    for subject, n_trials in (("subject1", 12), ("subject2", 12)):
        home = tmp_path / subject / "EEG"
        label = np.zeros((n_trials, 10))
        label[np.arange(n_trials), [*eav.ROWS, 0, 1]] = 1.0
        savemat(home / f"{subject}_eeg_label.mat", {"label": label})
    (recording,) = settings.open().recordings("subject02")
    assert len(recording.trials) == 6
    with pytest.raises(DataError, match=r"\(10000, 30, 12\), got \(10000, 30, 10\)"):
        recording.open()


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"other": np.zeros((10, 10))}, "must hold label; it holds other"),
        ({"label": np.zeros((10, 10))}, "trial 1 is of none or many"),
        ({"label": np.ones((10, 10))}, "trial 1 is of none or many"),
        ({"label": np.zeros((4, 10, 2))}, r"10 classes x trials, got the shape"),
        ({"label": np.array(["a", "b"], dtype=object)}, "must be an array of numbers"),
    ],
)
def test_labels_that_are_none_are_refused(
    tmp_path: Path, variables: dict[str, np.ndarray], said: str
) -> None:
    settings = eav.write_fake(tmp_path)
    savemat(label_file(tmp_path), variables)
    with pytest.raises(DataError, match=said):
        list(settings.open().recordings("subject01"))


def test_a_file_that_is_no_matlab_file_is_told(tmp_path: Path) -> None:
    settings = eav.write_fake(tmp_path)
    label_file(tmp_path).write_bytes(b"MATLAB 5.0 MAT-file" + bytes(200))
    with pytest.raises(DataError, match="no MATLAB file that could be read"):
        list(settings.open().recordings("subject01"))
    label_file(tmp_path).unlink()
    with pytest.raises(DataError, match="cannot be read: No such file"):
        list(settings.open().recordings("subject01"))


def test_a_sample_that_is_no_number_is_told(tmp_path: Path) -> None:
    settings = eav.write_fake(tmp_path)
    clips = np.zeros((10_000, 30, 10), dtype=np.float32)
    clips[77, 3, 6] = np.nan
    savemat(tmp_path / "subject1" / "EEG" / "subject1_eeg.mat", {"seg": clips})
    (recording,) = settings.open().recordings("subject01")
    with pytest.raises(DataError, match="trial 7 has others"):
        recording.open()


def test_a_unit_that_cannot_be_is_an_error(tmp_path: Path) -> None:
    settings = eav.write_fake(tmp_path, scale=1e-6)
    errors = [finding.what for finding in settings.open().check() if finding.is_error]
    assert len(errors) == 2
    assert all("is the unit uV?" in what for what in errors)
    volts = settings.model_copy(update={"unit": "V"}).open()
    assert not [finding for finding in volts.check() if finding.is_error]


def test_an_incomplete_copy_is_remarked_on(tmp_path: Path) -> None:
    what = [finding.what for finding in eav.write_fake(tmp_path).open().check()]
    assert what[0] == "EAV has 42 subjects; 2 are here."
    assert what[1] == "3 of 5 trials have no OpenFace file: [5, 7, 9]."
