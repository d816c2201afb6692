"""Trials that a data set keeps apart, laid one after the other on one clock."""

import math

GRID_S = 12.0
"""Clips begin at multiples of this: a whole number of windows of 0.5, 1, 1.5, 2, 3, 4 and 6 s."""

PAUSE_S = 3.0
"""At least so long nothing lies between clips: no filter and no usable window reaches across."""


def clip_start_s(number: int, *, length_s: float, around_s: float = 0.0) -> float:
    """Return when a clip begins.

    Parameters
    ----------
    number : int
        Of the clip, from 0, in the order in which clips are laid.
    length_s : float
        Length of every clip in seconds.
    around_s : float
        How much lies before and behind every clip, in seconds: mirrored ends, settling time.

    Returns
    -------
    float
        In seconds. The first clip does not begin at 0, so that nothing lies before it.
    """
    distance_s = math.ceil((length_s + around_s + PAUSE_S) / GRID_S) * GRID_S
    return (number + 1) * distance_s
