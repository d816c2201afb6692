import json
from pathlib import Path

import pytest
from pretend_units import pretend_split

from offline.errors import LeakError, RunError
from offline.recipe import Recipe
from offline.runs.plan import Run
from offline.runs.record import (
    RUN,
    SPLIT,
    Session,
    choose_unit,
    first_run,
    read_record,
    read_run_split,
    read_study,
    study_file,
    this_session,
    units_of,
    write_record,
    write_study,
)

SETTINGS = {
    "name": "tiny",
    "dataset": {"kind": "simulated", "n_subjects": 3},
    "windows": {"face": True},
    "model": {"kind": "prior_dfcn", "maps": [2]},
    "protocol": {"kind": "loso", "n_validation": 1},
    "seeds": [3, 5],
}


def run(variant: str = "full", **changes: object) -> Run:
    recipe = Recipe.model_validate(SETTINGS | changes)
    return Run(variant=variant, recipe=recipe, split=pretend_split("a", "b"), data="d" * 64)


def session(command: str = "train") -> Session:
    return Session(command=command, started="2026-01-01T00:00:00+00:00", versions={"torch": "2"})


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    one = run()
    written = write_record(tmp_path, one, session())
    folder = tmp_path / one.id
    record = read_record(folder)
    assert record == written
    assert record.recipe() == one.recipe
    assert read_run_split(folder, record) == one.split
    assert units_of(record, one.split) == one.units


def test_whoever_goes_on_is_added(tmp_path: Path) -> None:
    for command in ("first", "second"):
        write_record(tmp_path, run(), session(command))
    record = read_record(tmp_path / run().id)
    assert [one.command for one in record.sessions] == ["first", "second"]


def test_a_session_names_what_numbers_depend_on() -> None:
    assert {"python", "torch", "numpy", "scipy"} <= set(this_session("x").versions)


@pytest.mark.parametrize(
    "harm",
    [
        lambda folder: (folder / RUN).write_text("{"),
        lambda folder: (folder / RUN).write_text("{}"),
        lambda folder: (folder / RUN).unlink(),
        lambda folder: (folder / RUN).write_text(
            json.dumps(json.loads((folder / RUN).read_text()) | {"schema_version": 9})
        ),
    ],
)
def test_a_record_that_is_none_is_refused(tmp_path: Path, harm) -> None:
    write_record(tmp_path, run(), session())
    harm(tmp_path / run().id)
    with pytest.raises(RunError, match=r"run\.json"):
        read_record(tmp_path / run().id)


def test_a_split_that_was_edited_or_swapped_is_refused(tmp_path: Path) -> None:
    one = run()
    record = write_record(tmp_path, one, session())
    folder = tmp_path / one.id
    before = (folder / SPLIT).read_text()
    (folder / SPLIT).write_text(before.replace('"a"', '"c"'))
    with pytest.raises(LeakError, match="edited"):
        read_run_split(folder, record)
    other = Run(variant="", recipe=one.recipe, split=pretend_split("z"), data="")
    write_record(tmp_path, other, session())
    (folder / SPLIT).write_bytes((tmp_path / other.id / SPLIT).read_bytes())
    with pytest.raises(RunError, match="is another"):
        read_run_split(folder, record)


def test_a_study_names_its_runs_in_order(tmp_path: Path) -> None:
    runs = [run("full"), run("w/o PKE", model={"kind": "prior_dfcn", "prior": False})]
    path = write_study(tmp_path, "a study", runs)
    assert path == study_file(tmp_path, "a study")
    assert list(read_study(path).variants.items()) == [(r.variant, r.id) for r in runs]


@pytest.mark.parametrize("name", ["../../etc/x", "/abs", "a b", "..", "é/ü", "."])
def test_a_studys_file_lies_beside_its_runs_whatever_its_name(tmp_path: Path, name: str) -> None:
    assert study_file(tmp_path, name).parent == tmp_path


def test_a_study_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.study.json").write_text("[]")
    with pytest.raises(RunError, match="which runs belong together"):
        read_study(tmp_path / "x.study.json")


def test_what_is_not_there_is_told_from_what_holds_nothing_yet(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"holds no run\.json, and no study .* yet\. Train first: "):
        read_record(tmp_path)
    for read in (read_record, first_run):
        with pytest.raises(RunError, match=r"There is no .*x\.study\.json .*Train first") as gone:
            read(tmp_path / "x.study.json")
        assert "Errno" not in str(gone.value)
    write_study(tmp_path, "mine", [run()])
    for path in (tmp_path, tmp_path / "other.study.json"):
        with pytest.raises(RunError, match=r"Studies in .*: mine\.study\.json\."):
            read_record(path)


def test_a_fold_that_is_none_is_told_those_that_there_are(tmp_path: Path) -> None:
    one = run()
    record = write_record(tmp_path, one, session())
    with pytest.raises(RunError, match=r"folds are a, b; its seeds 3, 5\."):
        choose_unit(record, one.split, fold="fold-1", seed=None)
