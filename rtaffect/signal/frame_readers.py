"""How a frame of a stream becomes the rows that a model sees: regions by name, voxels by place."""

import numpy as np

from rtaffect.core.errors import ScannerError
from rtaffect.core.spec import RoiSpec, VolumeSpec
from rtaffect.core.streams import Chunk, StreamInfo, VolumeChunk
from rtaffect.signal.timeline import LARGEST, Floats
from rtaffect.signal.volume_grid import VolumeGrid

N_NAMED = 8
"""Missing regions that a message names; of hundreds, the rest is counted."""

SAME_PLACE_MM = 1e-3
"""Affines of one run differ by less, as they are computed from what each volume says of itself."""


class RoiReader:
    """Picks regions by their labels, in whatever order they come.

    Parameters
    ----------
    spec : RoiSpec
        What the model wants; none of it is missing, see `missing_regions`.
    info : StreamInfo
        The stream.
    """

    def __init__(self, spec: RoiSpec, info: StreamInfo) -> None:
        at = {label: i for i, label in enumerate(info.ch_names)}
        self._spec = spec
        self._picks = [at[name] for name in spec.ch_names]
        self._missing = np.zeros(spec.n_rows, dtype=np.bool_)

    @property
    def faults(self) -> tuple[str, ...]:
        """What was wrong with the newest frame, in words."""
        lacking = np.flatnonzero(self._missing).tolist()
        return (_counted([self._spec.ch_names[i] for i in lacking]),) if lacking else ()

    def begins_a_run(self, chunk: Chunk) -> bool:  # noqa: ARG002 - volumes may
        """Return False: frames of regions have no number, and their silence alone tells."""
        return False

    def read(self, chunk: Chunk, column: int) -> Floats | None:
        """Return one frame, shape (n_rows,), NaN where a region is missing; None without most."""
        rows = chunk.data[self._picks, column].astype(np.float64)
        self._missing = ~(np.abs(rows) <= LARGEST)
        if np.count_nonzero(self._missing) > self._spec.max_missing * len(rows):
            return None
        rows[self._missing] = np.nan
        return rows


class VolumeReader:
    """Resamples volumes onto the model's grid.

    Parameters
    ----------
    spec : VolumeSpec
        What the model wants.
    """

    def __init__(self, spec: VolumeSpec) -> None:
        self._spec = spec
        self._index: int | None = None
        self._shape: tuple[int, ...] = ()
        self._affine = np.zeros((4, 4))
        self._grid: VolumeGrid | None = None
        self.faults: tuple[str, ...] = ()

    def begins_a_run(self, chunk: Chunk) -> bool:
        """Return whether a volume is counted anew, or of another shape or place."""
        return (
            isinstance(chunk, VolumeChunk)
            and self._index is not None
            and (chunk.index <= self._index or not self._fits(chunk))
        )

    def read(self, chunk: Chunk, column: int) -> Floats | None:
        """Return one volume, shape (n_rows,), NaN outside its field of view; None without any."""
        if not isinstance(chunk, VolumeChunk):
            self.faults = ("what came is no volume",)
            return None
        self._index = chunk.index
        if not self._fits(chunk):
            self._shape, self._affine = chunk.shape, chunk.affine
            try:
                self._grid = VolumeGrid(
                    self._spec.shape,
                    self._spec.affine,
                    of_shape=chunk.shape,
                    of_affine=chunk.affine,
                )
                self.faults = ()
            except ScannerError as error:
                self._grid = None
                self.faults = (str(error),)
        if self._grid is None:
            return None
        rows = self._grid.resample(chunk.data[:, column])
        return rows if np.isfinite(rows).any() else None

    def _fits(self, volume: VolumeChunk) -> bool:
        """Return whether a volume lies where those before it lay, up to what nobody can see."""
        return volume.shape == self._shape and bool(
            (np.abs(volume.affine - self._affine) <= SAME_PLACE_MM).all()
        )


def missing_regions(spec: RoiSpec, info: StreamInfo) -> str:
    """Return in words which regions a stream lacks; "" where it has them all."""
    there = set(info.ch_names)
    missing = [name for name in spec.ch_names if name not in there]
    if not missing:
        return ""
    return (
        f"The {info.modality} stream {info.name!r} must carry the model's {len(spec.ch_names)} "
        f"regions; of these, {_counted(missing)}. It has {len(info.ch_names)}, among them "
        f"{', '.join(info.ch_names[:N_NAMED])}. Use the parcellation that the model was trained "
        "on, or rename regions in the session file (`rename:`)."
    )


def _counted(names: list[str]) -> str:
    dots = ", ..." if len(names) > N_NAMED else ""
    what = "region is" if len(names) == 1 else "regions are"
    return f"{len(names)} {what} missing ({', '.join(names[:N_NAMED])}{dots})"
