import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from fakes import own

from offline.datasets.contract import Recording, Trial
from offline.datasets.simulated import Simulated, SimulatedSettings
from offline.datasets.windows import input_names, read_windows
from offline.errors import DataError, RunError
from offline.extraction import network_of
from offline.recipe import Recipe
from offline.runs.trainer import plan_run
from offline.table import read_table
from rtaffect.decode.inputs import encoder_inputs
from rtaffect.windows import open_windows

RECIPE = {
    "name": "tiny",
    "dataset": {
        "kind": "simulated",
        "n_subjects": 3,
        "n_trials": 4,
        "trial_s": 9,
        "rest_s": 6,
        "sfreq": 128,
    },
    "windows": {"montage": "EEG_15", "face": True},
    "model": {"kind": "prior_dfcn", "maps": [2]},
    "protocol": {"kind": "loso", "n_validation": 1},
}


def recipe(**changes: object) -> Recipe:
    return Recipe.model_validate(RECIPE | changes)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def test_trials_without_a_window_and_people_without_a_face_are_told_of(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read_table(recipe(), cache).lacks == ()
    all_of = Simulated.recordings

    def some(self: Simulated, subject: str) -> Iterator[Recording]:
        for one in all_of(self, subject):
            if subject == self.subjects[0]:
                short = dataclasses.replace(one.trials[1], t_end=one.trials[1].t_start + 2.0)
                yield dataclasses.replace(one, trials=(one.trials[0], short, *one.trials[2:]))
            else:
                yield one

    monkeypatch.setattr(Simulated, "recordings", some)
    (told,) = read_table(recipe(), cache / "some").lacks
    assert re.match(
        r"1 of 12 trials give no usable window and are in no number: simulated-0000/1/02\. "
        r"A window of 3 s begins every 3 s",
        told,
    )


def test_networks_that_see_the_same_share_what_is_on_disk(tmp_path: Path) -> None:
    one, other = (recipe(windows={}, model={"kind": kind}) for kind in ("dgcnn", "svm"))
    first = read_table(one, tmp_path)
    assert read_table(other, tmp_path).digest == first.digest
    assert len(list(tmp_path.rglob("index.json"))) == 3


def test_a_face_that_is_asked_for_must_be_there(cache: Path) -> None:
    table = read_table(recipe(), cache)
    assert table.has_face
    with pytest.raises(DataError, match=r"windows\.face is true.*no subject has any"):
        plan_run("full", recipe(), dataclasses.replace(table, has_face=False))


def test_every_window_is_the_runtimes_own_bit_for_bit(cache: Path) -> None:
    wanted = recipe()
    table = read_table(wanted, cache)
    dataset = wanted.dataset.open()
    spec = wanted.windows.spec()
    network = network_of(wanted, dataset.labels).eval()
    (recording,) = dataset.recordings(dataset.subjects[1])
    with recording.open() as source:
        windows = {w.index: w for w in open_windows(source, dataclasses.replace(spec, hop_s=3.0))}
    rows = [
        row
        for row, trial in enumerate(table.trial.tolist())
        if table.trials.subject[trial] == dataset.subjects[1]
    ]
    assert len(rows) == 4 * 3
    for row in rows:
        window = windows[int(table.window[row])]
        inputs = encoder_inputs(window, input_names(spec))
        with torch.no_grad():
            features = network.extract({k: torch.from_numpy(x) for k, x in inputs.items()})
        for name, x in features.items():
            torch.testing.assert_close(table.features[name][row], x[0], rtol=1e-6, atol=1e-6)


def test_windows_lie_in_their_trial_and_rest_is_not_among_them(cache: Path) -> None:
    wanted = recipe()
    table = read_table(wanted, cache)
    dataset = wanted.dataset.open()
    trials = [t for s in dataset.subjects for r in dataset.recordings(s) for t in r.trials]
    assert len(table.trials) == len(trials) == 12
    for trial, window in zip(table.trial.tolist(), table.window.tolist(), strict=True):
        assert trials[trial].t_start <= window * 3.0 - 3.0
        assert window * 3.0 <= trials[trial].t_end
    assert [table.values["valence"][table.trial == n][0] for n in range(12)] == [
        t.values["valence"] for t in trials
    ]
    assert table.trials.stimulus == tuple(t.stimulus for t in trials)


def test_what_was_computed_is_not_computed_again(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = read_table(recipe(), cache)

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError

    monkeypatch.setattr("offline.extraction.read_windows", refuse)
    again = read_table(recipe(model={"kind": "prior_dfcn", "prior": False}), cache)
    assert again.digest == first.digest
    assert all(torch.equal(again.features[name], x) for name, x in first.features.items())


@pytest.mark.parametrize(
    "changes",
    [
        {"dataset": RECIPE["dataset"] | {"coupling": 0.5}},
        {"windows": RECIPE["windows"] | {"train_hop_s": 1.5}},
        {"model": {"kind": "prior_dfcn", "power_scale": "integral"}},
    ],
)
def test_what_features_depend_on_makes_others(cache: Path, changes: dict[str, object]) -> None:
    one = {"subjects": ["simulated-0000"]}
    assert (
        read_table(recipe(**one), cache).digest
        != read_table(recipe(**one, **changes), cache).digest
    )


def test_the_order_of_bands_makes_other_features(tmp_path: Path) -> None:
    bands = {"theta": (4, 8), "beta": (14, 31)}
    digests = [
        read_table(
            recipe(
                subjects=["simulated-0000"],
                windows={"montage": "EEG_15", "bands_hz": dict(order)},
                model={"kind": "svm", "features": "filter_bank"},
            ),
            tmp_path,
        ).digest
        for order in (bands.items(), reversed(bands.items()))
    ]
    assert digests[0] != digests[1]


def test_what_is_computed_twice_leaves_alone_what_was_read_before(tmp_path: Path) -> None:
    wanted = recipe(subjects=["simulated-0000"])
    read_table(wanted, tmp_path)
    (index,) = tmp_path.rglob("index.json")
    mapped = np.load(index.with_name("trial.npy"), mmap_mode="r")
    before = mapped.copy()
    file = index.with_name("trial.npy").stat().st_ino
    index.unlink()  # as another process sees it that began at the same time
    read_table(wanted, tmp_path)
    assert index.with_name("trial.npy").stat().st_ino != file
    assert np.array_equal(mapped, before)


def test_features_do_not_outlive_the_code_that_they_come_from(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = recipe(subjects=["simulated-0000"])
    digests = [read_table(wanted, cache).digest]
    monkeypatch.setattr("offline.datasets.simulated_people.CODE_DIGEST", "another")
    digests.append(read_table(wanted, cache).digest)
    monkeypatch.setattr("offline.extraction._code_digest", lambda *modules: "another")
    digests.append(read_table(wanted, cache).digest)
    assert len(set(digests)) == 3


def test_half_a_subject_on_disk_is_not_taken_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = recipe(subjects=["simulated-0000"])
    real = np.save

    def fill_the_disk(path: Path, array: np.ndarray, **kwargs: object) -> None:
        if path.name.startswith("trial."):
            raise OSError(28, "No space left on device")
        real(path, array, **kwargs)

    monkeypatch.setattr(np, "save", fill_the_disk)
    with pytest.raises(RunError, match="No space left"):
        read_table(wanted, tmp_path)
    assert not list(tmp_path.rglob("index.json"))
    assert not list(tmp_path.rglob("trial.*"))
    monkeypatch.undo()
    assert len(read_table(wanted, tmp_path).trial) == 12


def test_processes_side_by_side_read_the_same(tmp_path: Path, cache: Path) -> None:
    alone = read_table(recipe(), cache)
    heard: list[tuple[int, int]] = []
    together = read_table(
        recipe(), tmp_path, n_workers=2, report=lambda done, total: heard.append((done, total))
    )
    assert heard == [(1, 3), (2, 3), (3, 3)]
    assert together.digest == alone.digest
    assert all(torch.equal(together.features[name], x) for name, x in alone.features.items())


def test_a_baseline_is_that_of_the_trials_own_rest(cache: Path) -> None:
    wanted = recipe(
        subjects=["simulated-0002"],
        windows={"montage": "EEG_32"},
        model={"kind": "mtcnn", "baseline": "mean"},
    )
    table = read_table(wanted, cache)
    dataset = wanted.dataset.open()
    network = network_of(wanted, dataset.labels).eval()
    (recording,) = dataset.recordings("simulated-0002")
    windows = read_windows(recording, wanted.windows.spec(), hop_s=3.0)
    for trial in range(4):
        rows = np.flatnonzero((windows.trial == trial) & windows.at_rest)
        assert len(rows) >= 1
        features = network.extract({"eeg": torch.from_numpy(windows.inputs["eeg"][rows])})
        expected = network.summarise(features)
        for row in np.flatnonzero(table.trial == trial).tolist():
            torch.testing.assert_close(table.features["rest"][row], expected)


def test_a_course_gives_each_window_its_own_value(cache: Path) -> None:
    free = RECIPE["dataset"] | {"design": "free", "trial_s": 12}
    table = read_table(recipe(dataset=free, subjects=["simulated-0000"]), cache)
    dataset = SimulatedSettings.model_validate(free).open()
    (recording,) = dataset.recordings("simulated-0000")
    assert recording.course is not None
    for row in range(len(table.trial)):
        t = int(table.window[row]) * 3.0 - 3.0 + (np.arange(3000) + 0.5) / 1000
        expected = recording.course(t)["arousal"].mean()
        assert table.values["arousal"][row] == pytest.approx(expected, abs=2e-3)


def test_who_and_what_is_not_in_the_data_set_is_named(cache: Path) -> None:
    with pytest.raises(DataError, match="nobody"):
        read_table(recipe(subjects=["nobody"]), cache)
    with pytest.raises(DataError, match="dominance"):
        read_table(recipe(targets=["dominance"]), cache)


def test_a_trial_without_rest_is_refused_by_a_model_that_subtracts_it(tmp_path: Path) -> None:
    restless = RECIPE["dataset"] | {"rest_s": 0}
    wanted = recipe(
        dataset=restless,
        windows={"montage": "EEG_32"},
        model={"kind": "mtcnn", "baseline": "mean"},
    )
    with pytest.raises(DataError, match="rest before it"):
        read_table(wanted, tmp_path)


def test_a_recording_without_a_usable_window_is_refused() -> None:
    dataset = SimulatedSettings(n_subjects=1, n_trials=2, trial_s=9).open()
    (recording,) = dataset.recordings("simulated-0000")
    short = [Trial(name="a", stimulus="", t_start=1005.5, t_end=1008.0, values={"valence": 0.0})]
    cut = Recording(subject="x", session="1", open=recording.open, trials=tuple(short))
    with pytest.raises(DataError, match="got none"):
        read_windows(cut, recipe().windows.spec(), hop_s=3.0)


def test_an_index_says_what_the_features_are_of(cache: Path) -> None:
    read_table(recipe(), cache)
    indices: Iterator[Path] = cache.rglob("index.json")
    for path in indices:
        index = json.loads(path.read_text())
        assert path.parent.parent.name + path.parent.name == index["key"]
        assert {f"{name}.npy" for name in index["arrays"]} <= {
            file.name for file in path.parent.iterdir()
        }


def test_electrodes_that_a_recording_lacks_are_told_with_those_that_all_have(
    tmp_path: Path,
) -> None:
    dataset = own.write_fake(tmp_path).model_dump(mode="json", exclude_none=True)
    wanted = recipe(dataset=dataset, windows={"montage": "EEG_32"}, model={"kind": "svm"})
    with pytest.raises(DataError, match=r"session 1 \(one\.edf\) .*lacks AF3, F7, ") as told:
        read_table(wanted, tmp_path / "cache")
    assert "windows.montage to a list of electrodes that all recordings have: Fp1, Fp2, F3" in str(
        told.value
    )
    assert "bundle" not in str(told.value)
    table = read_table(
        recipe(dataset=dataset, windows={"montage": ["Fp1", "Fp2"]}, model={"kind": "svm"}),
        tmp_path / "cache",
    )
    assert len(table.trial)
