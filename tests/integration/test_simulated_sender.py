"""A simulated participant over real LSL."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

import numpy as np
import numpy.typing as npt
import pylsl
import pytest
from pylsl.util import LostError

from rtaffect.core.errors import ConfigError
from rtaffect.core.montages import EEG_32
from rtaffect.simulate.eeg import SimulatedEeg
from rtaffect.simulate.faults import parse_fault
from rtaffect.simulate.mr import SCANNED_CHANNELS, VOLUME_MARKER, MagnetSettings
from rtaffect.simulate.participant import Participant
from rtaffect.simulate.sender import TRUTH_STYPE, run_sender
from rtaffect.sources.lsl_inlet import local_clock

pytestmark = pytest.mark.integration
PATIENCE_S = 10.0


@contextmanager
def sending(source_id: str, **settings: object) -> Iterator[Event]:
    """Run a sender in a thread; its errors reach the test."""
    stop, errors = Event(), []

    def run() -> None:
        try:
            run_sender(Participant(5), stop=stop, source_id=source_id, **settings)  # type: ignore[arg-type]
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    thread = Thread(target=run)
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join(PATIENCE_S)
    assert not thread.is_alive()
    assert not errors


@pytest.fixture
def source_id(request: pytest.FixtureRequest) -> str:
    return f"{request.node.name}-{os.getpid()}"


def found_by(source_id: str) -> list[pylsl.StreamInfo]:
    return pylsl.resolve_byprop("source_id", source_id, timeout=PATIENCE_S)


def inlet(source_id: str) -> pylsl.StreamInlet:
    found = found_by(source_id)
    assert len(found) == 1
    opened = pylsl.StreamInlet(found[0], recover=False, processing_flags=0)
    opened.open_stream(timeout=PATIENCE_S)
    return opened


def pull(
    stream: pylsl.StreamInlet, until: Callable[[int], bool]
) -> tuple[npt.NDArray, npt.NDArray]:
    """Return samples (n_times, n_channels) and stamps until there are enough."""
    samples, stamps, deadline = [], [], local_clock() + PATIENCE_S
    while not until(len(stamps)) and local_clock() < deadline:
        chunk, when = stream.pull_chunk(timeout=0.2, min_samples=1)
        samples += list(chunk)
        stamps += list(when)
    assert until(len(stamps))
    return np.array(samples), np.array(stamps)


def test_every_stream_is_sent_and_says_that_nobody_was_measured(source_id: str) -> None:
    with sending(source_id):
        streams = {
            modality: inlet(f"{source_id}-{modality}")
            for modality in ("eeg", "face", "markers", "truth")
        }
        infos = {modality: stream.info(PATIENCE_S) for modality, stream in streams.items()}
        data, stamps = pull(streams["eeg"], lambda n: n >= 512)
        truth, truth_t = pull(streams["truth"], lambda n: n >= 16)
        frames, _ = pull(streams["face"], lambda n: n >= 10)
        markers, _ = pull(streams["markers"], lambda n: n >= 1)
    types = {modality: info.type() for modality, info in infos.items()}
    assert types == {"eeg": "EEG", "face": "Face", "markers": "Markers", "truth": TRUTH_STYPE}
    for info in infos.values():
        assert info.desc().child_value("simulated") == "true"
    label = infos["eeg"].desc().child("channels").child("channel").child_value("label")
    assert label == EEG_32[0]
    # Stamps are regular and on LSL's clock; samples are the participant's, none lost or doubled.
    assert np.diff(stamps) == pytest.approx(1 / 512, abs=1e-6)
    assert stamps[-1] == pytest.approx(local_clock(), abs=PATIENCE_S)
    known = SimulatedEeg(Participant(5)).samples(0, 10 * 512).T
    start = int(np.flatnonzero((known == data[0]).all(axis=1))[0])
    assert np.array_equal(known[start : start + len(data)], data)
    # The truth is the course, on the same clock.
    since = truth_t - (stamps[0] - start / 512)
    course = np.stack(Participant(5).course.at(since), axis=1)
    assert truth == pytest.approx(course, abs=1e-3)
    assert frames.shape[1] == 31
    assert str(markers[0][0]).startswith("simulated/")


def test_a_dead_senders_outlet_is_gone_and_returns_under_its_name(source_id: str) -> None:
    with sending(source_id, faults=[parse_fault("eeg:death@2+1")]):
        first = inlet(f"{source_id}-eeg")
        uid = first.info(PATIENCE_S).uid()
        with pytest.raises(LostError):
            pull(first, lambda _: False)
        # For a moment the dead one may still be found.
        deadline = local_clock() + PATIENCE_S
        while [found.uid() for found in found_by(f"{source_id}-eeg")] == [uid]:
            assert local_clock() < deadline
        again = inlet(f"{source_id}-eeg")
        assert again.info(PATIENCE_S).uid() != uid
        pull(again, lambda n: n >= 32)


def test_it_ends_by_itself(source_id: str) -> None:
    with sending(source_id, duration_s=3.0) as stop:
        stream = inlet(f"{source_id}-eeg")
        with pytest.raises(LostError):
            pull(stream, lambda _: False)
        assert not stop.is_set()


def test_a_speed_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="speed"):
        run_sender(Participant(1), stop=Event(), speed=0.0)


def test_inside_a_scanner_it_sends_an_ecg_and_a_marker_a_volume(source_id: str) -> None:
    magnet = MagnetSettings(tr_s=0.4, n_slices=5, pause_s=0.02, start_s=1.0)
    with sending(source_id, sfreq=5000.0, magnet=magnet):
        eeg, markers = inlet(f"{source_id}-eeg"), inlet(f"{source_id}-markers")
        data, stamps = pull(eeg, lambda n: n >= 12_500)
        texts, when = pull(markers, lambda n: n >= 3)
    assert data.shape[1] == len(SCANNED_CHANNELS)
    assert np.diff(stamps).mean() == pytest.approx(1 / 5000.0, rel=1e-4)
    volumes = when[texts[:, 0] == VOLUME_MARKER]
    assert len(volumes) >= 2
    np.testing.assert_allclose(np.diff(volumes), magnet.tr_s, atol=3 * magnet.marker_jitter_s)
    running = stamps >= volumes[0] + magnet.marker_jitter_s
    assert np.ptp(data[running], axis=0).max() > 0.5 * magnet.gradient_uv
