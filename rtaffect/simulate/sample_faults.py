"""Faults of the samples: lost ones, and channels that show something else than the person."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from rtaffect.core.errors import ConfigError
from rtaffect.core.streams import Chunk, ClockOffset, Event
from rtaffect.simulate.face import FACE_CHANNELS
from rtaffect.simulate.fault import CH_NAMES, SAMPLES, Fault
from rtaffect.simulate.processes import FloatArray

RAIL_UV = 187_500.0
"""Where an amplifier of 24 bits, 4.5 V and gain 24 ends."""

HUM_UV = 200.0
HUM_HZ = 50.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleFault(Fault):
    """A fault of the samples taken while it lasts; arrivals and stamps stay."""

    stage: ClassVar[int] = SAMPLES

    def apply(self, events: Iterator[Event], *, t_start: float) -> Iterator[Event]:
        """Yield the events; chunks that the fault touches are rewritten."""
        offset_s = 0.0
        for event in events:
            if isinstance(event, ClockOffset):
                offset_s = event.offset_s
            if isinstance(event, Chunk):
                bad = self.during(event.stamps_s + offset_s, t_start)
                if bad.any():
                    yield from self.rewrite(event, bad)
                    continue
            yield event

    def rewrite(self, chunk: Chunk, bad: npt.NDArray[np.bool_]) -> Iterator[Chunk]:
        """Yield what is left of a chunk some of whose samples are `bad`."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop(SampleFault):
    """Samples are lost; those around them arrive."""

    duration_s: float = 0.5

    def rewrite(self, chunk: Chunk, bad: npt.NDArray[np.bool_]) -> Iterator[Chunk]:
        """Yield the chunk without its bad samples, if any are left."""
        if not bad.all():
            yield replace(chunk, data=chunk.data[:, ~bad], stamps_s=chunk.stamps_s[~bad])


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelFault(SampleFault):
    """Some channels show something else than the person.

    Parameters
    ----------
    channels : tuple of str
        Names; empty means all.
    """

    channels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        Fault.__post_init__(self)
        if self.modality in {"markers", "volume"}:
            what = "Markers are text" if self.modality == "markers" else "Voxels have no names"
            msg = f"{what}; faults of channels befall numbers with names (eeg, face, roi)."
            raise ConfigError(msg)
        ch_names = CH_NAMES[self.modality]
        unknown = [name for name in self.channels if name not in ch_names]
        if unknown:
            msg = (
                f"The simulated {self.modality} has no channel {', '.join(unknown)}. "
                f"It has {', '.join(ch_names)}."
            )
            raise ConfigError(msg)

    def rewrite(self, chunk: Chunk, bad: npt.NDArray[np.bool_]) -> Iterator[Chunk]:
        """Yield the chunk with its bad samples rewritten in the channels concerned."""
        ch_names = CH_NAMES[self.modality]
        named = [ch_names.index(name) for name in self.channels]
        rows = np.array(named) if named else np.arange(len(chunk.data))
        where = np.ix_(rows, np.flatnonzero(bad))
        data = chunk.data.copy()
        data[where] = self.shown(data[where], chunk.stamps_s[bad])
        yield replace(chunk, data=data)

    def shown(self, data: npt.NDArray[Any], stamps_s: FloatArray) -> npt.NDArray[Any]:
        """Return what is seen instead of `data`."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Flat(ChannelFault):
    """An electrode is off: exactly 0."""

    duration_s: float = 5.0
    channels: tuple[str, ...] = ("Cz",)

    def shown(self, data: npt.NDArray[Any], stamps_s: FloatArray) -> npt.NDArray[Any]:  # noqa: ARG002
        """Return zeros."""
        return np.zeros_like(data)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotANumber(ChannelFault):
    """The sender writes NaN."""

    channels: tuple[str, ...] = ("Cz",)

    def shown(self, data: npt.NDArray[Any], stamps_s: FloatArray) -> npt.NDArray[Any]:  # noqa: ARG002
        """Return NaN."""
        return np.full_like(data, np.nan)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rail(ChannelFault):
    """The amplifier sits on its rail."""

    duration_s: float = 5.0
    channels: tuple[str, ...] = ("Cz",)

    def shown(self, data: npt.NDArray[Any], stamps_s: FloatArray) -> npt.NDArray[Any]:  # noqa: ARG002
        """Return the rail in microvolts."""
        return np.full_like(data, RAIL_UV)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hum(ChannelFault):
    """Mains hum far above the EEG, on top of it."""

    duration_s: float = 5.0

    def shown(self, data: npt.NDArray[Any], stamps_s: FloatArray) -> npt.NDArray[Any]:
        """Return the data plus a sine."""
        hum = HUM_UV * np.sin(2 * np.pi * HUM_HZ * stamps_s)
        heard: npt.NDArray[Any] = data + hum.astype(data.dtype)
        return heard


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent(SampleFault):
    """Nobody is before the camera: zeros, success 0, low confidence."""

    modality: str = "face"
    duration_s: float = 5.0

    def __post_init__(self) -> None:
        Fault.__post_init__(self)
        if self.modality != "face":
            msg = f"Only a face can be absent, got {self.modality!r}."
            raise ConfigError(msg)

    def rewrite(self, chunk: Chunk, bad: npt.NDArray[np.bool_]) -> Iterator[Chunk]:
        """Yield the chunk with frames that hold no face."""
        data = chunk.data.copy()
        data[:, bad] = 0.0
        data[FACE_CHANNELS.index("confidence"), bad] = 0.02
        yield replace(chunk, data=data)
