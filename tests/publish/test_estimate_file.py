"""Estimates in files: what was written is read back, and nothing is overwritten."""

import csv
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tiny_bundle import write_tiny_bundle

from rtaffect.bundle import Bundle
from rtaffect.core.errors import PublishError
from rtaffect.core.estimate import Distribution, Estimate, as_jsonable
from rtaffect.core.sinks import Timing
from rtaffect.core.window import Flag
from rtaffect.publish.estimate_file import ROWS_PER_BATCH, EstimateFile

TIMING = Timing(t_closed=10.25, t_decoded=10.251)
COLUMNS = [
    *("decoder", "t_start", "t_end", "lag_s"),
    *("valence_expected", "valence_spread", "valence_p_low", "valence_p_high"),
    *("arousal_expected", "arousal_spread", "arousal_p_low", "arousal_p_high"),
    *("confidence", "n_slices", "eeg_coverage", "face_coverage", "flags", "bundle_digest"),
]


@pytest.fixture
def bundles(tmp_path: Path) -> Mapping[str, Bundle]:
    return {"tiny": write_tiny_bundle(tmp_path)}


def answer(t_end: float) -> Estimate:
    low = 1 / 3 + t_end / 1e6
    target = Distribution(
        classes=("low", "high"), probabilities=(low, 1 - low), edges=(-1.0, 0.0, 1.0)
    )
    return Estimate(
        decoder="tiny",
        t_start=t_end - 1,
        t_end=t_end,
        targets={"valence": target, "arousal": target},
        confidence=0.1 + 0.2,  # a number that needs all its digits
        coverage={"eeg": 0.9375, "face": 1.0},
        flags=(("eeg", Flag.GAP), ("face", Flag.SIMULATED)),
        contributions={"tiny": 1.0},
        n_slices=2,
        bundle_digest="d" * 64,
        lag_s=5.0,
    )


def silence(t_end: float) -> Estimate:
    return Estimate(
        decoder="tiny",
        t_start=t_end - 1,
        t_end=t_end,
        targets={},
        confidence=0.0,
        coverage={"eeg": 0.0, "face": 0.0},
        flags=(("eeg", Flag.MISSING),),
        contributions={},
        n_slices=0,
        bundle_digest="d" * 64,
    )


def written(path: Path, bundles: Mapping[str, Bundle], n: int = 3) -> list[Estimate]:
    estimates = [answer(k / 2) if k % 3 else silence(k / 2) for k in range(n)]
    file = EstimateFile(path, bundles)
    for estimate in estimates:
        file.on_estimate(estimate, TIMING)
    file.close()
    return estimates


def fill(file: EstimateFile) -> None:
    for k in range(3 * ROWS_PER_BATCH):
        file.on_estimate(answer(k), TIMING)


def as_row(estimate: Estimate) -> dict[str, object]:
    """What the table says of an estimate, None where it says nothing."""
    row: dict[str, object] = dict.fromkeys(COLUMNS)
    row |= {
        key: getattr(estimate, key)
        for key in "decoder t_start t_end lag_s confidence n_slices bundle_digest".split()
    }
    row["flags"] = " ".join(f"{modality}:{flag.value}" for modality, flag in estimate.flags)
    row |= {f"{modality}_coverage": share for modality, share in estimate.coverage.items()}
    for name, target in estimate.targets.items():
        row[f"{name}_expected"], row[f"{name}_spread"] = target.expected, target.spread
        row[f"{name}_p_low"], row[f"{name}_p_high"] = target.probabilities
    return row


@pytest.mark.parametrize("n", [0, 3, ROWS_PER_BATCH + 1])
def test_parquet_is_read_back_exactly(
    tmp_path: Path, bundles: Mapping[str, Bundle], n: int
) -> None:
    path = tmp_path / "estimates.parquet"
    estimates = written(path, bundles, n)
    table = pq.read_table(path)
    assert table.column_names == COLUMNS
    assert table.to_pylist() == [as_row(estimate) for estimate in estimates]


@pytest.mark.parametrize("n", [0, 3, ROWS_PER_BATCH + 1])
def test_csv_is_read_back_exactly(tmp_path: Path, bundles: Mapping[str, Bundle], n: int) -> None:
    path = tmp_path / "estimates.csv"
    estimates = written(path, bundles, n)
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        assert reader.fieldnames == COLUMNS
        rows = list(reader)
    expected = [
        {key: "" if value is None else str(value) for key, value in as_row(estimate).items()}
        for estimate in estimates
    ]
    assert rows == expected
    floats = [float(row["valence_p_low"]) for row in rows if row["valence_p_low"]]
    assert floats == [e.targets["valence"].probabilities[0] for e in estimates if e.targets]


def test_json_lines_are_estimates_as_on_the_wire(
    tmp_path: Path, bundles: Mapping[str, Bundle]
) -> None:
    path = tmp_path / "estimates.jsonl"
    estimates = written(path, bundles)
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    timing = {"t_closed": 10.25, "t_decoded": 10.251}
    assert lines == [{**as_jsonable(estimate), **timing} for estimate in estimates]


@pytest.mark.parametrize("name", ["e.parquet", "e.csv", "e.jsonl"])
def test_a_file_that_exists_is_not_overwritten(
    tmp_path: Path, bundles: Mapping[str, Bundle], name: str
) -> None:
    path = tmp_path / name
    path.write_text("somebody's work")
    with pytest.raises(PublishError, match="exists and is not overwritten"):
        EstimateFile(path, bundles)
    assert path.read_text() == "somebody's work"


@pytest.mark.parametrize("name", ["e.parquet", "e.csv", "e.jsonl"])
def test_a_missing_folder_is_an_error(
    tmp_path: Path, bundles: Mapping[str, Bundle], name: str
) -> None:
    with pytest.raises(PublishError, match=r"cannot be written.*its folder must exist"):
        EstimateFile(tmp_path / "nowhere" / name, bundles)


@pytest.mark.parametrize("name", ["e.txt", "e", "e.xdf"])
def test_another_format_is_refused_with_those_there_are(
    tmp_path: Path, bundles: Mapping[str, Bundle], name: str
) -> None:
    with pytest.raises(PublishError, match=rf"written as \.parquet, \.csv, \.jsonl, got '{name}'"):
        EstimateFile(tmp_path / name, bundles)
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize("name", ["e.csv", "e.jsonl"])
def test_a_full_disk_is_an_error_of_ours(
    tmp_path: Path, bundles: Mapping[str, Bundle], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("needs /dev/full")
    with full.open("w", encoding="utf-8") as device:
        monkeypatch.setattr(Path, "open", lambda *_args, **_kwargs: device)
        file = EstimateFile(tmp_path / name, bundles)
        with pytest.raises(PublishError, match=rf"{name} cannot be written \(No space left"):
            fill(file)
        with suppress(PublishError):  # what is left cannot be written either
            file.close()
        assert device.closed
