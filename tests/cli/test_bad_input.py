"""What a user gets wrong: a few lines that help, an exit code that is not 0, no traceback."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from tiny_bundle import write_tiny_bundle

from rtaffect.publish.xdf_writer import XdfWriter
from tests.sources.lsl_sender import Sender

SESSION = "streams:\n  eeg:\n    type: EEG\ndecoders:\n  - bundle: tiny\n"
ROOT = Path(__file__).resolve().parents[2]
Write = Callable[..., None]


@dataclass(frozen=True)
class Said:
    """What a run of the program said, in words without line breaks, and how it ended."""

    text: str
    code: int
    n_lines: int


def rtaffect(*arguments: str, folder: Path, timeout_s: float = 60.0) -> Said:
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    environ.pop("RTAFFECT_DEBUG", None)
    done = subprocess.run(
        [sys.executable, "-m", "rtaffect", *arguments],
        cwd=folder,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    return Said(" ".join(done.stdout.split()), done.returncode, done.stdout.count("\n"))


def helps(said: Said, words: Sequence[str], *, n_lines: int = 16) -> None:
    assert said.code != 0
    assert said.n_lines <= n_lines
    assert "Traceback" not in said.text
    assert "Fault in rtaffect" not in said.text
    for word in words:
        assert word in said.text


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a bundle and a good recording."""
    write_tiny_bundle(tmp_path)
    xdf(tmp_path / "good.xdf")
    return tmp_path


def xdf(
    path: Path,
    *,
    ch_names: Sequence[str] = ("Fz", "Cz", "Pz"),
    unit: str = "uV",
    stype: str = "EEG",
    duration_s: float = 10.0,
) -> None:
    n = round(256 * duration_s)
    data = np.random.default_rng(0).normal(0, 10, (len(ch_names), n)).astype(np.float32)
    with path.open("wb") as file:
        writer = XdfWriter(file)
        units = (unit,) * len(ch_names)
        writer.add_stream(
            *(1,),
            name="Amp",
            stype=stype,
            dtype=np.float32,
            ch_names=ch_names,
            units=units,
            sfreq=256.0,
        )
        writer.samples(1, 100.0 + np.arange(n) / 256.0, data)
        writer.footers()


def missing(path: Path) -> None:
    """Write nothing."""


def not_a_recording(path: Path) -> None:
    path.write_bytes(b"To whom it may concern" * 9)


def cut_in_its_only_chunk(path: Path) -> None:
    xdf(path)
    path.write_bytes(path.read_bytes()[:9000])


def cut_in_its_header(path: Path) -> None:
    xdf(path)
    path.write_bytes(path.read_bytes()[:60])


RECORDINGS: dict[str, tuple[Write, Sequence[str]]] = {
    "missing.xdf": (missing, ["missing.xdf cannot be opened", "No such file"]),
    "letter.doc": (not_a_recording, ["letter.doc is not a recording that can be read", ".edf"]),
    "letter.xdf": (not_a_recording, ["letter.xdf is not an XDF file", "begin with 'XDF:'"]),
    "letter.edf": (not_a_recording, ["MNE cannot read", "letter.edf", "Is it damaged"]),
    "letter.csv": (not_a_recording, ["letter.csv", "OpenFace"]),
    "empty.xdf": (Path.touch, ["empty.xdf is empty"]),
    "cut.xdf": (
        cut_in_its_only_chunk,
        ["No stream with samples", "'Amp'", "empty", "cut.xdf is cut off", "nothing was recorded"],
    ),
    "header.xdf": (cut_in_its_header, ["without a single stream", "header.xdf is cut off"]),
    "gaze.xdf": (
        lambda path: xdf(path, stype="Gaze"),
        ["No stream with samples fits type 'EEG'", "type 'Gaze'", "streams: eeg:", "session file"],
    ),
    "wrong-channels.xdf": (
        lambda path: xdf(path, ch_names=("Fz", "Cx", "Oz")),
        ["does not have: Cz, Pz", "The stream has Fz, Cx, Oz", "rename"],
    ),
    "wrong-unit.xdf": (
        lambda path: xdf(path, unit="uA"),
        ["must declare V, mV, uV or nV", "got unit 'uA' for Fz, Cz, Pz", "streams: eeg: unit: uV"],
    ),
    "no-unit.xdf": (
        lambda path: xdf(path, unit=""),
        ["must declare V, mV, uV or nV", "got no unit for Fz, Cz, Pz", "streams: eeg: unit: uV"],
    ),
    "no-labels.xdf": (
        lambda path: xdf(path, ch_names=("", "", "")),
        ["has no channel labels", "ch_names: [...]", "session file"],
    ),
    "zero-channels.xdf": (
        lambda path: xdf(path, ch_names=()),
        ["No stream with samples", "0 x float32", "None of them has both channels and samples"],
    ),
    "short.xdf": (
        lambda path: xdf(path, duration_s=1.5),
        ["1.5 s long, too short", "a window of 1 s", "at least 3 s"],
    ),
}


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_recording_that_cannot_be_decoded(folder: Path, name: str) -> None:
    write, words = RECORDINGS[name]
    write(folder / name)
    helps(rtaffect("replay", name, "--bundle", "tiny", folder=folder), words)


def test_the_same_recording_as_it_should_be_is_decoded(folder: Path) -> None:
    said = rtaffect("replay", "good.xdf", "--bundle", "tiny", "--out", "e.csv", folder=folder)
    assert said.code == 0
    assert "Estimates are in e.csv" in said.text
    lines = (folder / "e.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) > 10


def test_debug_shows_where_it_happened(folder: Path) -> None:
    said = rtaffect("replay", "missing.xdf", "--debug", folder=folder)
    assert said.code == 1
    assert "Traceback" in said.text
    assert "RecordingError: missing.xdf cannot be opened" in said.text


SESSIONS: dict[str, tuple[str, Sequence[str]]] = {
    "key": (
        SESSION.replace("type:", "stype:"),
        ["session.yaml", "line 3", "streams.eeg.stype is not a known key", "Did you mean type?"],
    ),
    "section": (
        SESSION + "publishing:\n  address: tcp://127.0.0.1:1\n",
        ["session.yaml", "line 6", "publishing is not a known key", "Did you mean publish?"],
    ),
    "grammar": ("streams: [\n", ["session.yaml, line 2", "not valid YAML"]),
    "empty": ("", ["session.yaml"]),
    "unit": (
        SESSION.replace("type: EEG", "unit: mV"),
        ["'mV' must not contradict stream 'Amp', which says 'uV'", "streams: eeg: unit"],
    ),
    "no-unit": (
        SESSION.replace("type: EEG", "unit: furlong"),
        ["must be V, mV, uV or nV; got 'furlong'", "streams: eeg: unit", "session file"],
    ),
    "bundle": (
        SESSION.replace("tiny", "prior-dfcn-ege"),
        ["got 'prior-dfcn-ege'", "Did you mean 'prior-dfcn-eeg'?"],
    ),
    "name": (
        SESSION.replace("type: EEG", "name: Cap"),
        ["No stream with samples fits", "name 'Cap'", "'Amp'"],
    ),
    "stream": (
        SESSION.replace("eeg:", "eeeg:"),
        ["streams.eeeg is not a known key", "Did you mean eeg?"],
    ),
}


@pytest.mark.parametrize("name", SESSIONS)
def test_a_session_file_that_is_wrong(folder: Path, name: str) -> None:
    text, words = SESSIONS[name]
    (folder / "session.yaml").write_text(text)
    said = rtaffect("replay", "good.xdf", "--session", "session.yaml", folder=folder)
    helps(said, words)


def test_an_unknown_bundle_names_the_nearest(folder: Path) -> None:
    said = rtaffect("replay", "good.xdf", "--bundle", "prior-dfcn-ege", folder=folder)
    helps(said, ["A bundle is a folder or one of the shipped", "Did you mean 'prior-dfcn-eeg'?"])
    said = rtaffect("bundle", "verify", "nowhere", folder=folder)
    helps(said, ["A bundle is a folder or one of the shipped", "got 'nowhere'"])


def test_channels_that_no_shipped_bundle_fits_are_listed(folder: Path) -> None:
    said = rtaffect("replay", "good.xdf", folder=folder)
    helps(said, ["No shipped model fits", "prior-dfcn-eeg lacks eeg: F3", "rename"])


def test_estimates_overwrite_nothing(folder: Path) -> None:
    (folder / "out.csv").write_text("somebody's work")
    said = rtaffect("replay", "good.xdf", "--bundle", "tiny", "--out", "out.csv", folder=folder)
    helps(said, ["out.csv exists and is not overwritten"])
    assert (folder / "out.csv").read_text() == "somebody's work"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("out.txt", "written as .parquet, .csv, .jsonl, got 'out.txt'"),
        ("good.xdf", "got 'good.xdf'"),
    ],
)
def test_where_estimates_cannot_go_is_told_before_anything_is_read(
    folder: Path, name: str, words: str
) -> None:
    said = rtaffect("replay", "missing.xdf", "--bundle", "tiny", "--out", name, folder=folder)
    helps(said, [words])
    assert "missing.xdf" not in said.text


@pytest.mark.parametrize("speed", ["fast", "0", "-1", "nan"])
def test_a_speed_that_is_none(folder: Path, speed: str) -> None:
    said = rtaffect("replay", "good.xdf", "--bundle", "tiny", "--speed", speed, folder=folder)
    helps(said, ["max", "above 0"])


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield taken.getsockname()[1]


@pytest.mark.integration
def test_a_port_in_use(folder: Path, taken_port: int) -> None:
    address = f"tcp://127.0.0.1:{taken_port}"
    (folder / "session.yaml").write_text(SESSION + f"publish:\n  address: {address}\n")
    said = rtaffect("replay", "good.xdf", "--session", "session.yaml", "--publish", folder=folder)
    helps(said, [f"Port {taken_port} must be free", "another port in the session file"])


@pytest.mark.integration
def test_no_such_stream_lists_those_there_are_and_why_one_may_be_invisible(folder: Path) -> None:
    name, source_id = f"Cap-{uuid4().hex[:6]}", f"id-{uuid4().hex}"
    session = SESSION.replace("type: EEG", f"type: EEG\n    source_id: {source_id}-")
    (folder / "session.yaml").write_text(session)
    with Sender(source_id=source_id, stype="EEG", name=name):
        said = rtaffect("live", "session.yaml", folder=folder)
    there = [f"source_id '{source_id}-'", "Streams that are there:", f"'{name}'", "3 x float32"]
    near = f"Was source_id '{source_id}' meant"
    why = ["may be invisible", "firewall", "KnownPeers", "rtaffect streams"]
    helps(said, [*there, near, *why], n_lines=50)  # who else sends on this network, is listed too
