"""What the scanner process makes of each fault: what docs/simulated-scanner.md says."""

from pathlib import Path

import pytest
from scanner_ways import N, sent

from rtaffect.scanner.decisions import Decision, Dropped, Frame, RunStarted, Why
from rtaffect.scanner.policy import Policy

pytestmark = pytest.mark.integration


def decided(name: str, folder: Path, *faults: str, n_expected: int = N) -> list[Decision]:
    policy = Policy()
    decisions: list[Decision] = []
    for item in sent(name, folder, *faults, n_expected=n_expected):
        decisions += policy.push(item)
    decisions += policy.tick(1e9)
    return decisions


def used(decisions: list[Decision]) -> list[int]:
    return [one.acquired.index for one in decisions if isinstance(one, Frame)]


def dropped(decisions: list[Decision]) -> list[tuple[int, Why]]:
    return [(one.index, one.why) for one in decisions if isinstance(one, Dropped)]


def test_without_a_fault_everything_is_used(tmp_path: Path) -> None:
    decisions = decided("pyneal", tmp_path)
    assert used(decisions) == list(range(N))
    assert not dropped(decisions)
    assert sum(isinstance(one, RunStarted) for one in decisions) == 1


def test_lost_volumes_are_counted(tmp_path: Path) -> None:
    decisions = decided("nifti", tmp_path, "drop@4+4", n_expected=N - 2)
    assert used(decisions) == [0, 1, 4, 5, 6]
    missing = [one.n_missing for one in decisions if isinstance(one, Frame)]
    assert missing == [0, 0, 2, 0, 0]


@pytest.mark.parametrize("name", ["pyneal", "dicom"])
def test_doubled_volumes_are_used_once(name: str, tmp_path: Path) -> None:
    decisions = decided(name, tmp_path, "duplicate@4+4", n_expected=N + 2)
    assert used(decisions) == list(range(N))
    assert [index for index, _ in dropped(decisions)] == [2, 3]
    assert {why for _, why in dropped(decisions)} <= {Why.DUPLICATE, Why.SECOND_SERIES}


def test_volumes_out_of_order_are_put_in_order(tmp_path: Path) -> None:
    decisions = decided("pyneal", tmp_path, "swap@4+2")
    assert used(decisions) == list(range(N))
    assert not dropped(decisions)


@pytest.mark.parametrize("fault", ["affine@4+2=10", "shape@4+2"])
def test_a_volume_that_lies_elsewhere_is_refused(fault: str, tmp_path: Path) -> None:
    decisions = decided("pyneal", tmp_path, fault)
    assert used(decisions) == [0, 1, 3, 4, 5, 6]
    assert dropped(decisions) == [(2, Why.CHANGED)]


def test_milliseconds_change_nothing(tmp_path: Path) -> None:
    decisions = decided("pyneal", tmp_path, "ms@4+4")
    assert used(decisions) == list(range(N))
    assert not dropped(decisions)
