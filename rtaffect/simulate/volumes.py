"""Volumes of a simulated participant: ROI means painted on a parcellation that nobody's head has.

The label image is made from its size alone, so that whoever simulates a scan and whoever takes the
means of its regions make the same one.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from rtaffect.core.streams import StreamInfo
from rtaffect.core.volume_message import VOLUME_MODALITY, VOLUME_STYPE
from rtaffect.simulate.bold import SimulatedBold
from rtaffect.simulate.participant import Participant
from rtaffect.simulate.processes import FloatArray, Key, Stream, generator

_HEAD = 0.42  # half-axes of the brain, as a share of the field of view
_CENTRES_SEED = 6_436


@dataclass(frozen=True, kw_only=True)
class Parcellation:
    """A brain cut into regions: an ellipsoid, and in it the voxels nearest to each centre.

    Parameters
    ----------
    n_regions : int
        How many regions, numbered from 1; 0 is outside.
    shape : tuple of int
        Voxels along x, y and z.
    voxel_mm : tuple of float
        Size of a voxel.
    """

    n_regions: int = 246
    shape: tuple[int, int, int] = (64, 64, 36)
    voxel_mm: tuple[float, float, float] = (3.5, 3.5, 4.0)

    @cached_property
    def affine(self) -> FloatArray:
        """Voxel to world (RAS+) in millimetres; the brain's middle is 0, 0, 0."""
        affine = np.diag([*self.voxel_mm, 1.0])
        affine[:3, 3] = -(np.array(self.shape) - 1) / 2 * np.array(self.voxel_mm)
        return affine

    @cached_property
    def labels(self) -> npt.NDArray[np.int16]:
        """The label of each voxel, of the shape `shape`.

        Raises
        ------
        ValueError
            If the brain has fewer voxels than regions.
        """
        grid = np.moveaxis(np.indices(self.shape), 0, -1).reshape(-1, 3)
        half = (np.array(self.shape) - 1) / 2
        place = (grid - half) / np.array(self.shape)  # -0.5 to 0.5 on each axis
        inside = np.flatnonzero(np.sum((place / _HEAD) ** 2, axis=1) <= 1.0)
        if len(inside) < self.n_regions:
            msg = (
                f"A brain of {len(inside)} voxels cannot have {self.n_regions} regions: give the "
                "volume more voxels."
            )
            raise ValueError(msg)
        rng = np.random.default_rng((_CENTRES_SEED, self.n_regions))
        centres = place[inside[rng.permutation(len(inside))[: self.n_regions]]]
        nearest = cKDTree(centres).query(place[inside])[1]
        labels = np.zeros(len(grid), np.int16)
        labels[inside] = nearest + 1
        return labels.reshape(self.shape)


class Painter:
    """Gives the regions of a volume the means that they are to have.

    Within a region voxels differ as tissue does, and each volume adds noise of its own; the means
    stay.

    Parameters
    ----------
    parcellation : Parcellation
        Where the regions are.
    key : tuple of int
        What seeds the noise.
    tissue, voxel_noise : float
        Standard deviation of a voxel's own level, and of each volume's noise in each voxel, as a
        share of the mean.
    air : float
        Size of what is outside the head.
    """

    def __init__(
        self,
        parcellation: Parcellation,
        *,
        key: Key,
        tissue: float = 0.1,
        voxel_noise: float = 0.02,
        air: float = 120.0,
    ) -> None:
        self._shape = parcellation.shape
        self._key = key
        self._voxel_noise = voxel_noise
        self._air = air
        labels = parcellation.labels.ravel()
        self._inside = np.flatnonzero(labels)
        self._region = labels[self._inside].astype(np.int64) - 1
        self._counts = np.bincount(self._region, minlength=parcellation.n_regions)
        rng = np.random.default_rng((_CENTRES_SEED, len(labels)))
        self._level = 1.0 + self._centred(tissue * rng.standard_normal(len(self._inside)))

    def paint(self, means: FloatArray, number: int) -> FloatArray:
        """Return volume `number` of a run, of the parcellation's shape.

        Parameters
        ----------
        means : ndarray, shape (n_regions,)
            What the means of its regions are to be.
        number : int
            Another volume has other noise.
        """
        rng = generator(self._key, number)
        n_voxels = int(np.prod(self._shape))
        volume = self._air * np.abs(rng.standard_normal(n_voxels, dtype=np.float32))
        noise = rng.standard_normal(len(self._inside), dtype=np.float32).astype(np.float64)
        painted = volume.astype(np.float64)
        level = self._level + self._centred(self._voxel_noise * noise)
        painted[self._inside] = means[self._region] * level
        return painted.reshape(self._shape)

    def _centred(self, values: FloatArray) -> FloatArray:
        """Return values of voxels less their region's mean."""
        sums = np.bincount(self._region, weights=values, minlength=len(self._counts))
        means = sums / np.maximum(self._counts, 1)
        centred: FloatArray = values - means[self._region]
        return centred


class PaintedBold:
    """Volumes whose regions have the means that `SimulatedBold` says, but for rounding.

    Parameters
    ----------
    bold : SimulatedBold
        Whose scan.
    parcellation : Parcellation
        Where the regions are; as many as the scan has.
    """

    def __init__(self, bold: SimulatedBold, parcellation: Parcellation | None = None) -> None:
        self.bold = bold
        self.parcellation = parcellation or Parcellation(n_regions=bold.settings.n_regions)
        if self.parcellation.n_regions != bold.settings.n_regions:
            msg = (
                f"The parcellation has {self.parcellation.n_regions} regions and the scan "
                f"{bold.settings.n_regions}; they must be as many."
            )
            raise ValueError(msg)
        self._painter = Painter(self.parcellation, key=bold.participant.key(Stream.VOXELS))

    def volume(self, number: int) -> npt.NDArray[np.int16]:
        """Return volume `number`, of the parcellation's shape."""
        painted = self._painter.paint(self.bold.frames(number, number + 1)[:, 0], number)
        return np.rint(np.clip(painted, 0, np.iinfo(np.int16).max)).astype(np.int16)


def volume_stream_info(participant: Participant, *, tr_s: float) -> StreamInfo:
    """Describe the volumes of a simulated participant; voxels have no names."""
    return StreamInfo(
        modality=VOLUME_MODALITY,
        name="Simulated fMRI volumes",
        stype=VOLUME_STYPE,
        source_id=f"rtaffect-simulated-{participant.seed}-volume",
        ch_names=(),
        sfreq=0.0,
        simulated=True,
        about={
            "acquisition.tr_s": f"{tr_s:g}",
            "acquisition.time_reference": "mid",
            "acquisition.time_source": "simulated",
            "processing.motion_correction": "none",
        },
    )
