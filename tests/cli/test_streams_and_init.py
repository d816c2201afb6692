"""What is on the network, listed and turned into a session file."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rtaffect.bundle import write_bundle
from rtaffect.cli import choosing
from rtaffect.cli.main import app
from rtaffect.config import load_session
from rtaffect.core.atlas import brainnetome
from rtaffect.core.errors import BundleError
from rtaffect.core.face_features import FACE_FEATURES
from rtaffect.core.montages import EEG_15, EEG_32
from rtaffect.sources.lsl_inlet import FoundStream
from tests.tiny_bundle import CH_NAMES, FEATURES, tiny_manifest, write_tiny_bundle

run = CliRunner().invoke


def stream(stype: str, name: str, **other: object) -> FoundStream:
    given: dict[str, object] = {
        "source_id": f"{name}-id",
        "hostname": "lab",
        "uid": name,
        "n_channels": 3,
        "sfreq": 500.0,
        "dtype": "float32",
        "ch_names": CH_NAMES,
        "units": ("uV",) * 3,
    }
    return FoundStream(stype=stype, name=name, **(given | other))  # type: ignore[arg-type]


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> list[FoundStream]:
    """What `discover` finds."""
    found: list[FoundStream] = []
    monkeypatch.setattr(
        "rtaffect.sources.lsl_inlet.discover", lambda *_args, **_kwargs: list(found)
    )
    return found


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one shipped model: three electrodes and two action units."""
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.setattr("rtaffect.bundle._SHIPPED", folder)
    return write_tiny_bundle(folder).path


def test_streams_are_listed_with_what_a_session_asks_for(network: list[FoundStream]) -> None:
    network += [stream("EEG", "Amp"), stream("Markers", "Keys\x1b[2J", source_id="", units=())]
    output = run(app, ["streams"]).output
    for word in ("EEG", "Amp", "Amp-id", "500 Hz", "uV", "Fz Cz Pz", "set one at the sender"):
        assert word in output
    assert "\x1b[2J" not in output


def test_streams_as_json_are_one_object_a_line(network: list[FoundStream]) -> None:
    network += [stream("EEG", "Amp"), stream("Face", "Cam")]
    lines = [json.loads(line) for line in run(app, ["streams", "--json"]).output.splitlines()]
    assert [line["name"] for line in lines] == ["Amp", "Cam"]
    assert lines[0]["ch_names"] == list(CH_NAMES)


@pytest.mark.usefixtures("network")
def test_an_empty_network_is_explained() -> None:
    result = run(app, ["streams"])
    assert result.exit_code == 0
    assert "firewall" in result.stderr


@pytest.mark.usefixtures("models")
def test_init_writes_a_file_that_selects_what_is_there(
    network: list[FoundStream], tmp_path: Path
) -> None:
    network += [stream("EEG", "Amp"), stream("Markers", "Keys", source_id="")]
    file = tmp_path / "s.yaml"
    result = run(app, ["init", str(file)])
    assert result.exit_code == 0, result.output
    eeg, markers = load_session(file).choices()
    assert (eeg.stype, eeg.source_id, eeg.name) == ("EEG", "Amp-id", None)
    assert (markers.source_id, markers.name) == (None, "Keys")
    assert load_session(file).decoders[0].bundle == "tiny"


@pytest.mark.usefixtures("models")
def test_init_replaces_a_file_only_when_told(network: list[FoundStream], tmp_path: Path) -> None:
    network += [stream("EEG", "Amp", units=())]
    file = tmp_path / "s.yaml"
    file.write_text("mine")
    refused = run(app, ["init", str(file)])
    assert refused.exit_code == 1
    assert "--force" in refused.stderr
    assert file.read_text() == "mine"
    done = run(app, ["init", str(file), "--force"])
    assert done.exit_code == 0
    assert "declares no unit" in done.output
    load_session(file)


@pytest.mark.usefixtures("models")
def test_init_leaves_a_choice_to_people(network: list[FoundStream], tmp_path: Path) -> None:
    network += [stream("EEG", "Left"), stream("EEG", "Right")]
    result = run(app, ["init", str(tmp_path / "s.yaml")])
    assert result.exit_code == 1
    assert "'Left'" in result.stderr
    assert "'Right'" in result.stderr
    assert not (tmp_path / "s.yaml").exists()


@pytest.mark.usefixtures("models")
def test_init_needs_eeg_that_a_model_takes(network: list[FoundStream], tmp_path: Path) -> None:
    file = str(tmp_path / "s.yaml")
    network += [stream("Markers", "Keys")]
    assert "needs a stream of type 'EEG'" in run(app, ["init", file]).stderr
    network += [stream("EEG", "Amp", ch_names=("Fz", "Cz", "Oz"))]
    assert "tiny lacks eeg: Pz" in run(app, ["init", file]).stderr
    assert "bundle is a folder" in run(app, ["init", file, "--bundle", "no"]).stderr.lower()


@pytest.mark.usefixtures("models")
def test_init_says_whether_the_face_is_needed_and_what_is_next(
    network: list[FoundStream], tmp_path: Path
) -> None:
    file = tmp_path / "s.yaml"
    network += [stream("EEG", "Amp")]
    done = run(app, ["init", str(file)])
    assert "eeg      needed" in done.output
    assert "face     not there, and not needed" in done.output
    assert "`rtaffect face` is such a sender" in done.output
    assert f"Next: rtaffect live {file}" in done.output
    network += [stream("Face", "Cam", ch_names=FEATURES)]
    done = run(app, ["init", str(file), "--force"])
    assert "face     not needed" in done.output
    assert "streams.face.required: false" in done.output


def test_init_with_a_model_of_ones_own_says_what_it_asks_for(
    network: list[FoundStream], tmp_path: Path
) -> None:
    network += [stream("EEG", "Amp", ch_names=("Fz", "Cz", "Oz"))]
    model = write_tiny_bundle(tmp_path, rest="required", leaky=True)
    file = tmp_path / "s.yaml"
    done = run(app, ["init", str(file), "--bundle", str(model.path)])
    assert done.exit_code == 0, done.output
    assert "LEAKY" in done.output
    assert "lacks Pz" in done.output
    assert f"`rtaffect baseline {file} --bundle {model.path} --out NAME.json`" in done.output
    assert f"`rtaffect live {file} --baseline NAME.json`" in done.output


def test_init_refuses_a_model_whose_stream_is_not_there(
    network: list[FoundStream], tmp_path: Path
) -> None:
    network += [stream("EEG", "Amp")]
    manifest, files = tiny_manifest()
    face = manifest.windows.modalities["face"]
    needed = {**manifest.windows.modalities, "face": replace(face, optional=False)}
    windows = replace(manifest.windows, modalities=needed)
    model = write_bundle(tmp_path / "m", manifest.model_copy(update={"windows": windows}), files)
    done = run(app, ["init", str(tmp_path / "s.yaml"), "--bundle", str(model.path)])
    assert done.exit_code == 1
    assert "needs a stream of type 'Face' (face), and none is there" in done.stderr
    assert not (tmp_path / "s.yaml").exists()


@pytest.mark.usefixtures("models")
def test_the_model_that_fits_knows_other_spellings() -> None:
    assert choosing.fitting_bundles({"eeg": ["EEG FZ", "cz", "PZ", "EOG"]}) == ("tiny",)
    both = {"eeg": CH_NAMES, "face": [*FACE_FEATURES, *FEATURES]}
    assert choosing.fitting_bundles(both) == ("tiny",)
    with pytest.raises(BundleError, match="face: AU12_r"):
        choosing.fitting_bundles({"eeg": CH_NAMES, "face": FEATURES[:1]})


@pytest.mark.parametrize(
    ("at_hand", "expected"),
    [
        ({"face": FACE_FEATURES}, ("face-simulated",)),
        ({"eeg": EEG_32, "face": FACE_FEATURES}, ("prior-dfcn-eeg-face",)),
        ({"eeg": EEG_15, "face": FACE_FEATURES}, ("face-simulated", "prior-dfcn-eeg")),
        ({"face": FACE_FEATURES, "roi": brainnetome().names}, ("face-simulated", "roi-simulated")),
    ],
    ids=["face", "EEG and face", "15 channels and a face", "face and fMRI"],
)
def test_of_the_shipped_models_the_fewest_are_taken_that_hear_everything(
    at_hand: dict[str, tuple[str, ...]], expected: tuple[str, ...]
) -> None:
    assert choosing.fitting_bundles(at_hand) == expected


def test_a_face_does_not_stand_in_for_eeg_with_wrong_labels() -> None:
    with pytest.raises(BundleError, match="prior-dfcn-eeg lacks eeg: F3 Fz"):
        choosing.fitting_bundles({"eeg": ("1", "2", "3"), "face": FACE_FEATURES})


@pytest.mark.usefixtures("models")
def test_bundles_are_listed_shown_and_verified(models: Path) -> None:
    assert "tiny" in run(app, ["bundle", "show"]).output
    shown = run(app, ["bundle", "show", "tiny"])
    assert "Fz Cz Pz" in shown.output
    manifest = json.loads(run(app, ["bundle", "show", "tiny", "--json"]).output)
    assert manifest["windows"]["modalities"]["eeg"]["ch_names"] == list(CH_NAMES)
    assert run(app, ["bundle", "verify", "tiny"]).exit_code == 0
    graph = models / manifest["graphs"]["head"]["file"]
    graph.write_bytes(graph.read_bytes() + b"x")
    altered = run(app, ["bundle", "verify", "tiny"])
    assert altered.exit_code == 1
    assert "sha256" in altered.stderr
