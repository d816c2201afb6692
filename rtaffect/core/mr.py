"""EEG inside a running scanner: the numbers of its two artifacts' subtraction."""

from dataclasses import dataclass, field
from typing import Literal

LEAST_SFREQ = 5000.0
"""Gradients switch within a fraction of a millisecond: a slower amplifier cannot follow them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GradientSpec:
    """Average artifact subtraction, volume by volume and from the past alone.

    Allen et al. 2000 (doi:10.1006/nimg.2000.0599) take a mean over volumes; here it is over past
    ones only. Alignment, guard and checks are ours.

    Parameters
    ----------
    volume_marker : str
        Text of the marker that the scanner's trigger becomes, one a volume.
    n_volumes : int
        Past volumes in the template.
    min_volumes : int
        Volumes that a template must hold before it is subtracted.
    shortest_tr_s, longest_tr_s : float
        Bounds of the repetition time in seconds.
    marker_jitter_s : float
        How far a marker's stamp may be from its sample, in seconds. Where a volume begins is then
        found in the signal itself.
    align : {"fraction", "sample"}
        Volumes are laid over each other to a fraction of a sample, or to whole samples: enough
        where the amplifier's clock is the scanner's own and a TR is a whole number of samples.
    check_s : float
        How often the signal is asked whether gradients still run, in seconds.
    guard_uv_per_ms : float
        No EEG is steeper. Where more than `guard_channels` of the channels are, something of the
        scanner is left, and there is no sample.
    guard_share : float
        While a template is subtracted its own slope near by, times this, is allowed if it is more.
    guard_channels : float
        Share of the channels, from 0 to 1.
    guard_hold_s : float
        How long after such a sample there is none, in seconds.
    """

    volume_marker: str = "R128"
    n_volumes: int = 25
    min_volumes: int = 5
    shortest_tr_s: float = 0.2
    longest_tr_s: float = 4.0
    marker_jitter_s: float = 0.01
    align: Literal["fraction", "sample"] = "fraction"
    check_s: float = 0.1
    guard_uv_per_ms: float = 300.0
    guard_share: float = 0.25
    guard_channels: float = 0.1
    guard_hold_s: float = 0.15


@dataclass(frozen=True, slots=True, kw_only=True)
class PulseSpec:
    """Subtraction of what each heartbeat does to electrodes in a strong field.

    Allen et al. 1998 (doi:10.1006/nimg.1998.0361), from past beats only.

    Parameters
    ----------
    ecg : str or None
        Channel of the EEG stream that carries the electrocardiogram; None takes the one called ECG
        or EKG, and without one beats are found in the slow field of all electrodes.
    n_beats : int
        Past beats in the template.
    min_beats : int
        Beats that a template must hold before it is subtracted.
    shortest_beat_s, longest_beat_s : float
        Bounds of the distance of two beats in seconds.
    """

    ecg: str | None = None
    n_beats: int = 40
    min_beats: int = 10
    shortest_beat_s: float = 0.4
    longest_beat_s: float = 1.8


@dataclass(frozen=True, slots=True, kw_only=True)
class MrSpec:
    """What is taken out of EEG inside the scanner.

    Parameters
    ----------
    gradient : GradientSpec
        The switching gradients.
    pulse : PulseSpec or None
        The heartbeat; None leaves it in.
    """

    gradient: GradientSpec = field(default_factory=GradientSpec)
    pulse: PulseSpec | None = field(default_factory=PulseSpec)
