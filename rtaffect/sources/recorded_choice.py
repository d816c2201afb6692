"""Which of the recorded streams is which modality, by a session file or by what is obvious."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rtaffect.core.errors import RecordingError
from rtaffect.core.face_features import FACE_FEATURES
from rtaffect.core.streams import StreamChoice, StreamInfo
from rtaffect.sources.recorded import RecordedFile, RecordedStream
from rtaffect.sources.stream_choice import describe, select


@dataclass(frozen=True, slots=True)
class ChosenStream:
    """A stream that is played: its file's place, its own place in it, and its description."""

    at: int
    i: int
    stream: RecordedStream
    info: StreamInfo


def choose(files: Sequence[RecordedFile], choices: Sequence[StreamChoice]) -> list[ChosenStream]:
    """Return the stream that fits each choice.

    A stream that a sender described must fit wholly. A plain file gives neither name nor source_id,
    so there the type alone counts. In our own recordings the modality counts, and the
    description stays what the session went by.

    Parameters
    ----------
    files : sequence of RecordedFile
        Open files.
    choices : sequence of StreamChoice
        One a modality.

    Returns
    -------
    list of ChosenStream
        In the order of the choices.

    Raises
    ------
    RecordingError
        A stream that is required is not there.
    StreamError
        Several fit, or the description of one contradicts the choice.
    """
    places = {
        id(stream): (at, i)
        for at, file in enumerate(files)
        for i, stream in enumerate(file.streams)
    }
    streams = [stream for file in files for stream in file.streams]
    sent = [stream for stream in streams if stream.has_identity and stream.live is None]
    plain = [stream for stream in streams if not stream.has_identity]
    chosen: list[ChosenStream] = []
    for choice in choices:
        by_type = replace(choice, name=None, source_id=None)
        stream = _lived(choice, streams) or select(choice, sent) or select(by_type, plain)
        if stream is None and choice.required:
            raise _not_there(choice, files)
        if stream is not None:
            at, i = places[id(stream)]
            info = stream.live or describe(stream, choice)
            chosen.append(ChosenStream(at, i, stream, info))
    _check_once(chosen)
    return chosen


def guess(files: Sequence[RecordedFile]) -> list[ChosenStream]:
    """Return what is obvious: one stream each of EEG, face, ROI frames and markers.

    There must be EEG, unless there are ROI frames or nothing but a face. Of our own recordings
    everything is taken, as it was live.

    Parameters
    ----------
    files : sequence of RecordedFile
        Open files.

    Returns
    -------
    list of ChosenStream
        The streams.

    Raises
    ------
    RecordingError
        There is neither an EEG stream nor one of ROI frames, and not a face alone.
    StreamError
        There are several of type EEG or fMRI, or their description is not enough.
    """
    streams = [stream for file in files for stream in file.streams]
    lived = [stream.live.modality for stream in streams if stream.live is not None]
    others = [stream for stream in streams if stream.live is None and stream.selectable]
    faces = [s for s in others if s.stype == "Face" and set(FACE_FEATURES) <= set(s.ch_names)]
    markers = [s for s in others if s.stype == "Markers"]
    obvious = [StreamChoice(modality=modality) for modality in lived]
    frames = [s for s in others if s.stype == "fMRI"]
    is_face_alone = bool(faces) and {s.stype for s in streams} <= {"Face", "Markers"}
    has_eeg = any(s.stype == "EEG" for s in others)
    if not lived and not is_face_alone and (has_eeg or not frames):
        obvious.append(StreamChoice(modality="eeg", stype="EEG"))
    if faces and "face" not in lived:
        obvious.append(StreamChoice(modality="face", stype="Face"))
    if frames and "roi" not in lived:
        obvious.append(StreamChoice(modality="roi", stype="fMRI"))
    if len(markers) == 1 and "markers" not in lived:
        obvious.append(StreamChoice(modality="markers", stype="Markers"))
    return choose(files, obvious)


def _lived(choice: StreamChoice, streams: Sequence[RecordedStream]) -> RecordedStream | None:
    """Return the stream that was the modality when we recorded it, if it fits otherwise too."""
    asked = {key: getattr(choice, key) for key in ("name", "stype", "source_id")}
    for stream in streams:
        if (
            stream.live is not None
            and stream.live.modality == choice.modality
            and all(value in (None, getattr(stream, key)) for key, value in asked.items())
        ):
            return stream
    return None


def _not_there(choice: StreamChoice, files: Sequence[RecordedFile]) -> RecordingError:
    asked = {"type": choice.stype, "name": choice.name, "source_id": choice.source_id}
    wish = " and ".join(f"{key} {value!r}" for key, value in asked.items() if value is not None)
    lines = [f"No stream with samples fits {wish or 'it'} (modality {choice.modality!r})."]
    for file in files:
        lines.append(f"{file.path} holds:")
        lines += [f"  {stream}" for stream in file.streams]
        lines += [f"  ({note})" for note in file.notes]
    if any(stream.selectable for file in files for stream in file.streams):
        lines.append(
            f"Say by type, name or source_id which one is the {choice.modality}, under streams: "
            f"{choice.modality}: in the session file."
        )
    else:
        lines.append(
            "None of them has both channels and samples: nothing was recorded that could be "
            "decoded. Was the sender sending, and the recorder closed?"
        )
    return RecordingError("\n".join(lines))


def _check_once(chosen: Sequence[ChosenStream]) -> None:
    """Refuse a modality with two streams, and a stream with two modalities."""
    modalities = [one.info.modality for one in chosen]
    places = [(one.at, one.i) for one in chosen]
    for modality, place, one in zip(modalities, places, chosen, strict=True):
        if modalities.count(modality) > 1 or places.count(place) > 1:
            msg = (
                f"Each modality must be one stream and each stream one modality; {modality!r} and "
                f"{one.stream} are in more than one pair: {modalities}."
            )
            raise RecordingError(msg)
