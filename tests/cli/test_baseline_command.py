"""``rtaffect baseline`` as a user runs it: from a recording into a file, and on into `replay`."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from test_bad_input import Said, helps, xdf
from tiny_bundle import write_tiny_bundle
from typer.testing import CliRunner

from rtaffect.cli.main import app

RECORDING = ("--recording", "good.xdf", "--bundle", "tiny")


def rtaffect(*arguments: str, folder: Path) -> Said:
    """Run the program in this process: starting it anew two dozen times would take a minute."""
    with contextlib.chdir(folder):
        done = CliRunner().invoke(app, arguments, env={"RTAFFECT_DEBUG": "", "COLUMNS": "200"})
    return Said(" ".join(done.output.split()), done.exit_code, done.output.count("\n"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model that needs a baseline, one that does not, a recording, a baseline."""
    folder = tmp_path_factory.mktemp("rest")
    write_tiny_bundle(folder, rest="required")
    write_tiny_bundle(folder / "plain", leaky=True)
    xdf(folder / "good.xdf", duration_s=20.0)
    said = rtaffect("baseline", *RECORDING, "--to", "15", "--out", "rest.json", folder=folder)
    assert said.code == 0, said.text
    assert "11 clean windows of 1 s" in said.text
    assert "The baseline is in rest.json" in said.text
    return folder


def _estimates(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_only_the_windows_between_from_and_to_are_taken(folder: Path) -> None:
    arguments = (*RECORDING, "--from", "8", "--to", "12.4", "--out", "part.json")
    said = rtaffect("baseline", *arguments, folder=folder)
    assert said.code == 0, said.text
    part = json.loads((folder / "part.json").read_text())
    assert (part["n_windows"], part["t_start"], part["t_end"]) == (4, 108.0, 112.0)


def test_a_model_answers_with_its_baseline_and_says_that_it_lacks_without(folder: Path) -> None:
    replay = ("replay", "good.xdf", "--bundle", "tiny")
    without = rtaffect(*replay, "--out", "without.jsonl", folder=folder)
    cause = "tiny must have a baseline, and none was given"
    make = "`rtaffect baseline --recording good.xdf --bundle tiny --from START --to STOP --out"
    helps(without, ["baseline:missing", cause, make, "no answer without one"])
    silent = _estimates(folder / "without.jsonl")
    assert len(silent) > 10
    assert all(e["targets"] == {} and ["baseline", "missing"] in e["flags"] for e in silent)
    said = rtaffect(*replay, "--baseline", "rest.json", "--out", "with.jsonl", folder=folder)
    assert said.code == 0, said.text
    assert "tiny: baseline" in said.text
    assert "of 11 windows at rest" in said.text
    assert sum(bool(e["targets"]) for e in _estimates(folder / "with.jsonl")) > 10
    assert "baseline:missing" not in said.text
    assert "no baseline" not in said.text


def test_a_model_that_can_do_without_a_baseline_says_at_the_end_that_it_did(folder: Path) -> None:
    write_tiny_bundle(folder / "free", rest="optional")
    said = rtaffect("replay", "good.xdf", "--bundle", "free/tiny", folder=folder)
    assert said.code == 0, said.text
    end = said.text[said.text.index("with an answer") :]
    assert "tiny has no baseline" in end
    assert "--bundle free/tiny" in end


def test_a_session_file_names_the_baseline(folder: Path) -> None:
    (folder / "session.yaml").write_text(
        "streams: {eeg: {}}\ndecoders: [{bundle: tiny, baseline: rest.json}]\n"
    )
    said = rtaffect("replay", "good.xdf", "--session", "session.yaml", folder=folder)
    assert said.code == 0, said.text
    assert "of 11 windows at rest" in said.text


def test_a_leaky_model_says_so_wherever_it_is_used(folder: Path) -> None:
    said = rtaffect("bundle", "show", "plain/tiny", folder=folder)
    assert "LEAKY: test data took part in its making" in said.text
    said = rtaffect("replay", "good.xdf", "--bundle", "plain/tiny", folder=folder)
    assert said.code == 0, said.text
    start, end = said.text.split("with an answer")
    assert "Note: tiny is LEAKY" in start
    assert "Note: tiny is LEAKY" in end


def test_a_baseline_of_a_replaced_model_names_both_digests_and_the_command(
    folder: Path, tmp_path: Path
) -> None:
    new = write_tiny_bundle(tmp_path, rest="required", leaky=True)
    old = json.loads((folder / "rest.json").read_text())["bundle_digest"]
    words = [
        f"made for 'tiny' (digest {old[:12]})",
        f"loaded is 'tiny' (digest {new.digest[:12]})",
        "The model was replaced since",
        f"--bundle {new.path} --from START --to STOP --out NAME.json",
    ]
    given = ("--bundle", str(new.path), "--baseline", "rest.json")
    helps(rtaffect("replay", "good.xdf", *given, folder=folder), ["rest.json", *words])
    session = tmp_path / "session.yaml"
    session.write_text(
        f"streams: {{eeg: {{}}}}\ndecoders: [{{bundle: {new.path}, baseline: rest.json}}]\n"
    )
    said = rtaffect("replay", "good.xdf", "--session", str(session), folder=folder)
    helps(said, ["rest.json", *words, f"`rtaffect baseline {session} --recording good.xdf"])


WRONG = {
    "nothing is named": ((), ["A model must be named", "--bundle"]),
    "no streams are named": (("--bundle", "tiny"), ["give a session file, or a --recording"]),
    "the model takes none": (
        ("--recording", "good.xdf", "--bundle", "plain/tiny"),
        ["No model here takes a baseline (tiny)"],
    ),
    "the rest ends before it begins": (
        (*RECORDING, "--from", "9", "--to", "3"),
        ["longer than 0 s", "--from and --to"],
    ),
    "the rest is too short": (
        (*RECORDING, "--from", "3", "--to", "5"),
        ["at least 2 clean windows", "eeg:warmup"],
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_cannot_be_done_is_said_and_writes_nothing(folder: Path, wrong: str) -> None:
    arguments, words = WRONG[wrong]
    helps(rtaffect("baseline", *arguments, "--out", "new.json", folder=folder), words)
    assert not (folder / "new.json").exists()


def test_no_baseline_is_replaced(folder: Path) -> None:
    before = (folder / "rest.json").read_bytes()
    said = rtaffect("baseline", *RECORDING, "--out", "rest.json", folder=folder)
    helps(said, ["rest.json exists, and no baseline is replaced"])
    assert (folder / "rest.json").read_bytes() == before


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, ["no.json cannot be read", "No such file"]),
        ("{", ["no.json must be what `rtaffect baseline` wrote"]),
        ({"bundle_digest": "0" * 64}, ["made for a model that is loaded", "tiny"]),
        ({"values": [1.0, 2.0, None]}, ["no.json must be", "values.2"]),
        ({"shape": [4]}, ["must have shape (3,), got (4,)"]),
    ],
)
def test_a_baseline_that_cannot_be_used_is_refused_before_anything_runs(
    folder: Path, tmp_path: Path, content: object, words: list[str]
) -> None:
    file = tmp_path / "no.json"
    if isinstance(content, dict):
        file.write_text(json.dumps(json.loads((folder / "rest.json").read_text()) | content))
    elif content is not None:
        file.write_text(str(content))
    arguments = ("replay", "good.xdf", "--bundle", "tiny", "--baseline", str(file))
    helps(rtaffect(*arguments, folder=folder), words)
