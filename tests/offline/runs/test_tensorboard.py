from pathlib import Path

import pytest
from pretend_units import Pretend, PretendEpoch, pretend_units

from offline.errors import RunError
from offline.runs import tensorboard
from offline.runs.tensorboard import Drawing
from offline.runs.work import OneByOne


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    reading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = reading.EventAccumulator(str(folder)).Reload()
    return {
        tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]
    }


def test_losses_are_drawn_while_it_runs(tmp_path: Path) -> None:
    (unit,) = pretend_units("a")
    work = OneByOne(root=tmp_path, function=Pretend(tmp_path / "log"), tensorboard=True)
    work([unit], lambda message: None)
    found = scalars(tmp_path / unit.run / "tensorboard" / "a-seed-0")
    assert found["nll/train"] == [(n, pytest.approx(1 / n)) for n in (1, 2, 3)]
    assert found["nll/validation"] == [(n, pytest.approx(2 / n)) for n in (1, 2, 3)]


def test_an_epoch_that_is_trained_once_more_is_drawn_once(tmp_path: Path) -> None:
    class Deaf:
        def on_epoch(self, epoch: object) -> None:
            """Say nothing."""

    for numbers in ((1, 2, 3), (3, 4)):
        with Drawing(tmp_path, Deaf()) as drawing:
            for number in numbers:
                drawing.on_epoch(PretendEpoch(number, 1.0, 1.0))
    assert [step for step, _ in scalars(tmp_path)["nll/train"]] == [1, 2, 3, 4]


def test_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensorboard, "is_installed", lambda: False)
    work = OneByOne(root=tmp_path, function=Pretend(tmp_path / "log"), tensorboard=True)
    with pytest.raises(RunError, match=r"pip install 'rtaffect\[track\]'"):
        work(pretend_units("a"), lambda message: None)


def test_without_it_nothing_is_drawn(tmp_path: Path) -> None:
    work = OneByOne(root=tmp_path, function=Pretend(tmp_path / "log"))
    work(pretend_units("a"), lambda message: None)
    assert not (tmp_path / "0123456789ab" / "tensorboard").exists()
