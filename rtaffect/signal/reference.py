"""Re-referencing: what the potential of each electrode is measured against."""

from typing import Literal

import numpy as np
import numpy.typing as npt


def rereference(
    data: npt.NDArray[np.float64], reference: Literal["average", "none"]
) -> npt.NDArray[np.float64]:
    """Return the signal against another reference.

    Parameters
    ----------
    data : ndarray of float64, shape (n_channels, n_times)
        Microvolts against the amplifier's reference.
    reference : {"average", "none"}
        ``"average"`` subtracts the mean over the channels from each sample; ``"none"`` keeps what
        the amplifier gave.

    Returns
    -------
    ndarray of float64, shape (n_channels, n_times)
        The signal; a NaN in one channel makes that sample NaN in all under ``"average"``.
    """
    match reference:
        case "average":
            # row by row, whatever the number of columns: a single one would be summed in pairs
            mean: npt.NDArray[np.float64] = np.add.accumulate(data, axis=0)[-1] / len(data)
            return data - mean
        case "none":
            return data
