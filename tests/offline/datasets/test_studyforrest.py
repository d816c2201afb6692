import re
from pathlib import Path

import numpy as np
import pytest
from fakes import studyforrest, studyforrest_volumes
from typer.testing import CliRunner

from offline.audit import items_of_recipe
from offline.cli.main import app
from offline.datasets.studyforrest import StudyForrestSettings
from offline.datasets.windows import read_windows
from offline.errors import DataError
from offline.recipe import Recipe
from offline.runs.trainer import plan_run
from offline.scan_windows import RoiWindowSettings
from offline.table import read_table
from rtaffect.core.spec import WindowSpec

TR_S = 2.0
STARTS_S = {1: 0.0, 2: 886.0, 3: 1752.0}


def spec_of(settings: StudyForrestSettings, **changes: object) -> WindowSpec:
    windows = {"window_s": 8.0, "n_settle": 3} | changes
    return RoiWindowSettings(**windows).spec(settings.open().ch_names)


def windows_of(settings: StudyForrestSettings, *, run: int = 2, **changes: object):
    recordings = list(settings.open().recordings("sub-01"))
    return read_windows(recordings[run - 1], spec_of(settings, **changes), hop_s=TR_S)


def mean_over_frame(values: np.ndarray, frame: int, *, lag_s: int) -> float:
    """Mean of the two seconds that a frame speaks of."""
    second = round(TR_S * frame - lag_s)
    return float(values[second : second + 2].mean())


def test_columns_in_any_order_give_the_same_rows(tmp_path: Path) -> None:
    inputs = []
    for name, labels in {"a": studyforrest.REGIONS, "b": studyforrest.REGIONS[::-1]}.items():
        folder = tmp_path / name
        folder.mkdir()
        studyforrest.write_frames(folder, 1, labels=labels, runs=(1, 2, 3))
        studyforrest.write_labels(folder / "av_1s_labels.tsv")
        settings = StudyForrestSettings(path=folder)
        assert settings.open().ch_names == tuple(f"shen-{n:03d}" for n in studyforrest.REGIONS)
        inputs.append(windows_of(settings).inputs["roi"])
    np.testing.assert_array_equal(inputs[0], inputs[1])
    assert inputs[0].std() > 0.5


def test_only_regions_that_everybody_has_are_offered(tmp_path: Path) -> None:
    settings = studyforrest.write_fake(tmp_path)
    everybody = {f"shen-{n:03d}" for n in studyforrest.REGIONS}
    assert set(settings.open().ch_names) < everybody
    assert len(settings.open().ch_names) == len(everybody) - 1


@pytest.mark.parametrize("lag_s", [0, 4, 6])
def test_a_window_has_the_label_of_the_moment_that_it_speaks_of(tmp_path: Path, lag_s: int) -> None:
    settings = studyforrest.write_fake(tmp_path)
    run, n_frames = 2, studyforrest.N_FRAMES[2]
    windows = windows_of(settings, run=run, lag_s=float(lag_s))
    truth = studyforrest.annotation(run)
    # Frame i is acquired from 2i to 2i + 2 s of the run. All four frames of a window, half a frame
    # added at each end and the lag taken off, lie between the edges of 16 s.
    frames = [
        i
        for i in range(n_frames)
        if TR_S * (i - 3) - lag_s >= 16 and TR_S * (i + 1) - lag_s <= TR_S * n_frames - 16
    ]
    assert len(windows.index) == len(frames)
    for row, frame in enumerate(frames):
        for name in ("arousal", "valence"):
            expected = mean_over_frame(truth[name], frame, lag_s=lag_s)
            assert windows.values[name][row] == pytest.approx(expected, abs=2e-6)
        shares = [
            mean_over_frame(truth[name], frame, lag_s=lag_s)
            for name in ("fear", "sadness", "happiness")
        ]
        if max(shares) >= 0.5 + 1e-5:
            assert windows.values["emotion"][row] == np.argmax(shares)
        elif max(shares) < 0.5 - 1e-5:
            assert np.isnan(windows.values["emotion"][row])
        assert windows.offset_s[row] == pytest.approx(TR_S * (frame + 1) - lag_s - 16)


def test_runs_begin_where_they_begin_in_the_film(tmp_path: Path) -> None:
    settings = studyforrest.write_fake(tmp_path)
    for run, recording in enumerate(settings.open().recordings("sub-02"), start=1):
        (trial,) = recording.trials
        assert trial.t_start == STARTS_S[run] + 16
        assert trial.t_end == STARTS_S[run] + TR_S * studyforrest.N_FRAMES[run] - 16
        with recording.open() as source:
            first = next(e for e in source.events() if hasattr(e, "data"))
        assert first.stamps_s[0] == STARTS_S[run] + 1.0


def test_weak_labels_are_trained_on_and_never_tested(tmp_path: Path) -> None:
    strict = windows_of(studyforrest.write_fake(tmp_path))
    weak = windows_of(studyforrest.write_fake(tmp_path, train_labels="merged"))
    assert strict.train_values == {}
    np.testing.assert_array_equal(weak.values["emotion"], strict.values["emotion"])
    tested, trained = weak.values["emotion"], weak.train_values["emotion"]
    known = ~np.isnan(tested)
    assert (~np.isnan(trained)).sum() > known.sum()
    assert (trained[known & ~np.isnan(trained)] >= 0).all()
    # A ninth of the observers said "happy for somebody", which only the merged columns count.
    alone = windows_of(studyforrest.write_fake(tmp_path, train_labels="any_observer"))
    n_happy = [(w.train_values["emotion"] == 2).sum() for w in (alone, weak)]
    assert n_happy[0] < n_happy[1]


RECIPE = {
    "name": "tiny",
    "windows": {"kind": "roi", "window_s": 8, "n_settle": 3},
    "model": {"kind": "roi_linear", "mean_s": 4},
    "protocol": {"kind": "stimuli", "n_subject_folds": 3, "n_stimulus_folds": 3, "n_validation": 1},
}


def table_of(folder: Path, cache: Path, **settings: object):
    data = studyforrest.write_fake(folder, subjects=(1, 2, 3), **settings)
    recipe = Recipe.model_validate(RECIPE | {"dataset": data.model_dump(mode="json")})
    return recipe, read_table(recipe, cache)


def test_moments_are_the_same_for_everybody_and_only_for_them(tmp_path: Path) -> None:
    _, table = table_of(tmp_path, tmp_path / "cache")
    subjects = np.array([table.trials.subject[n] for n in table.trial.tolist()])
    own = {name: table.moment[subjects == name] for name in np.unique(subjects).tolist()}
    first, *others = own.values()
    assert (first >= 0).all()
    assert len(set(first.tolist())) == len(first)
    for other in others:
        assert set(other.tolist()) == set(first.tolist())
    place = np.array([table.trials.stimulus[n] for n in table.trial.tolist()])
    for moment in np.unique(table.moment)[::7].tolist():
        rows = table.moment == moment
        assert len(set(place[rows].tolist())) == 1
        for values in table.values.values():
            assert len(np.unique(values[rows][~np.isnan(values[rows])])) <= 1


def test_windows_without_a_label_are_told_of_and_are_in_no_class(tmp_path: Path) -> None:
    _, table = table_of(tmp_path, tmp_path / "cache", train_labels="merged")
    missing = np.isnan(table.values["emotion"])
    assert 0 < missing.sum() < len(missing)
    assert ((table.classes["emotion"] == -1) == missing).all()
    assert (table.train_classes["emotion"] == -1).sum() < missing.sum()
    (told,) = [text for text in table.lacks if "emotion" in text]
    assert told.startswith(f"{missing.sum()} of {len(missing)} windows have no emotion")


def test_check_tells_of_shares_of_time_where_labels_change_within_trials(tmp_path: Path) -> None:
    studyforrest.write_fake(tmp_path)
    told = CliRunner().invoke(app, ["data", "check", str(tmp_path), "--kind", "studyforrest"])
    assert told.exit_code == 0, told.output
    assert "trials by class" not in told.output
    arousal = np.concatenate([studyforrest.annotation(run)["arousal"] for run in (1, 2, 3)])
    expected = [
        np.mean(arousal <= -1 / 3),
        np.mean(np.abs(arousal) < 1 / 3),
        np.mean(arousal > 1 / 3),
    ]
    said = re.search(
        r"arousal: shares of the time with a label: ([\d.]+)% low, ([\d.]+)% medium, "
        r"([\d.]+)% high; all has one",
        told.output,
    )
    assert said is not None, told.output
    np.testing.assert_allclose(
        [float(x) for x in said.groups()], np.multiply(expected, 100), atol=4
    )
    # Of every 48 s at least 12 have no emotion, and of the others many a weak one.
    said = re.search(r"emotion: .*% happiness; ([\d.]+)% of the time has none", told.output)
    assert said is not None, told.output
    assert 25 < float(said[1]) < 75


def test_no_subject_and_no_run_is_on_both_sides_of_the_strict_split(tmp_path: Path) -> None:
    recipe, table = table_of(tmp_path, tmp_path / "cache")
    split = plan_run("full", recipe, table).split
    assert {"subject", "stimulus"} <= set(split.disjoint)
    assert not split.leaky
    for fold in split.folds:
        for column in (table.trials.subject, table.trials.stimulus):
            sides = [{column[n] for n in rows} for rows in (fold.train, fold.test)]
            assert not sides[0] & sides[1]


def test_the_published_tables_with_empty_columns_are_told_of(tmp_path: Path) -> None:
    settings = studyforrest.write_fake(tmp_path)
    header = "onset\tduration\tcharacter\te_anger/rage\te_happy-for\te_fear"
    path = tmp_path / "emotions_av_1s_events_run-1_events.tsv"
    path.write_text(f"{header}\n0.0\t2.0\tFORREST\t0.0\t0.0\t0.3\n")
    (told,) = [found for found in settings.open().check() if found.where == path.name]
    assert not told.is_error
    assert "e_anger/rage, e_happy-for hold nothing but 0" in told.what


def read_everything(settings: StudyForrestSettings) -> None:
    for recording in settings.open().recordings("sub-01"):
        with recording.open() as source:
            list(source.events())


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda text: text.replace("1,", "1,1,", 1), "as many as regions in the first line"),
        (
            lambda text: text.replace(text.splitlines()[3], "nan," + text.splitlines()[3]),
            "as many as",
        ),
        (lambda text: "\n".join(text.splitlines()[:-1]) + "\n", "must have a frame for every 2 s"),
    ],
)
def test_a_file_that_is_not_what_it_must_be_is_refused(
    tmp_path: Path, spoil, complaint: str
) -> None:
    settings = studyforrest.write_fake(tmp_path)
    path = tmp_path / "sub-01_task-avmovie_run-1_bold.csv"
    path.write_text(spoil(path.read_text()))
    with pytest.raises(DataError, match=complaint):
        read_everything(settings)
    assert any(finding.is_error for finding in settings.open().check())


def test_volumes_take_the_labels_of_those_who_only_heard_the_film(tmp_path: Path) -> None:
    settings = studyforrest_volumes.write_fake(tmp_path)
    heard = settings.open()
    seen = settings.model_copy(update={"annotation": "audio_visual"}).open()
    assert heard.fingerprint("sub-01") != seen.fingerprint("sub-01")
    (first, second) = heard.recordings("sub-01")
    assert [r.trials[0].t_start for r in (first, second)] == [16.0, 886.0 + 16.0]
    assert any("people who saw the film" in found.what for found in seen.check())
    assert list(heard.check()) == []


@pytest.mark.recordings
def test_the_real_film_gives_the_frames_that_are_known(shared_data: Path) -> None:
    settings = StudyForrestSettings(path=shared_data / "fmri" / "studyforrest")
    dataset = settings.open()
    assert len(dataset.ch_names) == 267
    assert len(dataset.subjects) == 8
    counts = np.zeros(3, dtype=int)
    for recording in dataset.recordings("sub-01"):
        (trial,) = recording.trials
        # Windows of 24 s and a lag of 5 s; frames have whole seconds' labels.
        ends = np.arange(trial.t_start + 24, trial.t_end + 5, TR_S)
        spoken = ends[(ends - 24 - 5 >= trial.t_start) & (ends - 5 <= trial.t_end)] - 5 - 1
        course = recording.course
        assert course is not None
        found = course(spoken)["emotion"]
        counts += np.bincount(found[~np.isnan(found)].astype(int), minlength=3)
    # Fear, sadness and happiness of each subject, counted with other code from the same files.
    assert counts.tolist() == [240, 86, 101]
    assert not any(finding.is_error for finding in dataset.check())


@pytest.mark.recordings
def test_the_strict_split_of_the_real_film_keeps_people_and_runs_apart(
    shared_data: Path, tmp_path: Path
) -> None:
    path = str(shared_data / "fmri" / "studyforrest")
    protocol = {"kind": "stimuli", "n_stimulus_folds": 5, "n_validation": 1}
    dataset = {"kind": "studyforrest", "path": path}
    recipe = Recipe.model_validate(RECIPE | {"dataset": dataset, "protocol": protocol})
    items, classes = items_of_recipe(recipe, tmp_path)
    split = recipe.protocol.split(items, classes=classes, seed=0)
    assert len(split.folds) == 40
    tested = []
    for fold in split.folds:
        known = (*fold.train, *fold.validation)
        for column in (items.subject, items.stimulus):
            assert not {column[n] for n in known} & {column[n] for n in fold.test}
        tested += fold.test
    assert sorted(tested) == list(range(40))


@pytest.mark.recordings
def test_windows_of_the_real_film_are_normalised_by_past_and_present_frames(
    shared_data: Path,
) -> None:
    path = shared_data / "fmri" / "studyforrest"
    dataset = StudyForrestSettings(path=path, runs=(2,)).open()
    spec = RoiWindowSettings().spec(dataset.ch_names)
    (recording,) = dataset.recordings("sub-05")
    windows = read_windows(recording, spec, hop_s=TR_S)
    file = path / "sub-05_task-avmovie_run-2_bold.csv"
    labels = file.read_text().partition("\n")[0].split(",")
    picks = [labels.index(str(int(name.removeprefix("shen-")))) for name in dataset.ch_names]
    frames = np.loadtxt(file, delimiter=",", skiprows=1)[:, picks]
    seen = np.arange(1, len(frames) + 1)[:, None]
    mean = frames.cumsum(axis=0) / seen
    variance = (frames**2).cumsum(axis=0) / seen - mean**2
    scaled = np.clip((frames - mean) / np.sqrt(np.maximum(variance, 0.01)), -4, 4)
    scaled[:8] = 0
    # The first window whose 12 frames answer to the film after its first 16 s, 6 s before.
    first = next(i for i in range(len(frames)) if TR_S * (i - 11) - 6 >= 16)
    for row in range(0, len(windows.index), 41):
        expected = scaled[first + row - 11 : first + row + 1].T
        np.testing.assert_allclose(windows.inputs["roi"][row], expected, atol=1e-5)


def test_of_every_second_window_it_is_the_same_ones_in_everybody(tmp_path: Path) -> None:
    settings = studyforrest.write_fake(tmp_path)
    spec = spec_of(settings)
    kept = []
    for subject in settings.open().subjects:
        recording = next(iter(settings.open().recordings(subject)))
        every, second = (read_windows(recording, spec, hop_s=hop_s) for hop_s in (2.0, 4.0))
        place = {offset: row for row, offset in enumerate(every.offset_s.tolist())}
        rows = [place[offset] for offset in second.offset_s.tolist()]
        np.testing.assert_array_equal(second.inputs["roi"], every.inputs["roi"][rows])
        kept.append(second.offset_s)
    np.testing.assert_array_equal(kept[0], kept[1])
    assert set(np.diff(kept[0])) == {4.0}
