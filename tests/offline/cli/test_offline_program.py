import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from offline.cli.main import app, main
from offline.errors import DataError
from rtaffect.program import DEBUG, INTERRUPTED

ROOT = Path(__file__).parents[3]

VERBS = ("train", "sweep", "export", "audit", "evaluate", "report", "reproduce", "data")
HEAVY = ("torch", "mne", "matplotlib", "sklearn", "ray", "onnx", "tensorboard")

TINY = """
name: tiny
dataset: {kind: simulated, n_subjects: 3, n_trials: 6, trial_s: 12, sfreq: 128}
windows: {montage: EEG_15, face: true}
model: {kind: prior_dfcn, maps: [2]}
training: {max_epochs: 3}
protocol: {kind: loso, n_validation: 1}
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY)
    return path


def complaint(capsys: pytest.CaptureFixture[str], *args: object) -> str:
    with pytest.raises(SystemExit) as end:
        main([str(arg) for arg in args])
    told = capsys.readouterr().err
    assert end.value.code == 1
    assert told.startswith("Error: ")
    assert "Traceback" not in told
    return told


@pytest.mark.parametrize("verb", [(), *((verb,) for verb in VERBS)])
def test_every_verb_says_what_it_does(
    capsys: pytest.CaptureFixture[str], verb: tuple[str, ...]
) -> None:
    with pytest.raises(SystemExit) as end:
        main([*verb, "--help"])
    assert end.value.code == 0
    told = capsys.readouterr().out
    assert all(name in told for name in (verb or VERBS))


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["train", "--help"]])
def test_the_program_answers_with_nothing_heavy(words: list[str]) -> None:
    code = (
        "import json, sys\nfrom offline.cli import main\n"
        f"try: main({words!r})\nexcept SystemExit as end: assert not end.code\n"
        f"print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(done.stdout.splitlines()[-1]) == []


def test_every_command_that_is_shown_somewhere_has_the_options_that_it_is_shown_with() -> None:
    program = get_command(app)
    assert isinstance(program, TyperGroup)
    files = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "configs").rglob("*.yaml")]
    files += [*(ROOT / "offline").rglob("*.py"), *(ROOT / "offline").rglob("*.yaml")]
    shown = [
        (path.name, words.split())
        for path in files
        for words in re.findall(r"rtaffect-offline ([a-z][^`\n#|]*)", path.read_text("utf-8"))
    ]
    wrong = [(name, words) for name, words in shown if not _is_known(program, words)]
    assert wrong == []
    assert sum(word.startswith("--") for _, words in shown for word in words) > 15


def _is_known(program: TyperGroup, words: list[str]) -> bool:
    command: Any = program
    while words and hasattr(command, "commands"):
        command, words = command.commands.get(words[0]), words[1:]
    if command is None:
        return False
    known = {option for param in command.params for option in (*param.opts, *param.secondary_opts)}
    options = [word.split("=")[0] for word in words if word.startswith("--")]
    return {"--help", *known}.issuperset(options)


def test_it_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "offline.cli", "--version"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.startswith("rtaffect-offline ")


@pytest.mark.parametrize("verb", ["train", "sweep"])
def test_a_recipe_that_is_not_there_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, verb: str
) -> None:
    assert "nowhere.yaml" in complaint(capsys, verb, tmp_path / "nowhere.yaml")


def test_an_unknown_key_of_a_recipe_is_named_with_its_line_and_the_nearest_one(
    capsys: pytest.CaptureFixture[str], recipe: Path
) -> None:
    recipe.write_text(TINY.replace("max_epochs", "max_epoch"))
    told = complaint(capsys, "train", recipe)
    assert "line 6" in told
    assert "Did you mean max_epochs?" in told


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("training.max_epoch=3", "Did you mean max_epochs?"),
        ("training.max_epochs=many", "training.max_epochs"),
        ("training.max_epochs=0", "training.max_epochs"),
        ("training.max_epochs=[", "YAML"),
        ("training.max_epochs", "must look like"),
        ("nothing.at.all=1", "nothing"),
        ("model.kind=oracle", "oracle"),
        ("dataset.kind=deep", "deep"),
    ],
)
def test_a_change_that_no_recipe_holds_is_refused_in_words(
    capsys: pytest.CaptureFixture[str], recipe: Path, change: str, words: str
) -> None:
    assert words in complaint(capsys, "train", recipe, change)


def _failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def load_recipe(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("offline.recipe.load_recipe", load_recipe)
    monkeypatch.delenv(DEBUG, raising=False)


def test_text_of_others_cannot_steer_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _failing(monkeypatch, DataError("a name \x1b[2J[bold]x[/bold]\nsecond line"))
    assert complaint(capsys, "train", "any.yaml") == (
        "Error: a name ?[2J[bold]x[/bold]\nsecond line\n"
    )


def test_a_fault_of_ours_says_so_and_how_to_see_more(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _failing(monkeypatch, KeyError("gone"))
    with pytest.raises(SystemExit) as end:
        main(["train", "any.yaml"])
    assert end.value.code == 1
    assert capsys.readouterr().err == (
        "Fault in rtaffect-offline: KeyError: 'gone'\n"
        "This should not happen. Run it again with --debug first (rtaffect-offline --debug ...) "
        "and report what it prints.\n"
    )


def test_an_interrupt_ends_quietly(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _failing(monkeypatch, KeyboardInterrupt())
    with pytest.raises(SystemExit) as end:
        main(["train", "any.yaml"])
    assert end.value.code == INTERRUPTED
    assert capsys.readouterr().err == ""


def test_a_recipe_is_no_sweep(capsys: pytest.CaptureFixture[str], recipe: Path) -> None:
    assert "`rtaffect-offline train` takes it" in complaint(capsys, "sweep", recipe)


@pytest.mark.parametrize("option", ["--runs", "--cache"])
def test_a_folder_that_cannot_be_written_to_is_told_before_anything_starts(
    capsys: pytest.CaptureFixture[str], recipe: Path, tmp_path: Path, option: str
) -> None:
    blocked = tmp_path / "a file"
    blocked.touch()
    args = ["train", recipe, "--runs", tmp_path / "runs", option, blocked / "runs"]
    assert "can be written to" in complaint(capsys, *args)


@pytest.mark.parametrize(
    "options", [["--address", "127.0.0.1:1"], ["--gpu-share", "0.5"]], ids=lambda o: o[0]
)
def test_options_of_ray_without_ray_are_refused_before_anything_starts(
    capsys: pytest.CaptureFixture[str], recipe: Path, tmp_path: Path, options: list[str]
) -> None:
    args = ["train", recipe, "--runs", tmp_path / "runs", *options]
    assert "--executor ray" in complaint(capsys, *args)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("verb", ["evaluate", "export", "report"])
def test_a_folder_that_holds_no_run_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, verb: str
) -> None:
    assert str(tmp_path) in complaint(capsys, verb, tmp_path)


def test_the_plan_says_how_large_folds_are_and_whose_words_a_bundle_bears(
    capsys: pytest.CaptureFixture[str], recipe: Path, tmp_path: Path
) -> None:
    words = "{name: tiny, title: My DFCN, summary: S}"
    recipe.write_text(TINY.replace("maps: [2]", "prior: false") + f"bundle: {words}\n")
    args = ["train", str(recipe), "--runs", str(tmp_path / "runs"), "--dry-run"]
    args += ["model={kind: svm}", "protocol={kind: portions, train: 40, test: 12}"]

    def told(*more: str) -> str:
        with pytest.raises(SystemExit) as end:
            main([*args, *more])
        assert end.value.code == 0
        return capsys.readouterr().out

    plan = told()
    assert (
        "A fold trains on 1 subject (6 trials), validates on 1 subject (6 trials), tests 1 subject "
        "(6 trials)."
    ) in plan
    assert "bundle.title ('My DFCN') and bundle.summary still speak of the recipe's prior_dfcn" in (
        plan
    )
    assert "still speak" not in told("bundle.title=My SVM")
    assert "still speak" not in told("model={kind: prior_dfcn, prior: false}")
