"""The key ``mr:`` of a session file: what was done, or is to be done, about the scanner in EEG."""

from collections.abc import Collection
from dataclasses import fields
from typing import Literal, Self

from pydantic import Field, model_validator

from rtaffect.config.settings import Settings
from rtaffect.core.mr import GradientSpec, MrSpec, PulseSpec

SCANNED = frozenset({"roi", "volume"})
"""Modalities that only a running scanner sends."""

_GRADIENT, _PULSE = GradientSpec(), PulseSpec()


class MrSettings(Settings):
    """How EEG and the scanner get along; the numbers belong to ``eeg: causal_aas``."""

    eeg: Literal["corrected", "causal_aas", "none"] = Field(
        description="corrected (the stream comes without scanner artifacts), causal_aas (rtaffect "
        "subtracts them, docs/mr.md) or none (no scanner is near)"
    )
    volume_marker: str = Field(
        default=_GRADIENT.volume_marker,
        min_length=1,
        description="text of the marker that the scanner sends at each volume, as R128",
    )
    n_volumes: int = Field(
        default=_GRADIENT.n_volumes,
        ge=2,
        le=100,
        description="past volumes in the template, 2 to 100",
    )
    min_volumes: int = Field(
        default=_GRADIENT.min_volumes,
        ge=2,
        le=100,
        description="volumes that a template holds before it is subtracted; no estimate till then",
    )
    shortest_tr_s: float = Field(
        default=_GRADIENT.shortest_tr_s,
        ge=0.1,
        le=10,
        description="least repetition time in seconds",
    )
    longest_tr_s: float = Field(
        default=_GRADIENT.longest_tr_s,
        ge=0.2,
        le=20,
        description="greatest repetition time in seconds",
    )
    marker_jitter_s: float = Field(
        default=_GRADIENT.marker_jitter_s,
        ge=0.001,
        le=0.03,
        description="how far a marker may be stamped from its sample, in seconds",
    )
    align: Literal["fraction", "sample"] = Field(
        default=_GRADIENT.align,
        description="fraction, or sample where a clock box drives amplifier and scanner",
    )
    check_s: float = Field(
        default=_GRADIENT.check_s,
        ge=0.02,
        le=1,
        description="how often the signal is asked whether the scanner still runs, in seconds",
    )
    guard_uv_per_ms: float = Field(
        default=_GRADIENT.guard_uv_per_ms,
        gt=0,
        description="a signal that is steeper is no EEG and is withheld, in microvolts per ms",
    )
    guard_share: float = Field(
        default=_GRADIENT.guard_share,
        gt=0,
        lt=1,
        description="slope that may be left of the scanner's own before a sample is withheld",
    )
    guard_channels: float = Field(
        default=_GRADIENT.guard_channels,
        ge=0,
        lt=1,
        description="share of the channels that may be too steep without anything being withheld",
    )
    guard_hold_s: float = Field(
        default=_GRADIENT.guard_hold_s,
        ge=0.02,
        le=5,
        description="how long after a steep sample the signal is withheld, in seconds",
    )
    pulse: bool = Field(
        default=True, description="true also subtracts what the heartbeat does inside the magnet"
    )
    ecg: str | None = Field(
        default=None,
        min_length=1,
        description="channel with the electrocardiogram; unless stated the one called ECG or EKG, "
        "without one the slow field of all electrodes",
    )
    n_beats: int = Field(
        default=_PULSE.n_beats,
        ge=2,
        le=200,
        description="past heartbeats in the template, 2 to 200",
    )
    min_beats: int = Field(
        default=_PULSE.min_beats,
        ge=2,
        le=200,
        description="heartbeats that a template holds before it is subtracted",
    )
    shortest_beat_s: float = Field(
        default=_PULSE.shortest_beat_s,
        ge=0.2,
        le=1,
        description="least distance of two heartbeats in seconds",
    )
    longest_beat_s: float = Field(
        default=_PULSE.longest_beat_s,
        ge=0.8,
        le=4,
        description="greatest distance of two heartbeats in seconds",
    )

    @model_validator(mode="before")
    @classmethod
    def _word(cls, value: object) -> object:
        """Take the bare word, ``mr: corrected``, for the key that it stands for."""
        return {"eeg": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _numbers_fit(self) -> Self:
        for less, more in (
            ("shortest_tr_s", "longest_tr_s"),
            ("shortest_beat_s", "longest_beat_s"),
            ("min_volumes", "n_volumes"),
            ("min_beats", "n_beats"),
        ):
            if getattr(self, less) > getattr(self, more):
                msg = (
                    f"{less} must be at most {more}, got {getattr(self, less)} and "
                    f"{getattr(self, more)}"
                )
                raise ValueError(msg)
        return self

    @property
    def spec(self) -> MrSpec | None:
        """What is to be subtracted; None for nothing."""
        if self.eeg != "causal_aas":
            return None
        gradient = GradientSpec(**{f.name: getattr(self, f.name) for f in fields(GradientSpec)})
        pulse = PulseSpec(**{f.name: getattr(self, f.name) for f in fields(PulseSpec)})
        return MrSpec(gradient=gradient, pulse=pulse if self.pulse else None)


def check_mr(mr: MrSettings | None, modalities: Collection[str]) -> None:
    """Check that the streams of a session allow what it says of the scanner.

    Parameters
    ----------
    mr : MrSettings or None
        What the session file says.
    modalities : collection of str
        The streams that it names.

    Raises
    ------
    ValueError
        EEG beside a live scan without a word on its artifacts, or a correction without its markers.
    """
    said = "none" if mr is None else mr.eeg
    if said == "none" and "eeg" in modalities and SCANNED & set(modalities):
        scan = " and ".join(f"streams.{name}" for name in sorted(SCANNED & set(modalities)))
        wrong = (
            f"EEG beside {scan} is full of the scanner's artifacts, and mr says nothing of them"
            if mr is None
            else f"mr: none cannot be: EEG beside {scan} is full of the scanner's artifacts"
        )
        msg = (
            f"{wrong}; write `mr: causal_aas` to have them subtracted here (a stream of 5 kHz with "
            "the scanner's markers), or `mr: corrected` if the EEG comes without them"
        )
        raise ValueError(msg)
    if said == "causal_aas" and not {"eeg", "markers"} <= set(modalities):
        msg = (
            "mr: causal_aas needs both streams.eeg and streams.markers: the scanner's markers say "
            "when each volume began; write `markers: {}` under streams"
        )
        raise ValueError(msg)
