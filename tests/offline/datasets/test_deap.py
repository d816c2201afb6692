import csv
import itertools
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from fakes import deap as fake
from fakes.deap import amplitude_uv, presented, rated, smile, write_fake
from pydantic import ValidationError

from offline.datasets.deap import DeapSettings
from offline.datasets.deap_bdf import shown_videos, video_onsets
from offline.datasets.deap_faces import extractor_of
from offline.datasets.deap_preprocessed import Preprocessed
from offline.datasets.deap_ratings import TARGETS, Rating, read_ratings
from offline.errors import DataError
from rtaffect.core.errors import MontageError
from rtaffect.core.face_features import FACE_FEATURES
from rtaffect.core.montages import EEG_32
from rtaffect.core.spec import FrameSpec, QualitySpec, SignalSpec, WindowSpec
from rtaffect.signal.frames import FrameTrack
from rtaffect.windows import open_windows

SPEC = WindowSpec(
    hop_s=3.0,
    modalities={
        "eeg": SignalSpec(
            ch_names=EEG_32,
            highpass_hz=0.0,
            reference="none",
            quality=QualitySpec(amplitude_uv=1e6),
        ),
        "face": FrameSpec(ch_names=FACE_FEATURES),
    },
)
AU12 = FACE_FEATURES.index("AU12_r")


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("deap")
    settings = write_fake(folder)
    yield settings
    shutil.rmtree(folder)  # 200 MB


@pytest.fixture
def broken(copy, tmp_path):
    """The second subject alone: links to the files of the copy, to be replaced one by one."""
    others = shutil.ignore_patterns("s01*")
    shutil.copytree(copy.path, tmp_path / "deap", copy_function=os.link, ignore=others)
    return copy.model_copy(update={"path": tmp_path / "deap"})


def add_first_subject(copy, broken):
    name = "data_preprocessed_python/s01.dat"
    os.link(copy.path / name, broken.path / name)


def errors(settings):
    return [found for found in settings.open().check() if found.is_error]


def remarks(settings):
    return [found for found in settings.open().check() if not found.is_error]


def recording_of(settings, subject="s01"):
    (recording,) = settings.open().recordings(subject)
    return recording


def windows_of(recording, until_s=np.inf):
    with recording.open() as source:
        windows = open_windows(source, SPEC)
        yield from itertools.takewhile(lambda window: window.t_end <= until_s, windows)


def inside(windows, interval):
    start, end = interval
    return [window for window in windows if start <= window.t_start and window.t_end <= end]


def test_a_whole_copy_has_nothing_wrong_but_who_is_missing(copy):
    assert errors(copy) == []
    whole = [found.what for found in remarks(copy)]
    assert len(whole) == 2
    assert "30 of 32 subjects are not there: s03, s04" in whole[0]
    assert whole[1] == "2 of 40 trials have no face file: 39, 40."


def test_trials_stand_in_the_order_of_presentation_with_the_ratings_of_their_video(copy):
    for subject, participant in (("s01", 1), ("s02", 2)):
        trials = recording_of(copy, subject).trials
        videos = presented(participant)
        assert videos != sorted(videos)
        assert [trial.stimulus for trial in trials] == [f"deap-video{v:02d}" for v in videos]
        for trial, video in zip(trials, videos, strict=True):
            expected = rated(participant, video)
            assert trial.values == dict(zip(TARGETS, expected, strict=True))


def test_a_stimulus_has_one_name_for_everybody(copy):
    names = [{t.stimulus for t in recording_of(copy, s).trials} for s in ("s01", "s02")]
    assert names[0] == names[1]
    assert len(names[0]) == 40


def test_every_trial_is_3_s_of_rest_and_60_s_on_the_grid_of_windows_with_a_pause_behind(copy):
    trials = recording_of(copy).trials
    for trial, following in itertools.pairwise(trials):
        assert trial.t_end == trial.t_start + 60
        assert trial.rest == (trial.t_start - 3, trial.t_start)
        assert trial.rest[0] % 12 == 0
        assert following.rest[0] - trial.t_end >= 3


def test_windows_cover_rest_and_trial_fully_and_show_the_eeg_and_face_of_that_video(copy):
    recording = recording_of(copy)
    n_trials = 6
    last = recording.trials[n_trials - 1]
    windows = list(windows_of(recording, last.t_end))
    usable = [window for window in windows if window.modalities["eeg"].usable]
    for trial, video in zip(recording.trials, presented(1)[:n_trials], strict=False):
        (rest,) = inside(usable, trial.rest)
        assert rest.modalities["eeg"].coverage == 1.0  # filters settled on the mirrored start
        shown = inside(usable, (trial.t_start, trial.t_end))
        assert len(shown) == 20
        data = np.array([window.modalities["eeg"].data for window in shown])
        np.testing.assert_allclose(data.std(axis=2) * 2**0.5, amplitude_uv(video), rtol=0.03)
        at_rest = rest.modalities["eeg"].data.std(axis=1) * 2**0.5
        np.testing.assert_allclose(at_rest, amplitude_uv(video) / 2, rtol=0.03)
        for window in shown:
            face = window.modalities["face"]
            assert face.usable
            assert np.nanmedian(face.data[AU12]) == pytest.approx(smile(video))
        assert not rest.modalities["face"].usable


def test_every_one_of_the_840_windows_of_a_subject_is_usable(copy):
    recording = recording_of(copy.model_copy(update={"faces": "none"}))
    usable = [window for window in windows_of(recording) if window.modalities["eeg"].usable]
    intervals = [t.rest for t in recording.trials] + [
        (t.t_start, t.t_end) for t in recording.trials
    ]
    assert sum(len(inside(usable, interval)) for interval in intervals) == 40 * 21


def test_a_trial_without_a_face_file_has_eeg_and_no_face(copy):
    recording = recording_of(copy, "s02")
    with recording.open() as source:
        chunks = [event for event in source.events() if getattr(event, "modality", "") == "face"]
    stamps = np.concatenate([chunk.stamps_s for chunk in chunks if hasattr(chunk, "stamps_s")])
    has_face = [
        bool(((stamps >= trial.t_start) & (stamps < trial.t_end)).any())
        for trial in recording.trials
    ]
    assert has_face == [True] * 38 + [False] * 2


def test_a_recording_opens_again_and_after_a_trip_to_another_process(copy):
    recording = recording_of(copy.model_copy(update={"faces": "none"}))
    again = pickle.loads(pickle.dumps(recording.open))
    for opened in (recording.open(), recording.open(), again()):
        with opened as source:
            assert list(source.infos) == ["eeg"]
            first = next(event for event in source.events() if hasattr(event, "data"))
            assert first.data.shape[0] == 32


def test_only_subjects_with_a_face_for_each_trial_are_left_if_asked_for(copy, tmp_path):
    assert copy.open().subjects == ("s01", "s02")
    complete = copy.model_copy(update={"complete_faces_only": True})
    assert complete.open().subjects == ("s01",)
    with pytest.raises(DataError, match="has s01; got s02"):
        recording_of(complete, "s02")


def test_the_18_of_the_papers_are_what_the_filter_leaves_of_a_set_like_the_real_one(tmp_path):
    # 22 have faces; 3, 5, 11 and 14 miss one or several of the last trials.
    missing = {3: 1, 5: 2, 11: 3, 14: 1}
    for who in range(1, 33):
        path = tmp_path / "data_preprocessed_python" / f"s{who:02d}.dat"
        path.parent.mkdir(exist_ok=True)
        path.touch()
        for trial in range(1, 41 - missing.get(who, 0) if who <= 22 else 1):
            fake.write_clip(tmp_path, who, trial)
    subjects = DeapSettings(path=tmp_path, complete_faces_only=True).open().subjects
    numbers = [int(name[1:]) for name in subjects]
    assert numbers == [1, 2, 4, 6, 7, 8, 9, 10, 12, 13, 15, 16, 17, 18, 19, 20, 21, 22]


def test_ratings_at_the_threshold_are_low(copy):
    settings = copy.model_copy(update={"threshold": 4.5})
    for target in TARGETS:
        label = settings.open().labels[target]
        assert label.class_of(np.array([1.0, 4.5, 4.51, 9.0])).tolist() == [0, 0, 1, 1]
    with pytest.raises(ValidationError, match="less than 9"):
        DeapSettings(path=copy.path, threshold=9.0)
    with pytest.raises(ValidationError, match="Extra inputs"):
        DeapSettings(path=copy.path, limit=5.0)


def test_without_ratings_videos_stand_by_number_and_the_check_says_so(broken):
    (broken.path / "metadata_csv" / "participant_ratings.csv").unlink()
    plain = broken.model_copy(update={"faces": "none"})
    assert any("Labels cannot be compared" in found.what for found in remarks(plain))
    assert errors(plain) == []
    recording = recording_of(plain, "s02")
    assert [t.stimulus for t in recording.trials][:3] == [f"deap-video0{n}" for n in (1, 2, 3)]
    assert recording.trials[6].values["arousal"] == rated(2, 7)[1]
    first = next(w for w in windows_of(recording) if w.t_start == recording.trials[0].t_start)
    amplitude = first.modalities["eeg"].data.std(axis=1) * 2**0.5
    np.testing.assert_allclose(amplitude, amplitude_uv(1), rtol=0.03)
    (found,) = errors(broken)
    assert "neither original recordings nor faces can be joined" in found.what
    with pytest.raises(DataError, match="can be joined"):
        recording_of(broken, "s02")


def replace_ratings(settings, change):
    """Change rows (dicts) of participant_ratings.csv."""
    path = settings.path / "metadata_csv" / "participant_ratings.csv"
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    changed = change(rows)
    path.unlink()
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, changed[0].keys() if changed else rows[0].keys())
        writer.writeheader()
        writer.writerows(changed)


def test_the_corrupted_mirror_is_found_and_refused(copy, broken):
    add_first_subject(copy, broken)
    labels = fake.labels_of(2)
    labels[:, [0, 1]] = labels[:, [1, 0]]  # valence and arousal exchanged
    (broken.path / "data_preprocessed_python" / "s02.dat").unlink()
    fake.write_preprocessed(broken.path, 2, labels=labels)
    (found,) = errors(broken)
    assert found.where == "s02.dat"
    assert "of 160 labels (valence, arousal) differ from participant_ratings.csv" in found.what
    assert recording_of(broken, "s01").open().infos
    with pytest.raises(DataError, match=r"s02\.dat: .* differ from participant_ratings"):
        recording_of(broken, "s02").open()


def problems(*, labels=None, eeg_uv=None):
    """What is said of a file of the second subject whose numbers are replaced."""
    wave = 20 * np.sin(np.arange(8064) / 2)
    content = Preprocessed(
        path=Path("s02.dat"),
        eeg_uv=np.broadcast_to(wave, (40, 32, 8064)) if eeg_uv is None else eeg_uv,
        labels=fake.labels_of(2) if labels is None else labels,
    )
    ratings = [
        Rating(
            trial=trial,
            video=video,
            start=0.0,
            values=dict(zip(TARGETS, rated(2, video), strict=True)),
        )
        for trial, video in enumerate(presented(2), start=1)
    ]
    return list(content.problems(ratings)), list(content.problems(()))


def test_labels_are_compared_by_video_and_rounding_is_forgiven():
    assert problems() == ([], [])
    inwards = 0.004 * np.sign(5 - fake.labels_of(2))
    assert problems(labels=fake.labels_of(2) + inwards) == ([], [])
    assert len(problems(labels=fake.labels_of(2) + 5 * inwards)[0]) == 1
    ((found,), none) = problems(labels=fake.labels_of(2)[np.array(presented(2)) - 1])
    assert "re-ordered" in found
    assert none == []
    labels = fake.labels_of(2)
    labels[11, 3] = 10.0 - labels[11, 3]
    ((found,), _) = problems(labels=labels)
    assert found.startswith("1 of 160 labels (liking) differ")
    assert f"liking of video 12: {labels[11, 3]:g} here, {rated(2, 12)[3]:g} there" in found


def test_a_label_outside_the_scale_is_found_even_without_ratings():
    for bad in (0.0, 9.1, np.nan):
        labels = fake.labels_of(2)
        labels[4, 2] = bad
        _, (found,) = problems(labels=labels)
        assert f"1 do not, such as dominance {bad:g} of video 5" in found


def test_eeg_that_is_no_number_or_not_in_microvolts_is_found():
    eeg_uv = np.zeros((40, 32, 8064), dtype=np.float32)
    ((found,), _) = problems(eeg_uv=eeg_uv)
    assert "must be in microvolts" in found
    for bad in (np.nan, np.inf, -np.inf):
        eeg_uv[6, 3, 100:102] = bad, np.inf
        ((found,), _) = problems(eeg_uv=eeg_uv)
        assert "NaN or infinities in video 7" in found
    wave = 20e-6 * np.sin(np.arange(8064) / 2)
    ((found,), _) = problems(eeg_uv=np.broadcast_to(wave, (40, 32, 8064)))
    assert "vary by less than 1.4" in found


@pytest.mark.parametrize(
    ("arrays", "what"),
    [
        ({"data": np.zeros((40, 40, 60)), "labels": np.ones((40, 4))}, "63 s at 128 Hz"),
        ({"data": np.zeros((40, 32, 63)), "labels": np.ones((40, 4))}, r"got \(40, 32, 63\)"),
        ({"data": np.zeros((1, 1, 1)), "labels": np.ones((40, 3))}, "must hold data of shape"),
        ({"data": np.zeros((40, 4))}, "must hold 'data' and 'labels', it holds data"),
    ],
)
def test_other_shapes_are_refused(broken, arrays, what):
    path = broken.path / "data_preprocessed_python" / "s02.dat"
    path.unlink()
    path.write_bytes(fake.python2_pickle(arrays))
    with pytest.raises(DataError, match=what):
        recording_of(broken, "s02").open()
    assert [found.where for found in errors(broken)] == ["s02"]


def test_a_hostile_file_is_refused_and_the_other_subjects_are_read(copy, broken):
    add_first_subject(copy, broken)
    mark = broken.path / "mark"
    path = broken.path / "data_preprocessed_python" / "s02.dat"
    path.unlink()
    path.write_bytes(f"cposix\nsystem\n(S'touch {mark}'\ntR.".encode())
    (found,) = errors(broken)
    assert "asks for posix.system" in found.what
    with pytest.raises(DataError, match=r"posix\.system"):
        recording_of(broken, "s02").open()
    assert not mark.exists()
    assert recording_of(broken, "s01").open().infos


def test_ratings_with_missing_rows_twisted_numbers_or_other_columns_are_refused(tmp_path):
    settings = DeapSettings(path=tmp_path)
    path = fake.write_ratings(tmp_path, [1, 2])

    def refused(change, what):
        fake.write_ratings(tmp_path, [1, 2])
        replace_ratings(settings, change)
        with pytest.raises(DataError, match=what):
            read_ratings(path)

    def set_first(**values):
        return lambda rows: [{**rows[0], **values}, *rows[1:]]

    assert len(read_ratings(path)) == 2
    refused(lambda rows: rows[:-1], r"Participant 2 must have every Trial .* got 39 rows")
    refused(set_first(Trial="2"), r"Participant 1 .* \[1\] missing")
    refused(set_first(Experiment_id="41"), r"every Experiment_id .* 41\]")
    refused(set_first(Valence="9.2"), "trial 1: valence must lie between 1 and 9, got 9.2")
    refused(set_first(Valence="nan"), "valence must lie between 1 and 9, got nan")
    refused(set_first(Arousal=""), "line 2: numbers are needed")
    refused(lambda rows: [], "must hold a row")
    refused(
        lambda rows: [{k: v for k, v in row.items() if k != "Trial"} for row in rows],
        "it lacks Trial",
    )
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="must be a text file"):
        read_ratings(path)


def test_a_participant_without_ratings_is_refused_when_others_have_some(broken):
    replace_ratings(broken, lambda rows: [row for row in rows if row["Participant_id"] == "1"])
    with pytest.raises(DataError, match="It has no rows for s02"):
        recording_of(broken, "s02")
    assert {found.where for found in errors(broken)} == {"s02"}


def test_clips_that_openface_has_not_seen_say_what_to_run_and_where_to_put_it(broken):
    fake.write_clip(broken.path, 2, 39)
    with pytest.raises(DataError) as refused:
        recording_of(broken, "s02")
    said = str(refused.value)
    assert "1 face clips of s02 have no features" in said
    assert "rtaffect-offline data faces" in said
    assert "FeatureExtraction -f" in said
    assert "face_video/s02/s02_trial39.csv" in said
    assert said in [found.what for found in errors(broken)]
    assert recording_of(broken.model_copy(update={"faces": "none"}), "s02")


def test_features_may_lie_in_a_folder_of_their_own(broken, tmp_path):
    fake.write_clip(broken.path, 2, 39)
    elsewhere = tmp_path / "openface"
    csv_path = fake.write_face(elsewhere, 2, 39, presented(2)[38])
    settings = broken.model_copy(update={"openface_path": csv_path.parents[1]})
    recording = recording_of(settings, "s02")
    assert recording.open.features[39] == csv_path


def test_a_face_file_in_the_folder_of_another_subject_is_refused(broken):
    path = broken.path / "face_video" / "s02" / "s02_trial01.csv"
    path.rename(path.with_name("s01_trial01.csv"))
    with pytest.raises(DataError, match="must be of s02, in whose folder it is"):
        recording_of(broken, "s02")
    assert [found.where for found in errors(broken)] == ["s02"]


def test_a_face_file_that_is_none_is_refused(broken):
    path = broken.path / "face_video" / "s02" / "s02_trial01.csv"
    text = path.read_text()
    for content, what in (
        ("a,b\n1,2\n", "not OpenFace's"),
        (text.replace(" 0.300,", " 0.100,"), "timestamps that rise"),
    ):
        path.unlink()
        path.write_text(content)
        with pytest.raises(DataError, match=what):
            recording_of(broken, "s02").open()
        assert [found.where for found in errors(broken)] == ["s02_trial01.csv"]


def test_a_clip_of_another_length_or_without_a_face_deserves_a_remark(broken):
    folder = broken.path / "face_video" / "s02"
    (folder / "s02_trial01.csv").unlink()
    fake.write_face(broken.path, 2, 1, presented(2)[0], duration_s=20)
    path = folder / "s02_trial02.csv"
    text = path.read_text()
    path.unlink()
    path.write_text(text.replace(" 0.98, 1,", " 0.98, 0,"))
    said = {found.where: found.what for found in remarks(broken)}
    assert "this one lasts 19.9 s" in said["s02_trial01.csv"]
    assert "in 0% of the frames" in said["s02_trial02.csv"]


def test_a_clip_that_began_later_is_moved_and_a_tail_is_cut(broken):
    settings = broken.model_copy(update={"face_offset_s": 1.5})
    (broken.path / "face_video" / "s02" / "s02_trial01.csv").unlink()
    fake.write_face(broken.path, 2, 1, presented(2)[0], duration_s=120)
    recording = recording_of(settings, "s02")
    with recording.open() as source:
        stamps = np.concatenate(
            [e.stamps_s for e in source.events() if hasattr(e, "data") and e.modality == "face"]
        )
    for trial in recording.trials[:38]:
        own = stamps[(stamps >= trial.rest[0]) & (stamps < trial.t_end + 3)]
        assert own[0] == pytest.approx(trial.t_start + 1.5)
        assert own[-1] < trial.t_end


def test_a_folder_that_is_no_copy_says_what_it_must_hold(tmp_path):
    dataset = DeapSettings(path=tmp_path / "none").open()
    with pytest.raises(DataError, match=r"data_preprocessed_python/s01\.dat"):
        _ = dataset.subjects
    (found,) = dataset.check()
    assert found.is_error
    (tmp_path / "data_preprocessed_python").mkdir()
    (tmp_path / "data_preprocessed_python" / "s01.dat").touch()
    with pytest.raises(DataError, match="none of 1 has them"):
        _ = DeapSettings(path=tmp_path, complete_faces_only=True).open().subjects


def test_a_fingerprint_changes_with_what_the_numbers_depend_on_and_with_nothing_else(copy, broken):
    dataset = broken.open()
    before = dataset.fingerprint("s02")
    assert before == broken.open().fingerprint("s02")
    assert before == copy.open().fingerprint("s02")
    assert before != copy.open().fingerprint("s01")
    same = {"threshold": 4.0, "complete_faces_only": True}
    assert before == broken.model_copy(update=same).open().fingerprint("s02")
    for change in ({"faces": "none"}, {"face_offset_s": 0.5}):
        assert before != broken.model_copy(update=change).open().fingerprint("s02")
    face = broken.path / "face_video" / "s02" / "s02_trial01.csv"
    text = face.read_text()
    face.unlink()
    face.write_text(text.replace("0.1", "0.2"))
    assert before != (changed := dataset.fingerprint("s02"))
    replace_ratings(broken, lambda rows: [{**rows[-1], "Valence": "1.11"}, *rows[:-1]])
    assert changed != broken.open().fingerprint("s02")
    (broken.path / "data_preprocessed_python" / "s02.dat").unlink()
    with pytest.raises(DataError, match="cannot be opened"):
        dataset.fingerprint("s02")


@pytest.mark.parametrize("participant", [1, 24, 29])
def test_an_original_recording_gives_the_trials_of_which_there_is_a_marker(tmp_path, participant):
    trials = (4, 5, 7, 8)
    fake.write_ratings(tmp_path, [participant])
    fake.write_bdf(tmp_path, participant, trials=trials)
    settings = DeapSettings(path=tmp_path, source="bdf")
    assert errors(settings) == []
    assert any("No marker for 36 trials" in found.what for found in remarks(settings))
    recording = recording_of(settings, f"s{participant:02d}")
    videos = [presented(participant)[trial - 1] for trial in trials]
    assert [trial.stimulus for trial in recording.trials] == [f"deap-video{v:02d}" for v in videos]
    usable = [w for w in windows_of(recording) if w.modalities["eeg"].usable]
    for trial, video in zip(recording.trials, videos, strict=True):
        assert trial.values["liking"] == rated(participant, video)[3]
        assert len(inside(usable, trial.rest)) == 1
        shown = inside(usable, (trial.t_start, trial.t_end))
        assert len(shown) == 20
        data = np.array([window.modalities["eeg"].data for window in shown])
        np.testing.assert_allclose(data.std(axis=2) * 2**0.5, amplitude_uv(video), rtol=0.03)
        # Both sites order electrodes differently: each carries its place among ours in millivolts.
        np.testing.assert_allclose(data.mean(axis=(0, 2)), 1000.0 * np.arange(32), atol=1.0)


def test_an_original_recording_that_is_cut_or_lacks_electrodes_or_markers_is_refused(tmp_path):
    fake.write_ratings(tmp_path, [1])
    settings = DeapSettings(path=tmp_path, source="bdf")

    fake.write_bdf(tmp_path, 1, trials=(4, 5, 7), lead_s=2.0)
    with pytest.raises(DataError, match="it is cut at trial 4"):
        recording_of(settings).open()
    assert len(errors(settings)) == 1

    fake.write_bdf(tmp_path, 1, trials=(4, 5, 7), tail_s=-5.0)
    with pytest.raises(DataError, match="it is cut at trial 7"):
        recording_of(settings).open()

    path = fake.write_bdf(tmp_path, 1, trials=(4,))
    with pytest.raises(DataError, match="it says so 1 times"):
        recording_of(settings)

    fake.write_bdf(tmp_path, 1, trials=(4, 5), ch_names=["X1", *fake.TWENTE[1:]])
    with pytest.raises(DataError, match="it lacks Fp1"):
        recording_of(settings)

    path.write_bytes(b"\xffBIOSEMI nothing else")
    with pytest.raises(DataError, match="cannot be read as BDF"):
        recording_of(settings)


def ratings_at(starts):
    return tuple(
        Rating(trial=n, video=n, start=start, values={}) for n, start in enumerate(starts, start=1)
    )


@pytest.mark.parametrize("unit_s", [1e-6, 1e-3, 1.0])
def test_missing_markers_are_told_by_the_times_of_the_presenting_computer(tmp_path, unit_s):
    starts_s = fake.start_times_s(1)
    ratings = ratings_at(starts_s / unit_s)
    rng = np.random.default_rng(0)
    kept = [n for n in range(40) if n not in (22, 23, 24)]  # as s28 is said to be
    onsets_s = starts_s[kept] + 512.25 + rng.uniform(-0.3, 0.3, len(kept))
    shown = shown_videos(onsets_s, ratings, path=tmp_path)
    assert [rating.trial for rating in shown] == [n + 1 for n in kept]
    with pytest.raises(DataError, match="do not tell which ones"):
        shown_videos(onsets_s * 1.1, ratings, path=tmp_path)
    even = ratings_at(np.arange(40) * 80 / unit_s)
    with pytest.raises(DataError, match="do not tell which ones"):  # there are four places
        shown_videos(np.arange(37) * 80.0, even, path=tmp_path)
    for n_onsets in (0, 41):
        with pytest.raises(DataError, match=f"it says so {n_onsets} times"):
            shown_videos(np.arange(n_onsets) * 80.0, ratings, path=tmp_path)


@pytest.mark.parametrize("bits", [0, 0x180000, 0x19FF00, -(2**23)])
def test_videos_begin_where_the_code_becomes_4_whatever_the_upper_bits(bits):
    codes = np.zeros(512 * 200, dtype=np.int64)
    codes[1000:1005] = 4  # a pulse
    codes[5000:5010] = 4  # repeated within the video
    codes[50000:90000] = 4  # a level
    codes[90000:90100] = 5
    assert video_onsets((codes + bits).astype(float)).tolist() == [1000, 50000]


def face_files(folder, count):
    return [folder / f"{n}.csv" for n in range(count)]


def test_the_face_stream_says_what_made_its_features(tmp_path):
    paths = face_files(tmp_path, 3)
    for path in paths:
        path.write_text("frame, face_id, timestamp\n")
    assert extractor_of(paths) == "openface"
    for path in paths:
        path.write_text("frame, face_id, timestamp, rtaffect_extractor\n")
    assert extractor_of(paths) == "rtaffect"
    paths[1].write_text("frame, face_id, timestamp\n")
    with pytest.raises(DataError, match=r"One extractor must .*0\.csv is rtaffect's, .*1\.csv is"):
        extractor_of(paths)


def test_a_recipe_that_names_the_extractor_meets_it_in_the_data(broken):
    with recording_of(broken, "s02").open() as source:
        info = source.infos["face"]
    assert info.about == {"processing.extractor": "openface"}
    FrameTrack(FrameSpec(ch_names=FACE_FEATURES, extractor="openface"), info, keep_s=5.0)
    with pytest.raises(MontageError, match="made by 'rtaffect'"):
        FrameTrack(FrameSpec(ch_names=FACE_FEATURES, extractor="rtaffect"), info, keep_s=5.0)
