"""How the program fails and stops: words and exit codes, never a traceback unless asked for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rtaffect.cli import streams as streams_verb
from rtaffect.cli.main import app
from rtaffect.core.errors import StreamError
from rtaffect.program import DEBUG, INTERRUPTED
from rtaffect.version import __version__

VERBS = ("demo", "live", "replay", "simulate", "streams", "listen", "doctor", "init", "keys")
run = CliRunner().invoke


def rtaffect(*arguments: str) -> subprocess.CompletedProcess[str]:
    code = "from rtaffect.cli.main import main; main()"
    environment = {**os.environ, "COLUMNS": "100"}
    environment.pop(DEBUG, None)
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        timeout=60,
    )


def test_the_version_is_the_package_s() -> None:
    assert run(app, ["--version"]).output == f"rtaffect {__version__}\n"


@pytest.mark.parametrize("verb", [*VERBS, "bundle"])
def test_every_verb_is_listed(verb: str) -> None:
    assert verb in run(app, ["--help"]).output


@pytest.mark.parametrize("verb", [*VERBS, "bundle show", "bundle verify"])
def test_every_verb_teaches_by_an_example(verb: str) -> None:
    result = run(app, [*verb.split(), "--help"])
    assert result.exit_code == 0
    assert "Example: rtaffect" in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["streams", "--nope"],
        ["streams", "--wait", "soon"],
        ["streams", "--wait", "-1"],
        ["listen", "--own-key", "a.key_secret"],
    ],
)
def test_wrong_usage_is_exit_code_2(arguments: list[str]) -> None:
    assert run(app, arguments).exit_code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["bundle", "show", "no-such-model"],
        ["bundle", "verify", "rtaffect/core"],
        ["live", "no/such/session.yaml"],
        ["replay", "no/such/recording.xdf"],
        ["simulate", "--fault", "dorp@3"],
        ["listen", "--address", "nowhere", "--timeout", "0.2"],
    ],
)
def test_bad_input_is_a_few_lines_and_exit_code_1(arguments: list[str]) -> None:
    done = rtaffect(*arguments)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ")
    assert "Traceback" not in done.stderr + done.stdout
    assert "Fault in rtaffect" not in done.stderr


def test_debug_shows_the_traceback_wherever_it_stands() -> None:
    for arguments in (["--debug", "bundle", "show", "x"], ["bundle", "show", "x", "--debug"]):
        done = rtaffect(*arguments)
        assert done.returncode == 1
        assert "Traceback" in done.stderr
        assert "BundleError" in done.stderr


def _raising(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def discover(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("rtaffect.sources.lsl_inlet.discover", discover)
    monkeypatch.delenv(DEBUG, raising=False)


def test_a_fault_of_ours_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    _raising(monkeypatch, KeyError("gone"))
    result = run(app, ["streams"])
    assert result.exit_code == 1
    assert "Fault in rtaffect: KeyError" in result.stderr
    assert "--debug" in result.stderr


def test_an_interrupt_ends_quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    _raising(monkeypatch, KeyboardInterrupt())
    result = run(app, ["streams"])
    assert result.exit_code == INTERRUPTED
    assert "Traceback" not in result.output


def test_text_of_others_cannot_steer_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    _raising(monkeypatch, StreamError("a name \x1b[2J[bold]x[/bold]\nsecond line"))
    result = run(app, ["streams"])
    assert "\x1b[2J" not in result.stderr
    assert "[bold]x[/bold]" in result.stderr
    assert "second line" in result.stderr


def test_linear_algebra_gets_one_thread_before_it_loads() -> None:
    code = (
        "import os, sys; import rtaffect.cli.main; assert 'numpy' not in sys.modules;"
        "print(os.environ['OPENBLAS_NUM_THREADS'], os.environ['OMP_NUM_THREADS'])"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "3"}
    environment.pop("OPENBLAS_NUM_THREADS", None)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.split() == ["1", "3"]


def test_keys_are_made_and_never_replaced(tmp_path: Path) -> None:
    arguments = ["keys", "lab", "--folder", str(tmp_path / "keys")]
    assert run(app, arguments).exit_code == 0
    before = (tmp_path / "keys" / "lab.key").read_text()
    again = run(app, arguments)
    assert again.exit_code == 1
    assert "never overwritten" in again.stderr
    assert (tmp_path / "keys" / "lab.key").read_text() == before


def test_labels_are_cut_short() -> None:
    names = [f"E{i}" for i in range(20)]
    assert streams_verb._labels(names) == "E0 E1 E2 E3 E4 E5 E6 E7 ... E19"
    assert streams_verb._labels(names[:3]) == "E0 E1 E2"
    assert streams_verb._labels(()) == "no labels"
