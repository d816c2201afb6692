"""Messages survive the way through frames; whatever else arrives is a `WireError`."""

import dataclasses
import json
import math
import string
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rtaffect import wire
from rtaffect.core.errors import WireError
from tests.wire_cases import session

FINITE = st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(max_size=20)
NAMES = st.text(string.ascii_letters + string.digits + "._-", min_size=1, max_size=20)
COUNTS = st.integers(0, wire.MAX_INTEGER)
PROBABILITIES = st.floats(0, 1)


def maps(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(TEXT, values, max_size=3)


def tuples(values: st.SearchStrategy[Any], *, size: int | None = None) -> st.SearchStrategy[Any]:
    return st.lists(values, min_size=size or 0, max_size=4 if size is None else size).map(tuple)


@st.composite
def targets(draw: st.DrawFn) -> wire.Target:
    classes = draw(tuples(TEXT))
    ordered = draw(st.booleans())
    return wire.Target(
        classes=classes,
        probabilities=draw(tuples(PROBABILITIES, size=len(classes))),
        edges=draw(tuples(FINITE, size=len(classes) + 1)) if ordered else (),
        expected=draw(st.none() | FINITE),
        spread=draw(st.none() | FINITE),
    )


ESTIMATES = st.builds(
    wire.Estimate,
    targets=maps(targets()),
    decoder=NAMES,
    t_start=FINITE,
    t_end=FINITE,
    confidence=FINITE,
    coverage=maps(FINITE),
    flags=tuples(st.tuples(TEXT, TEXT)),
    contributions=maps(FINITE),
    n_slices=COUNTS,
)
UNKNOWN = st.none() | FINITE
HEALTHS = st.builds(
    wire.Health,
    t=FINITE,
    streams=maps(
        st.builds(
            wire.StreamHealth,
            sfreq_hz=UNKNOWN,
            drift_ppm=UNKNOWN,
            offset_s=UNKNOWN,
            age_s=UNKNOWN,
            n_samples=COUNTS,
            n_gaps=COUNTS,
            n_missing=COUNTS,
            n_backward=COUNTS,
            n_nonfinite=COUNTS,
        )
    ),
    stages=maps(
        st.builds(wire.StageLatency, p50_ms=UNKNOWN, p95_ms=UNKNOWN, p99_ms=UNKNOWN, n=COUNTS)
    ),
    queues=maps(COUNTS),
    notes=tuples(TEXT),
)


def envelope(topic: str) -> dict[str, Any]:
    return {"schema": wire.SCHEMA, "topic": topic, "seq": 7, "session_id": "s", "t_published": 2.5}


@st.composite
def messages(draw: st.DrawFn) -> wire.Message:
    common = envelope("health/") | {"seq": draw(COUNTS), "session_id": draw(TEXT)}
    kind = draw(st.sampled_from(sorted(wire.MESSAGES)))
    decoder = draw(NAMES)
    if kind == "estimate":
        times = {name: draw(FINITE) for name in ("t_closed", "t_decoded", "age_s", "compute_s")}
        common["topic"] = wire.topic_of("estimate", decoder)
        return wire.EstimateMessage(**common, **times, estimate=draw(ESTIMATES))
    if kind == "dfcn":
        shape = draw(st.lists(st.integers(0, 3), min_size=1, max_size=3).map(tuple))
        matrix = wire.Matrix(
            decoder=decoder, name="prior", t_end=1.0, dtype="<f8", shape=shape, ch_names=()
        )
        common["topic"] = wire.topic_of("dfcn", decoder)
        data = draw(st.binary(min_size=matrix.n_bytes, max_size=matrix.n_bytes))
        return wire.MatrixMessage(**common, matrix=matrix, data=data)
    if kind == "event":
        event = draw(st.builds(wire.Event, t=FINITE, t_received=FINITE))
        return wire.EventMessage(**(common | {"topic": "event/"}), event=event)
    if kind == "session":
        session = wire.Session(
            rtaffect_version="1", simulated=draw(st.booleans()), topics=(), decoders={}, streams={}
        )
        return wire.SessionMessage(**(common | {"topic": "session/"}), session=session)
    return wire.HealthMessage(**common, health=draw(HEALTHS))


@given(messages())
def test_a_message_is_the_same_after_encoding_and_decoding(message: wire.Message) -> None:
    assert wire.decode(wire.encode(message)) == message


def health_frames(**changes: Any) -> list[bytes]:
    health = {"t": 1.0, "streams": {}, "stages": {}, "queues": {}, "provider": "cpu", "notes": []}
    return [b"health/", json.dumps(envelope("health/") | {"health": health} | changes).encode()]


def matrix_frames(data: bytes = bytes(16), **changes: Any) -> list[bytes]:
    matrix = {"decoder": "main", "name": "prior", "t_end": 1.0, "dtype": "<f4", "shape": [2, 2]}
    header = envelope("dfcn/main/") | {"matrix": matrix | {"ch_names": ["Fz", "Cz"]} | changes}
    return [b"dfcn/main/", json.dumps(header).encode(), data]


def test_the_frames_that_the_hostile_cases_start_from_are_good() -> None:
    assert isinstance(wire.decode(health_frames()), wire.HealthMessage)
    assert isinstance(wire.decode(matrix_frames()), wire.MatrixMessage)


def test_fields_of_a_later_minor_version_are_ignored() -> None:
    assert wire.decode(health_frames(weather="fine")) == wire.decode(health_frames())


def test_what_an_earlier_minor_version_did_not_send_has_a_default() -> None:
    content = wire.plain(session("main"))
    now = wire.build(wire.Session, content)
    del content["decoders"]["main"]["leaky"], content["decoders"]["main"]["takes_baseline"]
    assert wire.build(wire.Session, content) == now
    content["decoders"]["main"]["leaky"] = "yes"
    with pytest.raises(WireError, match=r"leaky must be true or false"):
        wire.build(wire.Session, content)


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        ([], "two frames"),
        ([b"health/"], "two frames"),
        ([*health_frames(), b""], "must have 2 frames"),
        (matrix_frames()[:2], "must have 3 frames"),
        ([b"\xff\xfe/", b"{}"], "topic must begin with"),
        ([b"weather/", b"{}"], "topic must begin with"),
        ([b"health/", b"not json"], "must be JSON"),
        ([b"health/", b"\xff\xfe\x00"], "must be JSON"),
        ([b"health/", b'{"schema": NaN}'], "NaN is not JSON"),
        ([b"health/", b"[" * 100_000], "must be JSON"),
        ([b"health/", b'{"a":' * 100_000], "must be JSON"),
        ([b"health/", b"9" * 5000], "must be JSON"),
        ([b"health/", b"[]"], "must be an object"),
        ([b"health/", b" " * (wire.MAX_JSON_BYTES + 1)], "at most"),
        ([b"health/", b"{}"], "schema must be 1, got None"),
        (health_frames(schema=2), "schema must be 1, got 2: publisher and reader"),
        (health_frames(schema=True), "schema must be a whole number"),
        (health_frames(seq=-1), "seq must be 0 or more"),
        (health_frames(seq=1 << 60), "seq must be a whole number"),
        (health_frames(seq=1.5), "seq must be a whole number"),
        (health_frames(t_published=None), "t_published must be a finite number, got None"),
        (health_frames(session_id=[]), "session_id must be text"),
        (health_frames(topic="event/"), "topic of this message must be like"),
        (health_frames(health=None), "health must be an object"),
        (health_frames(health={}), "health.t is missing"),
        ([b"health/x", health_frames()[1]], "must be the first frame"),
        ([b"event/", health_frames()[1]], "event is missing"),
        ([b"health/", health_frames()[1].replace(b"1.0", b"1e999")], "finite number, got inf"),
        ([b"health/", health_frames()[1].replace(b"1.0", b"9" * 4000)], "finite number"),
        (matrix_frames(bytes(15)), "must have 16 bytes"),
        (matrix_frames(dtype="|O"), "dtype must be one of <f4, <f8"),
        (matrix_frames(dtype="object"), "dtype must be one of <f4, <f8"),
        (matrix_frames(shape=[]), "shape must have 1 to 8 lengths"),
        (matrix_frames(shape=[1] * 9), "shape must have 1 to 8 lengths"),
        (matrix_frames(shape=[-1, -4]), "lengths of at least 0"),
        (matrix_frames(shape=[1 << 50] * 8), "at most 67108864 bytes"),
        (matrix_frames(shape=[1 << 60, 0]), "must be a whole number"),
        (matrix_frames(shape="22"), "must be a list"),
        (matrix_frames(ch_names=["Fz"]), "must label the first axis"),
    ],
)
def test_a_hostile_message_is_a_wire_error_that_says_what_is_wrong(
    frames: list[bytes], words: str
) -> None:
    with pytest.raises(WireError) as caught:
        wire.decode(frames)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 500


def test_names_of_unbounded_length_are_refused() -> None:
    health = {"t": 1.0, "streams": {}, "stages": {}, "provider": "", "notes": []}
    with pytest.raises(WireError, match="at most 200 characters"):
        wire.decode(health_frames(health=health | {"queues": {"q" * 201: 1}}))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)
KEYS = st.sampled_from(
    sorted({each.name for kind in wire.MESSAGES.values() for each in dataclasses.fields(kind)})
)


@given(
    topic=st.sampled_from([b"session/", b"estimate/a/", b"health/", b"event/", b"dfcn/a/", b"x"])
    | st.binary(max_size=20),
    header=st.dictionaries(KEYS, JSON).map(lambda part: json.dumps({"schema": 1} | part).encode())
    | st.binary(),
    rest=st.lists(st.binary(max_size=20), max_size=2),
)
@example(topic=b"health/", header=b'"\\ud800"', rest=[])
def test_arbitrary_frames_raise_nothing_but_wire_errors(
    topic: bytes, header: bytes, rest: list[bytes]
) -> None:
    with pytest.raises(WireError):
        wire.decode([topic, header, *rest])


def test_what_is_not_finite_becomes_null_and_json_stays_strict() -> None:
    health = wire.StageLatency(p50_ms=math.nan, p95_ms=1.0, p99_ms=math.inf, n=0)
    assert wire.plain(health) == {"p50_ms": None, "p95_ms": 1.0, "p99_ms": None, "n": 0}


@pytest.mark.parametrize("decoder", ["", "a/b", "a b", "é", "a\n"])
def test_a_decoder_whose_name_does_not_fit_into_a_topic_is_refused(decoder: str) -> None:
    with pytest.raises(WireError, match="names of decoders"):
        wire.topic_of("estimate", decoder)
