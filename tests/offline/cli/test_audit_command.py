"""The audit as a user meets it."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from offline.audit import split_of_recipe
from offline.cli.main import app
from offline.datasets.windows import read_windows
from offline.recipe import load_recipe

RECIPE = """\
name: small
dataset: {kind: simulated, design: clips, n_subjects: 5, n_trials: 6, trial_s: 13, rest_s: 4}
windows: {window_s: 2, hop_s: 0.5, train_hop_s: 2}
model: {kind: prior_dfcn, prior: false}
protocol: {kind: loso, n_validation: 1}
"""


def run(*arguments: str | Path) -> Result:
    # Wide, so that no sentence is broken.
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["audit", *map(str, arguments)])


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(RECIPE)
    return path


def table(path: Path, *, leaks: bool) -> Path:
    roles = ["train"] * 3 + ["validation", "test"]
    lines = [
        f"{subject},{trial},{window},{roles[(window if leaks else trial) % 5]}"
        for subject in "abc"
        for trial in range(10)
        for window in range(5)
    ]
    path.write_text("\n".join(["subject,trial,window,role", *lines]))
    return path


def test_a_sound_recipe_is_called_sound(recipe: Path) -> None:
    got = run(recipe)
    assert got.exit_code == 0, got.output
    assert "loso" in got.output
    assert "Trials: 30. Subjects: 5." in got.output
    assert "subject, session, trial" in got.output
    assert "Sound." in got.output


def test_settings_can_be_changed_and_a_leaky_protocol_says_so(recipe: Path) -> None:
    got = run(recipe, "protocol={kind: windows}", "training.paper_protocol=nll")
    assert got.exit_code == 0, got.output
    assert "leaks, as declared" in got.output
    assert "this recipe does so" in got.output
    assert "never to believe" in got.output


def test_a_recipe_that_cannot_be_split_fails_in_words(recipe: Path) -> None:
    got = run(recipe, "protocol.n_validation=4")
    assert got.exit_code == 1
    assert "at least 6 subjects, got 5" in got.output


def test_ones_own_sound_split_passes(tmp_path: Path) -> None:
    got = run(table(tmp_path / "mine.csv", leaks=False))
    assert got.exit_code == 0, got.output
    assert "Sound." in got.output


def test_ones_own_leaky_split_is_refused_unless_declared(tmp_path: Path) -> None:
    path = table(tmp_path / "mine.csv", leaks=True)
    got = run(path)
    assert got.exit_code == 1
    assert "must keep every trial in one role" in got.output
    assert "known to 100% in the test set" in got.output
    assert "Sound." not in got.output
    declared = run(path, "--leaky")
    assert declared.exit_code == 0
    assert "leaks, as declared" in declared.output


@pytest.mark.parametrize(
    ("text", "words"),
    [("subject,trial\na,1\n", "must have the columns"), (None, "must be a table of text")],
)
def test_a_file_that_is_no_split_fails_in_words(
    text: str | None, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.csv"
    if text is not None:
        path.write_text(text)
    got = run(path)
    assert got.exit_code == 1
    assert words in got.output


def test_options_that_mean_nothing_are_refused(recipe: Path, tmp_path: Path) -> None:
    assert "no settings to change" in run(table(tmp_path / "m.csv", leaks=False), "a=1").output
    assert "a split of your own" in run(recipe, "--leaky").output


def test_a_recipe_without_signals_has_about_the_windows_of_the_real_thing(recipe: Path) -> None:
    settings = load_recipe(recipe, ["protocol={kind: windows}"])
    items, split = split_of_recipe(settings)
    assert split.leaky
    assert len(items) == 5 * 6 * 6
    dataset = settings.dataset.open()
    subject = dataset.subjects[0]
    (recording,) = dataset.recordings(subject)
    real = read_windows(recording, settings.windows.spec(), hop_s=settings.windows.train_hop_s)
    n_real = np.bincount(real.trial[~real.at_rest], minlength=6)
    named = [t for s, t in zip(items.subject, items.trial, strict=True) if s == subject]
    for trial, number in zip(recording.trials, n_real, strict=True):
        assert abs(named.count(trial.name) - number) <= 1
