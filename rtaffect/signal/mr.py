"""EEG inside a scanner on its way to the chains: the same events, the EEG without artifacts.

The corrector stands before every chain, live and in replay. What it makes follows from the order
and the stamps of events alone; the recorder keeps what was there before it.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from rtaffect.core.errors import ConfigError, UnitError
from rtaffect.core.mr import LEAST_SFREQ, MrSpec
from rtaffect.core.streams import Chunk, ClockOffset, Event, StreamInfo
from rtaffect.signal.mr_artifact import GradientCorrector
from rtaffect.signal.pulse_artifact import PulseCorrector
from rtaffect.signal.timeline import ClockMap, Floats
from rtaffect.signal.units import microvolts_per

EEG, MARKERS = "eeg", "markers"
ECG_NAMES = frozenset({"ECG", "EKG"})
TOLERANCE = 0.99  # of the least rate: clocks differ
LOST_S = 0.02  # a jump of the stamps by more means that samples are missing


class MrCorrector:
    """Takes gradient and pulse artifacts out of the EEG among events.

    Parameters
    ----------
    spec : MrSpec
        The numbers.
    infos : mapping of str to StreamInfo
        The streams, by modality.

    Raises
    ------
    ConfigError
        There is no EEG of at least 5 kHz, no stream of markers, or no such ECG.
    """

    def __init__(self, spec: MrSpec, infos: Mapping[str, StreamInfo]) -> None:
        eeg = _checked(infos)
        self.spec = spec
        self._sfreq = eeg.sfreq
        ecg = None if spec.pulse is None else _ecg(eeg, spec.pulse.ecg)
        per_ms = spec.gradient.guard_uv_per_ms * 1e3 / eeg.sfreq
        limits = _limits(eeg, per_ms)
        picks = [i for i in range(eeg.n_channels) if np.isfinite(limits[i]) and i != ecg]
        if ecg is not None:
            limits[ecg] = np.inf
        self._gradient = GradientCorrector(spec.gradient, sfreq=eeg.sfreq, limits=limits)
        self._pulse = (
            None
            if spec.pulse is None
            else PulseCorrector(spec.pulse, sfreq=eeg.sfreq, picks=picks, ecg=ecg)
        )
        self._heart = "the electrodes" if ecg is None else eeg.ch_names[ecg]
        self._clocks = {EEG: ClockMap(), MARKERS: ClockMap()}
        self._t_last: float | None = None  # stamp of the last sample, the sender's clock

    @property
    def words(self) -> str:
        """Where beats are found, for people."""
        if self._pulse is None:
            return "gradients only"
        return f"heartbeats from {self._heart}"

    def push(self, event: Event) -> Event:
        """Return the event; EEG as float64 without artifacts, NaN where there is none to have."""
        match event:
            case ClockOffset() if event.modality in self._clocks:
                self._clocks[event.modality].update(event)
            case Chunk(modality="eeg"):
                return replace(event, data=self._corrected(event))
            case Chunk(modality="markers"):
                self._mark(event)
        return event

    def notes(self) -> tuple[str, ...]:
        """Return what keeps EEG from passing, in words."""
        found = [self._gradient.note, self._pulse.note if self._pulse else ""]
        return tuple(f"mr: {note}" for note in found if note)

    def _corrected(self, chunk: Chunk) -> Floats:
        data = chunk.data.astype(np.float64)
        out = np.empty_like(data)
        start = 0
        for place, n_lost in self._losses(chunk.stamps_s):
            out[:, start:place] = self._push(data[:, start:place])
            self._gradient.skip(n_lost)
            if self._pulse is not None:
                self._pulse.skip(n_lost)
            start = place
        out[:, start:] = self._push(data[:, start:])
        return out

    def _push(self, data: Floats) -> Floats:
        if data.shape[1] == 0:
            return data
        if self._pulse is None:
            return self._gradient.push(data)
        return self._gradient.push(data, then=self._pulse.push)

    def _losses(self, stamps_s: Floats) -> list[tuple[int, int]]:
        """Return before which samples others are missing, and how many."""
        if len(stamps_s) == 0:
            return []
        before = stamps_s[:1] if self._t_last is None else np.array([self._t_last])
        self._t_last = float(stamps_s[-1])
        missing_s = np.diff(np.concatenate([before, stamps_s])) - 1.0 / self._sfreq
        places = np.flatnonzero(missing_s > LOST_S)
        return [(int(i), round(float(missing_s[i]) * self._sfreq)) for i in places]

    def _mark(self, chunk: Chunk) -> None:
        """Say which sample each volume marker belongs to, as well as stamps can."""
        if self._t_last is None:
            return
        t_last = self._t_last + self._clocks[EEG].offset_s
        for text, t in zip(chunk.data[0], self._clocks[MARKERS].apply(chunk), strict=True):
            if str(text).strip() == self.spec.gradient.volume_marker and np.isfinite(t):
                self._gradient.mark(self._gradient.n - 1 + (float(t) - t_last) * self._sfreq)


def _checked(infos: Mapping[str, StreamInfo]) -> StreamInfo:
    eeg, markers = infos.get(EEG), infos.get(MARKERS)
    if eeg is None or markers is None or not markers.is_text:
        got = ", ".join(infos) or "none"
        msg = (
            "mr: causal_aas needs an EEG stream and a stream of text markers that says when each "
            f"volume began; got {got}. Name both under streams: in the session file."
        )
        raise ConfigError(msg)
    if not eeg.sfreq >= TOLERANCE * LEAST_SFREQ:
        msg = (
            f"mr: causal_aas needs EEG of at least {LEAST_SFREQ:g} Hz, as gradients switch within "
            f"a fraction of a millisecond; got {eeg.sfreq:g} Hz from {eeg.name!r}. Send the "
            "amplifier's full rate, or have its own software correct it and write mr: corrected."
        )
        raise ConfigError(msg)
    return eeg


def _ecg(eeg: StreamInfo, name: str | None) -> int | None:
    if name is not None and name not in eeg.ch_names:
        msg = (
            f"mr.ecg must be a channel of the EEG stream, got {name!r}; there are "
            f"{', '.join(eeg.ch_names)}."
        )
        raise ConfigError(msg)
    named = [i for i, own in enumerate(eeg.ch_names) if own == name]
    called = [i for i, own in enumerate(eeg.ch_names) if own.upper() in ECG_NAMES]
    return next(iter(named or called), None)


def _limits(eeg: StreamInfo, limit_uv: float) -> Floats:
    """Return a limit in each channel's own unit; infinite for what is no electric potential."""
    limits = np.full(eeg.n_channels, np.inf)
    for i, unit in enumerate(eeg.units):
        try:
            limits[i] = limit_uv / microvolts_per(unit)
        except UnitError:
            continue
    return limits
