"""A window: what every modality said in ``[t_start, t_end)``, and what it did not say."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt


class Flag(StrEnum):
    """Why an estimate deserves less trust. The words are the wire's."""

    WARMUP = "warmup"  # filters have not settled yet
    ARTIFACT = "artifact"  # the signal breaks the bundle's quality limits
    MISSING = "missing"  # the modality did not reach the model
    STALE = "stale"  # the stream is lost or silent
    LATE = "late"  # the stream is alive but did not come in time
    GAP = "gap"  # samples were lost inside the window
    INTERPOLATED = "interpolated"  # channels were rebuilt from their neighbours
    CLOCK = "clock"  # the sender's clock jumped inside the window
    SIMULATED = "simulated"  # nobody was measured


@dataclass(frozen=True, slots=True, eq=False)
class ModalityWindow:
    """One modality's part of a window.

    Parameters
    ----------
    data : ndarray of float32, shape (n_rows, n_times)
        Samples on the modality's grid; NaN where there is none.
    usable : bool
        The model may see it: no sample is NaN (signals), or enough frames are valid (frames).
    coverage : float
        Fraction of the samples that are present, settled and clean.
    flags : frozenset of Flag
        What is wrong with it.
    t_newest : float
        Stamp of the newest sample of the stream when the window closed (runtime clock); NaN if the
        stream never delivered.
    """

    data: npt.NDArray[np.float32]
    usable: bool
    coverage: float
    flags: frozenset[Flag]
    t_newest: float


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """All modalities in the half-open interval ``[t_start, t_end)``.

    Parameters
    ----------
    index : int
        ``t_end = index * hop_s``: the window's number on the absolute grid.
    t_start, t_end : float
        Interval in seconds on the runtime's clock.
    t_closed : float
        ``t_received`` of the event that closed it.
    modalities : mapping of str to ModalityWindow
        One entry for every modality of the spec, present or not.
    """

    index: int
    t_start: float
    t_end: float
    t_closed: float
    modalities: Mapping[str, ModalityWindow]
