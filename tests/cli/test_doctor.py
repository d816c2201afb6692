"""The doctor's report."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_streams_and_init import stream
from typer.testing import CliRunner

from rtaffect.bundle import shipped_bundles
from rtaffect.cli import doctor
from rtaffect.cli.doctor import Finding
from rtaffect.cli.main import app
from rtaffect.core.errors import BundleError

run = CliRunner().invoke


def test_a_failure_is_exit_code_1_and_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    findings = [Finding("ok", "fine"), Finding("warn", "so so"), Finding("fail", "bad", "repair")]
    monkeypatch.setattr(doctor, "_findings", lambda _port: iter(findings))
    result = run(app, ["doctor"])
    assert result.exit_code == 1
    assert [line.split()[0] for line in result.output.splitlines()[:4]] == [
        "ok",
        "warn",
        "fail",
        "repair",
    ]


def test_warnings_alone_are_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_findings", lambda _port: iter([Finding("warn", "so so")]))
    assert run(app, ["doctor"]).exit_code == 0


def test_an_error_in_one_check_is_a_finding() -> None:
    def broken() -> Iterator[Finding]:
        yield Finding("ok", "first")
        msg = "The model is altered.\nFetch it again."
        raise BundleError(msg)

    first, second = doctor._guarded(broken)
    assert first.state == "ok"
    assert second == Finding("fail", "The model is altered.", "Fetch it again.")


def test_a_taken_port_is_noticed() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        (finding,) = doctor._port(taken.getsockname()[1])
        assert finding.state == "warn"
    (finding,) = doctor._port(_free_port())
    assert finding.state == "ok"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_every_shipped_model_loads() -> None:
    findings = list(doctor._models())
    assert len(findings) == len(shipped_bundles())
    assert {finding.state for finding in findings} == {"ok"}


def test_frames_of_fmri_must_be_described(monkeypatch: pytest.MonkeyPatch) -> None:
    good = stream("fMRI", "good", sfreq=0.0, about={"acquisition.tr_s": "2.0"})
    bad = stream("fMRI", "bad", sfreq=0.5, ch_names=())
    found = [good, bad, stream("EEG", "amp")]
    monkeypatch.setattr("rtaffect.sources.lsl_inlet.discover", lambda *_args, **_kwargs: found)
    first, second = doctor._frames()
    assert (first.state, first.what) == ("ok", "'good': 3 regions, TR 2.0 s")
    assert second.state == "warn"
    assert [line.split(":")[0] for line in second.advice.splitlines()] == [
        "It should declare acquisition/tr_s",
        "It should declare channels/channel/label",
        "It should declare a nominal rate of 0 (irregular)",
    ]


@pytest.mark.integration
def test_lsl_works_on_the_machine_that_runs_the_tests() -> None:
    assert {finding.state for finding in doctor._lsl()} == {"ok"}


def test_it_says_what_finds_faces(face_models: None) -> None:
    (finding,) = doctor._faces()
    assert finding.state == "ok"
    assert finding.what.startswith("Faces are found by litert")
    assert "opencv" in finding.what


def test_without_networks_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RTAFFECT_FACE_MODELS", str(tmp_path))
    (finding,) = doctor._faces()
    assert finding.state == "warn"
    assert [line.split(":")[0] for line in finding.advice.splitlines()[:3]] == [
        "litert",
        "mediapipe",
        "opencv",
    ]
    assert finding.advice.count("rtaffect face setup") == 1
