"""A dry run says what would be trained, and computes nothing that takes long."""

from pathlib import Path

import pytest
from finished_run import DATA
from typer.testing import CliRunner

from offline.cli.main import app
from offline.recipe import load_recipe
from offline.runs.trainer import plan_run
from offline.table import read_table

RECIPE = f"""
name: tiny
dataset: {DATA}
protocol: {{kind: loso}}
model: {{kind: svm}}
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE)
    return path


def dry(recipe: Path, *changes: str) -> str:
    words = ["train", str(recipe), *changes, "--runs", str(recipe.parent / "runs"), "--dry-run"]
    done = CliRunner(env={"COLUMNS": "160"}).invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_the_plan_is_that_of_the_run_and_no_feature_is_computed(recipe: Path) -> None:
    told = dry(recipe)
    assert not list((recipe.parent / "runs").rglob("index.json"))
    settings = load_recipe(recipe)
    run = plan_run("full", settings, read_table(settings, recipe.parent / "runs" / "features"))
    assert run.id in told
    assert f"{len(run.units)} units" in told
    assert told == dry(recipe)  # nor does it matter whether features are there


def test_windows_are_shared_out_when_they_are_known(recipe: Path) -> None:
    shuffled = ("protocol={kind: windows, n_folds: 2}", "sequences.t_max=1")
    told = dry(recipe, *shuffled)
    assert "full: the protocol windows (" in told
    assert "n_folds 2" in told
    assert "shares out windows" in told
    assert not list((recipe.parent / "runs").rglob("index.json"))
    settings = load_recipe(recipe, shuffled)
    read_table(settings, recipe.parent / "runs" / "features")
    told = dry(recipe, *shuffled)
    assert "2 units" in told
    assert "shares out windows" not in told
