"""The audit as a user meets it."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from offline.cli.main import app
from offline.recipe import load_recipe
from offline.table import read_table
from offline.unit import split_of

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
    assert "trains on 3 subjects (18 trials), validates on 1 subject (6 trials)" in got.output
    assert "subject, session, trial" in got.output
    assert "Sound." in got.output


def test_settings_can_be_changed_and_a_leaky_protocol_says_so(recipe: Path, tmp_path: Path) -> None:
    changes = ["protocol={kind: windows}", "training.paper_protocol=nll"]
    got = run(recipe, *changes, "--cache", tmp_path / "features")
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


def test_a_few_that_are_met_again_are_not_called_strangers(tmp_path: Path) -> None:
    roles = {0: "train", 1: "train", 2: "validation", 3: "test", 4: "test"}
    lines = [f"{s},{t},{w},{roles[t % 5]}" for s in "abc" for t in range(10) for w in range(5)]
    lines[0] = lines[0].replace("train", "test")  # one window of a trial that trains
    path = tmp_path / "mine.csv"
    path.write_text("\n".join(["subject,trial,window,role", *lines]))
    got = run(path)
    assert got.exit_code == 1
    assert "of those in train 1 is in test as well: a/0." in got.output
    assert "1 of 13 tested are trained on: no strangers" in got.output


def test_a_trial_with_two_roles_is_named_and_nothing_reassures(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(table(path, leaks=False).read_text() + "\na,0,0,test")
    got = run(path)
    assert got.exit_code == 1
    assert "subject a, trial 0, window 0 (line 2: train, line 152: test)" in got.output
    assert "strangers" not in got.output


@pytest.mark.parametrize(
    ("text", "words"),
    [("subject,trial\na,1\n", "must have the columns"), (None, "There is no split table")],
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


def test_windows_are_counted_and_numbered_as_in_training(recipe: Path, tmp_path: Path) -> None:
    cache = tmp_path / "features"
    got = run(recipe, "protocol={kind: windows}", "--cache", cache)
    settings = load_recipe(recipe, ["protocol={kind: windows}"])
    table = read_table(settings, cache)
    assert f"Windows: {len(table.window)}. Subjects: 5." in got.output
    digest = split_of(settings, table).digest
    assert digest[:12] in got.output
    listed = run(recipe, "protocol={kind: windows}", "--items", "--cache", cache).stdout
    header, *lines = (line.split("\t") for line in listed.splitlines())
    assert header == ["subject", "session", "trial", "stimulus", "window"]
    assert [int(line[-1]) for line in lines] == table.window.tolist()


def test_what_is_listed_and_given_roles_is_a_split_of_ones_own(
    recipe: Path, tmp_path: Path
) -> None:
    lines = [line.split("\t") for line in run(recipe, "--items").stdout.splitlines()]
    assert lines[0] == ["subject", "session", "trial", "stimulus"]
    subjects = list(dict.fromkeys(line[0] for line in lines[1:]))
    roles = dict(zip(subjects, ["train", "train", "train", "validation", "test"], strict=True))
    mine = tmp_path / "mine.tsv"
    rows = [(name, trial, roles[name]) for name, _, trial, _ in lines[1:]]  # no session
    mine.write_text("\n".join("\t".join(row) for row in [("subject", "trial", "role"), *rows]))
    got = run(recipe, f"protocol={{kind: table, path: {mine}}}")
    assert got.exit_code == 0, got.output
    assert "Sound." in got.output
    mine.write_text(mine.read_text().replace(subjects[0], "s99"))
    got = run(recipe, f"protocol={{kind: table, path: {mine}}}")
    assert got.exit_code == 1
    assert "6 are not in it, such as s99/01" in got.output
    assert "audit RECIPE --items" in got.output


def test_a_table_that_is_not_there_is_said_before_anything_is_read(
    recipe: Path, tmp_path: Path
) -> None:
    arguments = ["train", str(recipe), "protocol={kind: table, path: no.tsv}"]
    got = CliRunner().invoke(app, [*arguments, "--runs", str(tmp_path / "runs")])
    assert got.exit_code == 1
    assert "There is no split table no.tsv" in got.output
    assert not (tmp_path / "runs").exists()
