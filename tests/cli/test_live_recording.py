"""Where a live session's recording cannot be written, that is said before anything is decoded."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner
from window_cases import ListSource

from rtaffect.cli.live import _recorder
from rtaffect.cli.main import _Program
from rtaffect.config import load_session
from rtaffect.core.errors import RecordingError


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    session = tmp_path / "session.yaml"
    session.write_text(
        "streams: {eeg: {}}\ndecoders: [{bundle: prior-dfcn-eeg}]\n"
        f"record: {{path: {tmp_path}/file/x.xdf}}\n"
    )
    with pytest.raises(RecordingError, match=r"file.*record: path:"):
        _recorder(load_session(session), [], ListSource([]), session_id="s")


def test_what_the_system_refuses_is_told_without_a_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RTAFFECT_DEBUG", raising=False)
    app = typer.Typer(cls=_Program)

    @app.command()
    def refused() -> None:
        raise PermissionError(13, "Permission denied", "/nobody")

    @app.command()
    def other() -> None:
        """Makes it a program of several verbs."""

    result = CliRunner().invoke(app, ["refused"])
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert "/nobody" in result.output + capsys.readouterr().err
