"""Which clock offset holds for which sample of an XDF stream.

Live, a chunk is corrected by the newest offset that was collected before it arrived. A file tells
of each offset when it was collected *on the sender's clock*, so the same rule is: the newest offset
whose time is not after the sample. A sender that restarts sets its clock anew; then both stamps and
offsets jump, and the offsets fall into epochs that must be matched with stretches of samples first.
"""

from itertools import pairwise

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]

RESET_S = 1.0
"""No measurement errs by so much: offsets that differ by more belong to two epochs of a clock."""


def newest_offsets(stamps_s: Floats, times_s: Floats, values_s: Floats) -> Ints:
    """Return for each sample the index of the offset that holds for it; never decreasing.

    Samples before the first offset of their epoch take that first one.

    Parameters
    ----------
    stamps_s : ndarray of float64, shape (n_times,)
        Raw stamps (plus the delay of arrival) on the sender's clock, in the order of the file.
    times_s : ndarray of float64, shape (n_offsets,)
        When each offset was collected, on the sender's clock; at least one.
    values_s : ndarray of float64, shape (n_offsets,)
        The offsets.
    """
    resets = (np.abs(np.diff(values_s)) > RESET_S) | (np.diff(times_s) < 0)
    firsts = np.concatenate([[0], np.flatnonzero(resets) + 1, [len(times_s)]]).astype(np.intp)
    index = np.zeros(len(stamps_s), dtype=np.intp)
    start = 0
    for first, stop in pairwise(firsts):
        end = _epoch_end(stamps_s, start, times_s, values_s, stop)
        newest = np.searchsorted(times_s[first:stop], stamps_s[start:end], side="right") - 1
        index[start:end] = first + np.maximum(newest, 0)
        start = end
    return np.maximum.accumulate(index)


def _epoch_end(
    stamps_s: Floats, start: int, times_s: Floats, values_s: Floats, stop: np.intp
) -> int:
    """Return the first sample after `start` that belongs to the epoch of offset `stop`."""
    if stop == len(times_s):
        return len(stamps_s)
    before, after = times_s[stop - 1], times_s[stop]
    rest = stamps_s[start:]
    jumps = np.diff(rest)
    change = values_s[stop] - values_s[stop - 1]
    explained = np.flatnonzero(np.abs(jumps + change) < np.abs(jumps))
    if len(explained):
        # Several jumps may look like it (a dropout does): the one next to the two offsets is it.
        distance = np.abs(rest[explained] - before) + np.abs(rest[explained + 1] - after)
        return start + int(explained[np.argmin(distance)]) + 1
    nearer = np.abs(rest - before) > np.abs(rest - after)
    return start + int(np.argmax(nearer)) if nearer.any() else len(stamps_s)
