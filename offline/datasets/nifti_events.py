"""NIfTI runs and one table of trials: means of the regions of a label image, or whole volumes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from offline.datasets.contract import About
from offline.datasets.frames import in_all
from offline.datasets.nifti_files import (
    NiftiRun,
    RegionImage,
    read_run,
    roi_means_source,
    volume_source,
)
from offline.datasets.scans import Scans, described, events_in
from offline.datasets.settings import LabelSettings, Settings
from rtaffect.core.streams import Source

ABOUT = About(
    kind="nifti_events",
    title="Your own NIfTI runs",
    reference="",
    licence="yours",
    how_to_get=(
        "Put runs (four axes) into a folder, bring a label image into their space where regions "
        "are wanted, and write one table of trials, see docs/data.md."
    ),
    modalities=("roi", "volume"),
    tried_on=(
        "nibabel's functional.nii and example4d.nii.gz (whose 2000 s are ms), Pyneal's test series."
    ),
)


class NiftiEventsSettings(Settings):
    """Where the runs are and what their trials say.

    Parameters
    ----------
    kind : "nifti_events"
        Name of the data set.
    path : Path
        Folder of the runs.
    events : Path or None
        Table of trials, see `offline.datasets.scans.Scans`; None is ``events.tsv`` in `path`.
    labels_image : Path or None
        One whole number a voxel; None gives whole volumes.
    regions : str or None
        Names of its regions: ``brainnetome``, or a table (see `rtaffect.core.atlas`); None calls
        them by number.
    resample : bool
        Bring the image to the grid of the runs where it lies on another.
    tr_s : float or None
        Instead of what the headers say.
    labels : mapping of str to LabelSettings
        What the trials answer, by target.
    title, reference, licence : str
        For people.
    """

    kind: Literal["nifti_events"] = "nifti_events"
    path: Path
    events: Path | None = None
    labels_image: Path | None = None
    regions: str | None = None
    resample: bool = False
    tr_s: float | None = Field(default=None, gt=0)
    labels: dict[str, LabelSettings] = Field(min_length=1)
    title: str = ABOUT.title
    reference: str = ABOUT.reference
    licence: str = ABOUT.licence

    def open(self) -> Scans:
        """Return the data set; no file is read yet."""
        image = None
        if self.labels_image is not None:
            image = RegionImage(self.labels_image, self.regions, self.resample)
        return Scans(
            about=described(ABOUT, self),
            path=self.path,
            events=events_in(self.path, self.events),
            labels=self.labels,
            reader=_Runs(self.tr_s, image),
            shared=in_all if image is None else lambda names: names[0],
            basis=self.model_dump_json(include={"labels", "tr_s", "regions", "resample"}),
            extra=() if self.labels_image is None else (self.labels_image,),
        )


@dataclass(frozen=True, slots=True)
class _Runs:
    """Reads NIfTI runs, see `offline.datasets.scans.ScanReader`."""

    tr_s: float | None
    image: RegionImage | None

    def span_s(self, path: Path) -> float:
        run = self._run(path)
        return run.n_frames * run.tr_s

    def ch_names(self, path: Path) -> tuple[str, ...]:
        del path
        return () if self.image is None else self.image.ch_names

    def source(self, path: Path) -> Source:
        run = self._run(path)
        return volume_source(run) if self.image is None else roi_means_source(run, self.image)

    def _run(self, path: Path) -> NiftiRun:
        return read_run(path, tr_s=self.tr_s)
