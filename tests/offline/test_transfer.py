from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from finished_run import DATA, finished_run

from offline.cli.main import main
from offline.datasets.contract import About, Dataset, Label
from offline.datasets.simulated import ABOUT, Simulated, SimulatedSettings
from offline.datasets.simulated_people import LABELS
from offline.errors import DataError, LeakError, RunError
from offline.predictions import read_predictions
from offline.runs.folder import unit_folder
from offline.runs.plan import Run
from offline.transfer import newcomers, shared_targets, transfer
from offline.unit import PREDICTIONS, read_facts

SVM = {"windows": {"montage": "EEG_15"}, "model": {"kind": "svm"}}
LABEL = Label(classes=("low", "high"), edges=(1.0, 5.0, 9.0))


def simulated(**changes: object) -> SimulatedSettings:
    return SimulatedSettings.model_validate(DATA | changes)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("place")


@pytest.fixture(scope="module")
def svm(place: Path) -> tuple[Path, Run]:
    return finished_run(place, **SVM)


@pytest.mark.parametrize(
    "changes",
    [
        {
            "windows": {"montage": "EEG_15", "face": True},
            "model": {"kind": "prior_dfcn", "maps": [2]},
            "sequences": {"t_max": 2},
            "training": {"max_epochs": 1, "modality_dropout": {"face": 0.3}},
        },
        {
            "model": {"kind": "mtcnn", "baseline": "mean"},
            "training": {"max_epochs": 1},
        },
    ],
    ids=["sequences with a face", "each trial's own rest"],
)
def test_on_the_same_data_it_says_what_the_unit_said_of_its_test_subjects(
    place: Path, changes: dict[str, Any]
) -> None:
    folder, run = finished_run(place, **changes)
    before = contents(folder)
    done = transfer(folder, run.recipe.dataset, cache=place / "cache")
    expected = read_predictions(unit_folder(place, run.units[0]) / PREDICTIONS)
    assert set(done.said) == set(expected) == {"valence", "arousal"}
    for name, said in done.said.items():
        for column in ("subject", "session", "trial", "window", "label", "value", "fold"):
            assert getattr(said, column).tolist() == getattr(expected[name], column).tolist()
        np.testing.assert_allclose(said.log_p, expected[name].log_p, atol=1e-6)
    facts = read_facts(unit_folder(place, run.units[0]))
    (remark,) = done.remarks
    assert all(name in remark for role in ("train", "validation") for name in facts.subjects[role])
    assert contents(folder) == before


def test_new_people_are_all_answered_for(place: Path, svm: tuple[Path, Run]) -> None:
    folder, _ = svm
    done = transfer(folder, simulated(first_seed=20, n_subjects=2), cache=place / "cache")
    assert not done.remarks
    assert set(done.said["valence"].subject) == {"simulated-0020", "simulated-0021"}
    assert done.study.stamps == ("SIMULATED: nobody was measured",)


def test_whoever_trained_the_unit_is_refused_under_other_settings_too(
    place: Path, svm: tuple[Path, Run]
) -> None:
    folder, run = svm
    facts = read_facts(unit_folder(place, run.units[0]))
    (trained, *_) = facts.subjects["train"]
    seed = int(trained.removeprefix("simulated-"))
    again = simulated(first_seed=seed, n_subjects=1, n_trials=5)
    with pytest.raises(LeakError, match="must be new to the unit"):
        transfer(folder, again, cache=place / "cache")


class Described(Simulated):
    """Simulated people under other names."""

    def __init__(self, about: About, people: Mapping[str, str]) -> None:
        super().__init__(simulated())
        self._about, self._people = about, people

    @property
    def about(self) -> About:
        return self._about

    @property
    def subjects(self) -> tuple[str, ...]:
        return tuple(self._people)

    def fingerprint(self, subject: str) -> str:
        return self._people[subject]


@pytest.mark.parametrize(
    ("about", "people", "new"),
    [
        (ABOUT, {"a": "other bytes", "c": "3"}, ("c",)),
        (replace(ABOUT, kind="stored"), {"a": "other bytes", "c": "3"}, ("c",)),
        (replace(ABOUT, title="Of another lab"), {"a": "4", "c": "3"}, ("a", "c")),
        (replace(ABOUT, title="Renamed"), {"x": "1", "c": "3"}, ("c",)),
        (ABOUT, {"b": "2", "c": "3"}, ("b", "c")),
    ],
    ids=["same name", "converted", "name elsewhere", "same recording", "was only tested"],
)
def test_a_known_person_is_told_by_name_or_by_recording(
    about: About, people: dict[str, str], new: tuple[str, ...]
) -> None:
    own = cast("Dataset", Described(ABOUT, {"a": "1", "b": "2"}))
    assert newcomers(cast("Dataset", Described(about, people)), own, known={"a"}) == new


def test_targets_are_matched_by_name_and_classes() -> None:
    two = dict(LABELS)
    assert shared_targets(two, LABELS) == (("valence", "arousal"), ())
    targets, remarks = shared_targets(two, {"arousal": LABEL, "liking": LABEL})
    assert targets == ("arousal",)
    assert remarks == (
        "Not counted: valence, which the data set does not ask.",
        "arousal is on another scale: classes end at 1, 5, 9 here, and classes end at -1, 0, 1 "
        "where the unit learned it.",
    )
    with pytest.raises(DataError, match="must ask one of valence, arousal"):
        shared_targets(two, {"liking": LABEL})
    three = Label(classes=("low", "middle", "high"), edges=(1.0, 4.0, 6.0, 9.0))
    with pytest.raises(DataError, match=r"valence must have the classes .* low, high; .* middle"):
        shared_targets(two, {"valence": three, "arousal": LABEL})


def test_trials_too_short_for_the_unit_are_told(place: Path) -> None:
    folder, _ = finished_run(place, **SVM, sequences={"t_min": 3, "t_max": 3})
    short = simulated(first_seed=20, n_subjects=1, trial_s=6)
    with pytest.raises(DataError, match="must have 3 windows of 3 s"):
        transfer(folder, short, cache=place / "cache")


def test_a_unit_that_is_not_done_says_nothing(place: Path, tmp_path: Path) -> None:
    folder, run = finished_run(tmp_path, **SVM)
    (unit_folder(tmp_path, run.units[0]) / "DONE").unlink()
    with pytest.raises(RunError, match="must be done"):
        transfer(folder, simulated(first_seed=20), cache=place / "cache")


def test_the_program_shows_a_leaky_units_answers_stamped_and_writes_them(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = finished_run(place, **SVM, protocol={"kind": "windows", "n_folds": 2})
    other = tmp_path / "other.yaml"
    other.write_text("{kind: simulated, n_subjects: 9, n_trials: 4, trial_s: 9, sfreq: 128}")
    out = tmp_path / "said.parquet"
    words = ["evaluate", str(folder), "n_subjects=2", "first_seed=20", "--on", str(other)]
    with pytest.raises(SystemExit) as end:
        main([*words, "--fold", "2", "--cache", str(place / "cache"), "--out", str(out)])
    told = capsys.readouterr().out
    assert end.value.code == 0, told
    assert "LEAKY PROTOCOL" in told
    assert "knows nothing of the signals" in " ".join(told.split())
    assert "valence, per trial: 2 subjects" in told
    assert set(read_predictions(out)["arousal"].fold) == {"2"}
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 1
    assert "choose one with --fold" in capsys.readouterr().err.replace("\n", " ")


def test_options_of_another_data_set_without_one_are_refused(
    capsys: pytest.CaptureFixture[str], svm: tuple[Path, Run]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["evaluate", str(svm[0]), "--fold", "1", "--seed", "0"])
    assert end.value.code == 1
    assert "--fold, --seed must come with --on" in capsys.readouterr().err
