"""Outlets on loopback: what receivers see of them, and that samples arrive as they were sent."""

import dataclasses
import math
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pylsl
import pytest

from rtaffect.core.errors import PublishError
from rtaffect.core.estimate import Estimate
from rtaffect.core.sinks import Timing
from rtaffect.core.streams import Chunk, StreamInfo
from rtaffect.core.window import Flag
from rtaffect.publish.lsl import FLAG_BITS, LslPublisher, LslSender
from tests.wire_cases import estimate, session

pytestmark = pytest.mark.integration
WAIT_S = 10.0
TIMING = Timing(t_closed=0.0, t_decoded=0.0)


def info(modality: str, *ch_names: str, sfreq: float = 0.0, is_text: bool = False) -> StreamInfo:
    return StreamInfo(
        modality=modality,
        name="rtaffect-test",
        stype="EEG",
        source_id=f"test-{uuid.uuid4()}",
        ch_names=ch_names,
        sfreq=sfreq,
        units=("uV",) * len(ch_names),
        is_text=is_text,
        simulated=True,
    )


@contextmanager
def inlet_of(source_id: str) -> Iterator[pylsl.StreamInlet]:
    found = pylsl.resolve_byprop("source_id", source_id, timeout=WAIT_S)
    assert len(found) == 1
    inlet = pylsl.StreamInlet(found[0], recover=False, processing_flags=0)
    inlet.open_stream(timeout=WAIT_S)
    yield inlet
    inlet.close_stream()


def description(inlet: pylsl.StreamInlet) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Return the values of a description, and label and unit of each channel."""
    desc = inlet.info(timeout=WAIT_S).desc()
    values, child = {}, desc.first_child()
    while not child.empty():
        values[child.name()] = child.child_value()
        child = child.next_sibling()
    channels, channel = [], desc.child("channels").child("channel")
    while not channel.empty():
        channels.append((channel.child_value("label"), channel.child_value("unit")))
        channel = channel.next_sibling("channel")
    return values, channels


def pull(inlet: pylsl.StreamInlet, n: int) -> tuple[list[list[float]], list[float]]:
    samples: list[list[float]] = []
    stamps: list[float] = []
    while len(stamps) < n:
        more, more_stamps = inlet.pull_chunk(timeout=WAIT_S, max_samples=n, min_samples=1)
        assert more_stamps
        samples += [list(row) for row in more]
        stamps += list(more_stamps)
    return samples, stamps


def test_chunks_arrive_with_their_own_stamps_labels_and_units() -> None:
    eeg = info("eeg", "Fz", "Cz", sfreq=250.0)
    sender = LslSender([eeg])
    stamps = np.array([5.0, 5.004, 7.5])
    data = np.array([[1.5, np.nan, 3.0], [4.0, 5.0, np.inf]])
    with inlet_of(eeg.source_id) as inlet:
        sender.push(Chunk("eeg", data[:, :2], stamps[:2], 0.0))
        sender.push(Chunk("eeg", data[:, :0], stamps[:0], 0.0))
        sender.push(Chunk("eeg", data[:, 2:], stamps[2:], 0.0))
        got, got_stamps = pull(inlet, 3)
        values, channels = description(inlet)
        assert sender.has_consumers("eeg")
    sender.close()
    np.testing.assert_array_equal(np.array(got).T, data)
    np.testing.assert_array_equal(got_stamps, stamps)
    assert channels == [("Fz", "uV"), ("Cz", "uV")]
    assert values["simulated"] == "true"


def test_stamps_that_lsl_reserves_arrive_as_the_numbers_beside_them() -> None:
    markers = info("markers", "text", is_text=True)
    sender = LslSender([markers])
    with inlet_of(markers.source_id) as inlet:
        text = np.array([["début", "x", "end"]], dtype=object)
        sender.push(Chunk("markers", text, np.array([-1.0, 0.0, 1.0]), 0.0))
        got, stamps = pull(inlet, 3)
    sender.close()
    assert got == [["début"], ["x"], ["end"]]
    np.testing.assert_allclose(stamps, [-1.0, 0.0, 1.0], rtol=0, atol=1e-15)


def test_doubles_arrive_exactly_when_asked_for() -> None:
    eeg = info("eeg", "Fz", sfreq=1.0)
    sender = LslSender([eeg], dtype="float64")
    with inlet_of(eeg.source_id) as inlet:
        sender.push(Chunk("eeg", np.array([[math.pi]]), np.array([1.0]), 0.0))
        got, _ = pull(inlet, 1)
    sender.close()
    assert got == [[math.pi]]


@pytest.mark.parametrize(
    "chunk",
    [
        Chunk("face", np.zeros((1, 1)), np.zeros(1), 0.0),
        Chunk("eeg", np.zeros((3, 1)), np.zeros(1), 0.0),
    ],
)
def test_a_chunk_of_another_stream_is_refused(chunk: Chunk) -> None:
    sender = LslSender([info("eeg", "Fz", sfreq=1.0)])
    with pytest.raises(PublishError, match="must be of one of eeg"):
        sender.push(chunk)
    sender.close()


def test_a_stream_without_identity_or_channels_is_refused() -> None:
    with pytest.raises(PublishError, match="must have a source_id and channels"):
        LslSender([StreamInfo(modality="eeg", name="x", stype="EEG", ch_names=("a",), sfreq=1.0)])
    with pytest.raises(PublishError, match="must have a source_id and channels"):
        LslSender([info("eeg")])


def test_estimates_arrive_as_samples_that_the_description_explains() -> None:
    session_id = str(uuid.uuid4())
    publisher = LslPublisher(session("main"), session_id=session_id)
    answer = estimate("main", 12.5)
    silent = Estimate(
        decoder="main",
        t_start=10.0,
        t_end=13.0,
        targets={},
        confidence=0.0,
        coverage={"eeg": 0.0, "face": 0.0},
        flags=(("eeg", Flag.MISSING), ("eeg", Flag.STALE)),
        contributions={},
        n_slices=0,
        bundle_digest="d" * 64,
    )
    with inlet_of(f"rtaffect-estimate-main-{session_id}") as inlet:
        publisher.on_estimate(answer, TIMING)
        publisher.on_estimate(silent, TIMING)
        got, stamps = pull(inlet, 2)
        values, channels = description(inlet)
        seen = inlet.info(timeout=WAIT_S)
    publisher.close()
    assert (seen.type(), seen.nominal_srate()) == ("rtaffect-estimate", 0.0)
    assert stamps == [12.5, 13.0]
    first, second = (
        dict(zip([label for label, _ in channels], sample, strict=True)) for sample in got
    )
    valence = answer.targets["valence"]
    assert first["valence_expected"] == valence.expected
    assert first["valence_spread"] == valence.spread
    assert first["valence_p_high"] == 0.5
    assert first["emotion_p_calm"] == 0.9
    assert "emotion_expected" not in first
    assert (first["confidence"], first["n_slices"], first["face_coverage"]) == (0.4, 4, 0.5)
    assert first["lag_s"] == answer.lag_s
    bits = dict(word.split("=") for word in values["flag_bits"].split())
    assert first["face_flags"] == int(bits["gap"]) + int(bits["simulated"])
    assert second["eeg_flags"] == FLAG_BITS[Flag.MISSING] + FLAG_BITS[Flag.STALE]
    assert math.isnan(second["valence_expected"])
    assert math.isnan(second["emotion_p_fear"])
    assert (values["simulated"], values["bundle_digest"]) == ("true", "d" * 64)
    assert (values["session_id"], values["leaky"]) == (session_id, "false")


def test_a_model_that_takes_a_baseline_has_a_channel_for_its_flags() -> None:
    session_id = str(uuid.uuid4())
    plain = session("main")
    takes = {"main": dataclasses.replace(plain.decoders["main"], takes_baseline=True)}
    publisher = LslPublisher(dataclasses.replace(plain, decoders=takes), session_id=session_id)
    answer = estimate("main", 12.5)
    flags = (("baseline", Flag.MISSING), *answer.flags)
    with inlet_of(f"rtaffect-estimate-main-{session_id}") as inlet:
        publisher.on_estimate(answer, TIMING)
        publisher.on_estimate(dataclasses.replace(answer, flags=flags), TIMING)
        got, _ = pull(inlet, 2)
        _, channels = description(inlet)
    publisher.close()
    assert channels[-1] == ("baseline_flags", "bits")
    assert [sample[-1] for sample in got] == [0, FLAG_BITS[Flag.MISSING]]


def test_a_closed_sender_is_gone() -> None:
    eeg = info("eeg", "Fz", sfreq=1.0)
    sender = LslSender([eeg])
    with inlet_of(eeg.source_id) as inlet:
        sender.close()
        with pytest.raises(pylsl.util.LostError):
            inlet.pull_chunk(timeout=WAIT_S, max_samples=1)
