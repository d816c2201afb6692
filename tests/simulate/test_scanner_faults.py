"""What goes wrong on the way out of a scanner, and what may be scanned."""

import threading
from pathlib import Path

import nibabel
import numpy as np
import pytest

from rtaffect.core.clock import ManualClock
from rtaffect.core.errors import ConfigError, RecordingError
from rtaffect.simulate.bold import BoldSettings, SimulatedBold
from rtaffect.simulate.delivery import Delivery
from rtaffect.simulate.participant import Participant
from rtaffect.simulate.scan import NiftiScan, Scan, SimulatedScan, TableScan, open_scan
from rtaffect.simulate.scanner_faults import (
    SCANNER_FAULTS,
    apply_scanner_faults,
    describe_scanner_faults,
    parse_scanner_fault,
)
from rtaffect.simulate.scanner_link import NAN, deliveries, run_scanner
from rtaffect.simulate.volumes import PaintedBold, Parcellation

BOLD = SimulatedBold(Participant(5), BoldSettings(n_regions=4))
SCAN = SimulatedScan(PaintedBold(BOLD, Parcellation(n_regions=4, shape=(6, 6, 4))), 20.0)


def out(*faults: str) -> list[Delivery]:
    harmed = [parse_scanner_fault(fault) for fault in faults]
    return list(apply_scanner_faults(deliveries(SCAN, delay_s=2.0, start_up_s=6.0), harmed))


def due(*faults: str) -> list[float]:
    return [delivery.due_s for delivery in out(*faults)]


def test_volumes_leave_late_and_the_first_ones_all_at_once() -> None:
    assert due() == [6.0, 6.0, 7.0, 9.0, 11.0, 13.0, 15.0, 17.0, 19.0, 21.0]


def test_a_burst_holds_what_would_leave_meanwhile() -> None:
    assert due("burst@8+6") == [6.0, 6.0, 7.0, 14.0, 14.0, 14.0, 15.0, 17.0, 19.0, 21.0]


def test_late_volumes_leave_later() -> None:
    assert due("late@6+4=5")[3:6] == [14.0, 16.0, 13.0]


def test_numbers_that_are_left() -> None:
    assert [d.number for d in out("drop@4+4")] == [0, 1, 4, 5, 6, 7, 8, 9]
    assert [d.number for d in out("swap@0+2", "swap@18+2")] == [1, 0, 2, 3, 4, 5, 6, 7, 8, 9]
    doubled = [(d.number, d.copy) for d in out("duplicate@2+2", "drop@4+20")]
    assert doubled == [(0, 0), (1, 0), (1, 1)]


def test_a_clock_keeps_what_it_gained() -> None:
    off = [d.clock_off_s for d in out("skew@4+10=1000")]
    np.testing.assert_allclose(off, [0, 0, 1e-3, 3e-3, 5e-3, 7e-3, 9e-3, 1e-2, 1e-2, 1e-2])


def test_the_order_in_which_faults_are_asked_for_does_not_matter() -> None:
    faults = ["duplicate@4+6", "late@6+4=1", "burst@8+4", "nan@4+4=1", "drop@8+2"]
    assert out(*faults) == out(*faults[::-1])


@pytest.mark.parametrize("name", SCANNER_FAULTS)
def test_every_fault_is_described_and_can_be_written_as_it_is_described(name: str) -> None:
    (line,) = [x for x in describe_scanner_faults().splitlines() if f"scanner:{name}@" in x]
    assert len(line.split(maxsplit=1)[1]) > 10
    assert type(parse_scanner_fault(f"scanner:{name}@3+2")) is SCANNER_FAULTS[name]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("drip@3", "Did you mean 'drop'"),
        ("eeg:drop@3", "of a scanner"),
        ("drop@-1", "start"),
        ("drop@3+x", "duration"),
        ("late@3=x", "amount"),
        ("late@3=inf", "amount"),
        ("nan@3=0", "Regions"),
        ("nan@3=Cz", "Regions"),
        ("drop@3=4", "takes no amount"),
        ("drop", "is written"),
    ],
)
def test_what_cannot_be_is_refused_with_help(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse_scanner_fault(text)


class SteppedStop(threading.Event):
    """Waiting moves the clock instead of taking time."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__()
        self._clock = clock

    def wait(self, timeout: float | None = None) -> bool:
        self._clock.advance(timeout or 0.0)
        return self.is_set()


class Noted:
    """A link that notes when what left."""

    carries = frozenset({NAN})

    def __init__(self, clock: ManualClock, *, until: int = 100) -> None:
        self._clock = clock
        self._until = until
        self.left: list[tuple[int, float]] = []
        self.told: list[str] = []

    def begin(self, scan: Scan, t_start: float) -> None:
        self.told.append(f"begin {t_start:g}")

    def send(self, delivery: Delivery) -> bool:
        self.left.append((delivery.number, self._clock()))
        return len(self.left) < self._until

    def end(self) -> None:
        self.told.append("end")

    def close(self) -> None:
        pass


def test_volumes_leave_when_they_are_due() -> None:
    clock = ManualClock(100.0)
    link = Noted(clock)
    n_sent = run_scanner(SCAN, link, stop=SteppedStop(clock), clock=clock)
    assert n_sent == 10
    np.testing.assert_allclose([t - 100 for _, t in link.left], due())
    assert link.told == ["begin 100", "end"]


def test_without_a_pace_nothing_waits() -> None:
    clock = ManualClock(100.0)
    link = Noted(clock)
    run_scanner(SCAN, link, stop=SteppedStop(clock), clock=clock, paced=False)
    assert {t for _, t in link.left} == {100.0}


def test_a_receiver_that_wants_no_more_ends_the_run() -> None:
    clock = ManualClock()
    link = Noted(clock, until=3)
    run_scanner(SCAN, link, stop=SteppedStop(clock), clock=clock)
    assert [number for number, _ in link.left] == [0, 1, 2]
    assert link.told[-1] == "end"


def test_a_nifti_file_is_scanned_as_it_is(tmp_path: Path) -> None:
    voxels = np.random.default_rng(0).integers(0, 900, (4, 5, 3, 6)).astype(np.int16)
    image = nibabel.Nifti1Image(voxels, np.diag([3, 3, 4, 1]))
    image.header.set_zooms((3, 3, 4, 1.5))
    image.header.set_xyzt_units("mm", "sec")
    nibabel.save(image, tmp_path / "run.nii.gz")
    scan = open_scan(tmp_path / "run.nii.gz")
    assert isinstance(scan, NiftiScan)
    assert (scan.n_volumes, scan.tr_s) == (6, 1.5)
    assert all(np.array_equal(scan.volume(i), voxels[..., i]) for i in range(6))
    assert scan.volume(0).dtype == np.int16
    with pytest.raises(ConfigError, match="no regions"):
        scan.means(0)


@pytest.mark.recordings
def test_a_real_scan_whose_tr_is_in_milliseconds(shared_data: Path) -> None:
    scan = NiftiScan(shared_data / "fmri/volumes/nibabel/example4d.nii.gz")
    assert (scan.n_volumes, scan.tr_s) == (2, 2.0)
    assert sorted(scan.volume(1).shape) == [24, 96, 128]


@pytest.mark.recordings
def test_a_real_table_of_regions_is_scanned(shared_data: Path) -> None:
    path = sorted((shared_data / "fmri/studyforrest").glob("**/*.csv"))[0]
    scan = open_scan(path)
    assert isinstance(scan, TableScan)
    labels = scan.labels
    assert labels is not None
    assert labels.max() == len(scan.ch_names)
    volume, means = scan.volume(7), scan.means(7)
    painted = [volume[labels == region].mean() for region in (1, 50, len(means))]
    np.testing.assert_allclose(painted, means[[0, 49, -1]], rtol=1e-4, atol=1e-5)


def test_a_table_is_scanned_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,2\n3,nan\n")
    scan = open_scan(path, tr_s=1.0)
    assert (scan.n_volumes, scan.ch_names, scan.tr_s) == (2, ("a", "b"), 1.0)
    assert np.isnan(scan.means(1)[1])
    path.write_text("t_s,a,b\n0.5,1,2\n2,3,4\n3.5,5,6\n")
    assert open_scan(path).tr_s == 1.5


def test_what_cannot_be_scanned_is_said(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    with pytest.raises(RecordingError, match="--tr"):
        open_scan(tmp_path / "t.csv")
    with pytest.raises(ConfigError, match=r"none\.nii"):
        open_scan(tmp_path / "none.nii")
