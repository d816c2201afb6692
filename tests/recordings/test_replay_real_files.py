"""``rtaffect replay`` on every real recording: estimates, or the right words."""

import json
from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from rtaffect.bundle import load_bundle, shipped_bundles
from rtaffect.cli.main import app
from rtaffect.core.montages import EEG_15

pytestmark = pytest.mark.recordings

REPLAYED = {  # duration in seconds
    "eeg/eeglab-sample/eeglab_data.set": 238.3,
    "eeg/eegmat/Subject00_1.edf": 182.0,
    "eeg/eegmat/Subject00_2.edf": 62.0,
    "eeg/eegmat/Subject01_2.edf": 62.0,
}
FITS_NONE = "No shipped model fits the channels at hand"
REFUSED = {
    "eeg/eeglab-sample/eeglab_data.fdt": "Give the .set file beside it",
    "eeg/eeglab-sample/eeglab_chan32.locs": "not a recording that can be read",
    "eeg/eeglab-sample/testmusemonitor.csv": "but not OpenFace's",
    "eeg/eeglab-sample/test.bdf": FITS_NONE,
    "xdf/labrecorder-examples/clock_resets.xdf": "has no channel labels",
    "xdf/labrecorder-examples/minimal.xdf": "has no channel labels",
    "xdf/labrecorder-examples/empty_streams.xdf": "No stream with samples fits type 'EEG'",
    "xdf/muse/sub-P001_ses-S001_task-Default_run-001_eeg.xdf": FITS_NONE,
    "xdf/muse/sub-P002_ses-S001_task-Default_run-001_eeg.xdf": FITS_NONE,
    "xdf/muse/sub-P031_ses-S001_task-Default_run-001_eeg.xdf": FITS_NONE,
}
HOP_S = 0.25


def replay(*arguments: object) -> Result:
    result = CliRunner().invoke(app, ["replay", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def estimates(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_no_real_file_is_left_out(shared_data: Path) -> None:
    files = [path for kind in ("eeg", "xdf") for path in (shared_data / kind).rglob("*.*")]
    names = {
        str(path.relative_to(shared_data)) for path in files if path.suffix not in (".txt", ".md")
    }
    assert names == set(REPLAYED) | set(REFUSED)


@pytest.mark.parametrize("name", REPLAYED)
def test_a_file_with_the_fifteen_electrodes_replays_unaided(
    shared_data: Path, name: str, tmp_path: Path
) -> None:
    out = tmp_path / "estimates.jsonl"
    result = replay(shared_data / name, "--out", out)
    assert result.exit_code == 0, result.output
    assert "bundle: prior-dfcn-eeg" in result.output
    seen = estimates(out)
    answers = [estimate for estimate in seen if estimate["targets"]]
    assert len(seen) == pytest.approx(REPLAYED[name] / HOP_S, abs=2)
    assert len(answers) > len(seen) - 4.5 / HOP_S  # a second to measure the rate, three of a window
    for estimate in answers:
        for target in estimate["targets"].values():
            assert sum(target["probabilities"]) == pytest.approx(1.0, abs=1e-5)
            assert -1.0 <= target["expected"] <= 1.0
    flags = Counter(flag for estimate in seen for _, flag in estimate["flags"])
    assert flags["simulated"] == len(seen)  # whom the model was trained on is never left unsaid
    assert not flags["gap"]
    assert not flags["stale"]
    assert not flags["interpolated"]


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_decoded_is_refused_with_the_right_words(
    shared_data: Path, name: str
) -> None:
    result = replay(shared_data / name)
    assert result.exit_code == 1
    assert REFUSED[name] in result.output
    assert "Traceback" not in result.output
    assert result.output[result.output.index("Error:") :].count("\n") <= 8


def test_a_bundle_that_does_not_fit_lists_the_channels(shared_data: Path) -> None:
    result = replay(shared_data / "eeg/eeglab-sample/test.bdf", "--bundle", "prior-dfcn-eeg")
    assert result.exit_code == 1
    assert "positions on the amplifier" in result.output
    assert "rename" in result.output


def test_a_session_file_makes_a_file_of_others_fit(shared_data: Path, tmp_path: Path) -> None:
    # Which electrode sat where, nobody knows any more: the names only show the way.
    rename = dict(zip([f"A{n}" for n in range(1, 16)], EEG_15, strict=True))
    session = tmp_path / "session.yaml"
    session.write_text(
        f"streams: {{eeg: {{type: EEG, rename: {json.dumps(rename)}}}}}\n"
        "decoders: [{bundle: prior-dfcn-eeg}]\n"
    )
    result = replay(shared_data / "eeg/eeglab-sample/test.bdf", "--session", session)
    assert result.exit_code == 0, result.output


def test_replay_twice_gives_the_same_estimates(shared_data: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    for out in (first, second):
        file = shared_data / "eeg/eegmat/Subject01_2.edf"
        assert replay(file, "--out", out, "--bundle", "prior-dfcn-eeg").exit_code == 0
    timing = ("t_closed", "t_decoded")
    one, other = (
        [{key: value for key, value in line.items() if key not in timing} for line in estimates(f)]
        for f in (first, second)
    )
    assert one == other  # JSON holds the shortest digits that give the number back exactly


def test_the_shipped_eeg_bundle_asks_for_the_fifteen_electrodes() -> None:
    manifest = load_bundle(shipped_bundles()["prior-dfcn-eeg"]).manifest
    assert manifest.windows.modalities["eeg"].ch_names == EEG_15
    assert manifest.simulated
