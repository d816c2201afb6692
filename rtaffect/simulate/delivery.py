"""One volume on its way out of a simulated scanner."""

from dataclasses import dataclass

import numpy as np

from rtaffect.simulate.processes import FloatArray
from rtaffect.simulate.scan import Scan, Voxels


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One volume on its way out, and what is wrong with it.

    Parameters
    ----------
    number : int
        Which volume of the run.
    middle_s : float
        Middle of its acquisition, in seconds since the start of the run.
    due_s : float
        When it leaves, in seconds since the start of the run.
    copy : int
        0, or 1 for the second of a doubled volume.
    clock_off_s : float
        How much too late the scanner's clock says that it was acquired.
    moved_mm : float
        How far its affine is off along x.
    ms : bool
        The repetition time is given in milliseconds where seconds are meant.
    missing : tuple of int or None
        Regions (from 1 on) that hold nothing; empty means all voxels, None means none.
    n_cut : int
        Slices that are missing at the top.
    """

    number: int
    middle_s: float
    due_s: float
    copy: int = 0
    clock_off_s: float = 0.0
    moved_mm: float = 0.0
    ms: bool = False
    missing: tuple[int, ...] | None = None
    n_cut: int = 0

    def volume(self, scan: Scan) -> Voxels:
        """Return its voxels as they leave."""
        voxels = scan.volume(self.number)
        if self.missing is not None:
            voxels = voxels.astype(np.float32)
            if self.missing and scan.labels is not None:
                voxels[np.isin(scan.labels, self.missing)] = np.nan
            else:
                voxels[:] = np.nan
        return voxels[:, :, : voxels.shape[2] - self.n_cut]

    def means(self, scan: Scan) -> FloatArray:
        """Return the means of its regions as they leave."""
        means = scan.means(self.number)
        if self.missing is not None:
            means = means.copy()
            means[[region - 1 for region in self.missing] or slice(None)] = np.nan
        return means

    def affine(self, scan: Scan) -> FloatArray:
        """Return its affine as it leaves."""
        affine = scan.affine.copy()
        affine[0, 3] += self.moved_mm
        return affine

    def tr(self, scan: Scan) -> float:
        """Return the repetition time as it is told."""
        return scan.tr_s * 1000.0 if self.ms else scan.tr_s
