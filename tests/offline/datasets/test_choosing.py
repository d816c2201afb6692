"""Which data set is meant, by file, folder and kind; and what the command line says of it."""

import re
from pathlib import Path

import pytest
import yaml
from fakes import own
from typer.testing import CliRunner

from offline.cli import data
from offline.datasets import ABOUT, DATASETS
from offline.datasets.choosing import choose_dataset
from offline.datasets.own import OwnSettings
from offline.datasets.stored import StoredSettings
from rtaffect.core.errors import ConfigError

ROOT = Path(__file__).parents[3]
run = CliRunner()


@pytest.fixture
def fragment(tmp_path: Path) -> Path:
    """Settings of a data set that is on disk."""
    settings = own.write_fake(tmp_path)
    path = tmp_path / "own.yaml"
    path.write_text(
        yaml.safe_dump(settings.model_dump(mode="json", exclude_none=True), sort_keys=False)
    )
    return path


def test_a_fragment_a_recipe_and_a_sweep_name_the_same_data_set(fragment: Path) -> None:
    alone = choose_dataset(fragment)
    assert isinstance(alone, OwnSettings)
    inner = yaml.safe_load(fragment.read_text())
    recipe = fragment.with_name("recipe.yaml")
    recipe.write_text(yaml.safe_dump({"name": "x", "dataset": inner, "model": {"kind": "any"}}))
    assert choose_dataset(recipe) == alone
    recipe.write_text(yaml.safe_dump({"base": {"name": "x", "dataset": inner}, "variants": {}}))
    assert choose_dataset(recipe) == alone


def test_changes_go_deep_and_leave_the_rest(fragment: Path) -> None:
    changed = choose_dataset(fragment, changes=["labels.valence.edges=[1, 4, 9]", "rest_s=0"])
    assert changed.labels["valence"].edges == (1.0, 4.0, 9.0)
    assert changed.labels["valence"].classes == ("low", "high")
    assert changed.labels["mood"] == choose_dataset(fragment).labels["mood"]
    assert changed.rest_s == 0.0


def test_a_folder_needs_its_kind_unless_it_was_converted(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"Say which data set .* holds: --kind deap\|"):
        choose_dataset(tmp_path)
    (tmp_path / "index.json").touch()
    assert choose_dataset(tmp_path) == StoredSettings(path=tmp_path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (["kind=netflix"], "kind must be one of deap, .* says netflix"),
        (["pth=x"], "pth is not a known key"),
        (["labels.valence.edgs=[1, 9]"], "edgs is not a known key. Did you mean edges"),
        (["rest_s=soon"], "rest_s must be a number"),
        (["rest_s"], "must look like"),
    ],
)
def test_a_setting_that_is_none_is_named(fragment: Path, changes: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        choose_dataset(fragment, changes=changes)


def test_a_file_that_is_no_yaml_is_refused(tmp_path: Path) -> None:
    for name, text in (("x.txt", "kind: own"), ("x.yaml", "- a list"), ("no.yaml", None)):
        if text is not None:
            (tmp_path / name).write_text(text)
        with pytest.raises(ConfigError):
            choose_dataset(tmp_path / name)


def test_the_examples_of_the_documentation_are_valid() -> None:
    text = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    examples = [
        yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    ]
    assert [example["kind"] for example in examples] == [
        "own",
        "bids",
        "deap",
        "faced",
        "eav",
        "studyforrest",
        "studyforrest_volumes",
        "icbhi",
        "roi_table",
        "nifti_events",
        "stored",
    ]
    for example in examples:
        DATASETS[example["kind"]].model_validate(example)


def test_ls_shows_every_kind_what_was_not_tried_and_addresses_whole() -> None:
    shown = CliRunner(env={"COLUMNS": "40"}).invoke(data.app, ["ls"])
    assert shown.exit_code == 0
    lines = shown.output.splitlines()
    assert [line for line in lines if line and line[0] != " "] == list(DATASETS)
    assert "no real file" in shown.output
    addresses = [word for about in ABOUT.values() for word in about.how_to_get.split()]
    assert any(len(word) > 36 for word in addresses)
    assert all(word in shown.output for word in addresses)


def test_check_says_how_much_there_is(fragment: Path) -> None:
    fine = run.invoke(data.app, ["check", str(fragment)])
    assert fine.exit_code == 0
    assert "2 subjects, 2 recordings, 6 trials, 0.01 hours in trials; 10 EEG" in fine.output
    assert "valence: 1 to 9; trials by class: 4 low, 2 high" in fine.output
    assert "mood: trials by class: 3 calm, 3 tense" in fine.output


def test_check_ends_with_1_where_a_copy_cannot_be_used(fragment: Path) -> None:
    wrong = run.invoke(data.app, ["check", str(fragment), "labels.mood.classes=[calm, glad]"])
    assert wrong.exit_code == 1
    assert "mood must be one of calm, glad, got 'tense'" in wrong.output
    assert "3 errors" in wrong.output


@pytest.mark.parametrize("kind", ["deap", "eav", "faced", "stored"])
def test_a_folder_that_is_not_there_is_one_sentence(tmp_path: Path, kind: str) -> None:
    gone = tmp_path / "gone"
    with pytest.raises(ConfigError, match=f"There is no {re.escape(str(gone))}: a folder"):
        choose_dataset(gone, kind=kind)
    file = tmp_path / "settings.yaml"
    file.write_text(yaml.safe_dump({"kind": kind, "path": str(gone)}))
    with pytest.raises(ConfigError, match=f"folder of the data set {kind}; there is no folder"):
        choose_dataset(file)


def test_convert_writes_what_check_finds_in_order(fragment: Path, tmp_path: Path) -> None:
    out = tmp_path / "store"
    done = run.invoke(data.app, ["convert", str(fragment), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert run.invoke(data.app, ["check", str(out)]).exit_code == 0
    (out / "s0000" / "r0000-order.npy").unlink()
    assert run.invoke(data.app, ["check", str(out)]).exit_code == 1


def test_a_long_list_of_errors_is_cut_and_counted(fragment: Path) -> None:
    rows = [f"one.edf\tA\t\t{n}\t\t{2 + n / 2}\t6000\t\t3\tcalm" for n in range(30)]
    own.write_ratings(fragment.with_name("ratings.tsv"), rows)
    wrong = run.invoke(data.app, ["check", str(fragment)])
    assert wrong.exit_code == 1
    assert wrong.output.count("lasts from") == 20
    assert "... and 10 more errors." in wrong.output
    assert "30 errors, 0 remarks" in wrong.output


@pytest.mark.parametrize(("kind", "lacks"), [("own", "labels"), ("bids", "events, labels")])
def test_a_folder_whose_kind_needs_more_says_where_that_is_written(
    tmp_path: Path, kind: str, lacks: str
) -> None:
    with pytest.raises(ConfigError, match=rf"{lacks}\. Write them into a YAML .*docs/data\.md"):
        choose_dataset(tmp_path, kind=kind)


def test_a_key_of_a_recipe_is_not_taken_for_one_of_a_data_set(fragment: Path) -> None:
    with pytest.raises(ConfigError, match=r"no setting windows\.face: that is a recipe's"):
        choose_dataset(fragment, changes=["windows.face=true"])
