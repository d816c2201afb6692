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

FAR_S = 60.0
"""Offsets are collected every few seconds: a sample this much further away is of another epoch."""


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
    epochs = [slice(int(first), int(stop)) for first, stop in pairwise(firsts)]
    index = np.zeros(len(stamps_s), dtype=np.intp)
    start = 0
    for i, epoch in enumerate(epochs):
        end = len(stamps_s)
        if i + 1 < len(epochs) and start < end:
            later = epochs[i + 1]
            end = start + _n_before_reset(
                stamps_s[start:],
                times_s[epoch],
                times_s[later],
                change_s=float(values_s[later.start] - values_s[later.start - 1]),
            )
        newest = np.searchsorted(times_s[epoch], stamps_s[start:end], side="right") - 1
        index[start:end] = epoch.start + np.maximum(newest, 0)
        start = end
    return np.maximum.accumulate(index)


def _n_before_reset(
    stamps_s: Floats, times_s: Floats, later_times_s: Floats, *, change_s: float
) -> int:
    """Return how many samples belong to an epoch, given the next epoch's times and the change."""
    if _distance(stamps_s[0], times_s) > _distance(stamps_s[0], later_times_s) + FAR_S:
        return 0  # the stream began after the reset
    before, after = times_s[-1], later_times_s[0]
    jumps = np.diff(stamps_s)
    # Time goes on for the recorder, hence the change must not send it back. Of several jumps (a
    # dropout is one too) that is meant which leaves the least time unexplained between the offsets.
    jumped = np.flatnonzero((np.abs(jumps) > RESET_S / 2) & (jumps + change_s > -RESET_S))
    if len(jumped):
        early = np.maximum(before - stamps_s[jumped], 0.0)
        late = np.maximum(stamps_s[jumped + 1] - after, 0.0)
        unexplained = np.abs(jumps[jumped] + change_s)
        return int(jumped[np.argmin(early + late + unexplained)]) + 1
    nearer = np.abs(stamps_s - before) > np.abs(stamps_s - after)
    return int(np.argmax(nearer)) if nearer.any() else len(stamps_s)


def _distance(t: float, times_s: Floats) -> float:
    """Return how far a time is from an interval of times, 0.0 within."""
    return max(float(times_s[0]) - t, t - float(times_s[-1]), 0.0)
