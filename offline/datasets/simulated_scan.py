"""Simulated participants in a scanner: ROI frames or volumes, valence and arousal known."""

from collections.abc import Iterator
from functools import partial
from typing import Literal

from pydantic import Field

from offline.datasets.array_source import ArraySource, Segment
from offline.datasets.contract import About, Recording, Trial
from offline.datasets.frames import VolumeSource
from offline.datasets.simulated_people import PeopleSettings, SimulatedPeople, course_of, seed_of
from rtaffect.scanner.acquired import Volume
from rtaffect.simulate.bold import BoldSettings, SimulatedBold, region_names, roi_stream_info
from rtaffect.simulate.participant import Participant
from rtaffect.simulate.volumes import PaintedBold, volume_stream_info

ABOUT = About(
    kind="simulated_scan",
    title="Simulated participants in a scanner with a known valence and arousal",
    reference="rtaffect.simulate.bold",
    licence="BSD-3-Clause",
    how_to_get="nothing to get: it is computed",
    modalities=("roi", "volume"),
    tried_on="itself; nobody was measured",
    simulated=True,
)

_T_START = 1000.0
"""Of every run on its own clock."""


class SimulatedScanSettings(PeopleSettings):
    """Who is scanned, and for how long.

    Parameters
    ----------
    kind : "simulated_scan"
        Name of the data set.
    n_subjects, first_seed : int
        See `offline.datasets.simulated_people.PeopleSettings`.
    run_s : float
        Length of everybody's one run in seconds.
    tr_s : float
        Repetition time in seconds.
    coupling : float
        See `rtaffect.simulate.participant.Participant`.
    frames : {"roi", "volume"}
        Means of regions, or volumes that are painted from them on a parcellation.
    n_regions : int
        Regions of the scan; 246 are called as in the Brainnetome atlas.
    """

    kind: Literal["simulated_scan"] = "simulated_scan"
    run_s: float = Field(default=300.0, gt=0)
    tr_s: float = Field(default=2.0, gt=0)
    coupling: float = Field(default=1.0, ge=0)
    frames: Literal["roi", "volume"] = "roi"
    n_regions: int = Field(default=246, ge=1)

    def open(self) -> "SimulatedScan":
        """Return the data set."""
        return SimulatedScan(self)


class SimulatedScan(SimulatedPeople):
    """Participants in a scanner, each in one run.

    Parameters
    ----------
    settings : SimulatedScanSettings
        Who and what.
    """

    settings: SimulatedScanSettings
    about = ABOUT

    def __init__(self, settings: SimulatedScanSettings) -> None:
        super().__init__(settings)
        self._bold = BoldSettings(tr_s=settings.tr_s, n_regions=settings.n_regions)

    @property
    def ch_names(self) -> tuple[str, ...]:
        """The regions; voxels have no names."""
        return region_names(self._bold.n_regions) if self.settings.frames == "roi" else ()

    def recordings(self, subject: str) -> Iterator[Recording]:
        """Yield the subject's one run, which is one trial."""
        person = Participant(seed_of(subject), coupling=self.settings.coupling)
        course = course_of(person, _T_START)
        n_frames = self._n_frames()
        moments = _T_START + SimulatedBold(person, self._bold).times(0, n_frames)
        yield Recording(
            subject=subject,
            session="1",
            open=partial(
                _open if self.settings.frames == "roi" else _painted, person, self._bold, n_frames
            ),
            trials=(
                Trial(
                    name="run",
                    stimulus="",
                    t_start=_T_START,
                    t_end=_T_START + n_frames * self.settings.tr_s,
                    values={name: float(values.mean()) for name, values in course(moments).items()},
                ),
            ),
            course=course,
        )

    def _n_frames(self) -> int:
        return int(self.settings.run_s // self.settings.tr_s)


def _open(person: Participant, settings: BoldSettings, n_frames: int) -> ArraySource:
    scan = SimulatedBold(person, settings)
    frames = Segment(
        modality="roi",
        data=scan.frames(0, n_frames),
        stamps_s=_T_START + scan.times(0, n_frames),
    )
    return ArraySource({"roi": roi_stream_info(person, settings)}, [frames])


def _painted(person: Participant, settings: BoldSettings, n_frames: int) -> VolumeSource:
    info = volume_stream_info(person, tr_s=settings.tr_s)
    volumes = partial(_volumes, SimulatedBold(person, settings), n_frames)
    return VolumeSource(info, volumes, tr_s=settings.tr_s)


def _volumes(scan: SimulatedBold, n_frames: int) -> Iterator[Volume]:
    painted = PaintedBold(scan)
    for number, stamp in enumerate((_T_START + scan.times(0, n_frames)).tolist()):
        yield Volume(
            data=painted.volume(number),
            affine=painted.parcellation.affine,
            index=number,
            run="1",
            tr_s=scan.settings.tr_s,
            t_acq=stamp,
            t_arrival=stamp,
        )
