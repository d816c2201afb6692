"""The command on a copy of DEAP that is shaped like the real one."""

import json
from pathlib import Path

import pytest
from fakes.deap import write_fake
from typer.testing import CliRunner, Result

from offline.cli.main import app

# Half a minute on an idle core: most of it is the signal chain over three subjects of DEAP's size.
pytestmark = pytest.mark.timeout(600)

ROWS = ("w/o STFENet", "SVM")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments], catch_exceptions=False)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reproduce")
    write_fake(folder / "deap", participants=(1, 2, 4), face_trials={1: 40, 2: 40, 4: 40})
    return folder


@pytest.fixture(scope="module")
def arguments(place: Path) -> list[str]:
    chosen = [f"--variant={row}" for row in ROWS]
    where = ["--data", str(place / "deap"), "--runs", str(place / "runs"), "--quick"]
    return ["reproduce", "prior-dfcn", *where, "--workers=1", "--no-tensorboard", *chosen]


@pytest.fixture(scope="module")
def compared(place: Path, arguments: list[str]) -> Path:
    done = run(*arguments)
    assert done.exit_code == 0, done.output
    return place / "runs" / "prior-dfcn"


def test_the_papers_table_stands_beside_ours_by_both_protocols(compared: Path) -> None:
    record = json.loads((compared / "comparison.json").read_text())
    tables = record["tables"]
    rows = {row["method"]: row for table in tables.values() for row in table}
    for method in ROWS:
        for protocol in ("by_paper_LEAKY", "honest"):
            for ours in rows[method][protocol].values():
                assert ours["n_folds"] == ours["n_subjects"] == 3
    assert rows["w/o STFENet"]["by_paper_LEAKY"]["valence"]["checkpoint"] == "best_test"
    assert rows["w/o STFENet"]["honest"]["valence"]["checkpoint"] == "validation"
    assert rows["w/o STFENet"]["printed"]["valence"]["accuracy"] == 65.51
    assert rows["GSN"]["honest"] == {}
    assert "NOT THE PAPER'S SETTINGS" in (compared / "comparison.md").read_text()


def test_a_report_of_both_sweeps_lies_beside_it(compared: Path) -> None:
    text = (compared / "report.md").read_text()
    titles = [line for line in text.splitlines() if line.startswith("# ")]
    assert len(titles) == 2
    assert ["LEAKY" in title for title in titles] == [False, True]


def test_the_same_command_finds_everything_done(
    compared: Path, place: Path, arguments: list[str]
) -> None:
    before = {path: path.stat().st_mtime_ns for path in (place / "runs").glob("*/*/seed-0/DONE")}
    assert len(before) == 12
    again = run(*arguments, "--dry-run")
    assert again.exit_code == 0
    assert "0 left to train" in again.output
    assert all(path.stat().st_mtime_ns == at for path, at in before.items())


def test_the_report_command_reads_the_same_runs(compared: Path, place: Path) -> None:
    done = run("report", str(place / "runs"), "--out", str(place / "report"))
    assert done.exit_code == 0, done.output
    assert (place / "report" / "report.md").exists()
    record = json.loads((place / "report" / "report.json").read_text())
    assert {study["name"] for study in record["studies"]} == {
        "prior_dfcn_honest",
        "prior_dfcn_paper",
    }


def test_a_folder_that_is_no_deap_is_an_error_in_words(tmp_path: Path) -> None:
    done = run("reproduce", "mtcnn", "--data", str(tmp_path), "--runs", str(tmp_path / "runs"))
    assert done.exit_code == 1
    assert "DEAP" in done.output or "data_preprocessed_python" in done.output


def test_the_plan_is_shown_without_data_and_nothing_else() -> None:
    shown = CliRunner(env={"COLUMNS": "160"}).invoke(
        app, ["reproduce", "prior-dfcn", "--dry-run", "--variant=w/o PKE", "--variant=SVM"]
    )
    assert shown.exit_code == 0, shown.output
    lines = [line for line in shown.output.splitlines() if "SVM" in line or "w/o PKE" in line]
    assert len(lines) == 2
    assert all("loso n_validation=1" in one and "loso n_validation=2" in one for one in lines)
    for options in ([], ["--dry-run", "--quick"]):
        told = run("reproduce", "prior-dfcn", *options)
        assert told.exit_code == 1
        assert "needs --data FOLDER" in told.output


def test_rows_are_named_as_they_are_typed() -> None:
    told = run("reproduce", "prior-dfcn", "--dry-run", "--variant", "w/o")
    assert told.exit_code == 1
    assert "full baseline 'w/o PKE' 'w/o NL block'" in told.output
