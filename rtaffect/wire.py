"""The messages that subscribers get: what is in them, how they become frames and are read again.

A message is two frames, or three: the topic, a JSON object, and for matrices the raw numbers. The
dataclasses below are the one definition; ``docs/wire.schema.json`` and the tables of
``docs/wire.md`` are made from them. This file needs the standard library alone and may be copied
into another application together with ``client.py``. Nothing that a peer sends raises anything but
`WireError`.
"""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, ClassVar, Literal, TypeVar, get_args, get_origin, get_type_hints

try:
    from rtaffect.core.errors import WireError
except ImportError:  # copied alone into another application

    class WireError(Exception):  # type: ignore[no-redef]
        """A message does not follow the schema, or an address or a key is not valid."""


__all__ = ["SCHEMA", "Message", "WireError", "build", "decode", "encode", "plain", "topic_of"]

SCHEMA = 1
"""Version of the messages. Fields may be added within a version; readers ignore unknown ones."""

MAX_JSON_BYTES = 1 << 20
MAX_MATRIX_BYTES = 1 << 26
MAX_DIMENSIONS = 8
MAX_KEY = 200
MAX_INTEGER = 1 << 53  # beyond this not every reader of JSON has exact integers

ITEM_BYTES: Mapping[str, int] = {"<f4": 4, "<f8": 8}
"""What a matrix may be made of, in NumPy's words: little-endian floats and their size in bytes."""

T = TypeVar("T")


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise WireError(message)


def _require_schema(got: object) -> None:
    _require(
        got == SCHEMA,
        f"schema must be {SCHEMA}, got {_shown(got)}: publisher and reader are of different "
        "versions; update the older one.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Calibrated probabilities of one target's classes.

    Parameters
    ----------
    classes : tuple of str
        Class names, in order.
    probabilities : tuple of float
        One a class, summing to 1.
    edges : tuple of float
        One more than classes for an ordered target (valence, arousal): class i speaks for the
        interval from edge i to edge i + 1, within [-1, 1]. Empty for categories.
    expected : float or None
        Mean over [-1, 1]; null for categories.
    spread : float or None
        Standard deviation over [-1, 1]; null for categories.
    """

    classes: tuple[str, ...]
    probabilities: tuple[float, ...]
    edges: tuple[float, ...]
    expected: float | None
    spread: float | None

    def __post_init__(self) -> None:
        _require(
            len(self.probabilities) == len(self.classes),
            "A target must have one probability a class, got "
            f"{len(self.probabilities)} for {len(self.classes)} classes.",
        )
        _require_edges(self.classes, self.edges)


def _require_edges(classes: tuple[str, ...], edges: tuple[float, ...]) -> None:
    _require(
        len(edges) in (0, len(classes) + 1),
        f"A target must have no edges or one more than classes, got {len(edges)} for "
        f"{len(classes)} classes.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a decoder says of a window.

    Parameters
    ----------
    decoder : str
        Name of the decoder.
    t_start, t_end : float
        The newest window's interval, in seconds on the runtime's clock.
    targets : mapping of str to Target
        By name. Empty when the decoder cannot answer; the flags then say why.
    confidence : float
        From 0 to 1: certainty of the targets times coverage of the modalities that were used.
    coverage : mapping of str to float
        By modality: the fraction of samples present, settled and clean.
    flags : tuple of (str, str)
        Sorted pairs of modality and word; the words are listed in docs/wire.md.
    contributions : mapping of str to float
        By decoder: its weight in the answer, of a fused estimate the mean over targets.
    n_slices : int
        How many windows the answer rests on; 0 without an answer.
    bundle_digest : str
        sha256 of the model's manifest.
    lag_s : float
        The answer speaks of so many seconds before the window: above 0 where blood flow is what
        was measured.
    """

    decoder: str
    t_start: float
    t_end: float
    targets: Mapping[str, Target]
    confidence: float
    coverage: Mapping[str, float]
    flags: tuple[tuple[str, str], ...]
    contributions: Mapping[str, float]
    n_slices: int
    bundle_digest: str
    lag_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamHealth:
    """One stream at one moment; null stands for what is not known.

    Parameters
    ----------
    state : str
        "waiting" (nothing came yet), "ok", "stale", "lost" or "refused".
    n_samples : int
        Samples received since the start.
    sfreq_hz : float or None
        Measured rate in Hz.
    drift_ppm : float or None
        Measured rate against the nominal one, in parts per million; null for irregular streams.
    offset_s : float or None
        Newest clock offset, in seconds.
    n_gaps, n_missing : int
        Breaks in the stream, and samples that should have been in them.
    n_backward : int
        Stamps that went back and were moved forward or dropped.
    n_nonfinite : int
        Samples that held NaN or infinity.
    age_s : float or None
        Time since the newest sample, in seconds.
    """

    state: str
    n_samples: int
    sfreq_hz: float | None
    drift_ppm: float | None
    offset_s: float | None
    n_gaps: int
    n_missing: int
    n_backward: int
    n_nonfinite: int
    age_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StageLatency:
    """Latency of one stage over its last runs.

    Parameters
    ----------
    p50_ms, p95_ms, p99_ms : float or None
        Percentiles in milliseconds; null before the first run.
    n : int
        Over how many runs.
    """

    p50_ms: float | None
    p99_ms: float | None
    n: int
    p95_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How the runtime itself is doing.

    Parameters
    ----------
    t : float
        When it was looked at, in seconds on the runtime's clock.
    streams : mapping of str to StreamHealth
        By modality.
    stages : mapping of str to StageLatency
        By stage.
    queues : mapping of str to int
        How many items wait in each queue.
    provider : str
        Where the model runs.
    notes : tuple of str
        What people should know.
    """

    t: float
    streams: Mapping[str, StreamHealth]
    stages: Mapping[str, StageLatency]
    queues: Mapping[str, int]
    provider: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something happened: a stream was lost or came back, a marker arrived, a note was made.

    Parameters
    ----------
    kind : {"stream", "marker", "note"}
        What sort of event it is.
    modality : str
        Key of the stream; empty for notes.
    state : str
        Of a stream: "lost", "recovered" or "refused"; empty otherwise.
    text : str
        The marker's or the note's text, or details about the stream.
    t : float
        When it happened, in seconds on the runtime's clock: for markers the sender's stamp with the
        newest clock offset, else the time of arrival.
    t_received : float
        When the runtime got to know, in seconds on its clock.
    """

    kind: Literal["stream", "marker", "note"]
    modality: str
    state: str
    text: str
    t: float
    t_received: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetInfo:
    """One target that a decoder estimates.

    Parameters
    ----------
    classes : tuple of str
        Class names, in order.
    edges : tuple of float
        One more than classes within [-1, 1] for an ordered target; empty for categories.
    """

    classes: tuple[str, ...]
    edges: tuple[float, ...]

    def __post_init__(self) -> None:
        _require_edges(self.classes, self.edges)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderInfo:
    """One decoder that runs.

    Parameters
    ----------
    bundle_digest : str
        sha256 of the model's manifest.
    simulated : bool
        The model was trained on simulated participants.
    modalities : tuple of str
        What it listens to.
    window_s, hop_s : float
        Length of a window and distance of window ends, in seconds.
    targets : mapping of str to TargetInfo
        By name.
    takes_baseline : bool
        The model asks what the person is like at rest; where nobody told it, estimates have the
        flag ``["baseline", "missing"]``. Not in messages of older versions.
    leaky : bool
        Test data took part in the model's making: how well it does on new people is not known. Not
        in messages of older versions.
    members : tuple of str
        Decoders whose estimates it fuses; empty for a model of its own. Windows and hops are then
        those of the member that makes the pace, and the digest is of the members' digests. Not in
        messages of older versions.
    """

    bundle_digest: str
    simulated: bool
    modalities: tuple[str, ...]
    window_s: float
    hop_s: float
    targets: Mapping[str, TargetInfo]
    takes_baseline: bool = False
    leaky: bool = False
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamInfo:
    """One stream that the session listens to.

    Parameters
    ----------
    name, stype, source_id : str
        Name, content type and identity of the sender, in LSL's words.
    ch_names : tuple of str
        Channel labels as the sender spells them.
    sfreq : float
        Nominal rate in Hz; 0 means irregular.
    simulated : bool
        The sender declares that nobody was measured.
    """

    name: str
    stype: str
    source_id: str
    ch_names: tuple[str, ...]
    sfreq: float
    simulated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What runs: sent once, and to everybody who subscribes later.

    Parameters
    ----------
    rtaffect_version : str
        Version of the publisher.
    simulated : bool
        A stream or a model is simulated: nobody may mistake the estimates for a measurement.
    topics : tuple of str
        Every topic that may carry messages.
    decoders : mapping of str to DecoderInfo
        By name.
    streams : mapping of str to StreamInfo
        By modality.
    """

    rtaffect_version: str
    simulated: bool
    topics: tuple[str, ...]
    decoders: Mapping[str, DecoderInfo]
    streams: Mapping[str, StreamInfo]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """What the raw bytes of the third frame are.

    Parameters
    ----------
    decoder : str
        Name of the decoder.
    name : str
        Which output of the model it is: "connectivity", "prior", "band_power" ...
    t_end : float
        End of the window, in seconds on the runtime's clock.
    dtype : {"<f4", "<f8"}
        Little-endian floats of 4 or 8 bytes.
    shape : tuple of int
        Lengths of the axes; the bytes are in C order, the last axis runs fastest.
    ch_names : tuple of str
        Labels of the first axis, and of the second where the matrix is square; empty when the axis
        does not stand for channels.
    """

    decoder: str
    name: str
    t_end: float
    dtype: Literal["<f4", "<f8"]
    shape: tuple[int, ...]
    ch_names: tuple[str, ...]

    def __post_init__(self) -> None:
        _require(
            self.dtype in ITEM_BYTES,
            f"dtype must be one of {', '.join(ITEM_BYTES)}, got {self.dtype!r}.",
        )
        _require(
            0 < len(self.shape) <= MAX_DIMENSIONS and min(self.shape) >= 0,
            f"shape must have 1 to {MAX_DIMENSIONS} lengths of at least 0, got {self.shape}.",
        )
        _require(
            self.n_bytes <= MAX_MATRIX_BYTES,
            f"A matrix must be at most {MAX_MATRIX_BYTES} bytes, got shape {self.shape}.",
        )
        _require(
            len(self.ch_names) in (0, self.shape[0]),
            f"ch_names must label the first axis, got {len(self.ch_names)} for {self.shape}.",
        )

    @property
    def n_bytes(self) -> int:
        """How many bytes the third frame has."""
        return math.prod(self.shape) * ITEM_BYTES[self.dtype]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """The envelope of every message.

    Parameters
    ----------
    schema : int
        Version of this schema.
    topic : str
        The topic, as in the first frame.
    seq : int
        Number of the message in its topic, from 0; a jump means that messages were lost.
    session_id : str
        The publisher's session; another one means that it was restarted.
    t_published : float
        When it was handed to the network, in seconds on the runtime's clock.
    """

    schema: int
    topic: str
    seq: int
    session_id: str
    t_published: float

    PATTERN: ClassVar[str] = ""

    def __post_init__(self) -> None:
        _require_schema(self.schema)
        _require(
            re.fullmatch(self.PATTERN, self.topic) is not None,
            f"The topic of this message must be like {self.PATTERN}, got {self.topic!r}.",
        )
        _require(self.seq >= 0, f"seq must be 0 or more, got {self.seq}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionMessage(Message):
    """On ``session/``: what runs.

    Parameters
    ----------
    session : Session
        What runs.
    """

    session: Session
    PATTERN: ClassVar[str] = "session/"


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimateMessage(Message):
    """On ``estimate/<decoder>/``: one estimate, and how long it took.

    Parameters
    ----------
    t_closed : float
        Arrival of the sample that closed the window, in seconds on the runtime's clock.
    t_decoded : float
        When the estimate was ready, in seconds on the runtime's clock.
    age_s : float
        ``t_published - t_end``, in seconds: how old the end of the window is, filter delay and
        waits included.
    compute_s : float
        ``t_published - t_closed``, in seconds: what the runtime itself took.
    estimate : Estimate
        The estimate.
    """

    t_closed: float
    t_decoded: float
    age_s: float
    compute_s: float
    estimate: Estimate
    PATTERN: ClassVar[str] = "estimate/[A-Za-z0-9._-]+/"


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthMessage(Message):
    """On ``health/``, once a second: how the runtime is doing.

    Parameters
    ----------
    health : Health
        The report.
    """

    health: Health
    PATTERN: ClassVar[str] = "health/"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventMessage(Message):
    """On ``event/``: something happened.

    Parameters
    ----------
    event : Event
        What happened.
    """

    event: Event
    PATTERN: ClassVar[str] = "event/"


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixMessage(Message):
    """On ``dfcn/<decoder>/``: an array that the model exposes, made only while somebody subscribes.

    Parameters
    ----------
    matrix : Matrix
        What the bytes are.
    data : bytes
        The third frame, not part of the JSON.
    """

    matrix: Matrix
    data: bytes = field(repr=False, metadata={"frame": True})
    PATTERN: ClassVar[str] = "dfcn/[A-Za-z0-9._-]+/"

    def __post_init__(self) -> None:
        Message.__post_init__(self)  # dataclasses with slots cannot use super() without arguments
        _require(
            len(self.data) == self.matrix.n_bytes,
            f"The third frame must have {self.matrix.n_bytes} bytes for {self.matrix.dtype} "
            f"{self.matrix.shape}, got {len(self.data)}.",
        )


MESSAGES: Mapping[str, type[Message]] = {
    "session": SessionMessage,
    "estimate": EstimateMessage,
    "health": HealthMessage,
    "event": EventMessage,
    "dfcn": MatrixMessage,
}
"""Kinds of messages, by the first word of the topic."""


@cache
def topic_of(kind: str, decoder: str = "") -> str:
    """Return the topic of a kind of message, of a decoder where the kind has one each.

    Raises
    ------
    WireError
        There is no such kind, or the decoder's name does not fit into a topic.
    """
    topic = f"{kind}/{decoder}/" if decoder else f"{kind}/"
    _require(kind in MESSAGES, f"The kind must be one of {', '.join(MESSAGES)}, got {kind!r}.")
    _require(
        re.fullmatch(MESSAGES[kind].PATTERN, topic) is not None,
        f"A topic of this kind must be like {MESSAGES[kind].PATTERN}, got {topic!r}: names of "
        "decoders are letters, digits, dots, dashes and underscores.",
    )
    return topic


def encode(message: Message) -> list[bytes]:
    """Return a message as frames: topic, JSON, and the bytes of a matrix.

    Raises
    ------
    WireError
        The message is too large.
    """
    header = json.dumps(plain(message), separators=(",", ":"), allow_nan=False).encode()
    _require(
        len(header) <= MAX_JSON_BYTES,
        f"A message must be at most {MAX_JSON_BYTES} bytes of JSON, got {len(header)}.",
    )
    frames = [message.topic.encode(), header]
    return [*frames, message.data] if isinstance(message, MatrixMessage) else frames


def decode(frames: Sequence[bytes]) -> Message:
    """Return the message of some frames.

    Raises
    ------
    WireError
        The frames are not a message of this schema; nothing else is ever raised.
    """
    _require(len(frames) >= 2, f"A message must have at least two frames, got {len(frames)}.")
    _require(
        len(frames[1]) <= MAX_JSON_BYTES,
        f"A message must be at most {MAX_JSON_BYTES} bytes of JSON, got {len(frames[1])}.",
    )
    kind = MESSAGES.get(frames[0].split(b"/", 1)[0].decode("ascii", "replace"))
    if kind is None:
        msg = f"The topic must begin with one of {', '.join(MESSAGES)}, got {frames[0][:80]!r}."
        raise WireError(msg)
    n_frames = 3 if kind is MatrixMessage else 2
    _require(
        len(frames) == n_frames, f"This message must have {n_frames} frames, got {len(frames)}."
    )
    try:
        header = json.loads(frames[1], parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        msg = f"The second frame must be JSON, got {frames[1][:80]!r} ({error})."
        raise WireError(msg) from error
    if isinstance(header, dict):  # before its fields: those of another version may differ
        _require_schema(header.get("schema"))
    message = build(kind, header, given={"data": frames[2]} if n_frames == 3 else {})
    _require(
        message.topic.encode("utf-8", "replace") == frames[0],
        f"The topic in the message must be the first frame, got {message.topic!r} and "
        f"{frames[0][:80]!r}.",
    )
    return message


def _refuse_constant(word: str) -> None:
    msg = f"{word} is not JSON"
    raise ValueError(msg)


def plain(value: Any) -> Any:
    """Return a message, or a part of one, as JSON types; what is not finite becomes null."""
    kind: Any = type(value)
    if kind is str:  # by far the most frequent first
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    if kind is tuple:
        return [plain(item) for item in value]
    if is_dataclass(value):
        return {name: plain(getattr(value, name)) for name in _json_fields(kind)}
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value]


@cache
def _json_fields(cls: type) -> tuple[str, ...]:
    return tuple(each.name for each in fields(cls) if "frame" not in each.metadata)


@cache
def _later_fields(cls: type) -> frozenset[str]:
    """Return what older versions do not send: fields with a default."""
    return frozenset(each.name for each in fields(cls) if each.default is not MISSING)


@cache
def _hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls)


@cache
def _form(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    return get_origin(hint), get_args(hint)


def build(
    cls: type[T],
    value: object,
    *,
    where: str = "message",
    given: Mapping[str, object] | None = None,
) -> T:
    """Return a dataclass of this file made of JSON types, every field checked.

    Parameters
    ----------
    cls : type
        The dataclass.
    value : object
        What should be a JSON object with its fields; others are ignored.
    where : str
        What error messages call it.
    given : mapping of str to object, optional
        Fields that do not come from the JSON.

    Raises
    ------
    WireError
        A field is missing or is not what it must be.
    """
    if not isinstance(value, dict):
        msg = f"{where} must be an object, got {_shown(value)}."
        raise WireError(msg)
    kind: Any = cls
    hints = _hints(kind)
    arguments = dict(given or {})
    for name in _json_fields(kind):
        if name not in value and name in _later_fields(kind):
            continue
        if name not in value:
            msg = f"{where}.{name} is missing."
            raise WireError(msg)
        arguments[name] = _checked(value[name], hints[name], f"{where}.{name}")
    return cls(**arguments)


def _checked(value: object, hint: Any, where: str) -> Any:
    """Return a value of JSON as the type that a field declares."""
    if hint in _SCALARS and _SCALARS[hint](value):  # by far the most frequent first
        return hint(value)
    if is_dataclass(hint):
        return build(hint, value, where=where)  # type: ignore[arg-type]
    origin, args = _form(hint)
    if origin is UnionType:
        known = next(each for each in args if each is not NoneType)
        return None if value is None else _checked(value, known, where)
    if origin is Literal and isinstance(value, str) and value in args:
        return value
    if origin is Mapping and isinstance(value, dict):
        _require(
            all(len(key) <= MAX_KEY for key in value),
            f"Names in {where} must have at most {MAX_KEY} characters.",
        )
        return {key: _checked(item, args[1], f"{where}[{key!r}]") for key, item in value.items()}
    if origin is tuple and isinstance(value, list):
        each = args[:1] * len(value) if args[-1] is Ellipsis else args
        if len(each) == len(value):
            return tuple(
                _checked(item, kind, f"{where}[{i}]")
                for i, (item, kind) in enumerate(zip(value, each, strict=True))
            )
    msg = f"{where} must be {_words(hint)}, got {_shown(value)}."
    raise WireError(msg)


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_INTEGER


_SCALARS: Mapping[Any, Callable[[Any], bool]] = {
    bool: lambda value: isinstance(value, bool),
    int: _is_int,
    float: lambda value: _is_int(value) or (isinstance(value, float) and math.isfinite(value)),
    str: lambda value: isinstance(value, str),
}


def _words(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return f"one of {', '.join(get_args(hint))}"
    if get_origin(hint) is tuple:
        args = get_args(hint)
        return "a list" if args[-1] is Ellipsis else f"a list of {len(args)}"
    names = {float: "a finite number", int: "a whole number", str: "text", bool: "true or false"}
    return names.get(hint, "an object")


def _shown(value: object) -> str:
    if isinstance(value, dict | list):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value)}"
    return repr(value[:80] if isinstance(value, str) else value)[:80]
