"""BIDS events and ratings, on a fake and on real sidecars without signals."""

import json
from pathlib import Path
from typing import Any

import pytest
from fakes import bids
from pydantic import ValidationError

from offline.datasets.bids import BidsSettings
from offline.datasets.bids_events import rated_trials, read_events, read_levels
from offline.datasets.bids_settings import EventSettings
from offline.datasets.settings import LabelSettings
from offline.errors import DataError

SCALE = LabelSettings(classes=("low", "high"), edges=(1, 5, 9))
STEM = "sub-01/eeg/sub-01_task-emotion"


def complaints(settings: BidsSettings) -> str:
    return "\n".join(finding.what for finding in settings.open().check() if finding.is_error)


def changed(folder: Path, **events: Any) -> BidsSettings:
    return bids.write_fake(folder, events={**bids.SETTINGS["events"], **events})


def test_trials_are_events_whose_numbers_the_sidecar_explains(tmp_path: Path) -> None:
    dataset = bids.write_fake(tmp_path).open()
    assert dataset.subjects == ("01", "02")
    (recording,) = dataset.recordings("01")
    spans = [(trial.t_start, trial.t_end) for trial in recording.trials]
    assert spans == [(6.0, 12.0), (14.0, 20.0), (22.0, 28.0)]
    assert recording.trials[0].rest == (5.0, 6.0)
    assert recording.session == "emotion"


def test_ratings_are_joined_by_stimulus_and_never_by_order(tmp_path: Path) -> None:
    dataset = bids.write_fake(tmp_path).open()
    for subject, shown in bids.SHOWN.items():
        (recording,) = dataset.recordings(subject)
        assert [trial.stimulus for trial in recording.trials] == list(shown)
        valence = [trial.values["valence"] for trial in recording.trials]
        assert valence == [bids.VALENCE[name] for name in shown]


def test_numbers_and_their_explanations_name_the_same_events(tmp_path: Path) -> None:
    path = tmp_path / "events.json"
    levels = {"301": "clip", "800": {"Description": "question"}}
    path.write_text(json.dumps({"trial_type": {"Levels": levels}}))
    events = tmp_path / "events.tsv"
    events.write_text("onset\tduration\ttrial_type\n1.5\t2\t301\n4\t1\t800\n")
    found = read_events(events, levels=read_levels(path))
    assert [event.is_one_of(["301"]) for event in found] == [True, False]
    assert [event.is_one_of(["question"]) for event in found] == [False, True]
    assert [event.is_one_of([""]) for event in found] == [False, False]


def test_ratings_may_stand_in_the_events_themselves(tmp_path: Path) -> None:
    path = tmp_path / "events.tsv"
    path.write_text("onset\tduration\ttrial_type\tfelt\n1.5\t2\tclip\t7\n9\t3\tclip\t2.5\n")
    label = SCALE.model_copy(update={"column": "felt"})
    settings = EventSettings(trial_types=("clip",))
    one, other = rated_trials(read_events(path), settings, {"valence": label})
    assert (one.onset, one.duration_s, one.values) == (1.5, 2.0, {"valence": 7.0})
    assert (other.onset, other.duration_s, other.values) == (9.0, 3.0, {"valence": 2.5})
    fixed = EventSettings(trial_types=("clip",), duration_s=4.0)
    assert [r.duration_s for r in rated_trials(read_events(path), fixed, {"v": label})] == [4, 4]


def test_milliseconds_that_were_said_to_be_seconds_are_recognised(tmp_path: Path) -> None:
    assert "Are these times in milliseconds?" in complaints(changed(tmp_path, unit="s"))
    events = tmp_path / f"{STEM}_events.tsv"
    events.write_text("onset\ttrial_type\n2696356.0\tclip\n")
    with pytest.raises(DataError, match=r"749 hours\. Are they in milliseconds\?"):
        read_events(events)


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ({"trial_types": ["film"]}, r"No event is one of trial_types (film); there are 786, 301"),
        ({"ends_at": ["pause"]}, "the trial has no end: no event of pause follows"),
        ({"stimulus": {"column": "label", "pattern": "(x.*)"}}, "label must look like (x.*)"),
        ({"beh_name": {"column": "file"}}, "must have the column file"),
        ({"beh_name": {"column": "stimuliName"}}, "it has none for "),
    ],
)
def test_what_does_not_fit_the_events_is_told(
    tmp_path: Path, events: dict[str, Any], said: str
) -> None:
    assert said in complaints(changed(tmp_path, **events))


def test_a_rating_off_the_scale_or_there_twice_is_told(tmp_path: Path) -> None:
    settings = bids.write_fake(tmp_path)
    table = tmp_path / "sub-01" / "beh" / "sub-01_task-Emotion_beh.tsv"
    text = table.read_text()
    table.write_text(text.replace("\t7.5\t", "\t10\t"))
    assert "line 2: valence must be a number from 1 to 9, got '10'" in complaints(settings)
    table.write_text(text + "sea.mp4\t3\t3\n")
    assert "'sea' is rated twice" in complaints(settings)
    table.unlink()
    assert "no behaviour table" in complaints(settings)


def test_sidecars_without_signals_say_so(tmp_path: Path) -> None:
    settings = bids.write_fake(tmp_path)
    (tmp_path / f"{STEM}_eeg.edf").unlink()
    assert "Were only the sidecars downloaded?" in complaints(settings)


def test_another_task_is_left_alone(tmp_path: Path) -> None:
    assert "of task rest" in complaints(bids.write_fake(tmp_path, task="rest"))


@pytest.mark.parametrize(
    "events",
    [
        {"trial_types": []},
        {"trial_types": ["a"], "ratings_in": "beh"},
        {"trial_types": ["a"], "ends_at": ["b"], "duration_s": 3.0},
        {"trial_types": ["a"], "stimulus": {"column": "label", "pattern": "no group"}},
        {"trial_types": ["a"], "stimulus": {"column": "label", "pattern": "("}},
        {"trial_types": ["a"], "unit": "min"},
    ],
)
def test_settings_that_contradict_themselves_are_refused(events: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        EventSettings.model_validate(events)


@pytest.mark.recordings
def test_the_events_and_ratings_of_dens_are_read(shared_data: Path) -> None:
    folder = shared_data / "labels" / "dens"
    path = folder / "sub-mit003_task-emotion_events.tsv"
    with pytest.raises(DataError, match="milliseconds"):
        read_events(path)
    settings = EventSettings.model_validate(
        {
            "trial_types": ["stm"],
            "unit": "ms",
            "ends_at": ["vlnc"],
            "stimulus": {"column": "label", "pattern": r"(.+)_\d+"},
            "ratings_in": "beh",
            "beh_name": {"column": "stimuliName", "pattern": r"(.+)\.\w+"},
        }
    )
    trials = rated_trials(
        read_events(path, unit="ms"),
        settings,
        {"valence": SCALE, "arousal": SCALE},
        beh=folder / "sub-mit003_task-Emotion_beh.tsv",
    )
    assert len(trials) == 11
    assert all(15.0 < trial.duration_s < 15.2 for trial in trials)  # clips of 15 s
    assert trials[3].stimulus == "4"
    assert trials[3].values == {"valence": 1.05, "arousal": 7.1}
    assert trials[-1].stimulus == "24"
    assert trials[-1].values == {"valence": 1.0, "arousal": 8.86}
