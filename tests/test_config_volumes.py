"""The key `streams.volume` of a session file."""

from pathlib import Path

import pytest

from rtaffect.config import load_session
from rtaffect.core.errors import ConfigError

DECODERS = "decoders: [{bundle: prior-dfcn-eeg}]\n"


def written(tmp_path: Path, streams: str, also: str = "") -> Path:
    path = tmp_path / "session.yaml"
    path.write_text(f"streams: {streams}\n{DECODERS}{also}")
    return path


def test_volumes_are_no_stream_of_lsl_and_are_found_again_in_a_recording(tmp_path: Path) -> None:
    session = load_session(written(tmp_path, "{volume: {required: false}, markers: {}}"))
    assert [choice.modality for choice in session.choices()] == ["markers"]
    choices = {choice.modality: choice for choice in session.recorded_choices()}
    assert set(choices) == {"markers", "volume"}
    assert not choices["volume"].required
    assert session.streams.volume is not None
    assert session.streams.volume.address == "tcp://127.0.0.1:5578"


def test_a_recording_does_not_say_where_volumes_came_from(tmp_path: Path) -> None:
    session = load_session(written(tmp_path, "{volume: {address: 'ipc:///home/ada/volumes'}}"))
    assert "ada" not in str(session.about())


@pytest.mark.parametrize("address", ["tcp://10.0.0.4:5578", "tcp://*:5578", "udp://127.0.0.1:1"])
def test_volumes_come_from_this_machine(tmp_path: Path, address: str) -> None:
    with pytest.raises(ConfigError, match=r"streams\.volume\.address"):
        load_session(written(tmp_path, f"{{volume: {{address: '{address}'}}}}"))


def test_eeg_beside_volumes_must_say_what_became_of_the_scanners_artifacts(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="mr"):
        load_session(written(tmp_path, "{eeg: {}, volume: {}}"))
    load_session(written(tmp_path, "{eeg: {}, volume: {}}", "mr: corrected\n"))
