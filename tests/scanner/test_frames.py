"""From a volume, or means, to a frame that can be sent."""

import math

import numpy as np
import numpy.typing as npt
import pytest

from rtaffect.config.scanner import CleaningSettings
from rtaffect.core.atlas import RegionTable
from rtaffect.core.errors import ScannerError
from rtaffect.scanner.acquired import RoiMeans, Volume
from rtaffect.scanner.decisions import Frame
from rtaffect.scanner.frames import FrameMaker, MadeFrame
from rtaffect.scanner.roi_means import LabelImage, RoiMeanMaker
from rtaffect.scanner.stages import Stage, Stages

REGIONS = RegionTable(name="three", values=(1, 2, 3), names=("a", "b", "c"))
TR_S = 2.0


def means_of(values: object, motion: object = None, *, index: int = 0) -> Frame:
    item = RoiMeans(
        values=np.asarray(values, dtype=np.float64),
        motion=None if motion is None else np.asarray(motion, dtype=np.float64),
        index=index,
        run="1",
        tr_s=TR_S,
        t_acq=math.nan,
        t_arrival=0.0,
    )
    return Frame(acquired=item, run=1, n_missing=0, reordered=False)


def maker(cleaning: CleaningSettings | None = None) -> FrameMaker:
    return FrameMaker(REGIONS, None, cleaning, Stages())


def run_of(frames: FrameMaker, series: npt.NDArray, motion: object = None) -> list[MadeFrame]:
    frames.begin_run()
    return [
        frames.make(means_of(values, motion, index=i), t_acq=100.0 + TR_S * i)
        for i, values in enumerate(series)
    ]


def test_without_cleaning_values_pass_as_they_are_and_are_valid_at_once() -> None:
    made = maker().make(means_of([1.0, np.nan, 3.0]), t_acq=0.0)
    np.testing.assert_array_equal(made.values, [1.0, np.nan, 3.0])
    assert made.valid
    assert (made.words, made.n_absent) == (("absent_regions",), 1)


def test_a_frame_without_any_region_is_never_valid() -> None:
    made = maker().make(means_of([np.nan] * 3), t_acq=0.0)
    assert not made.valid
    assert set(made.words) == {"absent_regions", "empty"}


def test_frames_are_valid_once_the_run_has_settled() -> None:
    frames = maker(CleaningSettings(n_settle=5))
    series = np.random.default_rng(0).normal(100.0, 1.0, (9, 3))
    for _run in range(2):
        assert [made.valid for made in run_of(frames, series)] == [False] * 5 + [True] * 4


@pytest.mark.parametrize("done", [("detrend",), ("despike",), ("detrend", "despike")])
def test_what_the_sender_of_means_cleaned_is_not_cleaned_again(done: tuple[str, ...]) -> None:
    series = np.random.default_rng(4).normal(100.0, 1.0, (20, 3))
    series[12] += 40.0
    sent = {f"processing.{key}": "theirs" for key in done}
    left = CleaningSettings(
        detrend="none" if "detrend" in done else "glm", despike="despike" not in done
    )
    told = FrameMaker(REGIONS, None, CleaningSettings(), Stages(), about=sent)
    made = [frame.values for frame in run_of(told, series)]
    np.testing.assert_array_equal(
        made, series if len(done) == 2 else [f.values for f in run_of(maker(left), series)]
    )


def test_a_new_run_remembers_nothing_of_the_one_before() -> None:
    frames = maker(CleaningSettings())
    rng = np.random.default_rng(1)
    motion = [1.0, 0, 0, 0, 0, 0]
    series = rng.normal(100.0, 1.0, (30, 3))
    first = run_of(frames, series, motion)
    run_of(frames, rng.normal(500.0, 90.0, (30, 3)))
    again = run_of(frames, series, motion)
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.values, other.values)
        assert one.displacement_mm == other.displacement_mm


def test_displacement_is_that_of_power_2012() -> None:
    frames = maker()
    first = frames.make(means_of([1, 2, 3], [0.1, 0.2, 0.3, 1.0, 2.0, 3.0]), t_acq=0.0)
    second = frames.make(means_of([1, 2, 3], [0.4, 0.0, 0.3, 1.5, 2.0, 2.0]), t_acq=2.0)
    arc_mm = 2.0 * math.pi * 50.0 / 360.0  # of one degree
    assert first.displacement_mm == 0.0
    assert second.displacement_mm == pytest.approx(0.3 + 0.2 + 1.5 * arc_mm)
    assert "motion" in second.words
    still = frames.make(means_of([1, 2, 3], [0.4, 0.0, 0.3, 1.5, 2.0, 2.0]), t_acq=4.0)
    assert still.displacement_mm == 0.0
    assert not still.words


def test_without_motion_there_is_no_displacement() -> None:
    assert math.isnan(maker().make(means_of([1, 2, 3]), t_acq=0.0).displacement_mm)


def test_a_gap_and_a_volume_that_waited_are_said() -> None:
    frame = Frame(acquired=means_of([1, 2, 3]).acquired, run=1, n_missing=2, reordered=False)
    assert maker().make(frame, t_acq=0.0).words == ("gap",)
    frame = Frame(acquired=frame.acquired, run=1, n_missing=0, reordered=True)
    assert maker().make(frame, t_acq=0.0).words == ("reordered",)


def test_another_number_of_regions_is_refused() -> None:
    with pytest.raises(ScannerError, match="3 regions of 'three', got 4"):
        maker().make(means_of([1, 2, 3, 4]), t_acq=0.0)


def a_volume() -> Frame:
    item = Volume(
        data=np.arange(8, dtype=np.int16).reshape(2, 2, 2),
        affine=np.eye(4),
        index=0,
        run="1",
        tr_s=TR_S,
        t_acq=math.nan,
        t_arrival=0.0,
    )
    return Frame(acquired=item, run=1, n_missing=0, reordered=False)


def test_a_volume_without_a_label_image_is_refused() -> None:
    with pytest.raises(ScannerError, match="label image"):
        maker().make(a_volume(), t_acq=0.0)


def test_a_volume_becomes_means_and_every_stage_is_measured() -> None:
    values = np.array([[[1, 1], [2, 2]], [[0, 0], [2, 0]]], dtype=np.int32)
    labels = LabelImage(values=values, affine=np.eye(4), name="labels")
    stages = Stages()
    frames = FrameMaker(REGIONS, RoiMeanMaker(labels, REGIONS), None, stages)
    made = frames.make(a_volume(), t_acq=0.0)
    np.testing.assert_allclose(made.values, [0.5, 11 / 3, np.nan])
    assert set(stages.report()) == {Stage.MEANS, Stage.CLEAN}
    assert all(line.startswith(("means: p50", "clean: p50")) for line in stages.lines())
