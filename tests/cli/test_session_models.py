"""A session's own recording, replayed with other models than it had: they are named."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from test_bad_input import helps
from test_baseline_command import rtaffect

from rtaffect.bundle import Bundle, find_bundle, load_bundle
from rtaffect.cli.lived import lived_decoders
from rtaffect.core.streams import Chunk, StreamInfo, Tick
from rtaffect.publish.recorder import Recorder
from rtaffect.sources.recording import open_recording
from tests.tiny_bundle import CH_NAMES, write_tiny_bundle


def record(path: Path, *bundles: Bundle, baselines: object = None, n_channels: int = 3) -> None:
    """Write what a live session of these models would have left, 10 s of EEG."""
    info = StreamInfo(
        modality="eeg",
        name="Amp",
        stype="EEG",
        source_id="amp",
        ch_names=CH_NAMES[:n_channels],
        sfreq=256.0,
        units=("uV",) * n_channels,
    )
    about = {
        "settings": {"decoders": [{"bundle": b.path.name, "name": b.path.name} for b in bundles]},
        "bundles": {f"d{i}": b.digest for i, b in enumerate(bundles)},
        "baselines": baselines or {},
    }
    recorder = Recorder(path, {"eeg": info}, session=about)
    rng = np.random.default_rng(0)
    for i in range(100):
        stamps = 100.0 + (np.arange(26) + 26 * i) / 256.0
        data = rng.normal(0, 10, (n_channels, 26)).astype(np.float32)
        recorder.on_event(Chunk("eeg", data, stamps, float(stamps[-1])))
        recorder.on_event(Tick(float(stamps[-1])))
    recorder.close()


@pytest.fixture
def mine(tmp_path: Path) -> Bundle:
    return write_tiny_bundle(tmp_path / "mine")


def named(bundle: Bundle) -> str:
    return f"'{bundle.path.name}' (digest {bundle.digest[:12]})"


def test_the_sessions_own_model_needs_no_note(tmp_path: Path, mine: Bundle) -> None:
    record(tmp_path / "session.xdf", mine)
    said = rtaffect("replay", "session.xdf", "--bundle", str(mine.path), folder=tmp_path)
    assert said.code == 0, said.text
    assert "decoded live by" not in said.text


def test_another_model_is_told_from_the_sessions_by_name_digest_and_option(
    tmp_path: Path, mine: Bundle
) -> None:
    record(tmp_path / "session.xdf", mine)
    other = write_tiny_bundle(tmp_path / "other", leaky=True)
    replay = ("replay", "session.xdf", "--bundle", str(other.path), "--out", "e.csv")
    said = rtaffect(*replay, folder=tmp_path)
    assert said.code == 0, said.text
    before, end = said.text.split("with an answer.")  # the counts stand between the two
    for text in (before, end):
        assert f"This session was decoded live by {named(mine)}" in text
        assert "Give it with `--bundle FOLDER`" in text
        assert f"Here it is decoded by {named(other)}: these estimates are not those of" in text
    with (tmp_path / "e.csv").open(encoding="utf-8", newline="") as file:
        assert {row["bundle_digest"] for row in csv.DictReader(file)} == {other.digest}


def test_where_no_shipped_model_fits_the_sessions_own_is_named(
    tmp_path: Path, mine: Bundle
) -> None:
    record(tmp_path / "session.xdf", mine)
    said = rtaffect("replay", "session.xdf", folder=tmp_path)
    helps(said, ["No shipped model fits", f"decoded live by {named(mine)}", "--bundle FOLDER"])


def test_a_shipped_model_is_taken_again_or_named(tmp_path: Path, mine: Bundle) -> None:
    record(tmp_path / "session.xdf", load_bundle(find_bundle("prior-dfcn-eeg")))
    said = rtaffect("replay", "session.xdf", "--bundle", str(mine.path), folder=tmp_path)
    assert "It is shipped: without `--bundle` and `--session` the same decode it" in said.text
    said = rtaffect("replay", "session.xdf", folder=tmp_path)
    assert "bundle: prior-dfcn-eeg Error" in said.text  # this file lacks its channels


def test_all_shipped_models_of_a_session_are_taken_again_under_their_names(tmp_path: Path) -> None:
    shipped = [load_bundle(find_bundle(name)) for name in ("prior-dfcn-eeg", "roi-simulated")]
    record(tmp_path / "session.xdf", *shipped)
    source = open_recording([tmp_path / "session.xdf"])
    decoders = lived_decoders(source, interpolate=False)
    assert [(one.bundle, one.label) for one in decoders] == [
        ("prior-dfcn-eeg", "d0"),
        ("roi-simulated", "d1"),
    ]
    said = rtaffect("replay", "session.xdf", folder=tmp_path)
    assert "bundle: prior-dfcn-eeg, roi-simulated Error" in said.text


def test_models_of_which_one_is_not_shipped_are_not_half_taken(
    tmp_path: Path, mine: Bundle
) -> None:
    record(tmp_path / "session.xdf", load_bundle(find_bundle("prior-dfcn-eeg")), mine)
    source = open_recording([tmp_path / "session.xdf"])
    assert lived_decoders(source, interpolate=False) == ()


def test_one_model_of_several_gives_its_own_estimates(tmp_path: Path, mine: Bundle) -> None:
    other = write_tiny_bundle(tmp_path / "other", leaky=True)
    record(tmp_path / "session.xdf", mine, other)
    said = rtaffect("replay", "session.xdf", "--bundle", str(mine.path), folder=tmp_path)
    assert f"decoded live by {named(other)}" in said.text
    assert named(mine) not in said.text
    assert "only the other estimates of the session are here" in said.text


def test_a_recorded_baseline_that_the_model_cannot_take_is_named(tmp_path: Path) -> None:
    before = write_tiny_bundle(tmp_path / "before", rest="required")
    after = write_tiny_bundle(tmp_path / "after", rest="required", leaky=True)
    kept = {
        "format": 1,
        "bundle": "tiny",
        "bundle_digest": before.digest,
        "n_windows": 2,
        "t_start": 0.0,
        "t_end": 2.0,
        "shape": [3],
        "values": [1.0, 1.0, 1.0],
    }
    record(tmp_path / "session.xdf", before, baselines={"d0": kept})
    said = rtaffect("replay", "session.xdf", "--bundle", str(after.path), folder=tmp_path)
    words = [
        f"holds a baseline of decoder 'd0', made for {named(before)}",
        f"Loaded is {named(after)}, which cannot take it",
        f"`rtaffect baseline --recording session.xdf --bundle {after.path}",
    ]
    helps(said, words)
    out = ("--bundle", str(before.path), "--out", "estimates.jsonl")
    done = rtaffect("replay", "session.xdf", *out, folder=tmp_path)
    assert done.code == 0, done.text
    lines = (tmp_path / "estimates.jsonl").read_text(encoding="utf-8").splitlines()
    assert any(json.loads(line)["targets"] for line in lines)
