import itertools
import os
import pickle
import shutil

import numpy as np
import pytest
from fakes import faced as fake
from fakes.faced import amplitude_uv, presented, rated, write_fake
from pydantic import ValidationError
from scipy.io import savemat

from offline.datasets.faced import FacedSettings
from offline.datasets.faced_files import EMOTIONS, ITEMS, emotion_of
from offline.errors import DataError
from rtaffect.core.spec import QualitySpec, SignalSpec, WindowSpec
from rtaffect.windows import open_windows

SCALP = tuple(
    "Fp1 Fp2 Fz F3 F4 F7 F8 FC1 FC2 FC5 FC6 Cz C3 C4 T7 T8 "
    "CP1 CP2 CP5 CP6 Pz P3 P4 P7 P8 PO3 PO4 Oz O1 O2".split()
)
SPEC = WindowSpec(
    hop_s=3.0,
    modalities={
        "eeg": SignalSpec(
            ch_names=SCALP,
            highpass_hz=0.0,
            reference="none",
            quality=QualitySpec(amplitude_uv=1e6),
        )
    },
)


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faced")
    settings = write_fake(folder)
    yield settings
    shutil.rmtree(folder)  # 108 MB


@pytest.fixture
def broken(copy, tmp_path):
    """The second subject alone: links to the files of the copy, to be replaced one by one."""
    others = shutil.ignore_patterns("sub000*")
    shutil.copytree(copy.path, tmp_path / "faced", copy_function=os.link, ignore=others)
    return copy.model_copy(update={"path": tmp_path / "faced"})


def replace(path):
    path.unlink()
    return path


def errors(settings):
    return [found for found in settings.open().check() if found.is_error]


def recording_of(settings, subject="sub001"):
    (recording,) = settings.open().recordings(subject)
    return recording


def test_a_whole_copy_has_nothing_wrong_but_who_is_missing(copy):
    assert copy.open().subjects == ("sub000", "sub001")
    (found,) = copy.open().check()
    assert not found.is_error
    assert "121 of 123 subjects" in found.what


def test_trials_stand_in_the_order_of_presentation_with_what_was_said_of_their_video(copy):
    for number, subject in enumerate(copy.open().subjects):
        trials = recording_of(copy, subject).trials
        videos = presented(number)
        assert videos != sorted(videos)
        assert [trial.stimulus for trial in trials] == [f"faced-video{v:02d}" for v in videos]
        for trial, video in zip(trials, videos, strict=True):
            said = dict(zip(ITEMS, rated(number, video), strict=True))
            assert trial.values == {"emotion": emotion_of(video), **said}
            assert trial.values.keys() == copy.open().labels.keys()


def test_emotions_are_those_of_the_authors_list():
    names = [EMOTIONS[emotion_of(video)] for video in range(1, 29)]
    assert [(name, len(list(group))) for name, group in itertools.groupby(names)] == [
        *(("anger", 3), ("disgust", 3), ("fear", 3), ("sadness", 3), ("neutral", 4)),
        *(("amusement", 3), ("inspiration", 3), ("joy", 3), ("tenderness", 3)),
    ]


def test_windows_cover_every_trial_and_show_the_eeg_of_that_video(copy):
    recording = recording_of(copy)
    with recording.open() as source:
        windows = [w for w in open_windows(source, SPEC) if w.modalities["eeg"].usable]
    for trial, video in zip(recording.trials, presented(1), strict=True):
        assert trial.rest is None
        inside = [w for w in windows if trial.t_start <= w.t_start and w.t_end <= trial.t_end]
        assert len(inside) == 10
        data = np.array([window.modalities["eeg"].data for window in inside])
        np.testing.assert_allclose(data.std(axis=2) * 2**0.5, amplitude_uv(video), rtol=0.03)
        # Each channel carries its place in the file; the mastoids are the last two.
        np.testing.assert_allclose(data.mean(axis=(0, 2)), np.arange(30), atol=0.5)


def test_another_order_of_channels_is_a_setting(copy):
    order = ("Fp1", "Fp2", "A1", "A2", *SCALP[2:])
    dataset = copy.model_copy(update={"ch_order": order}).open()
    assert dataset.ch_names == SCALP
    (recording,) = dataset.recordings("sub001")
    assert recording.open().infos["eeg"].ch_names == order
    with pytest.raises(ValidationError, match="32 different channels"):
        FacedSettings(path=copy.path, ch_order=SCALP)
    with pytest.raises(ValidationError, match="32 different channels"):
        FacedSettings(path=copy.path, ch_order=(*SCALP, "A1", "Fp1"))


def test_without_ratings_videos_stand_by_number_and_only_emotions_are_answered(broken):
    shutil.rmtree(broken.path / "Data")
    settings = broken.model_copy(update={"ratings": "none"})
    assert errors(settings) == []
    assert list(settings.open().labels) == ["emotion"]
    trials = recording_of(settings).trials
    assert [trial.name for trial in trials] == [f"video{n:02d}" for n in range(1, 29)]
    assert trials[27].values == {"emotion": 8.0}
    (found,) = errors(broken)
    assert "After_remarks.mat cannot be opened" in found.what
    with pytest.raises(DataError, match=r"After_remarks\.mat cannot be opened"):
        recording_of(broken)


def test_a_video_that_was_not_rated_is_left_out_and_the_check_says_so(broken):
    replace(broken.path / "Data" / "sub001" / "After_remarks.mat")
    fake.write_remarks(broken.path, 1, unrated=(3, 20))
    assert errors(broken) == []
    assert any("2 videos were not rated" in found.what for found in broken.open().check())
    recording = recording_of(broken)
    shown = [video for video in presented(1) if video not in (3, 20)]
    assert [trial.stimulus for trial in recording.trials] == [f"faced-video{v:02d}" for v in shown]
    assert recording.open.videos == tuple(shown)
    assert len(recording_of(broken.model_copy(update={"ratings": "none"})).trials) == 28


def test_ratings_at_the_threshold_are_low(copy):
    label = copy.open().labels["valence"]
    assert label.class_of(np.array([0.0, 3.5, 3.6, 7.0])).tolist() == [0, 0, 1, 1]
    assert copy.open().labels["emotion"].class_of(np.array([0.0, 8.0])).tolist() == [0, 8]


@pytest.mark.parametrize(
    ("eeg", "what"),
    [
        (np.zeros((28, 32, 7000)), "30 s at 250 Hz"),
        (np.zeros((28, 30, 7500)), r"got \(28, 30, 7500\)"),
        (np.zeros((28, 32, 7500), dtype=np.int16), "of int16"),
        ([np.zeros(3)], "got list"),
        (np.full((28, 32, 7500), np.nan), "NaN or infinities in video 1, 2"),
        (np.zeros((28, 32, 7500)), "must be in microvolts"),
    ],
)
def test_eeg_that_is_none_is_refused(broken, eeg, what):
    replace(broken.path / "Processed_data" / "sub001.pkl")
    fake.write_processed(broken.path, 1, eeg=eeg)
    with pytest.raises(DataError, match=what):
        recording_of(broken).open()
    assert [found.where for found in errors(broken)] == ["sub001"]


def test_a_hostile_file_is_refused_before_it_runs(broken):
    mark = broken.path / "mark"
    path = replace(broken.path / "Processed_data" / "sub001.pkl")
    path.write_bytes(f"cposix\nsystem\n(S'touch {mark}'\ntR.".encode())
    with pytest.raises(DataError, match=r"posix\.system"):
        recording_of(broken).open()
    assert "posix.system" in errors(broken)[0].what
    assert not mark.exists()


def test_remarks_that_are_none_are_refused(broken):
    path = broken.path / "Data" / "sub001" / "After_remarks.mat"

    def refused(what):
        with pytest.raises(DataError, match=what):
            recording_of(broken)
        (found,) = errors(broken)
        assert found.where == "sub001"

    replace(path)
    fake.write_remarks(broken.path, 1, videos=[*range(1, 28), 27])
    refused(r"Every video from 1 to 28 must be there once, got .* 27, 27\]")
    fake.write_remarks(broken.path, 1, add=3.0)
    refused("Ratings must lie between 0 and 7, those of video")
    savemat(path, {"After_remark": np.ones((28, 1))})
    refused("must hold After_remark with score and vid")
    savemat(path, {"other": np.ones(3)})
    refused("must hold After_remark with score and vid")
    path.write_bytes(b"no MATLAB file")
    refused("cannot be read")
    path.write_bytes(b"")
    refused("cannot be read")


def test_a_folder_that_is_no_copy_says_what_it_must_hold(tmp_path, copy):
    dataset = FacedSettings(path=tmp_path).open()
    with pytest.raises(DataError, match=r"Processed_data/sub000\.pkl"):
        _ = dataset.subjects
    (found,) = dataset.check()
    assert found.is_error
    with pytest.raises(DataError, match="has sub000, sub001; got sub002"):
        recording_of(copy, "sub002")
    with pytest.raises(ValidationError, match="Extra inputs"):
        FacedSettings(path=tmp_path, raitings="none")


def test_a_fingerprint_changes_with_what_the_numbers_depend_on(copy, broken):
    before = broken.open().fingerprint("sub001")
    assert before == copy.open().fingerprint("sub001")
    assert before != copy.open().fingerprint("sub000")
    assert before == broken.model_copy(update={"threshold": 3.0}).open().fingerprint("sub001")
    order = ("A1", "A2", *SCALP)
    for change in ({"ratings": "none"}, {"ch_order": order}):
        assert before != broken.model_copy(update=change).open().fingerprint("sub001")
    replace(broken.path / "Data" / "sub001" / "After_remarks.mat")
    fake.write_remarks(broken.path, 1, unrated=(1,))
    assert before != (changed := broken.open().fingerprint("sub001"))
    path = replace(broken.path / "Processed_data" / "sub001.pkl")
    with pytest.raises(DataError, match="cannot be opened"):
        broken.open().fingerprint("sub001")
    fake.write_processed(broken.path, 1, eeg=np.ones((28, 32, 7500)))
    assert path.exists()
    assert changed != broken.open().fingerprint("sub001")


def test_a_recording_opens_again_and_after_a_trip_to_another_process(copy):
    recording = recording_of(copy)
    again = pickle.loads(pickle.dumps(recording.open))
    for opened in (recording.open(), again()):
        with opened as source:
            first = next(event for event in source.events() if hasattr(event, "data"))
            assert first.data.shape[0] == 32
