"""`rtaffect face` at the command line: what it says, refuses and writes."""

from pathlib import Path

import pytest
from test_streams_and_init import stream
from typer.testing import CliRunner

from rtaffect.cli import face as verb
from rtaffect.cli.main import app
from rtaffect.cli.status import ProcessLine
from rtaffect.face.process import Progress, describe

run = CliRunner().invoke


def complaint(*arguments: object) -> str:
    result = run(app, [str(argument) for argument in arguments])
    assert result.exit_code != 0
    assert "Traceback" not in result.output
    return " ".join(result.output.replace("│", " ").split())


def test_a_camera_that_is_not_there_is_named(face_models: None) -> None:
    told = complaint("face", "63")
    assert "Camera 63 must be connected and free" in told
    assert "rtaffect face --list" in told


def test_a_session_files_key_is_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "session.yaml"
    path.write_text("face:\n  camera: {number: 0, weight: 480}\n")
    told = complaint("face", path)
    assert "face.camera.weight is not a known key. Did you mean height?" in told


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["face", "--out", "features.csv"], "reads a video file"),
        (["face", "0", "--backend", "dlib"], "auto, litert, mediapipe, opencv"),
        (["face", "64"], "less than or equal to 63, got the number 64"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: list[str], said: str) -> None:
    assert said in complaint(*arguments)


def test_networks_that_are_there_are_not_fetched_again(
    face_models: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never() -> Path:
        raise AssertionError

    monkeypatch.setattr("rtaffect.face.models.fetch_models", never)
    result = run(app, ["face", "setup"])
    assert result.exit_code == 0
    assert "The face networks are in" in result.output


@pytest.mark.recordings
def test_a_video_becomes_a_file(shared_data: Path, tmp_path: Path, face_models: None) -> None:
    clip, out = shared_data / "face" / "pyfeat_single_face.mp4", tmp_path / "features.csv"
    result = run(app, ["face", str(clip), "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "72 frames, 72 with a face, 59 of them before the face at rest was known" in (
        result.output
    )
    assert len(out.read_text().splitlines()) == 73


def test_others_in_the_picture_are_spoken_of_once() -> None:
    said: list[str] = []
    shown: list[object] = []

    class Line:
        tell, show = said.append, shown.append

    watcher = verb._Shown(Line())  # type: ignore[arg-type]
    for n_faces in (0, 1, 3, 2, 1, 2):
        watcher(Progress(n_faces=n_faces, success=True))
    assert len(said) == 1
    assert said[0].startswith("3 faces are in the picture.")
    assert len(shown) == 6


@pytest.mark.parametrize("quiet", [False, True])
def test_a_quiet_line_shows_nothing_but_what_it_is_told(
    quiet: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {
        "TTY_COMPATIBLE": "1",
        "FORCE_COLOR": "1",
        "TERM": "xterm",
    }.items():  # taken for a terminal
        monkeypatch.setenv(name, value)
    with ProcessLine("a picture", quiet=quiet) as line:
        line.show("25 pictures/s")
        line.tell("Ready.")
    shown = capsys.readouterr().err
    assert "Ready." in shown
    assert ("waiting for a picture" in shown) is not quiet
    assert ("25 pictures/s" in shown) is not quiet


def test_streams_say_how_features_were_made(monkeypatch: pytest.MonkeyPatch) -> None:
    info = describe(name="rtaffect-face", source_id="cam", sfreq=30.0, backend="litert")
    found = stream("Face", "rtaffect-face", ch_names=info.ch_names, about=dict(info.about))
    monkeypatch.setattr("rtaffect.sources.lsl_inlet.discover", lambda *_a, **_k: [found])
    output = " ".join(run(app, ["streams"]).output.split())
    assert "features by rtaffect, landmarks by litert, action units by geometry" in output
    assert info.about["processing.au_reliability_a"] == "AU06_r AU12_r AU25_r AU45_r"
