"""A simulated participant as a source of events, in event time: no LSL, no waiting."""

import heapq
import math
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Self

import numpy as np

from rtaffect.core.montages import EEG_32
from rtaffect.core.streams import Chunk, ClockOffset, Event, StreamInfo, Tick, VolumeChunk
from rtaffect.simulate.bold import BoldSettings, SimulatedBold, roi_stream_info
from rtaffect.simulate.eeg import SimulatedEeg
from rtaffect.simulate.face import FACE_CHANNELS, SimulatedFace
from rtaffect.simulate.fault import Fault, apply_faults
from rtaffect.simulate.mr import SCANNED_CHANNELS, VOLUME_MARKER, MagnetSettings, ScannedEeg
from rtaffect.simulate.participant import Participant
from rtaffect.simulate.processes import FloatArray, Stream, generator
from rtaffect.simulate.volumes import PaintedBold, Parcellation, volume_stream_info

MARKER_INTERVAL_S = 5.0
"""A marker says "simulated" this often."""


def _unit(feature: str) -> str:
    if feature.startswith("pose_T"):
        return "mm"
    return "rad" if feature.startswith("pose_R") else ""


def stream_infos(
    participant: Participant,
    *,
    sfreq: float = 512.0,
    bold: BoldSettings | None = None,
    parcellation: Parcellation | None = None,
    magnet: MagnetSettings | None = None,
) -> dict[str, StreamInfo]:
    """Describe the streams of a simulated participant; each says that nobody was measured.

    Parameters
    ----------
    participant : Participant
        Whose.
    sfreq : float
        Rate of the EEG in Hz.
    bold, parcellation, magnet
        As of `SimulatedSource`.

    Returns
    -------
    dict of str to StreamInfo
        ``"eeg"``, ``"face"`` and ``"markers"``, and ``"roi"`` and ``"volume"`` where asked for.
    """
    identity = f"rtaffect-simulated-{participant.seed}"
    eeg_names = EEG_32 if magnet is None else SCANNED_CHANNELS
    infos = {
        "eeg": StreamInfo(
            modality="eeg",
            name="Simulated EEG",
            stype="EEG",
            source_id=f"{identity}-eeg",
            ch_names=eeg_names,
            sfreq=sfreq,
            units=("uV",) * len(eeg_names),
            simulated=True,
        ),
        "face": StreamInfo(
            modality="face",
            name="Simulated face",
            stype="Face",
            source_id=f"{identity}-face",
            ch_names=FACE_CHANNELS,
            sfreq=0.0,
            units=tuple(_unit(feature) for feature in FACE_CHANNELS),
            simulated=True,
        ),
        "markers": StreamInfo(
            modality="markers",
            name="Simulated markers",
            stype="Markers",
            source_id=f"{identity}-markers",
            ch_names=("marker",),
            sfreq=0.0,
            units=("",),
            is_text=True,
            simulated=True,
        ),
    }
    if bold is not None:
        infos["roi"] = roi_stream_info(participant, bold)
        if parcellation is not None:
            infos["volume"] = volume_stream_info(participant, tr_s=bold.tr_s)
    return infos


class SimulatedSource:
    """Everything that a simulated participant sends, as fast as it can be read.

    The truth is not among the events: it is ``participant.course.at(t - t_start)`` for a time `t`
    on the runtime's clock.

    Parameters
    ----------
    participant : Participant
        Who.
    duration_s : float
        Length of the session in seconds; infinite is fine.
    sfreq : float
        Rate of the EEG in Hz, a whole number.
    chunk_s : float
        Length of an EEG chunk in seconds; the samples do not depend on it.
    faults : sequence of Fault
        What goes wrong, see `rtaffect.simulate.faults`.
    tick_s : float
        Distance of ticks in seconds.
    t_start : float
        Time of the first sample on the runtime's clock.
    clock_offset_s : float
        ``runtime time = stamp + clock_offset_s``: the senders' clock may be another.
    offset_interval_s : float
        How often that offset is measured.
    bold : BoldSettings or None
        The person lies in a scanner, which sends frames of ROI means (``"roi"``); late, and in a
        burst at the start. None means no scanner.
    parcellation : Parcellation or None
        The scanner sends whole volumes (``"volume"``), too.
    magnet : MagnetSettings or None
        What the scanner does to the EEG, which then has an ECG; each volume has its marker.
    """

    def __init__(
        self,
        participant: Participant,
        duration_s: float,
        *,
        sfreq: float = 512.0,
        chunk_s: float = 1 / 32,
        faults: Sequence[Fault] = (),
        tick_s: float = 0.25,
        t_start: float = 1000.0,
        clock_offset_s: float = 0.0,
        offset_interval_s: float = 5.0,
        bold: BoldSettings | None = None,
        parcellation: Parcellation | None = None,
        magnet: MagnetSettings | None = None,
    ) -> None:
        if not (duration_s > 0 and chunk_s > 0 and tick_s > 0 and offset_interval_s > 0):
            msg = "duration_s, chunk_s, tick_s and offset_interval_s must be > 0 seconds."
            raise ValueError(msg)
        if parcellation is not None and bold is None:
            msg = "Volumes are painted from a scan: give bold where you give a parcellation."
            raise ValueError(msg)
        self.participant = participant
        self.duration_s = duration_s
        self.t_start = t_start
        self._sfreq = sfreq
        self._n_chunk = max(1, round(chunk_s * sfreq))
        self._faults = tuple(faults)
        self._tick_s = tick_s
        self._clock_offset_s = clock_offset_s
        self._offset_interval_s = offset_interval_s
        self._bold = bold
        self._parcellation = parcellation
        self._eeg_made: SimulatedEeg | ScannedEeg
        if magnet is None:
            self._eeg_made = SimulatedEeg(participant, sfreq)
        else:
            self._eeg_made = ScannedEeg(participant, sfreq, magnet)
        self._infos = stream_infos(
            participant, sfreq=sfreq, bold=bold, parcellation=parcellation, magnet=magnet
        )
        self._closed = False

    @property
    def infos(self) -> Mapping[str, StreamInfo]:
        """The streams, by modality."""
        return MappingProxyType(self._infos)

    @property
    def n_waiting(self) -> int:
        """Nothing waits: samples are made when they are asked for."""
        return 0

    def events(self) -> Iterator[Event]:
        """Yield everything in engine order: ``t_received`` never decreases."""
        streams: dict[str, Iterator[Event]] = {
            "eeg": self._eeg(),
            "face": self._face(),
            "markers": heapq.merge(self._markers(), self._volume_markers(), key=_received),
        }
        if self._bold is not None:
            streams["roi"] = self._roi(SimulatedBold(self.participant, self._bold))
            if self._parcellation is not None:
                scan = SimulatedBold(self.participant, self._bold)
                streams["volume"] = self._volumes(PaintedBold(scan, self._parcellation))
        lanes = [
            apply_faults(
                heapq.merge(self._offsets(modality), chunks, key=_received),
                self._faults,
                modality,
                t_start=self.t_start,
            )
            for modality, chunks in streams.items()
        ]
        for event in heapq.merge(*lanes, self._ticks(), key=_received):
            if self._closed:
                return
            yield event

    def close(self) -> None:
        """End `events`."""
        self._closed = True

    def __enter__(self) -> Self:
        """Return the source, which is always open."""
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Close."""
        self.close()

    def _eeg(self) -> Iterator[Event]:
        eeg = self._eeg_made
        key = self.participant.key(Stream.ARRIVAL)
        start, latest = 0, -math.inf
        while start < self.duration_s * self._sfreq:
            stop = start + self._n_chunk
            if math.isfinite(self.duration_s):
                stop = min(stop, math.ceil(self.duration_s * self._sfreq))
            stamps = self.t_start + np.arange(start, stop) / self._sfreq
            delay = generator((*key, 0), start).uniform(0.001, 0.003)
            latest = max(latest, float(stamps[-1]) + delay)
            yield Chunk("eeg", eeg.samples(start, stop), stamps - self._clock_offset_s, latest)
            start = stop

    def _face(self) -> Iterator[Event]:
        face = SimulatedFace(self.participant)
        key = self.participant.key(Stream.ARRIVAL)
        block, latest = 0, -math.inf
        while block < self.duration_s:
            times, frames = face.block(block)
            delays = generator((*key, 1), block).uniform(0.015, 0.030, size=len(times))
            for index in np.flatnonzero(times < self.duration_s):
                stamp = self.t_start + times[index : index + 1]
                latest = max(latest, float(stamp[0] + delays[index]))
                frame = frames[:, index : index + 1].astype(np.float32)
                yield Chunk("face", frame, stamp - self._clock_offset_s, latest)
            block += 1

    def _markers(self) -> Iterator[Event]:
        number = 0
        while number * MARKER_INTERVAL_S < self.duration_s:
            stamp = np.array([self.t_start + number * MARKER_INTERVAL_S])
            text = np.array([[f"simulated/{number}"]], dtype=object)
            yield Chunk("markers", text, stamp - self._clock_offset_s, float(stamp[0]) + 0.001)
            number += 1

    def _volume_markers(self) -> Iterator[Event]:
        if not isinstance(self._eeg_made, ScannedEeg):
            return
        for began, stamped in self._eeg_made.markers():
            if began >= self.duration_s:
                return
            stamp = np.array([self.t_start + stamped])
            text = np.array([[VOLUME_MARKER]], dtype=object)
            arrived = self.t_start + began + self._eeg_made.settings.marker_delay_s
            yield Chunk("markers", text, stamp - self._clock_offset_s, arrived)

    def _roi(self, bold: SimulatedBold) -> Iterator[Event]:
        for number, stamps, arrived in self._acquired(bold.settings):
            frame = bold.frames(number, number + 1).astype(np.float32)
            yield Chunk("roi", frame, stamps, arrived)

    def _volumes(self, painted: PaintedBold) -> Iterator[Event]:
        for number, stamps, arrived in self._acquired(painted.bold.settings):
            yield VolumeChunk(
                modality="volume",
                data=painted.volume(number).reshape(-1, 1),
                stamps_s=stamps,
                t_received=arrived,
                shape=painted.parcellation.shape,
                affine=painted.parcellation.affine,
                index=number,
            )

    def _acquired(self, settings: BoldSettings) -> Iterator[tuple[int, FloatArray, float]]:
        """Yield number, stamp and arrival of every volume that is whole within the session."""
        key = (*self.participant.key(Stream.ARRIVAL), 2)
        t_start = self.t_start + settings.start_s
        number, latest = 0, t_start + settings.burst_s
        while settings.start_s + (number + 1) * settings.tr_s <= self.duration_s:
            stamp = t_start + (number + 0.5) * settings.tr_s
            jitter_s = generator(key, number).uniform(0.0, settings.delay_jitter_s)
            latest = max(latest, stamp + settings.delay_s + jitter_s)
            yield number, np.array([stamp - self._clock_offset_s]), latest
            number += 1

    def _offsets(self, modality: str) -> Iterator[Event]:
        number = 0
        while number * self._offset_interval_s < self.duration_s:
            when = self.t_start + number * self._offset_interval_s
            yield ClockOffset(modality, self._clock_offset_s, when)
            number += 1

    def _ticks(self) -> Iterator[Event]:
        number = 1
        while (number - 1) * self._tick_s < self.duration_s:
            yield Tick(self.t_start + number * self._tick_s)
            number += 1


def _received(event: Event) -> float:
    return event.t_received
