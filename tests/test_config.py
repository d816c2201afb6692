"""Session files: what is right is read as it stands, what is wrong is named with its place."""

import json
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from rtaffect.config import Session, dump_session, load_session
from rtaffect.config.plain_yaml import MAX_BYTES
from rtaffect.config.streams import STREAM_TYPES
from rtaffect.core.errors import ConfigError
from rtaffect.core.mr import MrSpec

SESSIONS = sorted((Path(__file__).resolve().parents[1] / "configs" / "sessions").glob("*.yaml"))
GOOD = "streams: {eeg: {source_id: amp}}\ndecoders: [{bundle: prior-dfcn-eeg}]\n"


def error_of(tmp_path: Path, text: str | bytes) -> str:
    file = tmp_path / "s.yaml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(ConfigError) as raised:
        load_session(file)
    message = str(raised.value)
    assert "s.yaml" in message
    assert len(message) < 4000
    return message


def loaded(tmp_path: Path, text: str) -> Session:
    file = tmp_path / "s.yaml"
    file.write_text(text, encoding="utf-8")
    return load_session(file)


@pytest.mark.parametrize("path", SESSIONS, ids=lambda path: path.name)
def test_every_session_file_of_the_project_is_valid(path: Path) -> None:
    session = load_session(path)
    assert session.choices()
    assert session.publish.address.startswith("tcp://127.0.0.1:")


def test_there_are_session_files() -> None:
    assert {path.name for path in SESSIONS} >= {"demo.yaml", "eeg_only.yaml", "eeg_face.yaml"}


def test_choices_carry_what_the_file_says(tmp_path: Path) -> None:
    text = """
streams:
  eeg: {name: Amp, unit: V, rename: {A1: Fz}, ch_names: [A1, A2], sfreq: 500}
  face: {type: OpenFace, required: false}
decoders: [{bundle: b}]
"""
    eeg, face = loaded(tmp_path, text).choices()
    assert (eeg.modality, eeg.stype, eeg.name, eeg.source_id) == ("eeg", "EEG", "Amp", None)
    assert (eeg.unit, eeg.ch_names, eeg.rename) == ("V", ("A1", "A2"), {"A1": "Fz"})
    assert eeg.sfreq == 500.0
    assert eeg.required
    assert (face.modality, face.stype, face.required) == ("face", "OpenFace", False)


def test_words_stay_words(tmp_path: Path) -> None:
    # YAML 1.1 reads the key no as false and 12:30 as a number.
    text = "streams: {eeg: {rename: {no: Oz, 1: Cz}}}\ndecoders: [{bundle: b}]\n"
    assert loaded(tmp_path, text).streams.eeg.rename == {"no": "Oz", "1": "Cz"}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("streams: {eeg: {sorce_id: a}}", "line 1: streams.eeg.sorce_id is not a known key. Did"),
        ("recrod: null", "Did you mean record?"),
        ("zzz: 1", "zzz is not a known key. Valid here: streams, decoders"),
        ("streams: {egg: {}}", "Did you mean eeg?"),
        ("streams: {eeg: {unit: 3}}", "unit must be text, got the number 3; it takes: unit of"),
        ("streams: {eeg: {sfreq: fast}}", "streams.eeg.sfreq must be a number, got 'fast'"),
        ("streams: {eeg: {sfreq: -1}}", "streams.eeg.sfreq"),
        ("streams: {eeg: {sfreq: .nan}}", "streams.eeg.sfreq"),
        ("streams: {eeg: }", "nothing stands after the colon"),
        ("streams: {markers: {}}", "at least one of eeg"),
        ("streams: {eeg: {type: rtaffect-truth}}", "a decoder may not see"),
        ("streams: {eeg: {type: rtaffect-estimate}}", "a decoder may not see"),
        ("streams: {face: {type: rtaffect-truth}, eeg: {}}", "line 1: streams.face.type"),
        ("decoders: []", "decoders must not be empty"),
        ("decoders: prior", "decoders must be a list, got 'prior'"),
        ("decoders: [{bundel: a}]", "decoders[0].bundel is not a known key. Did you mean bundle?"),
        ("decoders: [{bundle: a}, {bundle: x/a}]", "two decoders are called 'a'"),
        ("decoders: [{bundle: a, name: a/b}]", "decoders[0].name has another form, got 'a/b'"),
        ("decoders: [{bundle: a, interpolate: 1}]", "must be true or false"),
        ("publish: {address: localhost}", "publish.address has another form"),
        ("publish: {curve: {admit: x}}", "publish.curve.secret is missing"),
        ("provider: gpu", "provider is none of the choices, got 'gpu'"),
        ("source: {kind: lsl, port: 1972}", "host and port belong to kind: fieldtrip"),
        ("source: {kind: fieldtrip, port: 70000}", "source.port"),
        ("record: {path: a.edf}", "must end in .xdf, got 'a.edf'; write runs/{time}.xdf"),
        ("record: a.xdf", 'as {path: "runs/{time}.xdf"}'),
        ("mr: causal", "mr.eeg is none of the choices, got 'causal'; it takes: corrected (the"),
        ("mr: 3", "mr must hold keys and values, got the number 3"),
        ("mr: {eeg: causal_aas, n_volume: 3}", "mr.n_volume is not a known key. Did you mean"),
        ("mr: {eeg: corrected, min_volumes: 60}", "min_volumes must be at most n_volumes, got 60"),
        ("mr: causal_aas", "needs both streams.eeg and streams.markers"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(tmp_path: Path, wrong: str, said: str) -> None:
    good = [line for line in GOOD.splitlines() if line.split(":")[0] != wrong.split(":")[0]]
    assert said in error_of(tmp_path, "\n".join([wrong, *good]))


def test_everything_wrong_is_told_at_once_in_order(tmp_path: Path) -> None:
    message = error_of(tmp_path, "streams:\n  eeg: {unti: V}\ndecoders:\n  - name: 3\nx: 1\n")
    lines = [int(line.split()[1].rstrip(":")) for line in message.splitlines()[1:]]
    assert lines == sorted(lines)
    assert len(lines) == 4


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: &x [1]\nb: *x\n", "line 1: anchors and aliases"),
        ("a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\n", "anchors and aliases"),
        ("a: !!python/object/apply:os.system [ls]\n", "the tag 'tag:yaml.org,2002:python"),
        ("a: !!str 3\n", "the tag"),
        ("a: " + "[" * 2000, "nested more than"),
        ("- a\n", "must hold keys and values"),
        ("", "got nothing"),
        ("just words\n", "got a single value"),
        ("a: 1\na: 2\n", "a stands twice, in lines 1 and 2"),
        ("streams:\n  eeg: {unit: V, unit: mV}\n", "streams.eeg.unit stands twice"),
        ("? [a, b]\n: 1\n", "a key must be a plain word"),
        ("a: [1, 2\nb: 3\n", "not valid YAML"),
        ("a:\tb: c\n", "not valid YAML"),
        ("a: 1\n---\nb: 2\n", "not valid YAML"),
        ("a: 2020-99-99\n", "is no value; quote it"),
        ("a: " + "9" * 5000 + "\n", "is no value"),
        ("a: \x07\n", "not valid YAML"),
        (b"\xff\xfe\x00a", "UTF-8"),
        ("#" * (MAX_BYTES + 1), "at most"),
    ],
)
def test_hostile_or_broken_yaml_is_refused(tmp_path: Path, text: str | bytes, said: str) -> None:
    assert said in error_of(tmp_path, text)


def test_a_folder_or_nothing_is_no_session_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="rtaffect init"):
        load_session(tmp_path / "none.yaml")
    with pytest.raises(ConfigError):
        load_session(tmp_path)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
def test_any_bytes_give_a_session_or_a_config_error(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "s.yaml"
    file.write_bytes(data)
    try:
        load_session(file)
    except ConfigError as error:
        assert str(file) in str(error)  # noqa: PT017 - any bytes at all may be valid


words = st.text(min_size=1, max_size=20)
streams = st.fixed_dictionaries(
    {},
    optional={
        "type": words,
        "name": words,
        "source_id": words,
        "unit": words,
        "ch_names": st.lists(words, min_size=1, max_size=4).map(tuple),
        "rename": st.dictionaries(words, words, max_size=3),
        "sfreq": st.floats(1e-3, 1e6),
        "required": st.booleans(),
    },
)


@pytest.mark.parametrize("word", ["corrected", "causal_aas", "none"])
def test_a_word_or_keys_say_what_is_done_about_a_scanner(tmp_path: Path, word: str) -> None:
    streams = "streams: {eeg: {}, markers: {}}\ndecoders: [{bundle: b}]\n"
    session = loaded(tmp_path, f"{streams}mr: {word}\n")
    assert session == loaded(tmp_path, f"{streams}mr: {{eeg: {word}}}\n")
    assert session.mr is not None
    assert (session.mr.spec is None) == (word != "causal_aas")
    assert loaded(tmp_path, dump_session(session)) == session


def test_every_number_of_the_subtraction_can_be_set(tmp_path: Path) -> None:
    text = """
    streams: {eeg: {}, markers: {}}
    decoders: [{bundle: b}]
    mr: {eeg: causal_aas, volume_marker: Scan, n_volumes: 30, min_volumes: 7, align: sample,
         pulse: true, ecg: ExG, n_beats: 12, min_beats: 3, longest_tr_s: 2.5}
    """
    mr = loaded(tmp_path, text).mr
    assert mr is not None
    assert mr.spec is not None
    gradient, pulse = mr.spec.gradient, mr.spec.pulse
    assert (gradient.volume_marker, gradient.n_volumes, gradient.min_volumes) == ("Scan", 30, 7)
    assert (gradient.align, gradient.longest_tr_s) == ("sample", 2.5)
    assert pulse is not None
    assert (pulse.ecg, pulse.n_beats, pulse.min_beats) == ("ExG", 12, 3)
    plain = loaded(tmp_path, text.split("mr:")[0] + "mr: causal_aas").mr
    assert plain is not None
    assert plain.spec == MrSpec()  # the settings' defaults are the code's
    without = loaded(tmp_path, text.replace("pulse: true", "pulse: false")).mr
    assert without is not None
    assert without.spec is not None
    assert without.spec.pulse is None


@pytest.mark.parametrize("said", ["", "mr: none"])
@pytest.mark.parametrize("scan", ["roi: {}", "volume: {address: 'tcp://127.0.0.1:5579'}"])
def test_eeg_beside_a_live_scan_must_say_what_becomes_of_its_artifacts(
    tmp_path: Path, scan: str, said: str
) -> None:
    text = f"streams: {{eeg: {{}}, {scan}}}\ndecoders: [{{bundle: b}}]\n{said}\n"
    message = error_of(tmp_path, text)
    assert f"EEG beside streams.{scan.split(':')[0]} is full of the scanner's artifacts" in message
    assert ("mr: none cannot be" in message) is bool(said)
    assert ("mr says nothing of them" in message) is not bool(said)
    assert "write `mr: causal_aas`" in message
    assert "`mr: corrected`" in message
    good = text.replace(said, "", 1) if said else text
    assert loaded(tmp_path, f"{good}mr: corrected\n").mr is not None


def test_a_scan_without_eeg_needs_no_word_on_artifacts(tmp_path: Path) -> None:
    assert loaded(tmp_path, "streams: {roi: {}}\ndecoders: [{bundle: b}]\n").mr is None


names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,20}", fullmatch=True)
sessions = st.fixed_dictionaries(
    {
        "streams": st.fixed_dictionaries({"eeg": streams}, optional={"face": streams}),
        "decoders": st.lists(
            st.fixed_dictionaries(
                {"bundle": words, "name": names}, optional={"interpolate": st.booleans()}
            ),
            min_size=1,
            max_size=3,
            unique_by=lambda decoder: decoder["name"],
        ).map(tuple),
    },
    optional={
        "record": st.just({"path": "runs/{time}.xdf"}),
        "provider": st.sampled_from(["auto", "cpu", "cuda"]),
        "publish": st.just({"address": "ipc:///tmp/a#b", "curve": {"secret": "a: b"}}),
        "source": st.just({"kind": "fieldtrip", "host": "lab", "port": 1972}),
    },
)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(values=sessions)
def test_what_is_written_is_read_as_the_same(tmp_path: Path, values: dict[str, object]) -> None:
    try:
        session = Session.model_validate(values)
    except ValidationError:  # a type of our own, or a surrogate
        return
    assert loaded(tmp_path, dump_session(session)) == session


def test_the_written_file_explains_every_key() -> None:
    session = Session.model_validate({"streams": {"eeg": {}}, "decoders": ({"bundle": "b"},)})
    text = dump_session(session)
    for word in ("source_id", "unit", "rename", "interpolate", "curve", "insecure", "provider"):
        assert any(word in line and "  # " in line for line in text.splitlines()), word


def test_a_recording_is_named_after_its_start() -> None:
    values = {
        "streams": {"eeg": {}},
        "decoders": ({"bundle": "b"},),
        "record": {"path": "runs/{time}.xdf"},
    }
    record = Session.model_validate(values).record
    assert record is not None
    start = datetime(2026, 3, 4, 5, 6, 7)  # noqa: DTZ001 - a local time, as on the wall
    assert record.path_at(start) == Path("runs/2026-03-04_05-06-07.xdf")


def test_every_modality_has_a_type() -> None:
    assert set(STREAM_TYPES) == {"eeg", "face", "roi", "roi_meta", "markers"}


def test_a_recording_is_told_no_path_key_or_address(tmp_path: Path) -> None:
    session = loaded(
        tmp_path,
        """
streams: {eeg: {source_id: amp, unit: uV}}
decoders: [{bundle: /home/ada/models/mine, name: main, interpolate: true}]
publish: {address: "tcp://10.1.2.3:5577", curve: {secret: /home/ada/keys/a.key_secret, admit: /k}}
record: {path: "/data/ada/{time}.xdf"}
source: {kind: fieldtrip, host: amplifier.lab, port: 1972}
""",
    )
    about = json.dumps(session.about())
    for private in ("/", "ada", "10.1", "key", "amplifier.lab"):
        assert private not in about
    assert session.about()["decoders"] == [{"bundle": "mine", "name": "main", "interpolate": True}]
    assert session.about()["source"] == {"kind": "fieldtrip"}
    assert '"source_id": "amp"' in about
