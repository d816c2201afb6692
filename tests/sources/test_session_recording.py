"""Our own recordings: what is kept, what may be chosen, and which files are refused."""

import json
from pathlib import Path

import numpy as np
import pytest

from rtaffect.core.arrivals import ARRIVAL_CHANNELS
from rtaffect.core.errors import RecordingError
from rtaffect.core.face_features import FACE_FEATURES, FRAME_QUALITY
from rtaffect.core.streams import (
    Chunk,
    ClockOffset,
    StreamChoice,
    StreamEvent,
    StreamInfo,
    StreamState,
    Tick,
)
from rtaffect.publish.recorder import Recorder
from rtaffect.publish.xdf_writer import XdfWriter
from rtaffect.sources.recording import open_recording

INFOS = {
    "eeg": StreamInfo(
        modality="eeg", name="Amp", stype="EEG", ch_names=("Cz",), sfreq=250.0, units=("uV",)
    ),
    "markers": StreamInfo(
        modality="markers", name="M", stype="Markers", ch_names=("x",), sfreq=0.0, is_text=True
    ),
}
EVENTS = [
    ClockOffset("eeg", 0.5, 10.0),
    Chunk("eeg", np.ones((1, 2), np.float32), np.array([9.4, 9.404]), 10.01),
    StreamEvent("markers", StreamState.LOST, 10.02, "gone"),
    Tick(10.25),
    Chunk("markers", np.array([["go"]], dtype=object), np.array([9.9]), 10.3),
    StreamEvent("eeg", StreamState.LOST, 10.4, "unplugged"),
    Tick(10.5),
]


@pytest.fixture
def session(tmp_path) -> Path:
    recorder = Recorder(tmp_path / "session.xdf", INFOS, session={})
    for event in EVENTS:
        recorder.on_event(event)
    recorder.close()
    return tmp_path / "session.xdf"


def kinds(events):
    return [(type(event).__name__, getattr(event, "modality", "")) for event in events]


def test_without_being_told_everything_is_taken_and_no_tick_is_added(session):
    with open_recording([session], tick_s=0.01) as source:
        assert dict(source.infos) == INFOS
        assert kinds(source.events()) == kinds(EVENTS)
        assert source.duration_s == 0.5


def test_a_recording_says_which_models_decoded_it(session, tmp_path):
    digests = {"main": "ab12", "other": "cd34"}
    settings = {"decoders": [{"bundle": "mine", "name": "main"}, {"bundle": "plain"}]}
    told = {"bundles": digests, "settings": settings}
    Recorder(tmp_path / "told.xdf", INFOS, session=told).close()
    with open_recording([tmp_path / "told.xdf"], []) as source:
        assert source.bundles == {"ab12": "mine", "cd34": "plain"}
    with open_recording([session]) as source:
        assert source.bundles == {}


@pytest.mark.parametrize("settings", [None, {}, {"decoders": [{"bundle": "a"}]}, {"decoders": 1}])
def test_models_that_a_recording_does_not_name_are_called_as_their_decoders(tmp_path, settings):
    told = {"bundles": {"main": "ab12", "other": "cd34"}, "settings": settings}
    Recorder(tmp_path / "told.xdf", INFOS, session=told).close()
    with open_recording([tmp_path / "told.xdf"], []) as source:
        assert source.bundles == {"ab12": "main", "cd34": "other"}


def test_what_is_not_chosen_is_left_out_and_the_rest_stays_as_it_was(session):
    with open_recording([session], [StreamChoice(modality="eeg", stype="EEG")]) as source:
        assert list(source.infos) == ["eeg"]
        events = list(source.events())
    expected = [event for event in EVENTS if getattr(event, "modality", "eeg") == "eeg"]
    assert kinds(events) == kinds(expected)
    assert [e.t_received for e in events] == [e.t_received for e in expected]


def test_a_choice_that_was_live_corrects_nothing_twice(session):
    choice = StreamChoice(modality="eeg", stype="EEG", rename={"A1": "Cz"}, unit="uV")
    with open_recording([session], [choice]) as source:
        assert source.infos["eeg"] == INFOS["eeg"]


def test_a_recording_of_another_amplifier_does_not_fit(session):
    with pytest.raises(RecordingError, match="name 'Other'"):
        open_recording([session], [StreamChoice(modality="eeg", name="Other")])


def test_a_face_file_is_laid_at_the_start_of_the_session(session, tmp_path):
    names = ("timestamp", *FRAME_QUALITY, *FACE_FEATURES)
    rows = [",".join(names)] + [",".join([f"{n / 30:.3f}", *["1"] * 31]) for n in range(5)]
    (tmp_path / "face.csv").write_text("\n".join(rows))
    with open_recording([session, tmp_path / "face.csv"]) as source:
        assert list(source.infos) == ["eeg", "markers", "face"]
        events = list(source.events())
    times = [event.t_received for event in events]
    assert times == sorted(times)
    assert ClockOffset("face", 10.0, 10.0) in events
    assert sum(isinstance(event, Tick) for event in events) == 2


def write(path, *, about=None, rows=(), details=(), n_samples=2):
    """A file as the recorder would write it, but for what is said."""
    described = [{"number": 1, **{k: getattr(INFOS["eeg"], k) for k in StreamInfo.__slots__}}]
    about = about or {"format": 1, "rtaffect": "0", "streams": described, "session": {}}
    with path.open("wb") as file:
        writer = XdfWriter(file)
        writer.add_stream(1, name="Amp", stype="EEG", dtype="f4", ch_names=("Cz",))
        writer.samples(1, np.arange(float(n_samples)), np.zeros((1, n_samples), "f4"))
        for number, kind, texts in ((2, "session", [json.dumps(about)]), (3, "events", details)):
            stype = f"rtaffect-{kind}"
            writer.add_stream(number, name=stype, stype=stype, dtype=object, ch_names=("json",))
            writer.samples(number, np.zeros(len(texts)), np.array([texts], dtype=object))
        stype = "rtaffect-arrivals"
        writer.add_stream(4, name=stype, stype=stype, dtype="f8", ch_names=ARRIVAL_CHANNELS)
        table = np.array(rows, dtype=float).reshape(-1, len(ARRIVAL_CHANNELS)).T
        writer.samples(4, np.zeros(table.shape[1]), table)
    return path


def test_a_later_layout_is_refused_by_both_versions(tmp_path):
    path = write(tmp_path / "s.xdf", about={"format": 2, "rtaffect": "9.9"})
    with pytest.raises(RecordingError, match=r"layout 2 \(rtaffect 9\.9\).*up to 1"):
        open_recording([path])


NAN = float("nan")


@pytest.mark.parametrize(
    "rows",
    [
        [(0, 1, 3, 1.0, 0)],  # more samples than there are
        [(0, 1, -1, 1.0, 0)],
        [(0, 1, 0.5, 1.0, 0)],
        [(0, 1, NAN, 1.0, 0)],
        [(0, 7, 1, 1.0, 0)],  # a stream that is not described
        [(9, 1, 1, 1.0, 0)],  # no such kind
        [(NAN, 1, 1, 1.0, 0)],
        [(3, 1, 0, 1.0, 0)],  # a stream event that is not there
        [(2, 0, 0, 2.0, 0), (2, 0, 0, 1.0, 0)],  # time runs backward
    ],
)
def test_arrivals_that_do_not_fit_the_file_are_refused(tmp_path, rows):
    with pytest.raises(RecordingError, match="arrivals do not fit"):
        open_recording([write(tmp_path / "s.xdf", rows=rows)])


@pytest.mark.parametrize("about", [{"format": 1}, [], "x", {"format": "1"}])
def test_a_session_stream_that_says_something_else_is_refused(tmp_path, about):
    with pytest.raises(RecordingError, match="lacks what a recording of rtaffect holds"):
        open_recording([write(tmp_path / "s.xdf", about=about or [1])])


def test_a_stream_event_of_no_known_state_is_refused(tmp_path):
    detail = json.dumps({"modality": "eeg", "state": "dancing", "detail": ""})
    with pytest.raises(RecordingError, match="dancing"):
        open_recording([write(tmp_path / "s.xdf", details=[detail])])
