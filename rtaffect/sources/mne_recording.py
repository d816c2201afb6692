"""EEG files that MNE reads: EEGLAB, EDF, BDF, BrainVision and FIF.

Samples are read in pieces, so that memory stays flat. Of the header only labels, rate and units are
looked at: names, dates and birthdays stay in the file.
"""

import heapq
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rtaffect.core.errors import RecordingError
from rtaffect.core.streams import ClockOffset, Event, StreamEvent, StreamState
from rtaffect.sources.recorded import RecordedStream, chunk_events, plain_events

logger = logging.getLogger(__name__)

READERS = {
    ".set": "read_raw_eeglab",
    ".edf": "read_raw_edf",
    ".bdf": "read_raw_bdf",
    ".vhdr": "read_raw_brainvision",
    ".fif": "read_raw_fif",
    ".fif.gz": "read_raw_fif",
}
"""MNE's reader by the end of the file's name."""

PIECE_S = 10  # read at a time; a whole number of seconds, so that pieces end where chunks do
_BIOSEMI_TRIGGER = 0xFFFF  # the status channel's upper bits are the amplifier's own
_FIFF_UNIT_V = 107
_SKIP = "BAD_ACQ_SKIP"  # FIF: nothing was recorded for so long, and zeros stand there
_CUTS = ("New Segment/", _SKIP)  # BrainVision's pauses; EEGLAB and MNE write "boundary"
_SPOKEN = (OSError, RuntimeError, NotImplementedError)  # errors in MNE's own words


class MneRecording:
    """An EEG file that MNE reads.

    Parameters
    ----------
    path : Path
        The file; for EEGLAB and BrainVision the ``.set`` or ``.vhdr`` beside its data.

    Raises
    ------
    RecordingError
        MNE cannot read it.

    Notes
    -----
    Sample n has the stamp ``n / sfreq``. The stream has all channels that MNE types as EEG (often
    EOG and ECG too: a montage picks by name later), in volts. Annotations and triggers are a stream
    of text markers. Where the file says that it was cut or paused, the stream is lost and comes
    back, so that no window joins the two sides.
    """

    is_relative = True
    is_session = False

    def __init__(self, path: Path) -> None:
        import mne  # slow to load, and only such files need it

        self.path = path
        ending = next(ending for ending in READERS if path.name.lower().endswith(ending))
        with _mne(path):
            self._raw = getattr(mne.io, READERS[ending])(path, preload=False, verbose="WARNING")
            self._picks = mne.pick_types(self._raw.info, meg=False, eeg=True, exclude=())
            self._marker_times_s, self._markers = _markers(self._raw, mne)
            self._cuts = _cuts(self._raw)
        info = self._raw.info
        self._sfreq = float(info["sfreq"])
        n_times = int(self._raw.n_times)
        units, self.notes = _units(self._raw, self._picks, path)
        kind = f"{ending[1:].upper()} file"  # not the file's own name: it may name a person
        eeg = RecordedStream(
            name=kind,
            stype="EEG",
            n_channels=len(self._picks),
            sfreq=self._sfreq,
            dtype="float64",
            ch_names=tuple(info["ch_names"][i] for i in self._picks),
            units=units,
            n_times=n_times if len(self._picks) else 0,
            t_last=(n_times - 1) / self._sfreq,
        )
        times_s = self._marker_times_s
        markers = RecordedStream(
            name=kind,
            stype="Markers",
            n_channels=1,
            sfreq=0.0,
            dtype="text",
            ch_names=("marker",),
            n_times=len(times_s),
            t_first=float(times_s[0]) if len(times_s) else 0.0,
            t_last=float(times_s[-1]) if len(times_s) else 0.0,
        )
        self.streams = (eeg, markers)

    def play(
        self, modalities: Mapping[int, str], *, shift_s: float, delay_s: float
    ) -> Iterator[Event]:
        """Yield the events of the chosen streams, see `RecordedFile`."""
        each = [
            self._eeg(modality, shift_s=shift_s, delay_s=delay_s)
            if i == 0
            else plain_events(
                modality, self._marker_times_s, self._markers, shift_s=shift_s, delay_s=delay_s
            )
            for i, modality in modalities.items()
        ]
        return heapq.merge(*each, key=lambda event: event.t_received)

    def _eeg(self, modality: str, *, shift_s: float, delay_s: float) -> Iterator[Event]:
        n_times = int(self._raw.n_times)
        yield ClockOffset(modality, shift_s, shift_s + delay_s)
        pieces = {int(np.ceil(t * self._sfreq)) for t in range(0, self._n_seconds(), PIECE_S)}
        starts = sorted(pieces | self._cuts)
        for start, stop in zip(starts, [*starts[1:], n_times], strict=True):
            with _mne(self.path):
                data: npt.NDArray[np.float64] = self._raw.get_data(
                    self._picks, start, stop, verbose="WARNING"
                )
            stamps_s = np.arange(start, stop) / self._sfreq
            if start in self._cuts:
                t = float(stamps_s[0]) + shift_s + delay_s
                yield StreamEvent(modality, StreamState.LOST, t, "The recording was cut here.")
                yield StreamEvent(modality, StreamState.RECOVERED, t, "It goes on at another time.")
            yield from chunk_events(modality, stamps_s, data, stamps_s + shift_s + delay_s)

    def _n_seconds(self) -> int:
        return int(np.ceil(self._raw.n_times / self._sfreq))


def _markers(raw: Any, mne: Any) -> tuple[npt.NDArray[np.float64], npt.NDArray[Any]]:
    """Return times in seconds and texts, shapes (n_times,) and (1, n_times), of every marker."""
    # Onsets count from the acquisition's start, samples from the recording's.
    onsets = list(np.asarray(raw.annotations.onset, dtype=np.float64) - raw.first_time)
    texts = [str(text) for text in raw.annotations.description]
    triggers = mne.pick_types(raw.info, meg=False, stim=True, exclude=())
    if len(triggers) == 1:  # several are the bits and the sum of one: which is meant, nobody says
        events = mne.find_events(
            raw,
            stim_channel=raw.info["ch_names"][triggers[0]],
            mask=_BIOSEMI_TRIGGER,
            mask_type="and",
            shortest_event=1,
            verbose="WARNING",
        )
        onsets += list((events[:, 0] - raw.first_samp) / raw.info["sfreq"])
        texts += [str(code) for code in events[:, 2]]
    order = np.argsort(np.array(onsets, dtype=np.float64), kind="stable")
    times_s = np.array(onsets, dtype=np.float64)[order]
    return times_s, np.array(texts, dtype=object)[order][None, :]


def _cuts(raw: Any) -> set[int]:
    """Return the samples that do not follow the one before: something was cut out, or paused."""
    cuts_s: list[float] = []
    for one in raw.annotations:
        if "boundary" in one["description"].lower() or one["description"].startswith(_CUTS):
            cuts_s.append(one["onset"] - raw.first_time)
        if one["description"].startswith(_SKIP):
            cuts_s.append(one["onset"] - raw.first_time + one["duration"])
    # EEGLAB's boundaries lie half way between two samples: the later one begins the new piece.
    found = {int(np.ceil(cut_s * raw.info["sfreq"] - 1e-3)) for cut_s in cuts_s}
    return {cut for cut in found if 0 < cut < raw.n_times}


def _units(
    raw: Any, picks: npt.NDArray[np.intp], path: Path
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return volts where MNE converted to them, "" where the file does not tell; and a note."""
    original: Mapping[str, str] = getattr(raw, "_orig_units", {})
    channels = [raw.info["chs"][i] for i in picks]
    units = tuple(
        "V" if ch["unit"] == _FIFF_UNIT_V and original.get(ch["ch_name"]) != "n/a" else ""
        for ch in channels
    )
    unknown = [ch["ch_name"] for ch, unit in zip(channels, units, strict=True) if not unit]
    note = f"{path.name} does not declare the unit of {', '.join(unknown)}."
    return units, (note,) if unknown else ()


@contextmanager
def _mne(path: Path) -> Iterator[None]:
    """Log MNE's warnings as information, and turn its errors into ours."""
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
    except Exception as error:
        # Other errors may quote the header, and a header may hold personal data.
        said = f": {error}" if isinstance(error, _SPOKEN) else ""
        msg = f"MNE cannot read {path} ({type(error).__name__}{said}). Is it damaged or cut off?"
        raise RecordingError(msg) from error
    for warning in caught:
        logger.info("MNE on %s: %s", path.name, warning.message)
