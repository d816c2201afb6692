"""``rtaffect simulate --scanner``: what a person types, and what leaves."""

from pathlib import Path

import nibabel
import numpy as np
import pytest
from typer.testing import CliRunner

from rtaffect.cli.main import app

pytestmark = pytest.mark.integration


def simulate(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["simulate", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_table_leaves_as_files(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n" + "\n".join(f"{i + 1},{10 * i + 1}" for i in range(5)))
    (tmp_path / "out").mkdir()
    said = simulate(
        "--scanner", "nifti", "--to", str(tmp_path / "out"), "--scan", str(tmp_path / "t.csv"),
        "--tr", "1.5", "--unpaced", "--fault", "scanner:drop@3+1.5",
    )  # fmt: skip
    assert "4 volumes left" in said
    files = sorted((tmp_path / "out").glob("*.nii"))
    assert [file.name[-10:-4] for file in files] == ["000001", "000002", "000004", "000005"]
    volumes = [np.asarray(nibabel.load(file).dataobj) for file in files]
    assert nibabel.load(files[0]).header["pixdim"][4] == 1.5
    labels = (volumes[0] != 0).sum()
    assert labels > 1000
    means = [volume[volume != 0].mean() for volume in volumes]
    assert np.all(np.diff(means) > 0)


def test_a_participant_lies_in_a_scanner(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    said = simulate(
        "--scanner", "dicom", "--to", str(tmp_path / "out"), "--duration", "4", "--tr", "1",
        "--scan-after", "1", "--labels", str(tmp_path / "labels.nii.gz"), "--unpaced",
        "--sfreq", "128", "--seed", "9",
        "--source-id", f"scan-{tmp_path.name}",
    )  # fmt: skip
    assert "3 volumes left" in said
    assert "nobody is measured" in said
    assert len(list((tmp_path / "out").glob("*.dcm"))) == 3
    labels = np.asarray(nibabel.load(tmp_path / "labels.nii.gz").dataobj)
    assert set(np.unique(labels)) == set(range(247))


def test_the_faults_of_a_scanner_are_listed() -> None:
    assert "scanner:swap@start+duration" in simulate("--faults")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--fault", "scanner:drop@3"], "--scanner pyneal"),
        (["--tr", "2"], "--scanner pyneal"),
        (["--scanner", "nifti"], "--to"),
        (["--scanner", "nifti", "--to", "/nowhere/at/all"], "Make it"),
        (["--scanner", "afni", "--to", "localhost"], "host:port"),
        (["--scanner", "afni", "--fault", "scanner:shape@3"], "another protocol"),
        (["--scanner", "pyneal", "--to", "nonsense"], "tcp://127.0.0.1:5555"),
        (["--scanner", "lsl", "--scan", "none.nii"], "cannot be read"),
    ],
)
def test_what_cannot_be_is_said(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(app, ["simulate", "--duration", "2", *arguments])
    assert result.exit_code != 0
    assert said in f"{result.output} {result.exception}"
