"""What the policy lets through becomes frames: means, cleaned, with what is to be said of them."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rtaffect.config.scanner import CleaningSettings
from rtaffect.core.atlas import RegionTable
from rtaffect.core.errors import ScannerError
from rtaffect.scanner.acquired import Floats, Volume
from rtaffect.scanner.decisions import Frame
from rtaffect.scanner.roi_means import RoiMeanMaker
from rtaffect.scanner.stages import Stage, Stages
from rtaffect.signal.acquired import left_to_clean
from rtaffect.signal.roi_cleaning import RoiCleaner

HEAD_RADIUS_MM = 50.0
MOTION_MM = 0.5
"""Displacement from one volume to the next above which the frame is marked (Power 2012)."""

GAP, REORDERED, MOTION, ABSENT, EMPTY = "gap", "reordered", "motion", "absent_regions", "empty"
"""Words of a frame."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MadeFrame:
    """A frame that is ready to be sent.

    Parameters
    ----------
    values : ndarray of float64, shape (n_regions,)
        NaN where a region is missing.
    valid : bool
        The run has settled, and there is something in it.
    words : tuple of str
        What is odd about it.
    displacement_mm : float
        Framewise displacement; NaN where no motion is known.
    n_absent : int
        Regions without a value.
    """

    values: Floats
    valid: bool
    words: tuple[str, ...]
    displacement_mm: float
    n_absent: int


class FrameMaker:
    """Makes frames of one stream of regions, run after run.

    Parameters
    ----------
    regions : RegionTable
        The regions in order.
    means : RoiMeanMaker or None
        Takes means of volumes; None where only means arrive.
    cleaning : CleaningSettings or None
        What is taken out; None for nothing.
    stages : Stages
        Where latencies go.
    about : mapping of str to str
        What the sender of means says of them: what it cleaned is not cleaned again.
    """

    def __init__(
        self,
        regions: RegionTable,
        means: RoiMeanMaker | None,
        cleaning: CleaningSettings | None,
        stages: Stages,
        *,
        about: Mapping[str, str] | None = None,
    ) -> None:
        self.regions = regions
        self._means = means
        left = left_to_clean(None if cleaning is None else cleaning.spec(), about or {})
        self._cleaner = None if left is None else RoiCleaner(regions.n_regions, left)
        self._n_settle = cleaning.n_settle if cleaning is not None else 0
        self._stages = stages
        self.begin_run()

    def begin_run(self) -> None:
        """Forget the run before."""
        self._n_frames = 0
        self._motion: Floats | None = None
        if self._cleaner is not None:
            self._cleaner.reset()

    def make(self, frame: Frame, *, t_acq: float) -> MadeFrame:
        """Return a frame with its regions' values.

        Parameters
        ----------
        frame : Frame
            What arrived.
        t_acq : float
            Middle of its acquisition, in seconds.

        Raises
        ------
        ScannerError
            It cannot be used: another grid, or another number of regions.
        """
        t_begin = time.perf_counter()
        values, motion = self._values(frame)
        t_means = time.perf_counter()
        if self._cleaner is not None:
            values = self._cleaner.push(values, stamp_s=t_acq, motion=motion)
        self._stages.add(Stage.MEANS, t_means - t_begin)
        self._stages.add(Stage.CLEAN, time.perf_counter() - t_means)
        displacement_mm = _displacement_mm(self._motion, motion)
        self._motion = motion
        self._n_frames += 1
        n_absent = int(np.isnan(values).sum())
        is_empty = n_absent == len(values)
        words = {
            GAP: frame.n_missing + frame.n_refused > 0,
            REORDERED: frame.reordered,
            MOTION: displacement_mm > MOTION_MM,
            ABSENT: n_absent > 0,
            EMPTY: is_empty,
        }
        return MadeFrame(
            values=values,
            valid=self._n_frames > self._n_settle and not is_empty,
            words=tuple(word for word, is_so in words.items() if is_so),
            displacement_mm=displacement_mm,
            n_absent=n_absent,
        )

    def _values(self, frame: Frame) -> tuple[Floats, Floats | None]:
        item = frame.acquired
        if isinstance(item, Volume):
            if self._means is None:
                msg = (
                    "A volume came, and labels.image names no label image to take means of "
                    "regions by; name one, or let the scanner's software send means."
                )
                raise ScannerError(msg)
            return self._means.means(item), None
        if len(item.values) != self.regions.n_regions:
            msg = (
                f"Frames must have the {self.regions.n_regions} regions of {self.regions.name!r}, "
                f"got {len(item.values)} values; name the table (labels: names) of the mask that "
                "the scanner's software uses."
            )
            raise ScannerError(msg)
        return item.values, item.motion


def _displacement_mm(before: Floats | None, now: Floats | None) -> float:
    """Return Power's framewise displacement (2012, NeuroImage 59:2142), NaN without motion.

    The sum of the absolute changes, rotations as arcs on a sphere of 50 mm; 0 in a first frame.
    """
    if now is None:
        return math.nan
    change = np.abs(now - before) if before is not None else np.zeros(6)
    return float(change[:3].sum() + HEAD_RADIUS_MM * np.deg2rad(change[3:]).sum())
