import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pretend_units import pretend_split
from pydantic import BaseModel

from offline.errors import RunError
from offline.recipe import Recipe
from offline.runs.plan import Run, Unit, all_units, check_names, in_groups, run_id

SETTINGS = {
    "name": "tiny",
    "dataset": {"kind": "simulated", "n_subjects": 3},
    "windows": {"montage": "EEG_15", "face": True},
    "model": {"kind": "prior_dfcn", "maps": [2]},
    "sequences": {"t_min": 1, "t_max": 2},
    "training": {"modality_dropout": {"face": 0.2}, "decay": {"patience": 3}},
    "protocol": {"kind": "loso", "n_validation": 1},
    "seeds": [0, 1],
}
NO_MATTER = {
    ("name",),
    ("bundle",),
    ("seeds",),
    ("windows", "kind"),  # what EEG's windows never write; those of other kinds write theirs
}


def recipe(**changes: object) -> Recipe:
    return Recipe.model_validate(SETTINGS | changes)


def run(*folds: str, variant: str = "full", **changes: object) -> Run:
    return Run(variant=variant, recipe=recipe(**changes), split=pretend_split(*folds), data="d")


def keys(settings: BaseModel, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            yield from keys(value, (*before, name))
        else:
            yield (*before, name)


def with_another(settings: BaseModel, key: tuple[str, ...]) -> BaseModel:
    value = getattr(settings, key[0])
    other = with_another(value, key[1:]) if len(key) > 1 else another(value)
    return settings.model_copy(update={key[0]: other})


def another(value: Any) -> Any:
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return value + "x"
        case tuple():
            return (*value, 7)
        case dict():
            return {**value, "another": 1}
        case _:
            return "something"


@pytest.mark.parametrize("key", list(keys(recipe())), ids=".".join)
def test_every_setting_that_changes_numbers_changes_the_id(key: tuple[str, ...]) -> None:
    before = recipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that some values are of another type than they should be
        after = run_id(with_another(before, key), data="d", split="s")
    assert (after == run_id(before, data="d", split="s")) is (key in NO_MATTER)


def test_windows_of_another_kind_change_the_id() -> None:
    face = recipe(windows={"kind": "face"}, model={"kind": "face_linear"}, training={})
    dumped = face.model_dump(mode="json")
    assert dumped["windows"]["kind"] == "face"
    assert run_id(face, data="d", split="s") != run_id(recipe(), data="d", split="s")


def test_data_and_split_change_the_id() -> None:
    ids = {run_id(recipe(), data=data, split=split) for data in "ab" for split in "ab"}
    assert len(ids) == 4


def test_where_files_lie_does_not_change_the_id() -> None:
    class Lies(BaseModel):
        root: Path
        n: int = 1

    here, there = (run_id(Lies(root=Path(at)), data="d", split="s") for at in ("/here", "/there"))
    assert here == there
    assert here != run_id(Lies(root=Path("/here"), n=2), data="d", split="s")


def test_the_id_is_the_same_in_any_process() -> None:
    code = (
        "from offline.recipe import Recipe\nfrom offline.runs.plan import run_id\n"
        f"print(run_id(Recipe.model_validate({SETTINGS!r}), data='d', split='s'))"
    )
    ids = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert ids == {run_id(recipe(), data="d", split="s")}


def test_units_are_every_fold_with_every_seed() -> None:
    one = run("a", "b")
    assert [(unit.fold, unit.seed) for unit in one.units] == [
        ("a", 0),
        ("b", 0),
        ("a", 1),
        ("b", 1),
    ]
    assert {unit.run for unit in one.units} == {one.id}


def test_variants_that_are_the_same_share_their_units() -> None:
    same = run("a", "b", variant="same", name="another name")
    assert all_units([run("a", "b"), same]) == run("a", "b").units


def test_one_more_seed_leaves_the_others_units_as_they_are() -> None:
    assert set(run("a").units) < set(run("a", seeds=[0, 1, 2]).units)


@pytest.mark.parametrize("n_together", [1, 2, 3, 100])
def test_groups_hold_every_unit_once_and_are_of_one_run(n_together: int) -> None:
    units = [Unit(run=r, fold=f, seed=s) for f in "abc" for s in (0, 1) for r in ("r1", "r2")]
    groups = in_groups(units, n_together)
    assert sorted(map(str, units)) == sorted(str(unit) for group in groups for unit in group)
    assert all(len({unit.run for unit in group}) == 1 for group in groups)
    assert max(map(len, groups)) == min(n_together, 6)


@pytest.mark.parametrize("name", ["..", "a/b", "", ".hidden", "a b", "x" * 101, "a\n"])
def test_a_fold_that_cannot_name_a_folder_is_refused(name: str) -> None:
    with pytest.raises(RunError, match="letters, digits"):
        check_names(pretend_split("a", name))


def test_folds_that_a_disk_may_take_for_one_are_refused() -> None:
    with pytest.raises(RunError, match="different names"):
        check_names(pretend_split("s01", "S01"))
