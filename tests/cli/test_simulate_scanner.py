"""``rtaffect simulate --scanner``: what a person types, and what leaves."""

import csv
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nibabel
import numpy as np
import pytest
from typer.testing import CliRunner

from rtaffect.cli.main import app
from rtaffect.config.scanner_inputs import LslRoiSettings, NiftiSettings
from rtaffect.core.atlas import read_regions
from rtaffect.core.errors import ScannerError
from rtaffect.scanner.acquired import Acquired, RoiMeans, Volume
from rtaffect.scanner.inputs import open_input
from rtaffect.scanner.nifti import NiftiReader
from rtaffect.scanner.roi_means import RoiMeanMaker, read_labels
from rtaffect.simulate.participant import Participant
from rtaffect.simulate.scan import TableScan
from rtaffect.simulate.scanner_lsl import LslLink
from rtaffect.simulate.scanner_sender import ScannerPlan, run_scanned
from rtaffect.sources.lsl_inlet import local_clock

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


def test_a_table_brings_its_label_image_and_its_names(tmp_path: Path) -> None:
    """What takes the means of the volumes' regions gets the table back, under its names."""
    rows = np.random.default_rng(3).normal(500.0, 30.0, (4, 3))
    names = ("A8m_L", "Insula, left", 'the "third"')
    with (tmp_path / "t.csv").open("w", newline="") as file:
        csv.writer(file).writerows([names, *rows.tolist()])
    (tmp_path / "out").mkdir()
    simulate(
        "--scanner", "nifti", "--to", str(tmp_path / "out"), "--scan", str(tmp_path / "t.csv"),
        "--tr", "2", "--unpaced", "--labels", str(tmp_path / "l.nii.gz"),
    )  # fmt: skip
    maker = RoiMeanMaker(read_labels(tmp_path / "l.nii.gz"), read_regions(str(tmp_path / "l.tsv")))
    assert maker.regions.names == names
    reader = NiftiReader(NiftiSettings(kind="nifti", folder=str(tmp_path / "out")))
    means = []
    for path in sorted((tmp_path / "out").glob("*.nii")):
        arrived = reader.gather([reader.read(path, 0.0)])
        means += [maker.means(item) for item in arrived if isinstance(item, Volume)]
    np.testing.assert_allclose(means, rows, rtol=1e-5)


def test_frames_as_fast_as_it_goes_wait_for_who_receives_them(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n" + "\n".join(f"{i},{-i}" for i in range(50)))
    identity = f"unpaced-{os.getpid()}-{tmp_path.name}"
    plan = ScannerPlan(
        kind="lsl", scan=tmp_path / "t.csv", tr_s=2.0, paced=False, source_id=identity
    )
    with ThreadPoolExecutor(1) as pool:
        stop = threading.Event()
        sent = pool.submit(run_scanned, Participant(1), plan, stop=stop)
        try:
            settings = LslRoiSettings(kind="lsl", source_id=identity, wait_s=20.0)
            with open_input(settings, local_clock) as source:
                arrived: list[Acquired] = []
                deadline = time.monotonic() + 20.0
                while len(arrived) < 50 and time.monotonic() < deadline:
                    arrived += source.receive(0.2)
        finally:
            stop.set()
        assert sent.result() == 50
    frames = [item for item in arrived if isinstance(item, RoiMeans)]
    np.testing.assert_array_equal([item.values for item in frames], [[i, -i] for i in range(50)])


def test_where_nobody_receives_frames_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    link = LslLink(source_id=f"alone-{os.getpid()}-{tmp_path.name}", wait_s=0.2)
    with pytest.raises(ScannerError, match=r"within 0\.2 s: start the receiver"):
        link.begin(TableScan(tmp_path / "t.csv", tr_s=2.0), 0.0)
    link.close()


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
        (["--scanner", "lsl", "--labels", "l.txt"], "called .nii or .nii.gz, got 'l.txt'"),
        (["--scanner", "lsl", "--labels", "/nowhere/l.nii"], "cannot be written"),
    ],
)
def test_what_cannot_be_is_said(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(app, ["simulate", "--duration", "2", *arguments])
    assert result.exit_code != 0
    assert said in f"{result.output} {result.exception}"
    assert "Sending" not in result.output
