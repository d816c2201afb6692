"""ROI frames on the command line: tables alone and beside EEG and face, and a session begun."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from frame_cases import REGIONS
from openface_file import write_openface
from test_bad_input import helps, xdf
from test_baseline_command import rtaffect
from test_streams_and_init import network, run, stream
from tiny_bundle import CH_NAMES, write_tiny_bundle
from tiny_roi_bundle import write_tiny_roi_bundle

from rtaffect.cli.main import app
from rtaffect.config import load_session
from rtaffect.sources.lsl_inlet import FoundStream

__all__ = ["network"]  # the fixture


def table(path: Path, regions: tuple[str, ...] = REGIONS, *, tr_s: float | None = 2.0) -> Path:
    rng = np.random.default_rng(0)
    rows = rng.normal(100.0, 2.0, (30, len(regions)))
    lines = [",".join(regions), *(",".join(map(repr, row)) for row in rows.tolist())]
    path.write_text("\n".join(lines))
    if tr_s is not None:
        path.with_suffix(".json").write_text(json.dumps({"RepetitionTime": tr_s}))
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a table; the shipped models are one of EEG and one of fMRI."""
    shipped = tmp_path / "models"
    shipped.mkdir()
    write_tiny_bundle(shipped)
    write_tiny_roi_bundle(shipped)
    monkeypatch.setattr("rtaffect.bundle._SHIPPED", shipped)
    table(tmp_path / "roi.csv")
    return tmp_path


def estimates(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_table_alone_is_decoded_frame_by_frame(folder: Path) -> None:
    said = rtaffect("replay", "roi.csv", "--out", "e.jsonl", folder=folder)
    assert said.code == 0, said.text
    assert "roi: roi, 5 channels, irregular" in said.text
    assert "bundle: tiny-roi" in said.text
    made = estimates(folder / "e.jsonl")
    assert [e["t_end"] for e in made] == [2.0 * k + 1.0 for k in range(30)]
    assert all(e["lag_s"] == 6.0 for e in made)
    assert sum(bool(e["targets"]) for e in made) > 20


def test_a_table_beside_eeg_and_face_is_decoded_by_both_models(folder: Path) -> None:
    xdf(folder / "eeg.xdf", duration_s=20.0)
    write_openface(folder / "face.csv", seconds=20.0)
    files = ("eeg.xdf", "face.csv", "roi.csv")
    said = rtaffect("replay", *files, "--out", "all.jsonl", "--roi-offset", "2", folder=folder)
    assert said.code == 0, said.text
    assert "bundle: tiny, tiny-roi" in said.text
    both = estimates(folder / "all.jsonl")
    of = {name: [e for e in both if e["decoder"] == name] for name in ("tiny", "tiny-roi")}
    t_first = min(e["t_end"] for e in of["tiny-roi"] if e["targets"])
    assert t_first > 100.0  # the XDF's clock
    assert any(e["targets"] for e in of["tiny"])
    rtaffect("replay", "eeg.xdf", "face.csv", "--out", "eeg.jsonl", folder=folder)
    alone = {e["t_end"]: e["targets"] for e in estimates(folder / "eeg.jsonl")}
    beside = {e["t_end"]: e["targets"] for e in of["tiny"]}
    shared = sorted(set(alone) & set(beside))
    assert len(shared) > 20
    assert [alone[t] for t in shared] == [beside[t] for t in shared]


def test_a_table_without_a_tr_asks_for_one(folder: Path) -> None:
    table(folder / "bare.csv", tr_s=None)
    helps(rtaffect("replay", "bare.csv", folder=folder), ["`--tr`", "bare.csv"])
    assert rtaffect("replay", "bare.csv", "--tr", "2", folder=folder).code == 0


def test_a_run_that_is_too_short_says_what_a_model_of_frames_needs(folder: Path) -> None:
    lines = (folder / "roi.csv").read_text().splitlines()
    (folder / "short.tsv").write_text("\n".join(lines[:4]).replace(",", "\t"))
    said = rtaffect("replay", "short.tsv", "--tr", "2", folder=folder)
    helps(said, ["no frame of it has an answer", "window of 12 s"])


def test_regions_that_no_model_knows_are_counted(folder: Path) -> None:
    table(folder / "other.csv", tuple(f"region {i}" for i in range(300)))
    said = rtaffect("replay", "other.csv", folder=folder)
    helps(said, ["No shipped model fits the regions", "tiny-roi lacks roi: A8m_L", "292 more"])
    assert "Name regions as the model does" in said.text
    assert "eeg" not in said.text


@pytest.mark.usefixtures("folder")
def test_a_model_of_frames_is_shown_in_its_own_words() -> None:
    shown = " ".join(
        run(app, ["bundle", "show", "tiny-roi"], env={"COLUMNS": "200"}).output.split()
    )
    for words in (
        "at each frame of roi (about every 2 s)",
        "speaks of 6 s before",
        "5 regions at 0.5 Hz, needed: A8m_L",
    ):
        assert words in shown


def scanner(**other: object) -> FoundStream:
    given: dict[str, object] = {
        "ch_names": REGIONS,
        "n_channels": len(REGIONS),
        "sfreq": 0.0,
        "units": ("au",) * len(REGIONS),
        "about": {"acquisition.tr_s": "2.0", "atlas.name": "Brainnetome"},
    }
    return stream("fMRI", "Scanner", **(given | other))


def test_streams_say_tr_and_atlas(network: list[FoundStream]) -> None:
    network.append(scanner())
    assert "TR 2.0 s, regions of Brainnetome" in run(app, ["streams"]).output
    (line,) = run(app, ["streams", "--json"]).output.splitlines()
    assert json.loads(line)["about"]["acquisition.tr_s"] == "2.0"


@pytest.mark.usefixtures("folder")
def test_init_takes_a_scanner_alone(
    network: list[FoundStream],
    tmp_path: Path,
) -> None:
    network.append(scanner())
    done = run(app, ["init", str(tmp_path / "s.yaml")])
    assert done.exit_code == 0, done.output
    session = load_session(tmp_path / "s.yaml")
    assert [decoder.bundle for decoder in session.decoders] == ["tiny-roi"]
    (choice,) = session.choices()
    assert (choice.modality, choice.stype, choice.source_id) == ("roi", "fMRI", "Scanner-id")
    assert session.mr is None


@pytest.mark.parametrize(("sfreq", "mr"), [(500.0, "corrected"), (5000.0, "causal_aas")])
@pytest.mark.usefixtures("folder")
def test_init_gives_eeg_and_scanner_a_model_each_and_says_what_of_the_artifacts(
    network: list[FoundStream],
    tmp_path: Path,
    sfreq: float,
    mr: str,
) -> None:
    network += [stream("EEG", "Amp", sfreq=sfreq), scanner(), stream("Markers", "Scan")]
    done = run(app, ["init", str(tmp_path / "s.yaml")])
    assert done.exit_code == 0, done.output
    assert f"mr       {mr} was written" in done.output
    session = load_session(tmp_path / "s.yaml")
    assert {decoder.bundle for decoder in session.decoders} == {"tiny", "tiny-roi"}
    assert session.mr is not None
    assert session.mr.eeg == mr
    assert set(CH_NAMES) <= set(network[0].ch_names)
