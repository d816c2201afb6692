"""A session inside a running scanner: corrected live, recorded raw, corrected again in replay."""

from pathlib import Path

import numpy as np
import pytest
from kept import Kept
from tiny_bundle import write_tiny_bundle

from rtaffect.bundle import Bundle
from rtaffect.cli.opening import lived_mr, open_conditioner
from rtaffect.config import Session
from rtaffect.core.conditioner import Conditioner
from rtaffect.core.streams import Chunk, Source
from rtaffect.core.window import Flag
from rtaffect.decode.decoder import Decoder
from rtaffect.engine import Engine
from rtaffect.publish.recorder import Recorder
from rtaffect.simulate.mr import MagnetSettings
from rtaffect.simulate.participant import Participant
from rtaffect.simulate.source import SimulatedSource
from rtaffect.sources.recording import open_recording

MAGNET = MagnetSettings(tr_s=0.5, n_slices=8, pause_s=0.03, start_s=8.0, stop_s=18.0)
NUMBERS = {"longest_tr_s": 1.0, "min_volumes": 4, "min_beats": 3}


def session(mr: dict[str, object]) -> Session:
    streams: dict[str, object] = {"eeg": {}, "face": {}, "markers": {}}
    return Session.model_validate({"streams": streams, "decoders": ({"bundle": "tiny"},), "mr": mr})


SESSION = session({"eeg": "causal_aas", **NUMBERS})


def simulated() -> SimulatedSource:
    return SimulatedSource(
        Participant(7), 20.0, sfreq=5000.0, tick_s=0.5, magnet=MAGNET, clock_offset_s=2.5
    )


def run(source: Source, bundle: Bundle, conditioner: Conditioner | None, *sinks: object) -> Kept:
    kept = Kept()
    decoder = Decoder(bundle, infos=source.infos, provider="cpu")
    Engine(source, [decoder], [kept, *sinks], conditioner=conditioner).run()
    return kept


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Bundle, Kept]:
    folder = tmp_path_factory.mktemp("scanned")
    bundle, path = write_tiny_bundle(folder), folder / "session.xdf"
    source = simulated()
    recorder = Recorder(path, source.infos, session={"settings": SESSION.about()})
    lived = run(source, bundle, open_conditioner(SESSION.mr, source.infos), recorder)
    return path, bundle, lived


def test_a_replay_applies_the_session_s_own_setting_and_says_the_same_to_the_bit(
    recorded: tuple[Path, Bundle, Kept],
) -> None:
    path, bundle, lived = recorded
    with open_recording([path]) as source:
        again = run(source, bundle, open_conditioner(lived_mr(None, source), source.infos))
    said = [estimate.canonical() for estimate in lived.estimates]
    assert [estimate.canonical() for estimate in again.estimates] == said
    assert sum(bool(estimate.targets) for estimate in lived.estimates) > 5


def test_the_recording_holds_what_the_amplifier_sent(recorded: tuple[Path, Bundle, Kept]) -> None:
    path, _, _ = recorded
    with open_recording([path]) as source:
        kept = [e.data for e in source.events() if isinstance(e, Chunk) and e.modality == "eeg"]
    sent = [e.data for e in simulated().events() if isinstance(e, Chunk) and e.modality == "eeg"]
    np.testing.assert_array_equal(np.concatenate(kept, axis=1), np.concatenate(sent, axis=1))


def test_a_session_file_may_say_otherwise(recorded: tuple[Path, Bundle, Kept]) -> None:
    path, bundle, lived = recorded
    other = session({"eeg": "corrected"})
    with open_recording([path]) as source:
        assert open_conditioner(lived_mr(other, source), source.infos) is None
        raw = run(source, bundle, None)
    assert [e.canonical() for e in raw.estimates] != [e.canonical() for e in lived.estimates]


def test_no_answer_rests_on_what_is_not_known_and_the_health_says_why(
    recorded: tuple[Path, Bundle, Kept],
) -> None:
    _, bundle, lived = recorded
    window_s = bundle.manifest.windows.window_s
    start = 1000.0 + MAGNET.start_s
    learning = [e for e in lived.estimates if start + 0.5 <= e.t_end <= start + 7 * 0.5 + window_s]
    assert learning
    for estimate in learning:
        assert ("eeg", Flag.MISSING) in estimate.flags
    notes = {note for health in lived.healths for note in health.notes}
    assert any(note.startswith("mr: the gradient template has") for note in notes)
    assert any(health.stages.get("condition") for health in lived.healths)
    late = [e for e in lived.estimates if start + 8 <= e.t_end <= start + 9.5]
    assert all(("eeg", Flag.MISSING) not in estimate.flags for estimate in late)
