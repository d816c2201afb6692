"""Sends a simulated participant over LSL in real time, as an amplifier and a face tracker would."""

import heapq
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from threading import Event as StopEvent

import numpy as np

from rtaffect.core.clock import Clock
from rtaffect.core.errors import ConfigError
from rtaffect.core.streams import Chunk, Event, StreamEvent, StreamInfo, StreamState
from rtaffect.publish.lsl import LslSender
from rtaffect.simulate.bold import BoldSettings
from rtaffect.simulate.fault import Fault
from rtaffect.simulate.mr import VOLUME_MARKER, MagnetSettings
from rtaffect.simulate.participant import Participant
from rtaffect.simulate.source import SimulatedSource
from rtaffect.sources.lsl_inlet import local_clock

TRUTH_STYPE = "rtaffect-truth"
"""Type of the stream that says what the participant really feels; no session can select it."""

PULSES_STYPE = "Triggers"
"""Type of the stream of a scanner's pulses, one a volume."""

TRUTH_HZ = 32.0
EEG_CHUNK_S = 1 / 64
LEAD_S = 0.2
"""The first sample is taken this long after the outlets are open."""


def run_sender(
    participant: Participant,
    *,
    stop: StopEvent,
    faults: Sequence[Fault] = (),
    duration_s: float = math.inf,
    sfreq: float = 512.0,
    name: str = "Simulated",
    source_id: str = "",
    speed: float = 1.0,
    magnet: MagnetSettings | None = None,
    clock: Clock = local_clock,
    t_start: float | None = None,
    scan: BoldSettings | None = None,
) -> None:
    """Send EEG, face, markers and the truth until the session or the caller's patience ends.

    Every chunk leaves when it is due on the clock, whatever the sending of those before it took.
    What a fault does to events it does to outlets: a dead sender's outlet is gone, a recovered one
    opens anew under the same ``source_id``.

    Parameters
    ----------
    participant : Participant
        Who.
    stop : threading.Event
        Set by anybody who wants it to end; it returns within a chunk's length.
    faults : sequence of Fault
        What goes wrong, see `rtaffect.simulate.faults`.
    duration_s : float
        Length of the session in seconds.
    sfreq : float
        Rate of the EEG in Hz.
    name : str
        Streams are called this and what they are: ``"Simulated EEG"``.
    source_id : str
        Streams' source_id without its last part (``-eeg``); by default it holds the seed and this
        process's number, so that two senders never share one.
    speed : float
        How much faster than real time the chunks leave. Stamps stay those of the session, so that
        beyond 1 they run ahead of the clock.
    magnet : MagnetSettings or None
        What a scanner does to the EEG; None means that there is none.
    clock : callable
        LSL's clock.
    t_start : float or None
        When the session begins on that clock; None is as soon as the outlets are open.
    scan : BoldSettings or None
        The person lies in a scanner, whose pulses are sent, too.

    Raises
    ------
    ConfigError
        If the speed is not positive.
    PublishError
        If LSL refuses to send.
    """
    if not 0 < speed < math.inf:
        msg = f"The speed must be a number > 0 (1 is real time), got {speed}."
        raise ConfigError(msg)
    prefix = source_id or f"rtaffect-simulated-{participant.seed}-{os.getpid()}"
    t_start = clock() + LEAD_S if t_start is None else t_start
    source = SimulatedSource(
        participant,
        duration_s,
        sfreq=sfreq,
        chunk_s=EEG_CHUNK_S,
        faults=faults,
        t_start=t_start,
        magnet=magnet,
    )
    also = {"truth": _truth_info()}
    if scan is not None:
        also["pulses"] = _pulse_info()
    infos = {
        modality: replace(info, name=f"{name} {info.stype}", source_id=f"{prefix}-{modality}")
        for modality, info in {**source.infos, **also}.items()
    }
    senders = {modality: LslSender([info]) for modality, info in infos.items()}
    try:
        for event in _everything(source, participant, duration_s, t_start, scan):
            due = t_start + (event.t_received - t_start) / speed
            if stop.wait(max(0.0, due - clock())):
                return
            if isinstance(event, Chunk) and event.modality in senders:
                senders[event.modality].push(event)
            elif isinstance(event, StreamEvent):
                modality = event.modality
                if event.state is StreamState.LOST and modality in senders:
                    senders.pop(modality).close()
                elif event.state is StreamState.RECOVERED and modality not in senders:
                    senders[modality] = LslSender([infos[modality]])
    finally:
        for sender in senders.values():
            sender.close()


def _everything(
    source: SimulatedSource,
    participant: Participant,
    duration_s: float,
    t_start: float,
    scan: BoldSettings | None,
) -> Iterator[Event]:
    lanes = [source.events(), _truth(participant, duration_s, t_start)]
    if scan is not None:
        lanes.append(_pulses(scan, duration_s, t_start))
    return heapq.merge(*lanes, key=lambda event: event.t_received)


def _pulses(scan: BoldSettings, duration_s: float, t_start: float) -> Iterator[Event]:
    number = 0
    while scan.start_s + (number + 1) * scan.tr_s <= duration_s:
        stamp = np.array([t_start + scan.start_s + number * scan.tr_s])
        yield Chunk("pulses", np.array([[VOLUME_MARKER]], dtype=object), stamp, float(stamp[0]))
        number += 1


def _truth(participant: Participant, duration_s: float, t_start: float) -> Iterator[Event]:
    number = 0
    while number / TRUTH_HZ < duration_s:
        since = np.array([number / TRUTH_HZ])
        stamp = t_start + since
        yield Chunk("truth", np.stack(participant.course.at(since)), stamp, float(stamp[0]))
        number += 1


def _pulse_info() -> StreamInfo:
    return StreamInfo(
        modality="pulses",
        name="pulses",
        stype=PULSES_STYPE,
        ch_names=("pulse",),
        sfreq=0.0,
        units=("",),
        is_text=True,
        simulated=True,
    )


def _truth_info() -> StreamInfo:
    return StreamInfo(
        modality="truth",
        name="truth",
        stype=TRUTH_STYPE,
        ch_names=("valence", "arousal"),
        sfreq=TRUTH_HZ,
        units=("-1..1", "-1..1"),
        simulated=True,
    )
